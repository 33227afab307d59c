//! `GET /containers/json`.

use std::collections::BTreeMap;

use super::MountPoint;
use crate::go::{is_empty, none_or_empty, wire};
use crate::images::Descriptor;
use crate::networks::EndpointSettings;

wire! {
    pub struct Summary {
        pub id: String,
        /// With leading slashes.
        pub names: Vec<String>,
        pub image: String,
        #[serde(rename = "ImageID")]
        pub image_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_manifest_descriptor: Option<Descriptor>,
        pub command: String,
        /// Unix seconds.
        pub created: i64,
        pub ports: Vec<Port>,
        #[serde(skip_serializing_if = "is_empty")]
        pub size_rw: i64,
        #[serde(skip_serializing_if = "is_empty")]
        pub size_root_fs: i64,
        pub labels: Option<BTreeMap<String, String>>,
        pub state: String,
        /// For people: "Up 5 minutes".
        pub status: String,
        pub host_config: SummaryHostConfig,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub health: Option<HealthSummary>,
        pub network_settings: Option<SummaryNetworkSettings>,
        pub mounts: Vec<MountPoint>,
    }

    pub struct SummaryHostConfig {
        #[serde(skip_serializing_if = "is_empty")]
        pub network_mode: String,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub annotations: Option<BTreeMap<String, String>>,
    }

    pub struct HealthSummary {
        pub status: String,
        pub failing_streak: i64,
    }

    pub struct SummaryNetworkSettings {
        pub networks: Option<BTreeMap<String, EndpointSettings>>,
    }

    pub struct Port {
        #[serde(rename = "IP", skip_serializing_if = "is_empty")]
        pub ip: String,
        pub private_port: u16,
        #[serde(skip_serializing_if = "is_empty")]
        pub public_port: u16,
        #[serde(rename = "Type")]
        pub kind: String,
    }
}
