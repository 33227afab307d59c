//! Images.

use std::collections::BTreeMap;

use crate::containers::{Config, GraphDriver};
use crate::go::{is_empty, wire};

wire! {
    /// One element of `GET /images/json`. Sizes in bytes, -1 where not computed.
    pub struct Summary {
        pub containers: i64,
        /// Unix seconds.
        pub created: i64,
        pub id: String,
        pub labels: Option<BTreeMap<String, String>>,
        pub parent_id: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub descriptor: Option<Descriptor>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub manifests: Option<Vec<serde_json::Value>>,
        /// Null for none before 1.43.
        pub repo_digests: Option<Vec<String>>,
        pub repo_tags: Vec<String>,
        pub shared_size: i64,
        pub size: i64,
        /// Before 1.44 only.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub virtual_size: Option<i64>,
    }

    /// `GET /images/{name}/json`.
    pub struct Inspect {
        pub id: String,
        pub repo_tags: Vec<String>,
        pub repo_digests: Vec<String>,
        /// Omitted from 1.52 where there is none.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub parent: Option<String>,
        pub comment: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub created: String,
        /// Before 1.45 only.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container: Option<String>,
        /// Before 1.45 only.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_config: Option<Config>,
        /// Before 1.52 only.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub docker_version: Option<String>,
        pub author: String,
        pub config: Option<Config>,
        pub architecture: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub variant: String,
        pub os: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub os_version: String,
        pub size: i64,
        /// Before 1.44 only.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub virtual_size: Option<i64>,
        pub graph_driver: GraphDriver,
        #[serde(rename = "RootFS")]
        pub root_fs: RootFs,
        pub metadata: Metadata,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub descriptor: Option<Descriptor>,
    }

    pub struct RootFs {
        #[serde(rename = "Type")]
        pub kind: String,
        /// Diff IDs, lowest first.
        #[serde(skip_serializing_if = "is_empty")]
        pub layers: Vec<String>,
    }

    pub struct Metadata {
        /// `0001-01-01T00:00:00Z` where it was never tagged here.
        pub last_tag_time: String,
    }

    /// An OCI descriptor.
    pub struct Descriptor {
        #[serde(rename = "mediaType")]
        pub media_type: String,
        #[serde(rename = "digest")]
        pub digest: String,
        #[serde(rename = "size")]
        pub size: i64,
    }

    /// One element of `GET /images/{name}/history`, newest first.
    pub struct HistoryItem {
        pub comment: String,
        /// Unix seconds.
        pub created: i64,
        pub created_by: String,
        /// `<missing>` for layers that no image here ends with.
        pub id: String,
        pub size: i64,
        pub tags: Option<Vec<String>>,
    }

    /// One element of the answer to `DELETE /images/{name}`: exactly one of the two is set.
    pub struct DeleteItem {
        #[serde(skip_serializing_if = "is_empty")]
        pub untagged: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub deleted: String,
    }

    pub struct PruneReport {
        pub images_deleted: Option<Vec<DeleteItem>>,
        pub space_reclaimed: u64,
    }
}
