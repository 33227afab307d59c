//! What lies at a path in a container, in the header of the archive endpoints: base64 of a JSON document.

use crate::base64;
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
        base64::encode(&serde_json::to_vec(self).expect("wire types serialise"))
    }

    /// `None` for what is no such header.
    pub fn from_header(text: &str) -> Option<Self> {
        serde_json::from_slice(&base64::decode(text)?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_of_dockers_is_read() {
        let header = "eyJuYW1lIjoicGFzc3dkIiwic2l6ZSI6MywibW9kZSI6NDIwLCJtdGltZSI6IjIwMjYtMTEtMjFUMDc6NDM6MzVaIiwibGlua1RhcmdldCI6IiJ9";
        let stat = PathStat::from_header(header).unwrap();
        assert_eq!((stat.name.as_str(), stat.mode), ("passwd", 0o644));
        assert_eq!(stat.to_header(), header);
        assert_eq!(PathStat::from_header("x"), None);
    }
}
