//! Docker's json-file format: `{"log":"text\n","stream":"stdout","attrs":{...},"time":"..."}`, one object a line.
//!
//! Lines of the usual shape are taken apart by hand, since a container may have written millions of them; any other
//! line goes through a JSON parser, so that logs that other writers made are read too.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::entry::{Entry, Stream};
use super::timestamp::Timestamp;

const HEAD: &[u8] = br#"{"log":""#;

#[derive(Default)]
pub(super) struct Decoder {
    /// Scratch space for a text with escapes.
    line: Vec<u8>,
    tail: Tail,
}

/// What follows the text of the last entry, newline included, and what it says. Lines that were read at once have the
/// same one, so that most are recognised by comparing.
#[derive(Default)]
struct Tail {
    bytes: Vec<u8>,
    stream: Stream,
    time: Option<Timestamp>,
    attributes: String,
}

/// The length of the first whole entry in `bytes`; `None` while its end has not been written yet.
pub(super) fn entry_length(bytes: &[u8]) -> Option<usize> {
    memchr::memchr(b'\n', bytes).map(|end| end + 1)
}

impl Decoder {
    /// Decodes the first entry of `bytes` and tells its length; `None` while that is not whole. What is no entry (a torn
    /// line after a full disk, say) has only a length.
    pub(super) fn next<'a>(&'a mut self, bytes: &'a [u8]) -> Option<(usize, Option<Entry<'a>>)> {
        self.line.clear();
        if let Some((length, text)) = like_the_last(bytes, &mut self.line, &self.tail.bytes) {
            let entry = match text {
                Some(line) => Entry { line, newline: true, ..self.tail.entry() },
                None => Entry { line: &self.line, ..self.tail.entry() },
            };
            return Some((length, Some(entry)));
        }
        let length = entry_length(bytes)?;
        let line = &bytes[..length];
        if !(self.usual(line) || self.general(line)) {
            return Some((length, None));
        }
        Some((length, Some(Entry { line: &self.line, ..self.tail.entry() })))
    }

    /// Takes the usual line apart: text, stream and time, in this order.
    fn usual(&mut self, line: &[u8]) -> bool {
        self.line.clear();
        let Some(rest) = line.strip_prefix(HEAD).and_then(|text| unescape(text, &mut self.line))
        else {
            return false;
        };
        match stream_and_time(rest) {
            Some((stream, time)) => {
                let time = Some(time);
                self.tail =
                    Tail { bytes: rest.to_owned(), stream, time, attributes: String::new() };
                true
            }
            None => false,
        }
    }

    fn general(&mut self, text: &[u8]) -> bool {
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
        let Ok(line) = serde_json::from_slice::<Line>(text) else { return false };
        self.line.clear();
        self.line.extend(line.log.as_bytes());
        let attributes: Vec<String> = line
            .attrs
            .iter()
            .map(|(key, value)| format!("{}={}", query_escape(key), query_escape(value)))
            .collect();
        self.tail = Tail {
            bytes: tail_of(text).unwrap_or_default().to_owned(),
            stream: if line.stream == "stderr" { Stream::Stderr } else { Stream::Stdout },
            time: Timestamp::parse(line.time.as_bytes()),
            attributes: attributes.join(","),
        };
        true
    }
}

impl Tail {
    /// An entry with this tail and no text yet.
    fn entry(&self) -> Entry<'_> {
        Entry {
            stream: self.stream,
            time: self.time,
            line: &[],
            newline: false,
            attributes: &self.attributes,
        }
    }
}

/// The length of the first entry where it ends as the last one did; its text, or `None` where that was unescaped into
/// `line`.
fn like_the_last<'a>(
    bytes: &'a [u8],
    line: &mut Vec<u8>,
    tail: &[u8],
) -> Option<(usize, Option<&'a [u8]>)> {
    let text = bytes.strip_prefix(HEAD)?;
    let length = |rest: &[u8]| bytes.len() - rest.len() + tail.len();
    let ends = |rest: &[u8]| !tail.is_empty() && rest.starts_with(tail);
    let special = memchr::memchr2(b'"', b'\\', text)?;
    match text[special..].strip_prefix(br#"\n""#) {
        Some(rest) if ends(rest) => return Some((length(rest), Some(&text[..special]))),
        _ => {}
    }
    unescape(text, line).filter(|rest| ends(rest)).map(|rest| (length(rest), None))
}

fn stream_and_time(rest: &[u8]) -> Option<(Stream, Timestamp)> {
    let rest = rest.strip_prefix(br#","stream":"std"#)?;
    let (stream, rest) = match rest.strip_prefix(b"out\"") {
        Some(rest) => (Stream::Stdout, rest),
        None => (Stream::Stderr, rest.strip_prefix(b"err\"")?),
    };
    let time = rest.strip_prefix(br#","time":""#)?.strip_suffix(b"\"}\n")?;
    Some((stream, Timestamp::parse(time)?))
}

/// What follows the text of an entry, where the text comes first. It cannot come again: the parser refuses that.
fn tail_of(line: &[u8]) -> Option<&[u8]> {
    unescape(line.strip_prefix(HEAD)?, &mut Vec::new())
}

/// Copies a JSON string up to its closing quote and returns what follows that quote.
fn unescape<'a>(mut text: &'a [u8], out: &mut Vec<u8>) -> Option<&'a [u8]> {
    loop {
        // A newline ends the entry before its text.
        let special = memchr::memchr3(b'"', b'\\', b'\n', text)?;
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
        decode(&mut decoder, text)
            .map(|(line, entry)| (line, entry.stream, entry.attributes.to_owned()))
    }

    /// The first entry, with its text as the program wrote it.
    fn decode<'a>(decoder: &'a mut Decoder, text: &'a str) -> Option<(Vec<u8>, Entry<'a>)> {
        let (_, entry) = decoder.next(text.as_bytes())?;
        let entry = entry?;
        let newline: &[u8] = if entry.newline { b"\n" } else { b"" };
        Some(([entry.line, newline].concat(), entry))
    }

    #[test]
    fn the_usual_line() {
        let text = concat!(
            r#"{"log":"a \"quoted\"\t\u003cword\u003e\n","stream":"stdout","time":"2026-01-02T03:04:05.6Z"}"#,
            "\n"
        );
        let expected = (b"a \"quoted\"\t<word>\n".to_vec(), Stream::Stdout, String::new());
        assert_eq!(decoded(text), Some(expected));
        assert!(Decoder::default().usual(text.as_bytes()), "taken by the fast path");
    }

    #[test]
    fn attributes_and_foreign_orders_are_read() {
        let text = concat!(
            r#"{"time":"2026-01-02T03:04:05Z","stream":"stderr","attrs":{"b":"1 2","a":"x"},"log":"hi"}"#,
            "\n"
        );
        assert_eq!(decoded(text), Some((b"hi".to_vec(), Stream::Stderr, "a=x,b=1+2".to_owned())));
    }

    #[test]
    fn what_is_no_entry_is_passed_over() {
        for text in ["\n", "{\n", "{\"log\":\"torn\n", "null\n", "\0\0\0\0\n"] {
            let (length, entry) =
                Decoder::default().next(text.as_bytes()).map(|(l, e)| (l, e.is_some())).unwrap();
            assert_eq!((length, entry), (text.len(), false), "{text:?}");
        }
        assert!(Decoder::default().next(br#"{"log":"not whole"#).is_none());
    }

    /// What one line says must not stay for the next one.
    #[test]
    fn neighbours_keep_what_is_theirs() {
        let lines = [
            r#"{"log":"1\n","stream":"stdout","time":"2026-01-02T03:04:05Z"}"#,
            r#"{"log":"2\n","stream":"stdout","time":"2026-01-02T03:04:05Z"}"#,
            r#"{"log":"3","stream":"stdout","time":"2026-01-02T03:04:05Z"}"#,
            r#"{"log":"4\n","stream":"stderr","time":"2026-01-02T03:04:05Z"}"#,
            r#"{"log":"\"5\"\n","stream":"stderr","time":"2026-01-02T03:04:05Z"}"#,
            r#"{"log":"6\n","stream":"stderr","attrs":{"a":"b"},"time":"2026-01-02T03:04:06Z"}"#,
            r#"{"log":"7\n","stream":"stderr","attrs":{"a":"b"},"time":"2026-01-02T03:04:06Z"}"#,
        ];
        let text = lines.map(|line| format!("{line}\n")).concat();
        let (mut decoder, mut rest, mut seen) = (Decoder::default(), &text[..], Vec::new());
        while !rest.is_empty() {
            let (length, _) = Decoder::default().next(rest.as_bytes()).unwrap();
            let (line, entry) = decode(&mut decoder, rest).unwrap();
            let line = String::from_utf8(line).unwrap();
            let second = entry.time.map_or(0, |time| time.0 / 1_000_000_000 % 60);
            seen.push(format!("{:?} {:?} {second} {}", line, entry.stream, entry.attributes));
            rest = &rest[length..];
        }
        let expected = [
            r#""1\n" Stdout 5 "#,
            r#""2\n" Stdout 5 "#,
            r#""3" Stdout 5 "#,
            r#""4\n" Stderr 5 "#,
            r#""\"5\"\n" Stderr 5 "#,
            r#""6\n" Stderr 6 a=b"#,
            r#""7\n" Stderr 6 a=b"#,
        ];
        assert_eq!(seen, expected);
    }

    proptest::proptest! {
        /// The fast paths and the general parser agree, for a first line and for one like it.
        #[test]
        fn all_ways_read_the_same(log in "[ -~\\t\\n\u{e9}\u{1f600}]*") {
            let log_text = serde_json::json!(log);
            let line = format!("{{\"log\":{log_text},\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:05Z\"}}\n");
            let mut decoder = Decoder::default();
            for _ in 0..2 {
                proptest::prop_assert_eq!(decode(&mut decoder, &line).unwrap().0, log.as_bytes());
            }
        }
    }
}
