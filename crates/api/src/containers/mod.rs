//! Containers.

mod config;
mod host_config;
mod inspect;
mod path_stat;
mod stats;
mod summary;

pub use config::{Config, HealthConfig};
pub use host_config::{
    BindOptions, DeviceMapping, DeviceRequest, HostConfig, ImageOptions, LogConfig, Mount,
    Resources, RestartPolicy, ThrottleDevice, TmpfsOptions, Ulimit, VolumeDriver, VolumeOptions,
    WeightDevice,
};
pub use inspect::{
    GraphDriver, Health, HealthResult, Inspect, LegacyNetworkSettings, MountPoint, NetworkSettings,
    State, Status,
};
pub use path_stat::{PATH_STAT, PathStat};
pub use stats::{
    BlkioEntry, BlkioStats, CpuStats, CpuUsage, MemoryStats, NetworkStats, PidsStats, Stats,
    StorageStats, ThrottlingData,
};
pub use summary::{HealthSummary, Port, Summary, SummaryHostConfig, SummaryNetworkSettings};

use crate::go::wire;
use crate::networks::{NetworkingConfig, PortMap};

/// The body of `POST /containers/create`: a [`Config`] with two more fields beside its own.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct CreateRequest {
    #[serde(flatten)]
    pub config: Config,
    #[serde(rename = "HostConfig", default, deserialize_with = "crate::go::nullable")]
    pub host_config: Option<HostConfig>,
    #[serde(rename = "NetworkingConfig", default, deserialize_with = "crate::go::nullable")]
    pub networking_config: Option<NetworkingConfig>,
}

/// The body of `POST /containers/{id}/update`.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct UpdateRequest {
    #[serde(flatten)]
    pub resources: Resources,
    #[serde(rename = "RestartPolicy", default, deserialize_with = "crate::go::nullable")]
    pub restart_policy: RestartPolicy,
    /// Ports to publish beside those that are, in the form of `PortBindings`; not Docker's.
    #[serde(rename = "PublishAdd", skip_serializing_if = "Option::is_none")]
    pub publish_add: Option<PortMap>,
    /// Those to take back; without a host port all of that container port. Not Docker's.
    #[serde(rename = "PublishRemove", skip_serializing_if = "Option::is_none")]
    pub publish_remove: Option<PortMap>,
}

wire! {
    pub struct CreateResponse {
        pub id: String,
        pub warnings: Vec<String>,
    }

    pub struct UpdateResponse {
        pub warnings: Option<Vec<String>>,
    }

    pub struct IdResponse {
        pub id: String,
    }

    pub struct WaitResponse {
        pub status_code: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub error: Option<WaitError>,
    }

    pub struct WaitError {
        pub message: String,
    }

    pub struct TopResponse {
        pub processes: Vec<Vec<String>>,
        pub titles: Vec<String>,
    }

    /// One entry of `GET /containers/{id}/changes`.
    pub struct Change {
        /// 0 modified, 1 added, 2 deleted.
        pub kind: u8,
        pub path: String,
    }

    pub struct PruneReport {
        pub containers_deleted: Option<Vec<String>>,
        pub space_reclaimed: u64,
    }
}
