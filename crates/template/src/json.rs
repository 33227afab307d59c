//! JSON that keeps the order and the numbers of the document it was read from, because `inspect`
//! shows what the engine wrote.

use std::fmt::Write as _;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    pub fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// What serde would write, as a document.
    pub fn of(value: &impl serde::Serialize) -> Self {
        let text = serde_json::to_vec(value).expect("wire types always encode");
        Self::parse(&text).expect("what serde_json wrote it can read")
    }

    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, v)| v),
            _ => None,
        }
    }

    /// On one line, as Go's encoder writes it.
    pub fn compact(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, None);
        out
    }

    /// Indented by four spaces a level.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Some(0));
        out
    }

    /// Indented by `unit` a level.
    pub fn indented(&self, unit: &str) -> String {
        let line = |line: &str| {
            let text = line.trim_start_matches(' ');
            format!("{}{text}", unit.repeat((line.len() - text.len()) / 4))
        };
        self.pretty().lines().map(line).collect::<Vec<_>>().join("\n")
    }

    fn write(&self, out: &mut String, level: Option<usize>) {
        match self {
            Self::Array(items) => {
                sequence(out, level, ('[', ']'), items, |item, out, level| item.write(out, level));
            }
            Self::Object(fields) => {
                sequence(out, level, ('{', '}'), fields, |(key, value), out, level| {
                    string(out, key);
                    out.push_str(if level.is_some() { ": " } else { ":" });
                    value.write(out, level);
                })
            }
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Self::Int(number) => write!(out, "{number}").expect("a String takes everything"),
            Self::Uint(number) => write!(out, "{number}").expect("a String takes everything"),
            Self::Float(number) => write!(out, "{number}").expect("a String takes everything"),
            Self::String(text) => string(out, text),
        }
    }
}

fn sequence<T>(
    out: &mut String,
    level: Option<usize>,
    (open, close): (char, char),
    items: &[T],
    write: impl Fn(&T, &mut String, Option<usize>),
) {
    let inner = level.map(|level| level + 1);
    let newline = |out: &mut String, level: Option<usize>| {
        if let Some(level) = level {
            out.push('\n');
            out.extend(std::iter::repeat_n("    ", level));
        }
    };
    out.push(open);
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        newline(out, inner);
        write(item, out, inner);
    }
    if !items.is_empty() {
        newline(out, level);
    }
    out.push(close);
}

fn string(out: &mut String, text: &str) {
    out.push_str(&serde_json::to_string(text).expect("strings always encode"));
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Json;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Int(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(i64::try_from(value).map_or(Json::Uint(value), Json::Int))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Json, E> {
        Ok(Json::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut array = Vec::new();
        while let Some(item) = items.next_element()? {
            array.push(item);
        }
        Ok(Json::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Json, A::Error> {
        let mut object = Vec::new();
        while let Some(field) = fields.next_entry()? {
            object.push(field);
        }
        Ok(Json::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_keep_their_order() {
        let text =
            r#"{"b":[1,-2,18446744073709551615,1.5],"a":{"x":null,"e":[],"o":{}},"t":"<&\n"}"#;
        let json = Json::parse(text.as_bytes()).unwrap();
        assert_eq!(json.compact(), text);
        expect_test::expect![[r#"
            {
                "b": [
                    1,
                    -2,
                    18446744073709551615,
                    1.5
                ],
                "a": {
                    "x": null,
                    "e": [],
                    "o": {}
                },
                "t": "<&\n"
            }"#]]
        .assert_eq(&json.pretty());
    }
}
