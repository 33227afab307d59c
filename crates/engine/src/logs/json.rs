//! Docker's json-file format: `{"log":"text\n","stream":"stdout","attrs":{...},"time":"..."}`, one object a line.
//!
//! Lines of the usual shape are taken apart by hand, since a container may have written millions of them; any other
//! line goes through a JSON parser, so that logs that other writers made are read too.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{Entry, Stream};
use super::timestamp::Timestamp;

/// Scratch space of the decoder.
#[derive(Default)]
pub(super) struct Decoder {
    line: Vec<u8>,
    attributes: String,
}

/// The length of the first whole entry in `bytes`; `None` while its end has not been written yet.
pub(super) fn entry_length(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes).map(|end| end + 1)
}

impl Decoder {
    /// Decodes one line. `None` for what is no entry (a torn line after a full disk, say): it is passed over.
    pub(super) fn decode(&mut self, text: &[u8]) -> Option<Entry<'_>> {
        self.line.clear();
        self.attributes.clear();
        let (stream, time) = match self.usual(text) {
            Some(found) => found,
            None => self.general(text)?,
        };
        Some(Entry { stream, time, line: &self.line, attributes: &self.attributes })
    }

    fn usual(&mut self, text: &[u8]) -> Option<(Stream, Option<Timestamp>)> {
        let rest = unescape(text.strip_prefix(br#"{"log":""#)?, &mut self.line)?;
        let rest = rest.strip_prefix(br#","stream":"std"#)?;
        let (stream, rest) = match rest.strip_prefix(b"out\"") {
            Some(rest) => (Stream::Stdout, rest),
            None => (Stream::Stderr, rest.strip_prefix(b"err\"")?),
        };
        let time = rest.strip_prefix(br#","time":""#)?;
        let time = time.strip_suffix(b"\n").unwrap_or(time).strip_suffix(b"\"}")?;
        Some((stream, Some(Timestamp::parse(time)?)))
    }

    fn general(&mut self, text: &[u8]) -> Option<(Stream, Option<Timestamp>)> {
        #[derive(Deserialize)]
        struct Line {
            #[serde(default)]
            log: String,
            #[serde(default)]
            stream: String,
            #[serde(default)]
            attrs: BTreeMap<String, String>,
            #[serde(default)]
            time: String,
        }
        let line: Line = serde_json::from_slice(text).ok()?;
        self.line.clear();
        self.line.extend(line.log.as_bytes());
        for (key, value) in &line.attrs {
            let comma = if self.attributes.is_empty() { "" } else { "," };
            self.attributes.push_str(&format!(
                "{comma}{}={}",
                query_escape(key),
                query_escape(value)
            ));
        }
        let stream = if line.stream == "stderr" { Stream::Stderr } else { Stream::Stdout };
        Some((stream, Timestamp::parse(line.time.as_bytes())))
    }
}

/// Copies a JSON string up to its closing quote and returns what follows that quote.
fn unescape<'a>(mut text: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        let special = memchr::memchr2(b'"', b'\\', text)?;
        out.extend(&text[..special]);
        text = &text[special..];
        match text {
            [b'"', rest @ ..] => return Some(rest),
            [b'\\', b'n', rest @ ..] => (text, _) = (rest, out.push(b'\n')),
            [b'\\', b'r', rest @ ..] => (text, _) = (rest, out.push(b'\r')),
            [b'\\', b't', rest @ ..] => (text, _) = (rest, out.push(b'\t')),
            [b'\\', c @ (b'"' | b'\\' | b'/'), rest @ ..] => (text, _) = (rest, out.push(*c)),
            [b'\\', b'u', rest @ ..] => text = unescape_code_point(rest, out)?,
            // Backspace, form feed: rare enough for the general parser.
            _ => return None,
        }
    }
}

/// Four hexadecimal digits. Surrogate pairs are left to the general parser: the monitor never writes any.
fn unescape_code_point<'a>(text: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (digits, rest) = text.split_at_checked(4)?;
    let code = u32::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    let mut utf8 = [0; 4];
    out.extend(char::from_u32(code)?.encode_utf8(&mut utf8).as_bytes());
    Some(rest)
}

/// As Go's `url.QueryEscape`, which Docker applies to details.
fn query_escape(text: &str) -> String {
    text.bytes().map(escape_byte).collect()
}

fn escape_byte(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
            char::from(byte).to_string()
        }
        b' ' => "+".to_owned(),
        _ => format!("%{byte:02X}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<(Vec<u8>, Stream, String)> {
        let mut decoder = Decoder::default();
        decoder
            .decode(text.as_bytes())
            .map(|e| (e.line.to_vec(), e.stream, e.attributes.to_owned()))
    }

    #[test]
    fn the_usual_line() {
        let text = r#"{"log":"a \"quoted\"\t\u003cword\u003e\n","stream":"stdout","time":"2026-01-02T03:04:05.6Z"}"#;
        let expected = (b"a \"quoted\"\t<word>\n".to_vec(), Stream::Stdout, String::new());
        assert_eq!(decoded(text), Some(expected));
        assert!(Decoder::default().usual(text.as_bytes()).is_some(), "taken by the fast path");
    }

    #[test]
    fn attributes_and_foreign_orders_are_read() {
        let text = r#"{"time":"2026-01-02T03:04:05Z","stream":"stderr","attrs":{"b":"1 2","a":"x"},"log":"hi"}"#;
        assert_eq!(decoded(text), Some((b"hi".to_vec(), Stream::Stderr, "a=x,b=1+2".to_owned())));
    }

    #[test]
    fn what_is_no_entry_is_passed_over() {
        for text in ["", "{", r#"{"log":"torn"#, "null", "\0\0\0\0"] {
            assert_eq!(decoded(text), None, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn both_ways_read_the_same(log in "[ -~\\t\\n\u{e9}\u{1f600}]*") {
            let text = serde_json::json!({ "log": log, "stream": "stdout", "time": "2026-01-02T03:04:05Z" });
            let line = format!(r#"{{"log":{},"stream":"stdout","time":"2026-01-02T03:04:05Z"}}"#, text["log"]);
            let mut decoder = Decoder::default();
            proptest::prop_assert_eq!(decoder.decode(line.as_bytes()).unwrap().line, log.as_bytes());
        }
    }
}
