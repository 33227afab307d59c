//! Docker's `local` format: each entry is its length (big endian, 32 bits), a protobuf message, and the length again,
//! so that the file can be walked from both ends.
//!
//! The message: 1 source, 2 time in nanoseconds, 3 line without its newline, 4 partial, 5 details of a partial line.

use super::entry::{Entry, Stream};
use super::timestamp::Timestamp;

/// An entry is a line of at most 16 KiB and little else; a larger length means that the file is damaged.
const LARGEST: usize = 1 << 20;

/// The length of the first whole entry in `bytes`, both length fields included. Damage ends the log: everything is one
/// entry, which does not decode.
pub(super) fn entry_length(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(bytes.first_chunk().copied()?) as usize;
    if length > LARGEST {
        return Some(bytes.len());
    }
    let whole = length + 8;
    (bytes.len() >= whole).then_some(whole)
}

/// The length of the last whole entry before the end of `bytes`, for walking backwards.
pub(super) fn last_entry_length(bytes: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(bytes.last_chunk().copied()?) as usize;
    (length <= LARGEST).then_some(length + 8)
}

/// Decodes the first entry of `bytes` and tells its length; `None` while that is not whole.
pub(super) fn next(bytes: &[u8]) -> Option<(usize, Option<Entry<'_>>)> {
    let length = entry_length(bytes)?;
    Some((length, decode(&bytes[..length])))
}

fn decode(entry: &[u8]) -> Option<Entry<'_>> {
    let mut message = entry.get(4..entry.len().checked_sub(4)?)?;
    let mut entry =
        Entry { stream: Stream::Stdout, time: None, line: &[], newline: true, attributes: "" };
    while !message.is_empty() {
        let (field, value, rest) = field(message)?;
        message = rest;
        match (field, value) {
            (1, Value::Bytes(b"stderr")) => entry.stream = Stream::Stderr,
            (2, Value::Number(nanos)) => entry.time = Some(Timestamp(nanos.cast_signed())),
            (3, Value::Bytes(line)) => entry.line = line,
            (4, Value::Number(flag)) => entry.newline = flag == 0,
            _ => {}
        }
    }
    Some(entry)
}

enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

fn field(message: &[u8]) -> Option<(u64, Value<'_>, &[u8])> {
    let (tag, rest) = varint(message)?;
    match tag & 7 {
        0 => varint(rest).map(|(number, rest)| (tag >> 3, Value::Number(number), rest)),
        2 => {
            let (length, rest) = varint(rest)?;
            let (bytes, rest) = rest.split_at_checked(usize::try_from(length).ok()?)?;
            Some((tag >> 3, Value::Bytes(bytes), rest))
        }
        _ => None,
    }
}

fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut number = 0;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((number, &bytes[index + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// source "stderr", time 5, line "hi", partial as given.
    fn sample(partial: bool) -> Vec<u8> {
        let mut message = b"\x0a\x06stderr\x10\x05\x1a\x02hi".to_vec();
        if partial {
            message.extend(b"\x20\x01");
        }
        let length = (message.len() as u32).to_be_bytes();
        [&length[..], &message, &length].concat()
    }

    #[test]
    fn an_entry_is_found_from_both_ends_and_decoded() {
        let entry = sample(false);
        assert_eq!(entry_length(&entry), Some(entry.len()));
        assert_eq!(last_entry_length(&entry), Some(entry.len()));
        let expected = Entry {
            stream: Stream::Stderr,
            time: Some(Timestamp(5)),
            line: b"hi",
            newline: true,
            attributes: "",
        };
        assert_eq!(next(&entry), Some((entry.len(), Some(expected))));
        assert!(!decode(&sample(true)).unwrap().newline);
    }

    #[test]
    fn damage_neither_panics_nor_loops() {
        assert_eq!(entry_length(b"\0\0"), None);
        assert_eq!(entry_length(b"\xff\xff\xff\xffabc"), Some(7));
        for damaged in [&b"\0\0\0\x02\xff\xff\0\0\0\x02"[..], b"\0\0\0\x01\x1a\0\0\0\x01", b"\0"] {
            assert_eq!(decode(damaged), None);
        }
    }
}
