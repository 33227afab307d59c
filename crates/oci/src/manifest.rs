//! Image manifests (OCI image manifest, Docker schema 2), and the choice between manifest and index.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::descriptor::Descriptor;
use crate::index::Index;
use crate::json::null_as_default;
use crate::media_type;

/// No manifest or index may be larger (the registries' own limit).
pub const MAX_BYTES: usize = 4 << 20;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    #[serde(rename = "schemaVersion")]
    pub schema_version: u32,
    #[serde(rename = "mediaType", default, skip_serializing_if = "String::is_empty")]
    pub media_type: String,
    pub config: Descriptor,
    #[serde(default, deserialize_with = "null_as_default")]
    pub layers: Vec<Descriptor>,
    #[serde(
        default,
        deserialize_with = "null_as_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub annotations: BTreeMap<String, String>,
}

/// What the root descriptor of a reference points to.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "held one at a time, and read at once")]
pub enum Document {
    Manifest(Manifest),
    Index(Index),
}

#[derive(Debug, thiserror::Error)]
pub enum DocumentError {
    #[error("manifest of {0} bytes is larger than the limit of {MAX_BYTES}")]
    TooLarge(usize),
    #[error("invalid manifest: {0}")]
    Json(#[from] serde_json::Error),
    #[error("invalid manifest: unexpected {0}")]
    Ambiguous(&'static str),
    #[error("unsupported manifest schema version {0}")]
    SchemaVersion(u64),
    #[error("unsupported manifest media type {0:?}")]
    MediaType(String),
}

/// The fields that tell the kinds of document apart.
#[derive(Deserialize)]
struct Shape {
    #[serde(rename = "schemaVersion", default)]
    schema_version: u64,
    #[serde(rename = "mediaType", default)]
    media_type: String,
    config: Option<serde::de::IgnoredAny>,
    layers: Option<serde::de::IgnoredAny>,
    #[serde(rename = "fsLayers")]
    fs_layers: Option<serde::de::IgnoredAny>,
    manifests: Option<serde::de::IgnoredAny>,
}

impl Document {
    /// Parses a manifest or an index. A document that could be read as either is refused, so that no two
    /// readers disagree about what a digest means (CVE-2021-41190).
    pub fn parse(bytes: &[u8]) -> Result<Document, DocumentError> {
        if bytes.len() > MAX_BYTES {
            return Err(DocumentError::TooLarge(bytes.len()));
        }
        let shape: Shape = serde_json::from_slice(bytes)?;
        if shape.schema_version != 2 {
            return Err(DocumentError::SchemaVersion(shape.schema_version));
        }
        let looks_like_manifest =
            shape.config.is_some() || shape.layers.is_some() || shape.fs_layers.is_some();
        if looks_like_manifest && shape.manifests.is_some() {
            return Err(DocumentError::Ambiguous("manifests beside config or layers"));
        }
        match (shape.media_type.as_str(), looks_like_manifest) {
            (kind, true) if kind.is_empty() || media_type::is_manifest(kind) => {
                Ok(Document::Manifest(serde_json::from_slice(bytes)?))
            }
            (kind, false) if kind.is_empty() || media_type::is_index(kind) => {
                Ok(Document::Index(serde_json::from_slice(bytes)?))
            }
            _ => Err(DocumentError::MediaType(shape.media_type)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_manifest_and_an_index_are_told_apart() {
        let manifest =
            format!(r#"{{"schemaVersion":2,"config":{{"digest":"{DIGEST}"}},"layers":[]}}"#);
        assert!(matches!(Document::parse(manifest.as_bytes()), Ok(Document::Manifest(_))));
        assert!(matches!(
            Document::parse(br#"{"schemaVersion":2,"manifests":[]}"#),
            Ok(Document::Index(_))
        ));
    }

    #[test]
    fn cve_2021_41190_a_document_with_layers_and_manifests_is_refused() {
        let both = format!(
            r#"{{"schemaVersion":2,"config":{{"digest":"{DIGEST}"}},"layers":[],"manifests":[]}}"#
        );
        let error = Document::parse(both.as_bytes()).expect_err("ambiguous");
        assert!(matches!(error, DocumentError::Ambiguous(_)), "{error}");
    }

    #[test]
    fn cve_2021_41190_a_media_type_that_contradicts_the_fields_is_refused() {
        let lie = format!(
            r#"{{"schemaVersion":2,"mediaType":"{}","manifests":[]}}"#,
            media_type::OCI_MANIFEST
        );
        assert!(matches!(Document::parse(lie.as_bytes()), Err(DocumentError::MediaType(_))));
    }

    #[test]
    fn null_layers_are_no_layers() {
        let null =
            format!(r#"{{"schemaVersion":2,"config":{{"digest":"{DIGEST}"}},"layers":null}}"#);
        let Ok(Document::Manifest(manifest)) = Document::parse(null.as_bytes()) else {
            panic!("a manifest")
        };
        assert!(manifest.layers.is_empty());
    }

    #[test]
    fn deep_nesting_is_refused_without_recursion_to_the_end_of_the_stack() {
        let deep = format!(r#"{{"schemaVersion":2,"manifests":{}"#, "[".repeat(100_000));
        assert!(matches!(Document::parse(deep.as_bytes()), Err(DocumentError::Json(_))));
    }
}
