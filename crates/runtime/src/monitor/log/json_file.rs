//! Docker's `json-file` format: one object a line,
//! `{"log":"text\n","stream":"stdout","attrs":{..},"time":"RFC 3339"}`.
//!
//! Strings are escaped as Docker's encoder does: `<`, `>`, `&` and the line separators U+2028 and
//! U+2029 too, and each byte that is not part of valid UTF-8 becomes `\ufffd`. A piece of a line that
//! goes on has no newline at its end.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Deserialize;

use super::Stream;
use super::lines::{LONGEST, Piece};
use crate::time::Timestamp;

/// An entry, read back.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub struct Entry<'a> {
    #[serde(borrow, default)]
    pub log: Cow<'a, str>,
    #[serde(borrow, default)]
    pub stream: Cow<'a, str>,
    #[serde(default)]
    pub attrs: BTreeMap<String, String>,
    #[serde(borrow, default)]
    pub time: Cow<'a, str>,
}

/// Reads one line of a file.
pub fn decode(line: &[u8]) -> serde_json::Result<Entry<'_>> {
    serde_json::from_slice(line)
}

const HEAD: &[u8; 8] = b"{\"log\":\"";

pub(super) struct Encoder {
    /// `,"attrs":{...}`, or nothing.
    attrs: Vec<u8>,
    /// For the stream and time of the last entry. Everything that was read at once has one time, so this is formatted
    /// once for many lines.
    tails: [Option<Tail>; 2],
}

/// What follows the text of an entry: `\n","stream":"...","time":"..."}` and a newline. Without the first two bytes for
/// a piece of a line.
struct Tail {
    time: Timestamp,
    text: Vec<u8>,
}

impl Encoder {
    pub(super) fn new(attrs: &BTreeMap<String, String>) -> Encoder {
        let mut encoded = Vec::new();
        if !attrs.is_empty() {
            encoded.extend_from_slice(b",\"attrs\":{");
            for (index, (key, value)) in attrs.iter().enumerate() {
                encoded.extend_from_slice(if index == 0 { b"\"" } else { b",\"" });
                escape(key.as_bytes(), &mut encoded);
                encoded.extend_from_slice(b"\":\"");
                escape(value.as_bytes(), &mut encoded);
                encoded.push(b'"');
            }
            encoded.push(b'}');
        }
        Encoder { attrs: encoded, tails: [None, None] }
    }

    pub(super) fn encode(&mut self, piece: &Piece<'_>, stream: Stream, out: &mut Vec<u8>) {
        out.extend_from_slice(HEAD);
        escape(piece.bytes, out);
        let tail = self.tail(stream, piece.time);
        out.extend_from_slice(if piece.ends_line { tail } else { &tail[2..] });
    }

    /// Encodes whole lines, each while `out` holds less than `limit` bytes, and returns how many bytes they were. Stops
    /// at a line that is not whole or too long for one entry.
    pub(super) fn encode_lines(
        &mut self,
        bytes: &[u8],
        stream: Stream,
        now: Timestamp,
        limit: usize,
        out: &mut Vec<u8>,
    ) -> usize {
        let tail = self.tail(stream, now);
        let mut taken = 0;
        while out.len() < limit {
            let start = out.len();
            let rest = &bytes[taken..];
            match encode_line(&rest[..rest.len().min(LONGEST)], tail, out) {
                Some(length) => taken += length,
                None => {
                    out.truncate(start);
                    break;
                }
            }
        }
        taken
    }

    fn tail(&mut self, stream: Stream, time: Timestamp) -> &[u8] {
        let Encoder { attrs, tails } = self;
        let tail = &mut tails[stream as usize];
        if tail.as_ref().is_none_or(|tail| tail.time != time) {
            *tail = None;
        }
        &tail.get_or_insert_with(|| Tail { time, text: format_tail(attrs, stream, time) }).text
    }
}

fn format_tail(attrs: &[u8], stream: Stream, time: Timestamp) -> Vec<u8> {
    let mut text = format!("\\n\",\"stream\":\"{}\"", stream.name()).into_bytes();
    text.extend_from_slice(attrs);
    text.extend_from_slice(format!(",\"time\":\"{}\"}}\n", time.rfc3339_nano()).as_bytes());
    text
}

/// Finds the end of the line and copies it in one pass. Returns its length with the newline; without one there is no
/// telling how much was written.
fn encode_line(text: &[u8], tail: &[u8], out: &mut Vec<u8>) -> Option<usize> {
    out.extend_from_slice(HEAD);
    let mut at = 0;
    loop {
        at += copy_plain(&text[at..], out);
        if *text.get(at)? == b'\n' {
            out.extend_from_slice(tail);
            return Some(at + 1);
        }
        at += escape_one(&text[at..], out);
    }
}

/// The length of the whole entries at the beginning: a newline ends each, and none holds one.
pub(super) fn whole(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1)
}

fn escape(text: &[u8], out: &mut Vec<u8>) {
    let mut at = copy_plain(text, out);
    while at < text.len() {
        at += escape_one(&text[at..], out);
        at += copy_plain(&text[at..], out);
    }
}

/// Whether a byte of ASCII stands for itself.
const fn is_plain(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7f) && !matches!(byte, b'"' | b'\\' | b'<' | b'>' | b'&')
}

const PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = is_plain(byte as u8);
        byte += 1;
    }
    table
};

/// Copies the bytes at the beginning that stand for themselves, and returns how many they are.
fn copy_plain(text: &[u8], out: &mut Vec<u8>) -> usize {
    let mut taken = 0;
    while let Some(block) = text[taken..].first_chunk() {
        let start = out.len();
        // All of it, which is one instruction, and then back to what is wanted.
        out.extend_from_slice(block);
        let plain = plain_prefix(block);
        if plain < BLOCK {
            out.truncate(start + plain);
            return taken + plain;
        }
        // Not `plain`, for which the next block would have to wait.
        taken += BLOCK;
    }
    let rest = &text[taken..];
    let plain = rest.iter().take_while(|&&byte| PLAIN[usize::from(byte)]).count();
    out.extend_from_slice(&rest[..plain]);
    taken + plain
}

const BLOCK: usize = 8;

/// All bytes at once: the highest bit of each that is not plain gets set. It may also be set in a byte after the first
/// such one, to which a subtraction borrowed.
fn plain_prefix(block: &[u8; BLOCK]) -> usize {
    const fn all(byte: u8) -> u64 {
        u64::from_ne_bytes([byte; BLOCK])
    }
    let word = u64::from_le_bytes(*block);
    let is_zero = |bytes: u64| bytes.wrapping_sub(all(1));
    // `<` and `>` differ in one bit.
    let special = word
        | word.wrapping_sub(all(b' '))
        | is_zero(word ^ all(b'"'))
        | is_zero(word ^ all(b'\\'))
        | is_zero(word ^ all(b'&'))
        | is_zero((word & all(!2)) ^ all(b'<'));
    (special & all(0x80)).trailing_zeros() as usize / 8
}

/// Writes the first character, which is not a plain one, and returns how many bytes it was.
fn escape_one(text: &[u8], out: &mut Vec<u8>) -> usize {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match text[0] {
        byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        byte @ 0..0x80 => {
            out.extend_from_slice(b"\\u00");
            out.push(HEX[usize::from(byte >> 4)]);
            out.push(HEX[usize::from(byte & 15)]);
        }
        _ => return copy_character(text, out),
    }
    1
}

/// A character beyond ASCII, or the replacement of one byte that begins none.
fn copy_character(text: &[u8], out: &mut Vec<u8>) -> usize {
    let window = &text[..text.len().min(4)];
    let valid = match std::str::from_utf8(window) {
        Ok(valid) => valid,
        Err(error) => std::str::from_utf8(&window[..error.valid_up_to()]).unwrap_or_default(),
    };
    match valid.chars().next() {
        None => {
            out.extend_from_slice(b"\\ufffd");
            1
        }
        Some('\u{2028}') => {
            out.extend_from_slice(b"\\u2028");
            3
        }
        Some('\u{2029}') => {
            out.extend_from_slice(b"\\u2029");
            3
        }
        Some(character) => {
            out.extend_from_slice(&text[..character.len_utf8()]);
            character.len_utf8()
        }
    }
}

/// What [`Encoder`] makes of bytes, for those who compare: Go's replacement of invalid UTF-8.
pub fn replace_invalid(mut bytes: &[u8]) -> String {
    let mut text = String::new();
    while let Err(error) = std::str::from_utf8(bytes) {
        let (valid, rest) = bytes.split_at(error.valid_up_to());
        text.push_str(std::str::from_utf8(valid).unwrap_or_default());
        text.push(char::REPLACEMENT_CHARACTER);
        bytes = &rest[1..];
    }
    text.push_str(std::str::from_utf8(bytes).unwrap_or_default());
    text
}
