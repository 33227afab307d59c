//! `--format`: Go templates with Docker's functions over JSON documents.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use gotmpl::{MissingKey, Template, TemplateError, Value};

use super::json::Json;
use crate::error::Failure;

/// Beside its fields, an object whose order matters carries its own text under this name, which no
/// template can spell. Maps of Go, unlike structs, are written sorted, so only structs get one.
pub(super) const TEXT: &str = "\0";

/// Docker's exit code for a template that cannot be parsed, where it prints one object.
const BAD_TEMPLATE: u8 = 64;

/// A parsed `--format`.
pub(crate) struct Format(Template);

impl Format {
    /// Errors are Docker's.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        Self::build(text, functions)
    }

    /// `--format` of commands that print one object: nothing given, `json`, or a template.
    pub(crate) fn of_object(text: &str) -> crate::error::Result<Option<Self>> {
        let template = match text {
            "" => return Ok(None),
            "json" => "{{json .}}",
            template => template,
        };
        Self::parse(template).map(Some).map_err(|error| {
            Failure::with_code(BAD_TEMPLATE, format!("template parsing error: {error}"))
        })
    }

    /// For the header of a table, where functions leave the titles alone.
    pub(crate) fn parse_header(text: &str) -> Result<Self, String> {
        Self::build(text, header_functions)
    }

    fn build(text: &str, functions: fn(Template) -> Template) -> Result<Self, String> {
        let template = functions(Template::new("").missing_key(MissingKey::Error));
        let parsed = template.parse(&methods_as_calls(text));
        parsed.map(Self).map_err(|error| worded(&error))
    }

    /// As [`parse`](Self::parse), where a key that a map lacks is no error.
    pub(crate) fn parse_lenient(text: &str) -> Result<Self, String> {
        let template = functions(Template::new("").missing_key(MissingKey::Invalid));
        template.parse(&methods_as_calls(text)).map(Self).map_err(|error| worded(&error))
    }

    /// [`execute`](Self::execute), with Go's text for what is not there.
    pub(crate) fn execute_lenient(&self, value: &Value) -> Result<String, TemplateError> {
        Ok(without_hidden_texts(self.0.execute_to_string(value)?))
    }

    /// What Go prints, for a pointer to nothing too.
    pub(crate) fn execute(&self, value: &Value) -> Result<String, TemplateError> {
        let text = self.0.execute_to_string(value)?;
        Ok(without_hidden_texts(text).replace("<no value>", "<nil>"))
    }
}

/// A struct that is printed as a whole shows its hidden text, too: `map[\0:{...} A:1]`.
fn without_hidden_texts(printed: String) -> String {
    let mut out = String::with_capacity(printed.len());
    let mut rest = printed.as_str();
    while let Some((before, after)) = rest.split_once("\0:") {
        out.push_str(before);
        let mut documents =
            serde_json::Deserializer::from_str(after).into_iter::<serde::de::IgnoredAny>();
        documents.next();
        rest = after[documents.byte_offset()..].trim_start_matches(' ');
    }
    out + rest
}

/// Go puts the place before the message: `template: :1: ...`.
fn worded(error: &TemplateError) -> String {
    match error {
        TemplateError::Parse { line, message, .. } | TemplateError::Lex { line, message, .. } => {
            format!("template: :{line}: {message}")
        }
        other => format!("template: {other}"),
    }
}

/// Which key a template asked for in vain.
pub(crate) fn missing_key(error: &TemplateError) -> Option<&str> {
    match error {
        TemplateError::MissingKey { key } => Some(key),
        _ => None,
    }
}

/// `.Label "x"` calls a method with an argument, which the template engine knows only as `call`.
fn methods_as_calls(text: &str) -> String {
    const METHOD: &str = ".Label ";
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(METHOD) {
        let after = rest[at + METHOD.len()..].trim_start();
        let is_call = after.starts_with(['"', '`', '$', '(']);
        out.push_str(&rest[..at]);
        out.push_str(if is_call { "call .Label " } else { METHOD });
        rest = &rest[at + METHOD.len()..];
    }
    out + rest
}

fn functions(template: Template) -> Template {
    template
        .func("json", |args| Ok(text(to_json(first(args)?))))
        .func("split", |args| {
            let (of, by) = (string(args, 0)?, string(args, 1)?);
            let parts: Vec<Value> = match by.as_str() {
                "" => of.chars().map(|c| text(c.to_string())).collect(),
                by => of.split(by).map(|part| text(part.to_owned())).collect(),
            };
            Ok(Value::List(parts.into()))
        })
        .func("join", |args| {
            let Value::List(items) = first(args)? else { return Err(mismatch("join", "a list")) };
            let items: Vec<String> = items.iter().map(ToString::to_string).collect();
            Ok(text(items.join(&string(args, 1)?)))
        })
        .func("title", |args| Ok(text(title(&string(args, 0)?))))
        .func("lower", |args| Ok(text(string(args, 0)?.to_lowercase())))
        .func("upper", |args| Ok(text(string(args, 0)?.to_uppercase())))
        .func("pad", pad)
        .func("truncate", |args| {
            let (of, length) = (string(args, 0)?, number(args, 1)?);
            Ok(text(of.chars().take(length).collect()))
        })
}

fn header_functions(template: Template) -> Template {
    ["json", "title", "lower", "upper", "split", "join", "truncate"]
        .into_iter()
        .fold(template, |template, name| template.func(name, |args| first(args).cloned()))
        .func("pad", pad)
}

fn pad(args: &[Value]) -> gotmpl::Result<Value> {
    let (of, before, after) = (string(args, 0)?, number(args, 1)?, number(args, 2)?);
    if of.is_empty() {
        return Ok(text(of));
    }
    Ok(text(format!("{}{of}{}", " ".repeat(before), " ".repeat(after))))
}

fn title(of: &str) -> String {
    let mut at_start = true;
    let capitalised = |c: char| {
        let upper = at_start;
        at_start = !c.is_alphanumeric() && c != '_';
        if upper { c.to_uppercase().collect::<String>() } else { c.to_string() }
    };
    of.chars().map(capitalised).collect()
}

fn first(args: &[Value]) -> gotmpl::Result<&Value> {
    args.first().ok_or_else(|| TemplateError::Exec("wrong number of args: want 1 got 0".to_owned()))
}

fn string(args: &[Value], index: usize) -> gotmpl::Result<String> {
    match args.get(index) {
        Some(Value::String(text)) => Ok(text.to_string()),
        Some(other) => Err(mismatch("argument", &format!("a string, not {other}"))),
        None => Err(TemplateError::Exec("wrong number of args".to_owned())),
    }
}

fn number(args: &[Value], index: usize) -> gotmpl::Result<usize> {
    let number = args.get(index).and_then(Value::as_int);
    number.and_then(|n| usize::try_from(n).ok()).ok_or_else(|| mismatch("argument", "a number"))
}

fn mismatch(what: &str, wanted: &str) -> TemplateError {
    TemplateError::Exec(format!("wrong type for {what}: expected {wanted}"))
}

pub(crate) fn text(text: String) -> Value {
    Value::String(text.into())
}

/// A document as template data.
pub(crate) fn value(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(bool) => Value::Bool(*bool),
        Json::Int(number) => Value::Int(*number),
        Json::Uint(number) => Value::Uint(*number),
        Json::Float(number) => Value::Float(*number),
        Json::String(string) => text(string.clone()),
        Json::Array(items) => Value::List(items.iter().map(value).collect()),
        Json::Object(fields) => {
            let mut map: BTreeMap<Arc<str>, Value> =
                fields.iter().map(|(key, v)| (key.as_str().into(), value(v))).collect();
            if !fields.is_sorted_by(|(a, _), (b, _)| a <= b) {
                map.insert(TEXT.into(), text(json.compact()));
            }
            Value::Map(Arc::new(map))
        }
    }
}

/// Fields of Go's structs whose nil is an empty list, or an empty map.
const LISTS: &[&str] = &[
    "Aliases",
    "Args",
    "Binds",
    "BlkioDeviceReadBps",
    "BlkioDeviceReadIOps",
    "BlkioDeviceWriteBps",
    "BlkioDeviceWriteIOps",
    "BlkioWeightDevice",
    "CapAdd",
    "CapDrop",
    "Cmd",
    "DNSNames",
    "DeviceCgroupRules",
    "DeviceRequests",
    "Devices",
    "Dns",
    "DnsOptions",
    "DnsSearch",
    "Entrypoint",
    "Env",
    "ExecIDs",
    "ExtraHosts",
    "GroupAdd",
    "Links",
    "MaskedPaths",
    "Mounts",
    "OnBuild",
    "ReadonlyPaths",
    "RepoDigests",
    "RepoTags",
    "SecondaryIPAddresses",
    "SecondaryIPv6Addresses",
    "SecurityOpt",
    "Shell",
    "Ulimits",
    "VolumesFrom",
];
const MAPS: &[&str] = &[
    "Annotations",
    "DriverOpts",
    "ExposedPorts",
    "Labels",
    "Networks",
    "PortBindings",
    "Ports",
    "StorageOpt",
    "Sysctls",
    "Tmpfs",
    "Volumes",
];

/// JSON's names of fields that Go's structs spell differently.
const ALIASES: &[(&str, &str)] = &[
    ("ApiVersion", "APIVersion"),
    ("Dns", "DNS"),
    ("DnsOptions", "DNSOptions"),
    ("DnsSearch", "DNSSearch"),
    ("HostIp", "HostIP"),
    ("Id", "ID"),
];

/// Empty, but `null` in JSON: told from other empty ones by where they are.
static NIL_LIST: LazyLock<Arc<[Value]>> = LazyLock::new(|| Arc::new([]));
static NIL_MAP: LazyLock<Arc<BTreeMap<Arc<str>, Value>>> = LazyLock::new(Arc::default);

fn nil(field: &str) -> Value {
    if LISTS.contains(&field) {
        Value::List(NIL_LIST.clone())
    } else if MAPS.contains(&field) {
        Value::Map(NIL_MAP.clone())
    } else {
        Value::Nil
    }
}

/// As [`value`], with the fields that Go's struct has and its JSON omits, under Go's names.
pub(crate) fn go_struct(json: &Json, omitted: &Json) -> Value {
    let (Value::Map(map), Json::Object(fields)) = (value(json), json) else {
        return match json {
            Json::Array(items) => {
                Value::List(items.iter().map(|item| go_struct(item, &Json::Null)).collect())
            }
            other => value(other),
        };
    };
    let mut map = Arc::unwrap_or_clone(map);
    let count = map.len();
    for (key, field) in fields {
        let field = match field {
            Json::Null => nil(key),
            field => go_struct(field, omitted.get(key).unwrap_or(&Json::Null)),
        };
        if let Some((_, alias)) = ALIASES.iter().find(|(name, _)| name == key) {
            map.insert((*alias).into(), field.clone());
        }
        map.insert(key.as_str().into(), field);
    }
    if let Json::Object(omitted) = omitted {
        for (key, default) in omitted.iter().filter(|(key, _)| json.get(key).is_none()) {
            let default = if *default == Json::Null { nil(key) } else { value(default) };
            map.insert(key.as_str().into(), default);
        }
    }
    if map.len() > count {
        map.entry(TEXT.into()).or_insert_with(|| text(json.compact()));
    }
    Value::Map(Arc::new(map))
}

fn to_json(value: &Value) -> String {
    match value {
        Value::Map(map) if Arc::ptr_eq(map, &NIL_MAP) => "null".to_owned(),
        Value::List(items) if Arc::ptr_eq(items, &NIL_LIST) => "null".to_owned(),
        Value::Map(map) => match map.get(TEXT) {
            Some(Value::String(text)) => text.to_string(),
            _ => {
                let fields = map.iter().filter(|(_, v)| !matches!(v, Value::Function(_)));
                let fields: Vec<String> = fields
                    .map(|(key, v)| {
                        format!("{}:{}", Json::String(key.to_string()).compact(), to_json(v))
                    })
                    .collect();
                format!("{{{}}}", fields.join(","))
            }
        },
        Value::List(items) => {
            format!("[{}]", items.iter().map(to_json).collect::<Vec<_>>().join(","))
        }
        Value::String(string) => Json::String(string.to_string()).compact(),
        Value::Nil => "null".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn render(template: &str, json: &str) -> String {
        let json = Json::parse(json.as_bytes()).unwrap();
        Format::parse(template).unwrap().execute(&value(&json)).unwrap()
    }

    #[test]
    fn dockers_functions() {
        let data = r#"{"Name":"web one","Args":["a","b"],"N":3}"#;
        assert_eq!(render(r#"{{join .Args ","}} {{json .Args}}"#, data), r#"a,b ["a","b"]"#);
        assert_eq!(render("{{upper .Name}} {{title .Name}}", data), "WEB ONE Web One");
        assert_eq!(render(r#"{{index (split .Name " ") 1}}"#, data), "one");
        assert_eq!(render("[{{pad .Name 1 2}}] {{truncate .Name 3}}", data), "[ web one  ] web");
        assert_eq!(render(r#"{{println .N}}"#, data), "3\n");
    }

    #[test]
    fn json_keeps_the_order_of_structs_but_ranges_see_only_fields() {
        let data = r#"{"Z":{"b":1,"a":2},"M":{"a":1,"b":2}}"#;
        assert_eq!(render("{{json .}}", data), data);
        assert_eq!(render("{{json .Z}}", data), r#"{"b":1,"a":2}"#);
        assert_eq!(render("{{range $k, $v := .M}}{{$k}}={{$v}};{{end}}", data), "a=1;b=2;");
    }

    #[test]
    fn what_json_omits_a_struct_has() {
        let json = Json::parse(br#"{"Id":"a","Config":{"Cmd":null,"Labels":{"x":"y"}}}"#).unwrap();
        let omitted = Json::parse(br#"{"Config":{"StopSignal":"","Init":null}}"#).unwrap();
        let data = go_struct(&json, &omitted);
        let render = |template: &str| Format::parse(template).unwrap().execute(&data).unwrap();
        assert_eq!(
            render("{{.ID}} {{.Config.Cmd}} {{json .Config.Cmd}} {{.Config.Init}}"),
            "a [] null <nil>"
        );
        assert_eq!(
            render("[{{.Config.StopSignal}}] {{json .Config}}"),
            r#"[] {"Cmd":null,"Labels":{"x":"y"}}"#
        );
        assert_eq!(render("{{.Config.Labels}}"), "map[x:y]");
        assert_eq!(render("{{.Config}}"), "map[Cmd:[] Init:<nil> Labels:map[x:y] StopSignal:]");
    }

    #[test]
    fn labels_are_asked_for_by_a_method() {
        assert_eq!(
            methods_as_calls(r#"{{.Label "a"}} {{.Labels}} .Label x"#),
            r#"{{call .Label "a"}} {{.Labels}} .Label x"#
        );
    }

    #[test]
    fn unknown_fields_are_errors() {
        let error =
            Format::parse("{{.Foo}}").unwrap().execute(&value(&Json::Object(vec![]))).unwrap_err();
        assert_eq!(missing_key(&error), Some("Foo"));
        assert!(Format::parse("{{.Foo").is_err());
    }
}
