//! File names and documents of the OCI image layout and of Docker's archive (`docker save`).

use serde::{Deserialize, Serialize};

use crate::digest::Digest;
use crate::json::null_as_default;

pub const OCI_LAYOUT_FILE: &str = "oci-layout";
pub const INDEX_FILE: &str = "index.json";
pub const OCI_LAYOUT_CONTENT: &str = r#"{"imageLayoutVersion": "1.0.0"}"#;

pub const DOCKER_MANIFEST_FILE: &str = "manifest.json";
pub const DOCKER_REPOSITORIES_FILE: &str = "repositories";

/// Where a blob lies in a layout.
pub fn blob_path(digest: &Digest) -> String {
    format!("blobs/{}/{}", digest.algorithm(), digest.hex())
}

/// One image in a docker-archive's `manifest.json`. Paths are the archive's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArchiveImage {
    #[serde(rename = "Config")]
    pub config: String,
    #[serde(rename = "RepoTags", default)]
    pub repo_tags: Option<Vec<String>>,
    #[serde(rename = "Layers", default, deserialize_with = "null_as_default")]
    pub layers: Vec<String>,
    #[serde(rename = "Parent", default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    #[serde(rename = "LayerSources", default, skip_serializing_if = "Option::is_none")]
    pub layer_sources: Option<std::collections::BTreeMap<Digest, crate::descriptor::Descriptor>>,
}
