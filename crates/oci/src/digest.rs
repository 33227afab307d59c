//! Content digests: `algorithm:hex`, as in the OCI image specification's descriptor section.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A well-formed digest of a known algorithm. Whether content matches it is the store's business.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest {
    text: String,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    #[error("invalid checksum digest format")]
    Format,
    #[error("unsupported digest algorithm")]
    Algorithm,
    #[error("invalid checksum digest length")]
    Length,
}

impl Digest {
    pub fn from_sha256(hash: [u8; 32]) -> Digest {
        let mut text = String::with_capacity(7 + 64);
        text.push_str("sha256:");
        for byte in hash {
            text.push(char::from_digit(u32::from(byte >> 4), 16).unwrap_or('0'));
            text.push(char::from_digit(u32::from(byte & 15), 16).unwrap_or('0'));
        }
        Digest { text }
    }

    pub fn parse(text: &str) -> Result<Digest, ParseError> {
        let (algorithm, hex) = text.split_once(':').ok_or(ParseError::Format)?;
        if algorithm.is_empty() || hex.is_empty() {
            return Err(ParseError::Format);
        }
        let length = match algorithm {
            "sha256" => 64,
            "sha384" => 96,
            "sha512" => 128,
            _ => return Err(ParseError::Algorithm),
        };
        if hex.len() != length {
            return Err(ParseError::Length);
        }
        if !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(ParseError::Format);
        }
        Ok(Digest { text: text.to_owned() })
    }

    /// The digest that 64 hexadecimal digits without an algorithm stand for.
    pub fn from_sha256_hex(hex: &str) -> Result<Digest, ParseError> {
        Digest::parse(&format!("sha256:{hex}"))
    }

    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn algorithm(&self) -> &str {
        self.split().0
    }

    pub fn hex(&self) -> &str {
        self.split().1
    }

    /// The twelve digits that people see.
    pub fn short(&self) -> &str {
        &self.hex()[..12]
    }

    fn split(&self) -> (&str, &str) {
        self.text.split_once(':').expect("a digest holds a colon since it was parsed")
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Digest {
    type Err = ParseError;
    fn from_str(text: &str) -> Result<Digest, ParseError> {
        Digest::parse(text)
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = String::deserialize(deserializer)?;
        Digest::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_digest() {
        let digest = Digest::from_sha256([0xab; 32]);
        assert_eq!(digest.algorithm(), "sha256");
        assert_eq!(digest.short(), "abababababab");
        assert_eq!(Digest::parse(digest.as_str()), Ok(digest.clone()));
        assert_eq!(Digest::from_sha256_hex(digest.hex()), Ok(digest));
    }

    #[test]
    fn malformed_digests_are_refused() {
        let upper = format!("sha256:{}", "A".repeat(64));
        assert_eq!(Digest::parse("sha256"), Err(ParseError::Format));
        assert_eq!(Digest::parse("sha256:"), Err(ParseError::Format));
        assert_eq!(Digest::parse("md5:00"), Err(ParseError::Algorithm));
        assert_eq!(Digest::parse("sha256:00"), Err(ParseError::Length));
        assert_eq!(Digest::parse(&upper), Err(ParseError::Format));
        assert_eq!(Digest::parse("sha256:../../../etc/passwd"), Err(ParseError::Length));
    }
}
