//! Docker's `local` format: entries of protobuf, each between its length (four bytes, big-endian) and
//! its length again, so that a file can be read from both ends.
//!
//! `LogEntry { string source = 1; int64 time_nano = 2; bytes line = 3; bool partial = 4;
//! PartialLogEntryMetadata { bool last = 1; string id = 2; int32 ordinal = 3 } partial_log_metadata = 5 }`

use super::Stream;
use super::lines::{LONGEST, Part, Piece};
use crate::time::Timestamp;

/// An entry, read back. The line has no newline; one follows it unless it is `partial`.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Entry<'a> {
    pub source: &'a [u8],
    pub time_nano: i64,
    pub line: &'a [u8],
    pub partial: bool,
}

/// The length of the frame around an entry, on either side.
const FRAME: usize = 4;
/// No entry is longer: a piece of a line and what describes it.
const ENTRY_MAX: usize = LONGEST + 1024;

/// The first entry in `bytes` and how many bytes it takes; None if it is not whole or no entry.
pub fn decode(bytes: &[u8]) -> Option<(Entry<'_>, usize)> {
    let length = framed_length(bytes)?;
    let mut message = &bytes[FRAME..FRAME + length];
    let mut entry = Entry::default();
    while !message.is_empty() {
        let (key, rest) = read_varint(message)?;
        let (value, rest) = match key & 7 {
            0 => read_varint(rest).map(|(number, rest)| (Value::Number(number), rest))?,
            2 => read_bytes(rest).map(|(bytes, rest)| (Value::Bytes(bytes), rest))?,
            _ => return None,
        };
        match (key >> 3, value) {
            (1, Value::Bytes(bytes)) => entry.source = bytes,
            (2, Value::Number(number)) => entry.time_nano = number as i64,
            (3, Value::Bytes(bytes)) => entry.line = bytes,
            (4, Value::Number(number)) => entry.partial = number != 0,
            _ => {}
        }
        message = rest;
    }
    Some((entry, length + 2 * FRAME))
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn framed_length(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(*bytes.first_chunk::<FRAME>()?) as usize;
    (length <= ENTRY_MAX && bytes.len() >= length + 2 * FRAME).then_some(length)
}

fn read_varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (index, &byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}

fn read_bytes(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = read_varint(bytes)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

/// The length of the whole entries at the beginning.
pub(super) fn whole(bytes: &[u8]) -> usize {
    let mut end = 0;
    while let Some(length) = framed_length(&bytes[end..]) {
        end += length + 2 * FRAME;
    }
    end
}

#[derive(Default)]
pub(super) struct Encoder {
    message: Vec<u8>,
}

impl Encoder {
    pub(super) fn encode(&mut self, piece: &Piece<'_>, stream: Stream, out: &mut Vec<u8>) {
        let message = &mut self.message;
        message.clear();
        put_bytes(message, 1, stream.name().as_bytes());
        put_number(message, 2, piece.time.unix_nanos() as u64);
        if !piece.bytes.is_empty() {
            put_bytes(message, 3, piece.bytes);
        }
        if let Some(part) = piece.part {
            put_part(message, part, piece.ends_line);
        }
        let length = (message.len() as u32).to_be_bytes();
        out.extend_from_slice(&length);
        out.extend_from_slice(message);
        out.extend_from_slice(&length);
    }
}

fn put_part(message: &mut Vec<u8>, part: Part, last: bool) {
    let mut metadata = Vec::new();
    if last {
        put_number(&mut metadata, 1, 1);
    } else {
        put_number(message, 4, 1);
    }
    put_bytes(&mut metadata, 2, part_id(part.time).as_bytes());
    put_number(&mut metadata, 3, u64::from(part.ordinal));
    put_bytes(message, 5, &metadata);
}

/// One for all pieces of a line: two lines of one stream do not begin at one time.
fn part_id(time: Timestamp) -> String {
    format!("{:x}{:08x}", time.seconds, time.nanos)
}

fn put_number(message: &mut Vec<u8>, field: u8, number: u64) {
    message.push(field << 3);
    put_varint(message, number);
}

fn put_bytes(message: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    message.push(field << 3 | 2);
    put_varint(message, bytes.len() as u64);
    message.extend_from_slice(bytes);
}

fn put_varint(message: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        message.push(number as u8 | 0x80);
        number >>= 7;
    }
    message.push(number as u8);
}
