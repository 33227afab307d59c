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
        /// In `GET /system/df` only.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub usage_data: Option<UsageData>,
    }

    pub struct UsageData {
        /// Containers that have it.
        pub ref_count: i64,
        /// Bytes; -1 where not known.
        pub size: i64,
    }

    pub struct VolumeList {
        pub volumes: Option<Vec<Volume>>,
        pub warnings: Option<Vec<String>>,
    }

    /// The body of `POST /volumes/create`.
    pub struct CreateRequest {
        /// Empty for an anonymous one.
        pub name: String,
        pub driver: String,
        pub driver_opts: Option<BTreeMap<String, String>>,
        pub labels: Option<BTreeMap<String, String>>,
        /// Volumes of a swarm.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub cluster_volume_spec: Option<serde_json::Value>,
    }

    pub struct PruneReport {
        pub volumes_deleted: Option<Vec<String>>,
        pub space_reclaimed: u64,
    }
}

impl Volume {
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.as_ref()?.get(key).map(String::as_str)
    }
}
