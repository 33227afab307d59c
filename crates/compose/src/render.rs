//! A project as Docker Compose prints it, as YAML and as JSON: attributes in the order of the tables, names sorted.

use crate::load::{self, Loaded};
use crate::schema::{Field, Kind, Object, PROJECT, SERVICE, Shown};
use crate::yaml::{self, Map, Node, Ordered, Value};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Yaml,
    Json,
}

impl Loaded {
    /// The whole project.
    pub fn render(&self, format: Format) -> String {
        let tree = ordered(&self.tree, &Kind::Object(&PROJECT), format);
        let text = match format {
            Format::Yaml if self.interpolated => yaml::emit(&tree),
            Format::Yaml => yaml::emit(&sorted_root(tree)),
            Format::Json => json::pretty(&sorted_root(tree)),
        };
        // What is printed can be read again: a dollar is one there only when it is doubled.
        if self.interpolated { text.replace('$', "$$") } else { text }
    }
}

impl Loaded {
    pub fn service_names(&self) -> Vec<String> {
        load::services(&self.tree).map(|(name, _)| name.clone()).collect()
    }

    pub fn volume_names(&self) -> Vec<String> {
        load::section(&self.tree, "volumes").map(|(name, _)| name.clone()).collect()
    }

    /// What services run, built ones by the name that they get.
    pub fn images(&self) -> Vec<String> {
        let image = |(name, service): (&String, &Node)| {
            let said = service.get("image").and_then(Node::scalar);
            said.unwrap_or_else(|| format!("{}-{name}", self.name))
        };
        load::services(&self.tree).map(image).collect()
    }
}

/// A service as JSON on one line, as its hash sees it: without extensions, without what `leave_out` names.
pub(crate) fn service_json(service: &Node, leave_out: &[&str]) -> String {
    let mut service = service.clone();
    if let Some(map) = service.as_map_mut() {
        map.retain(|name, _| !leave_out.contains(&name.as_str()));
    }
    drop_extensions(&mut service);
    json::compact(&ordered(&service, &Kind::Object(&SERVICE), Format::Json))
}

fn drop_extensions(node: &mut Node) {
    match &mut node.value {
        Value::Map(map) => {
            map.retain(|name, _| !name.starts_with("x-"));
            map.values_mut().for_each(drop_extensions);
        }
        Value::List(list) => list.iter_mut().for_each(drop_extensions),
        _ => {}
    }
}

/// Docker Compose makes a mapping of the project before it prints JSON, and of one whose variables stay; those are sorted.
fn sorted_root(tree: Ordered) -> Ordered {
    match tree {
        Ordered::Map(mut entries) => {
            entries.sort_by(|(a, _), (b, _)| a.cmp(b));
            Ordered::Map(entries)
        }
        other => other,
    }
}

fn ordered(node: &Node, kind: &Kind, format: Format) -> Ordered {
    match (kind, &node.value) {
        (Kind::Object(object) | Kind::ObjectOrNull(object), Value::Map(map)) => {
            Ordered::Map(entries(map, object, format))
        }
        (Kind::Names(kind), Value::Map(map)) => {
            let Ordered::Map(mut entries) = Ordered::from(node) else { return Ordered::Null };
            for (name, value) in &mut entries {
                if !name.starts_with("x-") {
                    *value = ordered(&map[name.as_str()], kind, format);
                }
            }
            Ordered::Map(entries)
        }
        (Kind::List(kind), Value::List(list)) => {
            Ordered::List(list.iter().map(|item| ordered(item, kind, format)).collect())
        }
        (Kind::Short(_, kind), _) => ordered(node, kind, format),
        (Kind::Custom(_), _) => special(node),
        (_, _) => Ordered::from(node),
    }
}

fn entries(map: &Map, object: &Object, format: Format) -> Vec<(String, Ordered)> {
    let fields = object.fields.iter().filter_map(|field| shown(map, field, format));
    let extensions = map.iter().filter(|(name, _)| name.starts_with("x-"));
    let extensions = extensions.map(|(name, value)| (name.clone(), Ordered::from(value)));
    fields.chain(extensions).collect()
}

fn shown(map: &Map, field: &Field, format: Format) -> Option<(String, Ordered)> {
    let value = map.get(field.name).filter(|value| !value.is_null());
    let value = value.map(|value| by_name(field.name, ordered(value, &field.kind, format)));
    let value = match (field.shown, format, value) {
        (Shown::Never, ..) => return None,
        (Shown::InJson, Format::Json, None) => Ordered::Null,
        (Shown::ObjectInJson, Format::Json, None) => nothing_of(&field.kind),
        (Shown::IfNotEmpty, _, Some(value)) if is_zero(&value) => return None,
        (Shown::ObjectInJson, Format::Yaml, Some(value)) if value.is_empty() => return None,
        (_, _, value) => value?,
    };
    Some((json_name(field.name, format, map), value))
}

/// A mapping of which nobody said anything.
fn nothing_of(kind: &Kind) -> Ordered {
    match kind {
        Kind::Object(object) => Ordered::Map(entries(&Map::new(), object, Format::Json)),
        _ => Ordered::Map(Vec::new()),
    }
}

/// Two structures of Docker Compose have no names for JSON of their own.
fn json_name(name: &str, format: Format, map: &Map) -> String {
    let is_device = map.contains_key("path")
        && map.keys().all(|key| matches!(key.as_str(), "path" | "rate" | "weight"));
    match (format, name) {
        (Format::Json, "path") if is_device => "Path".to_owned(),
        (Format::Json, "rate") => "Rate".to_owned(),
        (Format::Json, "weight") if is_device => "Weight".to_owned(),
        _ => name.to_owned(),
    }
}

fn is_zero(value: &Ordered) -> bool {
    match value {
        Ordered::Null | Ordered::Bool(false) | Ordered::Int(0) => true,
        Ordered::Float(value) => *value == 0.0,
        Ordered::Text(text) => matches!(text.as_str(), "" | "0" | "0s"),
        Ordered::List(list) => list.is_empty(),
        Ordered::Map(entries) => entries.is_empty(),
        Ordered::Bool(true) | Ordered::Int(_) => false,
    }
}

/// Forms that are mappings in a tree and lists in print.
fn by_name(name: &str, value: Ordered) -> Ordered {
    match (name, value) {
        ("extra_hosts", Ordered::Map(hosts)) => Ordered::List(lines(hosts, "=")),
        ("ssh", Ordered::Map(keys)) => Ordered::List(
            keys.into_iter()
                .map(|(id, path)| match path {
                    Ordered::Text(path) if !path.is_empty() => {
                        Ordered::Text(format!("{id}={path}"))
                    }
                    _ => Ordered::Text(id),
                })
                .collect(),
        ),
        (_, value) => value,
    }
}

fn lines(hosts: Vec<(String, Ordered)>, between: &str) -> Vec<Ordered> {
    let mut lines: Vec<String> = hosts
        .into_iter()
        .flat_map(|(host, addresses)| match addresses {
            Ordered::List(list) => {
                list.into_iter().map(|address| (host.clone(), address)).collect()
            }
            other => vec![(host, other)],
        })
        .filter_map(|(host, address)| match address {
            Ordered::Text(address) => Some(format!("{host}{between}{address}")),
            _ => None,
        })
        .collect();
    lines.sort();
    lines.into_iter().map(Ordered::Text).collect()
}

/// Limits of two numbers stand in their own order.
fn special(node: &Node) -> Ordered {
    match Ordered::from(node) {
        Ordered::Map(mut entries) if entries.iter().any(|(name, _)| name == "soft") => {
            entries.sort_by(|(a, _), (b, _)| b.cmp(a));
            Ordered::Map(entries)
        }
        other => other,
    }
}

mod json {
    //! JSON as Go's encoder writes it: the order that is given, and `<`, `>`, `&` escaped.

    use crate::yaml::{Ordered, go_float};

    pub(super) fn compact(value: &Ordered) -> String {
        let mut out = String::new();
        write(&mut out, value, None);
        out
    }

    pub(super) fn pretty(value: &Ordered) -> String {
        let mut out = String::new();
        write(&mut out, value, Some(0));
        out
    }

    fn write(out: &mut String, value: &Ordered, indent: Option<usize>) {
        match value {
            Ordered::Null => out.push_str("null"),
            Ordered::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Ordered::Int(value) => out.push_str(&value.to_string()),
            Ordered::Float(value) => out.push_str(&go_float(*value)),
            Ordered::Text(text) => quote(out, text),
            Ordered::List(items) => {
                let each = items.iter().map(|item| (None, item));
                enclose(out, ('[', ']'), each, indent);
            }
            Ordered::Map(entries) => {
                let each = entries.iter().map(|(key, value)| (Some(key), value));
                enclose(out, ('{', '}'), each, indent);
            }
        }
    }

    fn enclose<'a>(
        out: &mut String,
        (open, close): (char, char),
        entries: impl Iterator<Item = (Option<&'a String>, &'a Ordered)>,
        indent: Option<usize>,
    ) {
        out.push(open);
        let inner = indent.map(|indent| indent + 2);
        let mut is_first = true;
        for (key, value) in entries {
            if !std::mem::take(&mut is_first) {
                out.push(',');
            }
            line(out, inner);
            if let Some(key) = key {
                quote(out, key);
                out.push_str(if inner.is_some() { ": " } else { ":" });
            }
            write(out, value, inner);
        }
        if !is_first {
            line(out, indent);
        }
        out.push(close);
    }

    fn line(out: &mut String, indent: Option<usize>) {
        if let Some(indent) = indent {
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', indent));
        }
    }

    fn quote(out: &mut String, text: &str) {
        out.push('"');
        for c in text.chars() {
            match c {
                '"' => out.push_str("\\\""),
                '\\' => out.push_str("\\\\"),
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '<' | '>' | '&' | '\u{2028}' | '\u{2029}' | '\0'..='\x1f' => {
                    out.push_str(&format!("\\u{:04x}", c as u32));
                }
                c => out.push(c),
            }
        }
        out.push('"');
    }
}
