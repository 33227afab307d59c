//! The `detachKeys` parameter: `ctrl-p,ctrl-q`, or any characters.

use crate::error::{Error, Result};

/// Bytes to look for; `None` for the default.
pub fn parse(text: &str) -> Result<Option<Vec<u8>>> {
    if text.is_empty() {
        return Ok(None);
    }
    text.split(',')
        .map(key)
        .collect::<Option<Vec<u8>>>()
        .map(Some)
        .ok_or_else(|| Error::invalid(format!("Invalid detach keys ({text}) provided")))
}

fn key(text: &str) -> Option<u8> {
    if let [byte] = text.as_bytes() {
        return Some(*byte);
    }
    match text.strip_prefix("ctrl-")?.as_bytes() {
        [letter @ (b'a'..=b'z' | b'A'..=b'Z')] => Some(letter.to_ascii_lowercase() - b'a' + 1),
        b"@" => Some(0),
        b"[" => Some(27),
        b"\\" => Some(28),
        b"]" => Some(29),
        b"^" => Some(30),
        b"_" => Some(31),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_keys_and_characters() {
        assert_eq!(parse("").unwrap(), None);
        assert_eq!(parse("ctrl-p,ctrl-q").unwrap(), Some(vec![16, 17]));
        assert_eq!(parse("a,ctrl-],b").unwrap(), Some(vec![b'a', 29, b'b']));
        assert_eq!(
            parse("ctrl-1").unwrap_err().to_string(),
            "Invalid detach keys (ctrl-1) provided"
        );
        assert!(parse("ab").is_err());
    }
}
