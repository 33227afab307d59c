//! A build cache that travels, in the form of BuildKit's cache config: a list of layers, and records that say which of
//! them a step's key stands for. Keys of one builder mean nothing to another; what only we know of a record stands under
//! `gantry`, which others pass over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::json::null_as_default;

pub const MEDIA_TYPE: &str = "application/vnd.buildkit.cacheconfig.v0";

/// No config may be larger.
pub const MAX_BYTES: usize = 32 << 20;
/// Records, layers and aliases, each.
pub const MAX_ENTRIES: usize = 50_000;

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CacheConfig {
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<CacheLayer>,
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<CacheRecord>,
    #[serde(default, skip_serializing_if = "Own::is_empty")]
    pub gantry: Own,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CacheLayer {
    /// None within an image, whose manifest says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blob: Option<Digest>,
    /// The place in the list of what is below it, or -1.
    #[serde(default)]
    pub parent: i64,
    #[serde(default, deserialize_with = "null_as_default")]
    pub annotations: LayerAnnotations,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct LayerAnnotations {
    #[serde(skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    #[serde(rename = "diffID", skip_serializing_if = "Option::is_none")]
    pub diff_id: Option<Digest>,
    #[serde(skip_serializing_if = "is_zero")]
    pub size: u64,
    /// RFC 3339.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub created_at: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CacheRecord {
    #[serde(default, deserialize_with = "null_as_default", skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<CacheResult>,
    /// The step's key.
    pub digest: Digest,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gantry: Option<Told>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CacheResult {
    /// A place in the list of layers.
    pub layer: usize,
    #[serde(rename = "createdAt", default, skip_serializing_if = "String::is_empty")]
    pub created_at: String,
}

/// What is told of a record.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    pub description: String,
    /// Milliseconds that the step took.
    pub cost: u64,
    pub parents: Vec<Digest>,
    /// What the key was made of.
    pub components: serde_json::Value,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Own {
    /// Keys that lead to others.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub aliases: BTreeMap<Digest, Digest>,
    /// What cache mounts hold: a layer's place, by the digest of the mount's id and base.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub mounts: BTreeMap<Digest, usize>,
}

impl Own {
    fn is_empty(&self) -> bool {
        self.aliases.is_empty() && self.mounts.is_empty()
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("invalid cache config: it is larger than {MAX_BYTES} bytes")]
    TooLarge,
    #[error("invalid cache config: {0}")]
    Json(#[from] serde_json::Error),
    #[error("invalid cache config: {0}")]
    Wrong(&'static str),
}

impl CacheConfig {
    /// # Errors
    /// Also places that are not in the list: whoever reads what this returns may use them.
    pub fn parse(bytes: &[u8]) -> Result<Self, Error> {
        if bytes.len() > MAX_BYTES {
            return Err(Error::TooLarge);
        }
        let config: Self = serde_json::from_slice(bytes)?;
        let entries = [config.layers.len(), config.records.len(), config.gantry.aliases.len()];
        if entries.into_iter().any(|count| count > MAX_ENTRIES) {
            return Err(Error::Wrong("it has too many entries"));
        }
        let count = config.layers.len();
        let is_parent =
            |parent: i64| parent == -1 || usize::try_from(parent).is_ok_and(|at| at < count);
        let parents = config.layers.iter().all(|layer| is_parent(layer.parent));
        let results = config.records.iter().flat_map(|record| &record.layers);
        let mut places =
            results.map(|result| result.layer).chain(config.gantry.mounts.values().copied());
        if !parents || places.any(|at| at >= count) {
            return Err(Error::Wrong("it names a layer that it does not list"));
        }
        Ok(config)
    }

    /// A layer and what is below it, top first. Each once, whatever the config says.
    pub fn chain(&self, layer: usize) -> Vec<usize> {
        let mut chain = Vec::new();
        let mut seen = std::collections::HashSet::new();
        let mut next = Some(layer);
        while let Some(at) = next.filter(|at| seen.insert(*at)) {
            let Some(layer) = self.layers.get(at) else { break };
            chain.push(at);
            next = usize::try_from(layer.parent).ok();
        }
        chain
    }
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn what_buildkit_writes_is_read() {
        let text = format!(
            r#"{{"layers":[{{"blob":"{A}","parent":-1}},
                {{"blob":"{B}","annotations":{{"mediaType":"x","diffID":"{A}","size":5,"createdAt":"2024-01-01T00:00:00Z"}}}}],
               "records":[{{"digest":"{A}","layers":[{{"layer":1,"createdAt":"2024-01-01T00:00:00Z"}}]}},
                {{"digest":"{B}","inputs":[[{{"link":0,"selector":"s"}}]],"chains":[{{"layers":[0]}}]}}]}}"#
        );
        let config = CacheConfig::parse(text.as_bytes()).unwrap();
        assert_eq!(config.layers[0].parent, -1);
        // Go leaves out what is 0.
        assert_eq!(config.layers[1].parent, 0);
        assert_eq!(config.layers[1].annotations.size, 5);
        assert_eq!(config.chain(1), [1, 0]);
        assert_eq!(config.records[0].layers[0].layer, 1);
        let again = serde_json::to_vec(&config).unwrap();
        assert_eq!(CacheConfig::parse(&again).unwrap(), config);
    }

    #[test]
    fn places_that_are_not_there_and_endless_chains_are_seen() {
        for wrong in [
            format!(r#"{{"layers":[{{"blob":"{A}","parent":1}}]}}"#),
            format!(r#"{{"layers":[{{"blob":"{A}","parent":-2}}]}}"#),
            format!(r#"{{"records":[{{"digest":"{A}","layers":[{{"layer":0}}]}}]}}"#),
            format!(r#"{{"gantry":{{"mounts":{{"{A}":0}}}}}}"#),
            r#"{"records":[{"digest":"sha256:short"}]}"#.to_owned(),
            "[".repeat(100_000),
        ] {
            assert!(CacheConfig::parse(wrong.as_bytes()).is_err(), "{wrong:.60}");
        }
        let round =
            format!(r#"{{"layers":[{{"blob":"{A}","parent":1}},{{"blob":"{B}","parent":0}}]}}"#);
        assert_eq!(CacheConfig::parse(round.as_bytes()).unwrap().chain(0), [0, 1]);
    }
}
