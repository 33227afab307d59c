//! What lies at a path in a container, in the header of the archive endpoints: base64 of a JSON document.

use crate::go::wire;

/// The header's name.
pub const PATH_STAT: &str = "x-docker-container-path-stat";

wire! {
    pub struct PathStat {
        #[serde(rename = "name")]
        pub name: String,
        #[serde(rename = "size")]
        pub size: i64,
        /// Go's `os.FileMode`: permission bits with type bits from 1<<31 down.
        #[serde(rename = "mode")]
        pub mode: u32,
        #[serde(rename = "mtime")]
        pub mtime: String,
        #[serde(rename = "linkTarget")]
        pub link_target: String,
    }
}

impl PathStat {
    pub fn to_header(&self) -> String {
        encode(&serde_json::to_vec(self).expect("wire types serialise"))
    }

    /// `None` for what is no such header.
    pub fn from_header(text: &str) -> Option<Self> {
        serde_json::from_slice(&decode(text)?).ok()
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode(bytes: &[u8]) -> String {
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

fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    for group in text.trim_end_matches('=').as_bytes().chunks(4) {
        let mut word = 0_u32;
        for digit in group {
            let value = ALPHABET.iter().position(|known| known == digit)?;
            word = word << 6 | u32::try_from(value).ok()?;
        }
        let word = (word << (6 * (4 - group.len()))).to_be_bytes();
        bytes.extend_from_slice(&word[1..group.len()]);
    }
    Some(bytes)
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
        assert_eq!(decode("Z*=="), None);
    }

    #[test]
    fn a_header_of_dockers_is_read() {
        let header = "eyJuYW1lIjoicGFzc3dkIiwic2l6ZSI6MywibW9kZSI6NDIwLCJtdGltZSI6IjIwMjYtMTEtMjFUMDc6NDM6MzVaIiwibGlua1RhcmdldCI6IiJ9";
        let stat = PathStat::from_header(header).unwrap();
        assert_eq!((stat.name.as_str(), stat.mode), ("passwd", 0o644));
        assert_eq!(stat.to_header(), header);
        assert_eq!(PathStat::from_header("x"), None);
    }
}
