//! `builder`: what of the build cache goes by itself.

use serde::Deserialize;

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct Builder {
    pub gc: Gc,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub struct Gc {
    /// The cache keeps to limits unless this says no.
    pub enabled: Option<bool>,
    pub default_keep_storage: String,
    pub policy: Vec<Rule>,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, rename_all = "camelCase")]
pub struct Rule {
    pub all: bool,
    pub keep_storage: String,
    /// `name=value`, as filters of `builder prune`.
    pub filter: Vec<String>,
}
