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
use super::lines::Piece;
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

pub(super) struct Encoder {
    /// `,"attrs":{...}`, or nothing.
    attrs: Vec<u8>,
    /// What follows the text of an entry, for the stream and time of the last one.
    tails: [Option<(Timestamp, Vec<u8>)>; 2],
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
        out.extend_from_slice(b"{\"log\":\"");
        escape(piece.bytes, out);
        if piece.ends_line {
            out.extend_from_slice(b"\\n");
        }
        // Everything that was read at once has one time, so this is formatted once for many lines.
        let tail = &mut self.tails[stream as usize];
        match tail {
            Some((time, text)) if *time == piece.time => out.extend_from_slice(text),
            _ => {
                let text = format_tail(&self.attrs, stream, piece.time);
                out.extend_from_slice(&text);
                *tail = Some((piece.time, text));
            }
        }
    }
}

fn format_tail(attrs: &[u8], stream: Stream, time: Timestamp) -> Vec<u8> {
    let mut text = format!("\",\"stream\":\"{}\"", stream.name()).into_bytes();
    text.extend_from_slice(attrs);
    text.extend_from_slice(format!(",\"time\":\"{}\"}}\n", time.rfc3339_nano()).as_bytes());
    text
}

/// The length of the whole entries at the beginning: a newline ends each, and none holds one.
pub(super) fn whole(bytes: &[u8]) -> usize {
    bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |last| last + 1)
}

fn escape(mut text: &[u8], out: &mut Vec<u8>) {
    loop {
        let plain = plain_length(text);
        out.extend_from_slice(&text[..plain]);
        text = &text[plain..];
        if text.is_empty() {
            return;
        }
        text = &text[escape_one(text, out)..];
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

/// How many bytes at the beginning stand for themselves, looked at sixteen at a time while all do.
fn plain_length(text: &[u8]) -> usize {
    let (blocks, _) = text.as_chunks::<16>();
    let blocks = blocks.iter().take_while(|block| all_plain(block)).count();
    let start = blocks * 16;
    let rest = text[start..].iter().take_while(|&&byte| PLAIN[usize::from(byte)]).count();
    start + rest
}

/// Without a branch for each byte, so that the compiler makes vector instructions of it.
fn all_plain(block: &[u8; 16]) -> bool {
    block.iter().fold(true, |plain, &byte| {
        plain
            & (byte.wrapping_sub(0x20) < 0x60)
            & (byte != b'"')
            & (byte != b'\\')
            & (byte != b'<')
            & (byte != b'>')
            & (byte != b'&')
    })
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
