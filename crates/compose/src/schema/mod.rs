//! The specification as data, and the one pass that reads a file's tree by it: unknown keys and wrong types are refused in
//! Docker Compose's words, and short forms become long ones, so that what follows knows one form of each attribute.
//!
//! The tables list attributes in the order in which Docker Compose writes them; `render` prints by the same tables.

mod build;
mod deploy;
mod project;
mod service;
mod short;

use crate::error::{Error, Result};
use crate::path::Path;
use crate::units;
use crate::yaml::{Map, Node, Tag, Value};

pub(crate) use project::PROJECT;
pub(crate) use service::SERVICE;

/// A mapping whose keys are known. `x-` keys are allowed in each.
pub(crate) struct Object {
    pub(crate) fields: &'static [Field],
    pub(crate) required: &'static [&'static str],
}

pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) shown: Shown,
}

/// When an attribute is written out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// Unless it is empty, zero or false.
    IfNotEmpty,
    /// Once somebody said it.
    IfSaid,
    /// In JSON in any case, null where nobody said it.
    InJson,
    /// In JSON in any case, `{}` where nobody said it.
    ObjectInJson,
    /// Never: what it asks for has been done when a model is printed.
    Never,
}

/// What may stand somewhere.
pub(crate) enum Kind {
    Any,
    Text,
    /// A text or null.
    TextOrNull,
    OneOf(&'static [&'static str]),
    Integer,
    /// Integers within bounds.
    Bounded(i128, i128),
    Number,
    Flag,
    /// Bytes: `64m`. Becomes the text of a number.
    Size,
    /// As `Size`, but a file must write it as a text.
    SizeText,
    /// `1m30s`. Becomes Go's form.
    Duration,
    Texts,
    /// Texts and numbers, which become texts.
    TextsOrNumbers,
    TextOrTexts,
    /// A list of `KEY=VALUE` or a mapping; a key without value is null.
    Dictionary,
    /// As `Dictionary`, but without value means empty.
    Labels,
    /// A mapping to texts and numbers, which become texts.
    Options,
    /// A line for a shell's splitting, or a list of words.
    Command,
    Object(&'static Object),
    ObjectOrNull(&'static Object),
    /// Names to things.
    Names(&'static Kind),
    List(&'static Kind),
    /// A form of its own: what it becomes, and as what that is read.
    Short(Expand, &'static Kind),
    /// As `Short`, for forms that need no more reading.
    Custom(Expand),
}

pub(crate) type Expand = fn(&Reader, Node, &Path) -> Result<Node>;

impl Object {
    pub(crate) fn field(&self, name: &str) -> Option<&'static Field> {
        self.fields.iter().find(|field| field.name == name)
    }
}

pub(crate) const fn field(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, shown: Shown::IfNotEmpty }
}

impl Field {
    pub(crate) const fn shown(self, shown: Shown) -> Self {
        Self { shown, name: self.name, kind: self.kind }
    }
}

pub(crate) const fn object(fields: &'static [Field]) -> Object {
    Object { fields, required: &[] }
}

/// How a tree is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reader {
    /// Values may still have variables in them, which mean nothing yet.
    pub(crate) has_variables: bool,
}

impl Reader {
    /// A whole file.
    pub(crate) fn project(self, tree: Node) -> Result<Node> {
        if tree.as_map().is_none() {
            return Err(Error::Invalid(format!(
                "{}: Top-level object must be a mapping",
                tree.place
            )));
        }
        self.read(&Kind::Object(&PROJECT), tree, &Path::root())
    }

    pub(crate) fn read(self, kind: &Kind, node: Node, path: &Path) -> Result<Node> {
        if node.tag == Tag::Reset {
            return Ok(node);
        }
        let tag = node.tag;
        let node = self.untagged(kind, node, path)?;
        Ok(Node { tag, ..node })
    }

    fn untagged(self, kind: &Kind, node: Node, path: &Path) -> Result<Node> {
        match kind {
            Kind::Any => Ok(node),
            Kind::Text => text(node, path, "string"),
            Kind::TextOrNull if node.is_null() => Ok(node),
            Kind::TextOrNull => text(node, path, "string or null"),
            Kind::OneOf(known) => one_of(node, path, known),
            Kind::Integer => self.integer(node, path),
            Kind::Bounded(least, most) => bounded(self.integer(node, path)?, path, *least, *most),
            Kind::Number => self.number(node, path),
            Kind::Flag => self.flag(node, path),
            Kind::Size => self.size(node, path, "number or string"),
            Kind::SizeText => {
                let node = text(node, path, "string")?;
                self.size(node, path, "string")
            }
            Kind::Duration => self.duration(node, path),
            Kind::Texts => self.items(node, path, |item, path| text(item, path, "string")),
            Kind::TextsOrNumbers => self.items(node, path, number_as_text),
            Kind::TextOrTexts => self.text_or_texts(node, path),
            Kind::Dictionary => self.dictionary(node, path, &Value::Null),
            Kind::Labels => self.dictionary(node, path, &Value::Text(String::new())),
            Kind::Options => options(node, path),
            Kind::Command => short::command(&self, node, path),
            Kind::Object(object) => self.object(object, node, path),
            Kind::ObjectOrNull(_) if node.is_null() => Ok(node),
            Kind::ObjectOrNull(object) => self.object(object, node, path),
            Kind::Names(kind) => self.names(kind, node, path),
            Kind::List(kind) => self.items(node, path, |item, path| self.read(kind, item, path)),
            Kind::Short(expand, kind) => {
                let expanded = expand(&self, node, path)?;
                self.read(kind, expanded, path)
            }
            Kind::Custom(expand) => expand(&self, node, path),
        }
    }

    fn is_variable(self, node: &Node) -> bool {
        self.has_variables && node.as_str().is_some_and(|text| text.contains('$'))
    }

    fn object(self, object: &'static Object, node: Node, path: &Path) -> Result<Node> {
        if self.is_variable(&node) {
            return Ok(node);
        }
        let (map, shell) = into_map(node, path, "mapping")?;
        let mut read = Map::new();
        for (key, value) in map {
            if key.starts_with("x-") {
                read.insert(key, value);
                continue;
            }
            let Some(field) = object.field(&key) else {
                return Err(schema(
                    &value,
                    path,
                    format!("Additional property {key} is not allowed"),
                ));
            };
            let value = self.read(&field.kind, value, &path.join(&key))?;
            read.insert(key, value);
        }
        if let Some(missing) = object.required.iter().find(|name| !read.contains_key(**name)) {
            return Err(schema(&shell, path, format!("{missing} is required")));
        }
        Ok(Node { value: Value::Map(read), ..shell })
    }

    fn names(self, kind: &'static Kind, node: Node, path: &Path) -> Result<Node> {
        let (map, shell) = into_map(node, path, "mapping")?;
        let mut read = Map::new();
        for (name, value) in map {
            // Extensions stand beside names as well.
            if name.starts_with("x-") {
                read.insert(name, value);
                continue;
            }
            if !is_name(&name) {
                return Err(schema(
                    &value,
                    path,
                    format!("Additional property {name} is not allowed"),
                ));
            }
            let value = self.read(kind, value, &path.join(&name))?;
            read.insert(name, value);
        }
        Ok(Node { value: Value::Map(read), ..shell })
    }

    fn items(
        self,
        node: Node,
        path: &Path,
        mut each: impl FnMut(Node, &Path) -> Result<Node>,
    ) -> Result<Node> {
        let (list, shell) = into_list(node, path, "list")?;
        let item = |(at, node): (usize, Node)| each(node, &path.join(&at.to_string()));
        let read = list.into_iter().enumerate().map(item).collect::<Result<Vec<_>>>()?;
        Ok(Node { value: Value::List(read), ..shell })
    }

    fn text_or_texts(self, node: Node, path: &Path) -> Result<Node> {
        match node.value {
            Value::Text(_) => {
                let place = node.place.clone();
                Ok(Node::new(Value::List(vec![node]), place))
            }
            Value::List(_) => self.items(node, path, |item, path| text(item, path, "string")),
            _ => Err(must_be(&node, path, "string")),
        }
    }

    fn dictionary(self, node: Node, path: &Path, nothing: &Value) -> Result<Node> {
        let mut read = Map::new();
        let place = node.place.clone();
        match node.value {
            Value::List(list) => {
                for (at, item) in list.into_iter().enumerate() {
                    let entry = text(item, &path.join(&at.to_string()), "string")?;
                    let line = entry.as_str().unwrap_or_default();
                    let (key, value) = match line.split_once('=') {
                        Some((key, value)) => (key.to_owned(), Value::Text(value.to_owned())),
                        None => (line.to_owned(), nothing.clone()),
                    };
                    read.insert(key, entry.with(value));
                }
            }
            Value::Map(map) => {
                for (key, value) in map {
                    let inner = path.join(&key);
                    let value = dictionary_value(value, &inner, nothing)?;
                    read.insert(key, value);
                }
            }
            _ => return Err(must_be_at(&place, path, "mapping")),
        }
        Ok(Node::new(Value::Map(read), place))
    }

    fn integer(self, node: Node, path: &Path) -> Result<Node> {
        match &node.value {
            Value::Int(_) => Ok(node),
            Value::Text(_) if self.is_variable(&node) => Ok(node),
            Value::Text(text) => match text.parse::<i64>() {
                Ok(number) => Ok(node.with(Value::Int(number.into()))),
                Err(_) => Err(Error::value(
                    &node.place,
                    &path.to_string(),
                    format!("strconv.Atoi: parsing {text:?}: invalid syntax"),
                )),
            },
            Value::Float(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                Ok(node.with(Value::Int(*number as i128)))
            }
            _ => Err(must_be(&node, path, "integer or string")),
        }
    }

    fn number(self, node: Node, path: &Path) -> Result<Node> {
        match &node.value {
            Value::Int(_) | Value::Float(_) => Ok(node),
            Value::Text(_) if self.is_variable(&node) => Ok(node),
            Value::Text(text) => match text.parse::<f64>() {
                Ok(number) if number.fract() == 0.0 && number.abs() < 1e15 => {
                    Ok(node.with(Value::Int(number as i128)))
                }
                Ok(number) => Ok(node.with(Value::Float(number))),
                Err(_) => Err(Error::value(
                    &node.place,
                    &path.to_string(),
                    format!("strconv.ParseFloat: parsing {text:?}: invalid syntax"),
                )),
            },
            _ => Err(must_be(&node, path, "number or string")),
        }
    }

    fn flag(self, node: Node, path: &Path) -> Result<Node> {
        let truth = match &node.value {
            Value::Bool(_) => return Ok(node),
            Value::Text(_) if self.is_variable(&node) => return Ok(node),
            Value::Text(text) => match text.to_ascii_lowercase().as_str() {
                "true" | "y" | "yes" | "on" | "1" | "t" => Some(true),
                "false" | "n" | "no" | "off" | "0" | "f" => Some(false),
                _ => None,
            },
            _ => return Err(must_be(&node, path, "boolean or string")),
        };
        let truth = truth.ok_or_else(|| {
            let why = format!("invalid boolean: {}", node.as_str().unwrap_or_default());
            Error::value(&node.place, &path.to_string(), why)
        })?;
        Ok(node.with(Value::Bool(truth)))
    }

    fn size(self, node: Node, path: &Path, expected: &str) -> Result<Node> {
        if self.is_variable(&node) {
            return Ok(node);
        }
        let said = match &node.value {
            Value::Text(_) | Value::Int(_) | Value::Float(_) => node.scalar().unwrap_or_default(),
            _ => return Err(must_be(&node, path, expected)),
        };
        let size =
            units::bytes(&said).map_err(|why| Error::value(&node.place, &path.to_string(), why))?;
        Ok(node.text(size.to_string()))
    }

    fn duration(self, node: Node, path: &Path) -> Result<Node> {
        let node = text(node, path, "string")?;
        if self.is_variable(&node) {
            return Ok(node);
        }
        let ns = units::duration(node.as_str().unwrap_or_default())
            .map_err(|why| Error::value(&node.place, &path.to_string(), why))?;
        Ok(node.text(units::print_duration(ns)))
    }
}

fn text(node: Node, path: &Path, expected: &str) -> Result<Node> {
    match node.value {
        Value::Text(_) => Ok(node),
        _ => Err(must_be(&node, path, expected)),
    }
}

fn one_of(node: Node, path: &Path, known: &[&str]) -> Result<Node> {
    let node = text(node, path, "string")?;
    let said = node.as_str().unwrap_or_default();
    if known.contains(&said) || said.contains('$') {
        return Ok(node);
    }
    let quoted: Vec<String> = known.iter().map(|word| format!("{word:?}")).collect();
    let why = format!("{path} must be one of the following: {}", quoted.join(", "));
    Err(schema(&node, path, why))
}

fn bounded(node: Node, path: &Path, least: i128, most: i128) -> Result<Node> {
    let beyond = match node.value {
        Value::Int(value) if value > most => format!("Must be less than or equal to {most}"),
        Value::Int(value) if value < least => format!("Must be greater than or equal to {least}"),
        _ => return Ok(node),
    };
    Err(schema(&node, path, beyond))
}

fn number_as_text(node: Node, path: &Path) -> Result<Node> {
    match &node.value {
        Value::Text(_) => Ok(node),
        Value::Int(_) | Value::Float(_) => {
            let said = node.scalar().unwrap_or_default();
            Ok(node.text(said))
        }
        _ => Err(must_be(&node, path, "string or number")),
    }
}

fn dictionary_value(node: Node, path: &Path, nothing: &Value) -> Result<Node> {
    match (&node.value, node.scalar()) {
        (Value::Null, _) if node.tag == Tag::Reset => Ok(node),
        (Value::Null, _) => Ok(node.with(nothing.clone())),
        (_, Some(said)) => Ok(Node { tag: node.tag, ..node.text(said) }),
        (_, None) if node.tag == Tag::Reset => Ok(node),
        (_, None) => Err(must_be(&node, path, "string, number, boolean or null")),
    }
}

fn options(node: Node, path: &Path) -> Result<Node> {
    let (map, shell) = into_map(node, path, "mapping")?;
    let mut read = Map::new();
    for (key, value) in map {
        let value = match &value.value {
            Value::Null => value.text(""),
            Value::Text(_) | Value::Int(_) | Value::Float(_) => {
                let said = value.scalar().unwrap_or_default();
                value.text(said)
            }
            _ => return Err(must_be(&value, &path.join(&key), "string, number or null")),
        };
        read.insert(key, value);
    }
    Ok(Node { value: Value::Map(read), ..shell })
}

/// `[a-zA-Z0-9._-]+`
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

/// The entries of a mapping, and the node without them.
fn into_map(node: Node, path: &Path, expected: &str) -> Result<(Map, Node)> {
    let shell = Node { value: Value::Null, place: node.place.clone(), tag: node.tag };
    match node.value {
        Value::Map(map) => Ok((map, shell)),
        _ => Err(must_be(&node, path, expected)),
    }
}

fn into_list(node: Node, path: &Path, expected: &str) -> Result<(Vec<Node>, Node)> {
    let shell = Node { value: Value::Null, place: node.place.clone(), tag: node.tag };
    match node.value {
        Value::List(list) => Ok((list, shell)),
        _ => Err(must_be(&node, path, expected)),
    }
}

fn must_be(node: &Node, path: &Path, expected: &str) -> Error {
    must_be_at(&node.place, path, expected)
}

fn must_be_at(place: &crate::yaml::Place, path: &Path, expected: &str) -> Error {
    let path = shown(path);
    Error::Schema { place: place.clone(), path, why: format!("must be a {expected}") }
}

fn schema(node: &Node, path: &Path, why: String) -> Error {
    Error::Schema { place: node.place.clone(), path: shown(path), why }
}

fn shown(path: &Path) -> String {
    let text = path.to_string();
    if text.is_empty() { "(root)".to_owned() } else { text }
}
