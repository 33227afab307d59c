//! `~/.docker/config.json`: the parts that matter to a command line.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::output::warn;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ConfigFile {
    #[serde(rename = "HttpHeaders")]
    pub(crate) http_headers: BTreeMap<String, String>,
    #[serde(rename = "psFormat")]
    pub(crate) ps_format: String,
    #[serde(rename = "imagesFormat")]
    pub(crate) images_format: String,
    #[serde(rename = "statsFormat")]
    pub(crate) stats_format: String,
    #[serde(rename = "detachKeys")]
    pub(crate) detach_keys: String,
}

impl ConfigFile {
    /// A file that is not there is empty; one that is not understood is reported and taken as empty.
    pub(crate) fn load(directory: &Path) -> Self {
        let path = directory.join("config.json");
        let Ok(text) = std::fs::read(&path) else { return Self::default() };
        serde_json::from_slice(&text).unwrap_or_else(|error| {
            warn(format!("WARNING: Error loading config file: {}: {error}", path.display()));
            Self::default()
        })
    }
}
