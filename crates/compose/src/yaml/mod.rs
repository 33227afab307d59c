//! YAML as a tree that knows where each of its nodes was written.
//!
//! Documents are untrusted: depth, size and what aliases expand to are bounded, so that a few lines cannot fill memory.

mod emit;
mod number;
mod parse;
mod scalar;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub(crate) use emit::emit;
pub(crate) use number::go_float;
pub(crate) use parse::documents;

/// Where a node was written; lines and columns count from 1. A value in a mapping is where its key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub file: Arc<str>,
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// Of what no file says.
    pub(crate) fn nowhere() -> Self {
        Self { file: Arc::from(""), line: 0, column: 0 }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// What a tag of Compose's own asks of the merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    None,
    /// `!reset`: the attribute is as if it had never been written.
    Reset,
    /// `!override`: the value replaces what earlier files say.
    Override,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) value: Value,
    pub(crate) place: Place,
    pub(crate) tag: Tag,
}

/// Sorted by key: the order in which a mapping was written means nothing in a Compose file.
pub(crate) type Map = BTreeMap<String, Node>;

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// All of i64 and u64.
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Map),
}

impl Node {
    pub(crate) fn new(value: Value, place: Place) -> Self {
        Self { value, place, tag: Tag::None }
    }

    /// Another value where this one stands.
    pub(crate) fn with(&self, value: Value) -> Self {
        Self::new(value, self.place.clone())
    }

    pub(crate) fn text(&self, text: impl Into<String>) -> Self {
        self.with(Value::Text(text.into()))
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_map(&self) -> Option<&Map> {
        match &self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn as_map_mut(&mut self) -> Option<&mut Map> {
        match &mut self.value {
            Value::Map(map) => Some(map),
            _ => None,
        }
    }

    pub(crate) fn as_list(&self) -> Option<&[Node]> {
        match &self.value {
            Value::List(list) => Some(list),
            _ => None,
        }
    }

    pub(crate) fn is_null(&self) -> bool {
        matches!(self.value, Value::Null)
    }

    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.as_map()?.get(key)
    }

    /// A scalar as Go prints it: what `environment: {A: 1.50}` means by 1.50. Nothing for null, lists and mappings.
    pub(crate) fn scalar(&self) -> Option<String> {
        match &self.value {
            Value::Text(text) => Some(text.clone()),
            Value::Bool(value) => Some(value.to_string()),
            Value::Int(value) => Some(value.to_string()),
            Value::Float(value) => Some(go_float(*value)),
            Value::Null | Value::List(_) | Value::Map(_) => None,
        }
    }

    /// The tree as JSON, without places.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        use serde_json::Value as Json;
        match &self.value {
            Value::Null => Json::Null,
            Value::Bool(value) => Json::Bool(*value),
            Value::Int(value) => int_to_json(*value),
            Value::Float(value) => Json::from(*value),
            Value::Text(text) => Json::String(text.clone()),
            Value::List(list) => Json::Array(list.iter().map(Node::to_json).collect()),
            Value::Map(map) => {
                Json::Object(map.iter().map(|(key, node)| (key.clone(), node.to_json())).collect())
            }
        }
    }
}

fn int_to_json(value: i128) -> serde_json::Value {
    i64::try_from(value)
        .map(serde_json::Value::from)
        .or_else(|_| u64::try_from(value).map(serde_json::Value::from))
        .unwrap_or_else(|_| serde_json::Value::from(value as f64))
}

/// A tree in an order of its own, as it is printed.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ordered {
    Null,
    Bool(bool),
    Int(i128),
    Float(f64),
    Text(String),
    List(Vec<Ordered>),
    Map(Vec<(String, Ordered)>),
}

impl Ordered {
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Null => true,
            Self::List(list) => list.is_empty(),
            Self::Map(entries) => entries.is_empty(),
            _ => false,
        }
    }
}

impl From<&Node> for Ordered {
    fn from(node: &Node) -> Self {
        match &node.value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Int(value) => Self::Int(*value),
            Value::Float(value) => Self::Float(*value),
            Value::Text(text) => Self::Text(text.clone()),
            Value::List(list) => Self::List(list.iter().map(Self::from).collect()),
            Value::Map(map) => {
                let mut entries: Vec<(String, Self)> =
                    map.iter().map(|(key, value)| (key.clone(), Self::from(value))).collect();
                entries.sort_by(|(a, _), (b, _)| number::natural(a, b));
                Self::Map(entries)
            }
        }
    }
}
