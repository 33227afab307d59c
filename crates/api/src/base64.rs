//! RFC 4648, with padding.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

pub fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let word = group.iter().fold(0_u32, |word, byte| word << 8 | u32::from(*byte));
        let word = word << (8 * (3 - group.len()));
        for at in 0..4 {
            let digit = (word >> (18 - 6 * at)) & 63;
            text.push(if at <= group.len() { char::from(ALPHABET[digit as usize]) } else { '=' });
        }
    }
    text
}

/// What each character stands for; 64 for those that stand for nothing.
const VALUES: [u8; 256] = {
    let mut values = [64; 256];
    let mut at = 0;
    while at < ALPHABET.len() {
        values[ALPHABET[at] as usize] = at as u8;
        at += 1;
    }
    values
};

/// As [`decode`], of text in the alphabet of addresses.
pub fn decode_url(text: &str) -> Option<Vec<u8>> {
    decode(&text.trim().replace('-', "+").replace('_', "/"))
}

/// `None` for what has other characters in it.
pub fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut word = 0_u32;
        for digit in group {
            let value = Some(VALUES[usize::from(*digit)]).filter(|value| *value < 64)?;
            word = word << 6 | u32::from(value);
        }
        let word = (word << (6 * (4 - group.len()))).to_be_bytes();
        bytes.extend_from_slice(&word[1..group.len()]);
    }
    Some(bytes)
}

/// Bytes in a document, as Go's `[]byte` is written.
pub mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::encode(bytes))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::decode(&text).ok_or_else(|| D::Error::custom("not base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_the_standards() {
        for (bytes, text) in
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(encode(bytes.as_bytes()), text);
            assert_eq!(decode(text).unwrap(), bytes.as_bytes());
        }
        assert_eq!(encode(&[0xff, 0xfe]), "//4=");
        assert_eq!(decode("Z*=="), None);
        assert_eq!(decode_url("__4=").unwrap(), [0xff, 0xfe]);
    }
}
