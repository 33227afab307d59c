//! PAX extended header records: `length key=value\n`.

use std::collections::BTreeMap;
use std::io;

use super::Time;
use super::header::invalid;

pub type Records = BTreeMap<Vec<u8>, Vec<u8>>;

pub fn parse(mut bytes: &[u8]) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut records = Vec::new();
    while !bytes.is_empty() {
        if bytes.iter().all(|byte| *byte == 0) {
            break;
        }
        let space = bytes.iter().take(20).position(|b| *b == b' ').ok_or_else(|| invalid("pax"))?;
        let length =
            usize::try_from(integer(&bytes[..space])?).map_err(|_| invalid("pax length"))?;
        if length <= space + 1 || length > bytes.len() || bytes[length - 1] != b'\n' {
            return Err(invalid("pax length"));
        }
        let record = &bytes[space + 1..length - 1];
        let equals = record.iter().position(|b| *b == b'=').ok_or_else(|| invalid("pax record"))?;
        records.push((record[..equals].to_vec(), record[equals + 1..].to_vec()));
        bytes = &bytes[length..];
    }
    Ok(records)
}

pub fn integer(text: &[u8]) -> io::Result<u64> {
    let text = std::str::from_utf8(text).map_err(|_| invalid("pax number"))?;
    text.parse().map_err(|_| invalid("pax number"))
}

/// Seconds with an optional fraction.
pub fn time(text: &[u8]) -> io::Result<Time> {
    let text = std::str::from_utf8(text).map_err(|_| invalid("pax time"))?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().map_err(|_| invalid("pax time"))?;
    if !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return Err(invalid("pax time"));
    }
    let digits: String = fraction.chars().chain("000000000".chars()).take(9).collect();
    let nanoseconds: u32 = digits.parse().map_err(|_| invalid("pax time"))?;
    if !whole.starts_with('-') || nanoseconds == 0 {
        return Ok(Time { seconds, nanoseconds });
    }
    // -1.25 lies three quarters after -2.
    let seconds = seconds.checked_sub(1).ok_or_else(|| invalid("pax time"))?;
    Ok(Time { seconds, nanoseconds: 1_000_000_000 - nanoseconds })
}

/// Appends one record; its length counts its own digits.
pub fn append(into: &mut Vec<u8>, key: &[u8], value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length.to_string().len() + rest != length {
        length = length.to_string().len() + rest;
    }
    into.extend_from_slice(format!("{length} ").as_bytes());
    into.extend_from_slice(key);
    into.push(b'=');
    into.extend_from_slice(value);
    into.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn records_survive(key in "[a-z.]{1,120}", value in proptest::collection::vec(0u8.., 0..200)) {
            let mut bytes = Vec::new();
            append(&mut bytes, key.as_bytes(), &value);
            proptest::prop_assert_eq!(parse(&bytes).unwrap(), [(key.into_bytes(), value)]);
        }

        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(0u8.., 0..64)) {
            let _ = (parse(&bytes), time(&bytes), integer(&bytes));
        }
    }

    #[test]
    fn times_before_the_epoch_have_their_fraction_after_the_second() {
        assert_eq!(time(b"-1.25").unwrap(), Time { seconds: -2, nanoseconds: 750_000_000 });
        assert_eq!(time(b"3.5").unwrap(), Time { seconds: 3, nanoseconds: 500_000_000 });
    }
}
