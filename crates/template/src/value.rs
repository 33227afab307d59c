//! What templates work on: data with Go's types, as reflection sees it.

use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;

use crate::json::Json;

/// A type of Go's. Structs know their fields; a name is there where it is not the shape's own.
#[derive(Debug, Clone)]
pub struct Type {
    pub(super) name: Option<Rc<str>>,
    pub(super) shape: Shape,
}

#[derive(Debug, Clone)]
pub(super) enum Shape {
    Any,
    Bool,
    Int,
    Uint,
    Float,
    Text,
    List(Rc<Type>),
    Map(Rc<MapOf>),
    Pointer(Rc<Type>),
    Struct(Rc<[Field]>),
    /// A line of a list: an object with methods.
    Row,
}

/// Keys are strings, but not all of Go's type of that name.
#[derive(Debug)]
pub(super) struct MapOf {
    pub(super) key: Type,
    pub(super) value: Type,
}

#[derive(Debug)]
pub(super) struct Field {
    pub(super) name: Rc<str>,
    /// Its name in JSON.
    pub(super) key: Rc<str>,
    pub(super) omit_empty: bool,
    pub(super) kind: Type,
}

impl Type {
    pub(super) const fn of(shape: Shape) -> Self {
        Self { name: None, shape }
    }

    pub(super) fn named(name: &str, shape: Shape) -> Self {
        Self { name: Some(name.into()), shape }
    }

    pub(super) fn map(key: Self, value: Self) -> Self {
        Self::of(Shape::Map(Rc::new(MapOf { key, value })))
    }

    pub(super) fn list(of: Self) -> Self {
        Self::of(Shape::List(Rc::new(of)))
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.name {
            return f.write_str(name);
        }
        match &self.shape {
            Shape::Any => f.write_str("interface {}"),
            Shape::Bool => f.write_str("bool"),
            Shape::Int => f.write_str("int"),
            Shape::Uint => f.write_str("uint"),
            Shape::Float => f.write_str("float64"),
            Shape::Text => f.write_str("string"),
            Shape::List(of) => write!(f, "[]{of}"),
            Shape::Map(of) => write!(f, "map[{}]{}", of.key, of.value),
            Shape::Pointer(to) => write!(f, "*{to}"),
            Shape::Struct(_) | Shape::Row => f.write_str("struct"),
        }
    }
}

/// Data and its type.
#[derive(Debug, Clone)]
pub struct Value {
    pub(super) kind: Type,
    pub(super) data: Data,
    /// It was found in a place of type `interface {}`, which messages name instead of its own.
    pub(super) in_interface: bool,
}

#[derive(Debug, Clone)]
pub(super) enum Data {
    /// Nothing at all: what a map lacks, and the constant `nil`.
    Missing,
    /// A pointer, list or map that is nil.
    Nil,
    Bool(bool),
    /// Of any size and sign.
    Int(i128),
    Float(f64),
    Text(Rc<str>),
    List(Rc<[Value]>),
    Map(Rc<BTreeMap<Rc<str>, Value>>),
    Pointer(Rc<Value>),
    Struct(Rc<[Value]>),
    Row(Rc<Row>),
}

/// The methods of a line: texts, and those that take one.
pub(super) struct Row {
    pub(super) cells: BTreeMap<&'static str, Value>,
    pub(super) methods: Vec<Method>,
    /// Columns without a title are no error.
    pub(super) is_header: bool,
    /// Its JSON, where that is more than its methods.
    pub(super) document: Option<Json>,
}

/// From its argument to its text.
pub type Method = (&'static str, Box<dyn Fn(&str) -> String>);

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cells.fmt(f)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::new(Type::of(Shape::Text), Data::Text(text.into()))
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::new(Type::of(Shape::Bool), Data::Bool(value))
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::new(Type::of(Shape::Int), Data::Int(number.into()))
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::new(Type::of(Shape::Float), Data::Float(number))
    }
}

impl Value {
    pub(super) const fn new(kind: Type, data: Data) -> Self {
        Self { kind, data, in_interface: false }
    }

    pub(super) const fn missing() -> Self {
        Self::new(Type::of(Shape::Any), Data::Missing)
    }

    pub(super) fn texts(texts: impl IntoIterator<Item = String>) -> Self {
        let items = texts.into_iter().map(Self::from).collect();
        Self::new(Type::list(Type::of(Shape::Text)), Data::List(items))
    }

    /// A line of a list, of that type, by its methods.
    pub fn row(
        go_type: &str,
        cells: BTreeMap<&'static str, Value>,
        methods: Vec<Method>,
        document: Option<Json>,
    ) -> Self {
        let row = Data::Row(Rc::new(Row { cells, methods, is_header: false, document }));
        Self::new(Type::named(go_type, Shape::Row), row)
    }

    /// The titles of a table.
    pub fn header(titles: &[(&'static str, &str)]) -> Self {
        let cells = titles.iter().map(|(name, title)| (*name, (*title).into())).collect();
        let row = Row {
            cells,
            methods: vec![("Label", Box::new(label_title))],
            is_header: true,
            document: None,
        };
        let kind = Type::named("formatter.SubHeaderContext", Shape::Row);
        Self::new(kind, Data::Row(Rc::new(row)))
    }

    /// A document without types, as `json.Decoder` with `UseNumber` reads it.
    pub fn untyped(json: &Json) -> Self {
        let inside = |json: &Json| Self { in_interface: true, ..Self::untyped(json) };
        match json {
            Json::Null => Self::missing(),
            Json::Bool(value) => (*value).into(),
            Json::String(text) => text.as_str().into(),
            Json::Int(_) | Json::Uint(_) | Json::Float(_) => {
                let number = Type::named("json.Number", Shape::Text);
                Self::new(number, Data::Text(json.compact().into()))
            }
            Json::Array(items) => {
                let items = items.iter().map(inside).collect();
                Self::new(Type::list(Type::of(Shape::Any)), Data::List(items))
            }
            Json::Object(fields) => {
                let fields = fields.iter().map(|(key, field)| (key.as_str().into(), inside(field)));
                let kind = Type::map(Type::of(Shape::Text), Type::of(Shape::Any));
                Self::new(kind, Data::Map(Rc::new(fields.collect())))
            }
        }
    }

    /// A document as Go decodes it into that type; what it lacks is zero.
    pub fn typed(json: &Json, kind: &Type) -> Self {
        let data = match (&kind.shape, json) {
            (Shape::Any, json) => return Self { in_interface: true, ..Self::untyped(json) },
            (Shape::Bool, Json::Bool(value)) => Data::Bool(*value),
            (Shape::Int | Shape::Uint, Json::Int(number)) => Data::Int((*number).into()),
            (Shape::Int | Shape::Uint, Json::Uint(number)) => Data::Int((*number).into()),
            (Shape::Float, Json::Int(number)) => Data::Float(*number as f64),
            (Shape::Float, Json::Float(number)) => Data::Float(*number),
            (Shape::Text, Json::String(text)) => Data::Text(text.as_str().into()),
            (Shape::List(of), Json::Array(items)) => {
                Data::List(items.iter().map(|item| Self::typed(item, of)).collect())
            }
            (Shape::Map(of), Json::Object(fields)) => {
                let decode = |(key, field): &(String, Json)| {
                    (key.as_str().into(), Self::typed(field, &of.value))
                };
                Data::Map(Rc::new(fields.iter().map(decode).collect()))
            }
            (Shape::Pointer(to), json) if *json != Json::Null => {
                Data::Pointer(Rc::new(Self::typed(json, to)))
            }
            (Shape::Struct(fields), Json::Object(_)) => {
                let decode = |field: &Field| match json.get(&field.key) {
                    Some(value) => Self::typed(value, &field.kind),
                    None => Self::zero(&field.kind),
                };
                Data::Struct(fields.iter().map(decode).collect())
            }
            _ => return Self::zero(kind),
        };
        Self::new(kind.clone(), data)
    }

    /// A field by Go's name for it.
    pub(super) fn own_field(&self, name: &str) -> Option<&Self> {
        match (&self.data, &self.kind.shape) {
            (Data::Struct(values), Shape::Struct(fields)) => {
                values.get(fields.iter().position(|field| &*field.name == name)?)
            }
            _ => None,
        }
    }

    pub(super) fn zero(kind: &Type) -> Self {
        let data = match &kind.shape {
            Shape::Any | Shape::Row => return Self { in_interface: true, ..Self::missing() },
            Shape::Bool => Data::Bool(false),
            Shape::Int | Shape::Uint => Data::Int(0),
            Shape::Float => Data::Float(0.0),
            Shape::Text => Data::Text("".into()),
            Shape::List(_) | Shape::Map(_) | Shape::Pointer(_) => Data::Nil,
            Shape::Struct(fields) => {
                Data::Struct(fields.iter().map(|field| Self::zero(&field.kind)).collect())
            }
        };
        Self::new(kind.clone(), data)
    }

    pub(super) const fn is_missing(&self) -> bool {
        matches!(self.data, Data::Missing)
    }

    /// Out of the interface it was found in.
    pub(super) fn unwrapped(self) -> Self {
        Self { in_interface: false, ..self }
    }

    /// Behind its pointers, as far as they point somewhere.
    pub(super) fn behind_pointers(&self) -> Self {
        let mut value = self;
        while let Data::Pointer(to) = &value.data {
            value = to;
        }
        value.clone().unwrapped()
    }

    pub(super) const fn is_nil_pointer(&self) -> bool {
        matches!((&self.kind.shape, &self.data), (Shape::Pointer(_), Data::Nil))
    }

    /// The type of the place it is in, as messages name it.
    pub(super) fn shown_type(&self) -> String {
        if self.in_interface { "interface {}".to_owned() } else { self.kind.to_string() }
    }

    pub(super) fn as_text(&self) -> Option<&str> {
        match &self.data {
            Data::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Go's idea of what counts as true.
    pub(super) fn is_true(&self) -> bool {
        match &self.data {
            Data::Missing | Data::Nil => false,
            Data::Bool(value) => *value,
            Data::Int(number) => *number != 0,
            Data::Float(number) => *number != 0.0,
            Data::Text(text) => !text.is_empty(),
            Data::List(items) => !items.is_empty(),
            Data::Map(map) => !map.is_empty(),
            Data::Pointer(_) | Data::Struct(_) | Data::Row(_) => true,
        }
    }

    /// As `encoding/json` writes it, without HTML escapes.
    pub fn json(&self) -> String {
        let object = |fields: &mut dyn Iterator<Item = (&str, &Self)>| {
            let field =
                |(key, value): (&str, &Self)| format!("{}:{}", json_text(key), value.json());
            format!("{{{}}}", fields.map(field).collect::<Vec<_>>().join(","))
        };
        match &self.data {
            Data::Missing | Data::Nil => "null".to_owned(),
            Data::Bool(value) => value.to_string(),
            Data::Int(number) => number.to_string(),
            Data::Float(number) => Json::Float(*number).compact(),
            Data::Text(number) if self.kind.name.as_deref() == Some("json.Number") => {
                number.to_string()
            }
            Data::Text(text) => json_text(text),
            Data::List(items) => {
                format!("[{}]", items.iter().map(Self::json).collect::<Vec<_>>().join(","))
            }
            Data::Map(map) => object(&mut map.iter().map(|(key, value)| (&**key, value))),
            Data::Pointer(to) => to.json(),
            Data::Struct(values) => {
                let Shape::Struct(fields) = &self.kind.shape else { return "null".to_owned() };
                let shown = fields.iter().zip(values.iter()).filter(|(field, value)| {
                    let empty = !value.is_true() && !matches!(value.data, Data::Struct(_));
                    &*field.key != "-" && !(field.omit_empty && empty)
                });
                object(&mut shown.map(|(field, value)| (&*field.key, value)))
            }
            Data::Row(row) => row.json(),
        }
    }
}

/// The last part of a label's name, as words.
fn label_title(name: &str) -> String {
    name.rsplit('.').next().unwrap_or_default().replace(['-', '_'], " ")
}

impl Row {
    /// With the escapes of Go's own encoder, which its methods cannot switch off.
    fn json(&self) -> String {
        if let Some(document) = &self.document {
            return document.compact();
        }
        let cell = |(name, value): (&&str, &Value)| format!("{}:{}", json_text(name), value.json());
        let json = format!("{{{}}}", self.cells.iter().map(cell).collect::<Vec<_>>().join(","));
        json.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e")
    }
}

fn json_text(text: &str) -> String {
    Json::String(text.to_owned()).compact()
}
