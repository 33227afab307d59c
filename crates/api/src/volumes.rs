//! Volumes.

use std::collections::BTreeMap;

use crate::go::{is_empty, wire};

wire! {
    /// A volume, as list and inspect show it.
    pub struct Volume {
        #[serde(skip_serializing_if = "is_empty")]
        pub created_at: String,
        pub driver: String,
        pub labels: Option<BTreeMap<String, String>>,
        pub mountpoint: String,
        pub name: String,
        pub options: Option<BTreeMap<String, String>>,
        pub scope: String,
    }

    pub struct VolumeList {
        pub volumes: Option<Vec<Volume>>,
        pub warnings: Option<Vec<String>>,
    }
}
