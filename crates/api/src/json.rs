//! Documents from outside, and what Docker says of those that it cannot read: the words are those of Go's
//! encoding/json, whose messages reach clients unchanged.
//!
//! serde_json decodes; only what it refuses is looked at a second time, for the words.

use std::fmt;

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Why a document could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreadable {
    /// Nothing but white space.
    Empty,
    /// It ends too early.
    Truncated,
    /// A value, and something after it.
    Trailing(char),
    /// No JSON, or not of the shape that was expected.
    Malformed(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty | Self::Truncated => f.write_str("unexpected end of JSON input"),
            Self::Trailing(c) => {
                write!(f, "invalid character {} after top-level value", quoted(*c))
            }
            Self::Malformed(words) => f.write_str(words),
        }
    }
}

impl std::error::Error for Unreadable {}

/// Reads one document. Depth is bounded by serde_json (128).
///
/// # Errors
/// What is wrong with it.
pub fn decode<T: DeserializeOwned>(text: &[u8]) -> Result<T, Unreadable> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let value = match T::deserialize(&mut deserializer) {
        Err(error) if error.to_string().starts_with("duplicate field") => {
            return last_of_each(text);
        }
        result => result.map_err(|error| explain::<T>(text, &error))?,
    };
    match deserializer.end() {
        Ok(()) => Ok(value),
        Err(error) => Err(match syntax(text, usize::MAX) {
            Err(fault) => fault,
            Ok(_) => Unreadable::Malformed(error.to_string()),
        }),
    }
}

/// Of fields with one name Go takes the last.
fn last_of_each<T: DeserializeOwned>(text: &[u8]) -> Result<T, Unreadable> {
    let explain = |error| explain::<T>(text, &error);
    let document: Value = serde_json::from_slice(text).map_err(explain)?;
    T::deserialize(document).map_err(explain)
}

fn explain<T: DeserializeOwned>(text: &[u8], error: &serde_json::Error) -> Unreadable {
    match syntax(text, usize::MAX) {
        // Go reads the value before it looks at what follows.
        Err(fault) if !matches!(fault, Unreadable::Trailing(_)) => fault,
        _ if error.is_syntax() => Unreadable::Malformed(beyond_serde(text, error)),
        _ => {
            let found = searched_place::<T>(text).filter(|found| !found.is_empty());
            let path = found.unwrap_or_else(|| place(text, error));
            Unreadable::Malformed(mismatch(&error.to_string(), &path))
        }
    }
}

/// What is JSON and yet more than serde_json reads.
fn beyond_serde(text: &[u8], error: &serde_json::Error) -> String {
    let said = error.to_string();
    let plain = said.rsplit_once(" at line ").map_or(said.as_str(), |(plain, _)| plain);
    match plain {
        "recursion limit exceeded" => "exceeded max depth".to_owned(),
        "number out of range" => {
            let number = number_around(text, offset(text, error.line(), error.column()));
            let path = place(text, error);
            format!(
                "json: cannot unmarshal number {number} into Go struct field {path} of type float64"
            )
        }
        plain => format!("json: {plain}"),
    }
}

fn number_around(text: &[u8], at: usize) -> String {
    let in_number = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
    let (before, after) = text.split_at(at.min(text.len()));
    let start = before.len() - before.iter().rev().take_while(|byte| in_number(byte)).count();
    let end = before.len() + after.iter().take_while(|byte| in_number(byte)).count();
    String::from_utf8_lossy(&text[start..end]).into_owned()
}

fn place(text: &[u8], error: &serde_json::Error) -> String {
    match error.line() {
        0 => String::new(),
        line => syntax(text, offset(text, line, error.column())).unwrap_or_default(),
    }
}

/// Longer documents, and more tries, are not worth a place.
const MAX_SEARCHED: usize = 64 << 10;
const MAX_TRIES: usize = 256;

/// Where a value that is taken away changes what is wrong: serde's own word is the end of the object around it for what
/// was set aside for flattened structs.
fn searched_place<T: DeserializeOwned>(text: &[u8]) -> Option<String> {
    let text = Some(text).filter(|text| text.len() <= MAX_SEARCHED)?;
    let document = serde_json::from_slice::<Value>(text).ok()?;
    let said = |document: &Value| T::deserialize(document).err().map(|error| error.to_string());
    let fault = Some(said(&document)?);
    let (mut keys, mut pointer, mut tries) = (Vec::new(), String::new(), 0..MAX_TRIES);
    'deeper: loop {
        let around = document.pointer(&pointer)?;
        for step in steps(around) {
            if said(&without(&document, &pointer, &step)) != fault {
                pointer = format!("{pointer}/{}", step.replace('~', "~0").replace('/', "~1"));
                keys.extend((!around.is_array()).then_some(step));
                continue 'deeper;
            }
            tries.next()?;
        }
        return Some(keys.join("."));
    }
}

fn without(document: &Value, pointer: &str, step: &str) -> Value {
    let mut document = document.clone();
    match document.pointer_mut(pointer) {
        Some(Value::Object(members)) => drop(members.remove(step)),
        Some(Value::Array(values)) => drop(step.parse::<usize>().map(|at| values.remove(at))),
        _ => {}
    }
    document
}

fn steps(value: &Value) -> Vec<String> {
    match value {
        Value::Object(members) => members.keys().cloned().collect(),
        Value::Array(values) => (0..values.len().min(MAX_TRIES)).map(|n| n.to_string()).collect(),
        _ => Vec::new(),
    }
}

/// `json: cannot unmarshal number into Go struct field HostConfig.Memory of type string`, out of serde's
/// `invalid type: integer `1`, expected a string at line 1 column 9`. The names of Go's own types are not known here.
pub fn mismatch(serde: &str, path: &str) -> String {
    let plain = serde.rsplit_once(" at line ").map_or(serde, |(plain, _)| plain);
    let parts = plain.strip_prefix("invalid type: ").or(plain.strip_prefix("invalid value: "));
    let Some((found, expected)) = parts.and_then(|parts| parts.rsplit_once(", expected ")) else {
        return format!("json: {plain}");
    };
    // As people write it.
    let number = found.split('`').nth(1).unwrap_or_default().replace("e+", "e");
    let into = go_type(expected);
    let found = match found.split([' ', '`']).next().unwrap_or_default() {
        "integer" | "floating" if into.contains("int") => format!("number {number}"),
        "integer" | "floating" => "number".to_owned(),
        "boolean" => "bool".to_owned(),
        "map" => "object".to_owned(),
        "sequence" => "array".to_owned(),
        other => other.to_owned(),
    };
    match path {
        "" => format!("json: cannot unmarshal {found} into Go value of type {into}"),
        path => {
            format!("json: cannot unmarshal {found} into Go struct field {path} of type {into}")
        }
    }
}

fn go_type(expected: &str) -> &str {
    match expected {
        "a string" => "string",
        "a boolean" => "bool",
        "a map" => "map[string]interface {}",
        "a sequence" => "[]interface {}",
        "i64" => "int64",
        "u64" => "uint64",
        "u16" => "uint16",
        "i32" | "u32" | "u8" => "int",
        "f64" => "float64",
        other => other.strip_prefix("struct ").unwrap_or(other),
    }
}

/// serde's lines and columns count from 1, the column in bytes.
fn offset(text: &[u8], line: usize, column: usize) -> usize {
    let lines = text.split_inclusive(|byte| *byte == b'\n').take(line - 1);
    lines.map(<[u8]>::len).sum::<usize>() + column.saturating_sub(1)
}

/// What may come next.
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
    Nothing,
}

enum Open {
    Array,
    /// With the key whose value is being read.
    Object(String),
}

/// Checks a text by Go's scanner's rules. `Ok` is the path of keys at `until`.
fn syntax(text: &[u8], until: usize) -> Result<String, Unreadable> {
    let mut scanner = Scanner { text, at: 0 };
    let mut open: Vec<Open> = Vec::new();
    let mut expect = Expect::Value;
    loop {
        scanner.skip_space();
        if scanner.at >= until {
            return Ok(path(&open));
        }
        let Some(byte) = scanner.peek() else {
            return match expect {
                Expect::Nothing => Ok(String::new()),
                _ if scanner.text.iter().all(u8::is_ascii_whitespace) => Err(Unreadable::Empty),
                _ => Err(Unreadable::Truncated),
            };
        };
        expect = match (expect, byte) {
            (Expect::ValueOrEnd, b']') | (Expect::KeyOrEnd, b'}') => {
                scanner.at += 1;
                open.pop();
                after_value(&open)
            }
            (Expect::Value | Expect::ValueOrEnd, b'{') => {
                scanner.at += 1;
                open.push(Open::Object(String::new()));
                Expect::KeyOrEnd
            }
            (Expect::Value | Expect::ValueOrEnd, b'[') => {
                scanner.at += 1;
                open.push(Open::Array);
                Expect::ValueOrEnd
            }
            (Expect::Value | Expect::ValueOrEnd, _) => {
                scanner.scalar(byte)?;
                if scanner.at > until {
                    return Ok(path(&open));
                }
                after_value(&open)
            }
            (Expect::Key | Expect::KeyOrEnd, b'"') => {
                let key = scanner.string()?;
                if let Some(Open::Object(current)) = open.last_mut() {
                    *current = String::from_utf8_lossy(key).into_owned();
                }
                Expect::Colon
            }
            (Expect::Key | Expect::KeyOrEnd, _) => {
                return Err(scanner.bad("looking for beginning of object key string"));
            }
            (Expect::Colon, b':') => {
                scanner.at += 1;
                Expect::Value
            }
            (Expect::Colon, _) => return Err(scanner.bad("after object key")),
            (Expect::CommaOrEnd, b',') => {
                scanner.at += 1;
                if matches!(open.last(), Some(Open::Array)) { Expect::Value } else { Expect::Key }
            }
            (Expect::CommaOrEnd, _) => {
                let (end, place) = match open.last() {
                    Some(Open::Array) => (b']', "after array element"),
                    _ => (b'}', "after object key:value pair"),
                };
                if byte != end {
                    return Err(scanner.bad(place));
                }
                scanner.at += 1;
                open.pop();
                after_value(&open)
            }
            (Expect::Nothing, byte) => return Err(Unreadable::Trailing(byte.into())),
        };
    }
}

fn after_value(open: &[Open]) -> Expect {
    if open.is_empty() { Expect::Nothing } else { Expect::CommaOrEnd }
}

fn path(open: &[Open]) -> String {
    let keys: Vec<_> = open
        .iter()
        .filter_map(|open| match open {
            Open::Object(key) => Some(key.as_str()),
            Open::Array => None,
        })
        .collect();
    keys.join(".")
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Scanner<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// A fault at the current character, or that there is none.
    fn bad(&self, place: &str) -> Unreadable {
        match self.peek() {
            None => Unreadable::Truncated,
            Some(byte) => {
                Unreadable::Malformed(format!("invalid character {} {place}", quoted(byte.into())))
            }
        }
    }

    fn scalar(&mut self, first: u8) -> Result<(), Unreadable> {
        match first {
            b'"' => self.string().map(drop),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'-' | b'0'..=b'9' => self.number(),
            _ => Err(self.bad("looking for beginning of value")),
        }
    }

    fn literal(&mut self, word: &str) -> Result<(), Unreadable> {
        for expected in word.bytes() {
            if self.peek() != Some(expected) {
                let expected = char::from(expected);
                return Err(self.bad(&format!("in literal {word} (expecting '{expected}')")));
            }
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Unreadable> {
        self.skip(b"-");
        if !self.skip(b"0") {
            self.digits("in numeric literal")?;
        }
        if self.skip(b".") {
            self.digits("after decimal point in numeric literal")?;
        }
        if self.skip(b"eE") {
            self.skip(b"+-");
            self.digits("in exponent of numeric literal")?;
        }
        Ok(())
    }

    fn skip(&mut self, any: &[u8]) -> bool {
        let found = self.peek().is_some_and(|byte| any.contains(&byte));
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self, place: &str) -> Result<(), Unreadable> {
        if !self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Err(self.bad(place));
        }
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        Ok(())
    }

    /// The string's content, escapes as they are written.
    fn string(&mut self) -> Result<&'a [u8], Unreadable> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    self.escape()?;
                }
                Some(0x20..) => self.at += 1,
                _ => return Err(self.bad("in string literal")),
            }
        }
        self.at += 1;
        Ok(&self.text[start..self.at - 1])
    }

    fn escape(&mut self) -> Result<(), Unreadable> {
        if self.skip(b"bfnrt\\/\"") {
            return Ok(());
        }
        if !self.skip(b"u") {
            return Err(self.bad("in string escape code"));
        }
        for _ in 0..4 {
            if !self.peek().is_some_and(|byte| byte.is_ascii_hexdigit()) {
                return Err(self.bad("in \\u hexadecimal character escape"));
            }
            self.at += 1;
        }
        Ok(())
    }
}

/// As Go shows a character.
fn quoted(c: char) -> String {
    match c {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        '\\' | '\t' | '\n' | '\r' => format!("'{}'", c.escape_default()),
        '\u{7}' => "'\\a'".to_owned(),
        '\u{8}' => "'\\b'".to_owned(),
        '\u{b}' => "'\\v'".to_owned(),
        '\u{c}' => "'\\f'".to_owned(),
        '\0'..'\u{20}' | '\u{7f}' => format!("'\\x{:02x}'", u32::from(c)),
        '\u{80}'..'\u{a1}' | '\u{ad}' => format!("'\\u{:04x}'", u32::from(c)),
        other => format!("'{other}'"),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "PascalCase")]
    #[expect(dead_code, reason = "only what is wrong with it is looked at")]
    struct Create {
        #[serde(default)]
        image: String,
        #[serde(default)]
        memory: i64,
        #[serde(default)]
        host_config: Option<Box<Create>>,
        #[serde(default)]
        binds: Vec<String>,
    }

    fn words<T: DeserializeOwned + fmt::Debug>(text: &str) -> String {
        decode::<T>(text.as_bytes()).unwrap_err().to_string()
    }

    /// Each line is what dockerd 26 answered.
    #[test]
    fn faults_have_gos_words() {
        let table = [
            ("", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            (r#"{"a":nul"#, "unexpected end of JSON input"),
            (r#"{"a"#, "unexpected end of JSON input"),
            (r#"{"Image":}"#, "invalid character '}' looking for beginning of value"),
            (
                r#"{"Image":"x",}"#,
                "invalid character '}' looking for beginning of object key string",
            ),
            ("{Image:1}", "invalid character 'I' looking for beginning of object key string"),
            (r#"{"Image" 1}"#, "invalid character '1' after object key"),
            (r#"{"a":tru}"#, "invalid character '}' in literal true (expecting 'e')"),
            (r#"{"a":01}"#, "invalid character '1' after object key:value pair"),
            (r#"{"a":-}"#, "invalid character '}' in numeric literal"),
            (r#"{"a":1.}"#, "invalid character '}' after decimal point in numeric literal"),
            (r#"{"a":1e}"#, "invalid character '}' in exponent of numeric literal"),
            (r#"{"a":"\x"}"#, "invalid character 'x' in string escape code"),
            (r#"{"a":"\u12x"}"#, "invalid character 'x' in \\u hexadecimal character escape"),
            ("{\"a\":\"\t\"}", "invalid character '\\t' in string literal"),
            ("[1 2]", "invalid character '2' after array element"),
            ("x", "invalid character 'x' looking for beginning of value"),
            (r#"{"a":[1,]}"#, "invalid character ']' looking for beginning of value"),
            ("{'a':1}", "invalid character '\\'' looking for beginning of object key string"),
            ("{} x", "invalid character 'x' after top-level value"),
            ("{} {}", "invalid character '{' after top-level value"),
        ];
        for (text, expected) in table {
            assert_eq!(words::<Value>(text), expected, "{text}");
        }
        assert_eq!(decode::<Value>(b" \n").unwrap_err(), Unreadable::Empty);
    }

    #[test]
    fn values_of_the_wrong_kind_are_named_with_their_place() {
        let table = [
            (
                r#"{"Image":1}"#,
                "json: cannot unmarshal number into Go struct field Image of type string",
            ),
            (
                "{\"Image\":\"x\",\n \"HostConfig\":{\"Memory\":\"x\"}}",
                "json: cannot unmarshal string into Go struct field HostConfig.Memory of type int64",
            ),
            (
                r#"{"Memory":1.5}"#,
                "json: cannot unmarshal number 1.5 into Go struct field Memory of type int64",
            ),
            (
                r#"{"HostConfig":{"Binds":["a",true]}}"#,
                "json: cannot unmarshal bool into Go struct field HostConfig.Binds of type string",
            ),
            ("3", "json: cannot unmarshal number into Go value of type Create"),
        ];
        for (text, expected) in table {
            assert_eq!(words::<Create>(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_json_and_not_readable_is_called_what_it_is() {
        assert_eq!(
            words::<Create>(r#"{"HostConfig":{"Memory":1e400}}"#),
            "json: cannot unmarshal number 1e400 into Go struct field HostConfig.Memory of type float64"
        );
        assert_eq!(words::<Create>(r#"{"Image":"\ud800"}"#), "json: unexpected end of hex escape");
    }

    #[test]
    fn the_last_of_fields_with_one_name_counts() {
        let text = br#"{"Image":"x","Image":"y","HostConfig":{"Memory":1,"Memory":2}}"#;
        let create: crate::containers::CreateRequest = decode(text).unwrap();
        assert_eq!(create.config.image, "y");
        assert_eq!(create.host_config.unwrap().resources.memory, 2);
    }

    #[test]
    fn null_is_a_struct_without_fields() {
        let text =
            br#"{"ExposedPorts":{"80/tcp":null},"HostConfig":{"Mounts":[null],"Devices":[null]},
            "NetworkingConfig":{"EndpointsConfig":{"net":null}}}"#;
        let create: crate::containers::CreateRequest = decode(text).unwrap();
        let host = create.host_config.unwrap();
        assert_eq!(host.mounts, Some(vec![crate::containers::Mount::default()]));
        assert_eq!(host.resources.devices.unwrap().len(), 1);
        assert_eq!(create.networking_config.unwrap().endpoints_config.unwrap().len(), 1);
        assert!(decode::<crate::Empty>(b"[]").is_err() && decode::<crate::Empty>(b"1").is_err());
    }

    /// A limit that cannot be read is not no limit.
    #[test]
    fn faults_in_flattened_structs_are_faults() {
        use crate::containers::{CreateRequest, UpdateRequest};

        let table = [
            (r#"{"Memory":1e30}"#, "number 1e30", "Memory", "int64"),
            (r#"{"CpuShares":1.5}"#, "number 1.5", "CpuShares", "int64"),
            (r#"{"NanoCpus":"5"}"#, "string", "NanoCpus", "int64"),
            (r#"{"BlkioWeight":70000}"#, "number 70000", "BlkioWeight", "uint16"),
            (r#"{"PidsLimit":1.5}"#, "number 1.5", "PidsLimit", "int64"),
            (
                r#"{"BlkioDeviceReadBps":[{"Path":"/dev/vda","Rate":1},{"Path":"a/~b","Rate":-1}]}"#,
                "number -1",
                "BlkioDeviceReadBps.Rate",
                "uint64",
            ),
        ];
        for (text, found, place, into) in table {
            let expected = |place: &str| {
                format!(
                    "json: cannot unmarshal {found} into Go struct field {place} of type {into}"
                )
            };
            assert_eq!(words::<UpdateRequest>(text), expected(place));
            let create = format!(r#"{{"Image":"x","HostConfig":{text}}}"#);
            assert_eq!(words::<CreateRequest>(&create), expected(&format!("HostConfig.{place}")));
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(1_000_000);
        assert_eq!(words::<Value>(&deep), "unexpected end of JSON input");
        let deep = deep + &"]".repeat(1_000_000);
        assert_eq!(words::<Value>(&deep), "exceeded max depth");
    }
}
