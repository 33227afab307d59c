//! Image indexes (Docker: manifest lists) and the choice of a platform's entry.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::descriptor::Descriptor;
use crate::json::null_as_default;
use crate::platform::Platform;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    #[serde(rename = "schemaVersion")]
    pub schema_version: u32,
    #[serde(rename = "mediaType", default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    #[serde(default, deserialize_with = "null_as_default")]
    pub manifests: Vec<Descriptor>,
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

impl Index {
    /// The entries that can run on `wanted`, best first. Entries without a platform come last: only their
    /// config can tell. Attestations (`unknown/unknown`) never match.
    pub fn candidates(&self, wanted: &Platform) -> Vec<&Descriptor> {
        let mut matching: Vec<(u32, &Descriptor)> = self
            .manifests
            .iter()
            .filter_map(|entry| match &entry.platform {
                None => Some((u32::MAX, entry)),
                Some(platform) => wanted.rank(platform).map(|rank| (rank, entry)),
            })
            .collect();
        matching.sort_by_key(|(rank, _)| *rank);
        matching.into_iter().map(|(_, entry)| entry).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;

    fn entry(platform: Option<&str>, byte: u8) -> Descriptor {
        let mut entry = Descriptor::new("", Digest::from_sha256([byte; 32]), 0);
        entry.platform = platform.map(|text| Platform::parse(text).expect("platform"));
        entry
    }

    #[test]
    fn the_best_platform_comes_first() {
        let index = Index {
            schema_version: 2,
            media_type: String::new(),
            manifests: vec![
                entry(None, 0),
                entry(Some("linux/arm/v6"), 1),
                entry(Some("linux/arm/v7"), 2),
                entry(Some("unknown/unknown"), 3),
                entry(Some("linux/amd64"), 4),
            ],
            annotations: BTreeMap::new(),
        };
        let wanted = Platform::parse("linux/arm/v7").expect("platform");
        let order: Vec<u8> = index
            .candidates(&wanted)
            .iter()
            .map(|entry| u8::from_str_radix(&entry.digest.hex()[..2], 16).expect("hex"))
            .collect();
        assert_eq!(order, [2, 1, 0]);
    }
}
