//! A service's attributes.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Bytes, Nanoseconds};

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Service {
    #[serde(skip)]
    pub name: String,
    /// Of the configuration, as Docker Compose reckons it.
    #[serde(skip)]
    pub hash: String,
    pub annotations: BTreeMap<String, String>,
    pub attach: Option<bool>,
    pub build: Option<Build>,
    pub blkio_config: Option<Blkio>,
    pub cap_add: Vec<String>,
    pub cap_drop: Vec<String>,
    pub cgroup_parent: String,
    pub cgroup: String,
    pub command: Option<Vec<String>>,
    pub configs: Vec<FileMount>,
    pub container_name: String,
    pub cpu_count: i64,
    pub cpu_percent: f64,
    pub cpu_period: i64,
    pub cpu_quota: i64,
    pub cpu_rt_period: i64,
    pub cpu_rt_runtime: i64,
    pub cpus: f64,
    pub cpuset: String,
    pub cpu_shares: i64,
    pub credential_spec: Option<serde_json::Value>,
    pub depends_on: BTreeMap<String, Dependency>,
    pub deploy: Option<Deploy>,
    pub develop: Option<Develop>,
    pub device_cgroup_rules: Vec<String>,
    pub devices: Vec<Device>,
    pub dns: Vec<String>,
    pub dns_opt: Vec<String>,
    pub dns_search: Vec<String>,
    pub domainname: String,
    pub entrypoint: Option<Vec<String>>,
    pub environment: BTreeMap<String, Option<String>>,
    pub expose: Vec<String>,
    pub external_links: Vec<String>,
    pub extra_hosts: BTreeMap<String, Vec<String>>,
    pub group_add: Vec<String>,
    pub gpus: Vec<DeviceRequest>,
    pub hostname: String,
    pub healthcheck: Option<Healthcheck>,
    pub image: String,
    pub init: Option<bool>,
    pub ipc: String,
    pub isolation: String,
    pub labels: BTreeMap<String, String>,
    pub links: Vec<String>,
    pub logging: Option<Logging>,
    pub mem_limit: Bytes,
    pub mem_reservation: Bytes,
    pub memswap_limit: Bytes,
    pub mem_swappiness: Option<Bytes>,
    pub mac_address: String,
    pub network_mode: String,
    pub networks: BTreeMap<String, Option<Endpoint>>,
    pub oom_kill_disable: bool,
    pub oom_score_adj: i64,
    pub pid: String,
    pub pids_limit: i64,
    pub platform: String,
    pub ports: Vec<Port>,
    pub post_start: Vec<Hook>,
    pub pre_stop: Vec<Hook>,
    pub privileged: bool,
    pub pull_policy: String,
    pub read_only: bool,
    pub restart: String,
    pub runtime: String,
    pub scale: Option<usize>,
    pub secrets: Vec<FileMount>,
    pub security_opt: Vec<String>,
    pub shm_size: Bytes,
    pub stdin_open: bool,
    pub stop_grace_period: Option<Nanoseconds>,
    pub stop_signal: String,
    pub storage_opt: BTreeMap<String, String>,
    pub sysctls: BTreeMap<String, String>,
    pub tmpfs: Vec<String>,
    pub tty: bool,
    pub ulimits: BTreeMap<String, Ulimit>,
    pub use_api_socket: bool,
    pub user: String,
    pub userns_mode: String,
    pub uts: String,
    pub volumes: Vec<Mount>,
    pub volumes_from: Vec<String>,
    pub working_dir: String,
}

impl Service {
    /// How many containers it has.
    pub fn replicas(&self) -> usize {
        let deployed = self.deploy.as_ref().and_then(|deploy| deploy.replicas);
        self.scale.or(deployed).unwrap_or(1)
    }

    /// What it runs: what it says, or the name that a built image gets.
    pub fn image_name(&self, project: &str) -> String {
        if self.image.is_empty() { format!("{project}-{}", self.name) } else { self.image.clone() }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Build {
    /// A folder, or an address.
    pub context: String,
    /// From the context.
    pub dockerfile: String,
    pub dockerfile_inline: String,
    pub args: BTreeMap<String, Option<String>>,
    pub labels: BTreeMap<String, String>,
    pub cache_from: Vec<String>,
    pub cache_to: Vec<String>,
    pub no_cache: bool,
    pub no_cache_filter: Vec<String>,
    pub additional_contexts: BTreeMap<String, String>,
    pub entitlements: Vec<String>,
    pub extra_hosts: BTreeMap<String, Vec<String>>,
    pub network: String,
    pub platforms: Vec<String>,
    pub privileged: bool,
    pub pull: bool,
    pub secrets: Vec<FileMount>,
    pub shm_size: Bytes,
    pub tags: Vec<String>,
    pub target: String,
    pub ulimits: BTreeMap<String, Ulimit>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Develop {
    pub watch: Vec<Watch>,
}

/// What is done when files change.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Watch {
    /// Absolute.
    pub path: String,
    pub action: WatchAction,
    /// In the container.
    pub target: String,
    pub exec: Option<Hook>,
    /// Patterns as in `.dockerignore`, from the path.
    pub include: Vec<String>,
    pub ignore: Vec<String>,
    /// All files go over at the beginning.
    pub initial_sync: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum WatchAction {
    #[default]
    #[serde(rename = "sync")]
    Sync,
    #[serde(rename = "rebuild")]
    Rebuild,
    #[serde(rename = "restart")]
    Restart,
    #[serde(rename = "sync+restart")]
    SyncRestart,
    #[serde(rename = "sync+exec")]
    SyncExec,
}

impl WatchAction {
    pub fn syncs(self) -> bool {
        matches!(self, Self::Sync | Self::SyncRestart | Self::SyncExec)
    }
}

/// A command in a container that runs.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Hook {
    pub command: Vec<String>,
    /// Nobody: the container's.
    pub user: String,
    pub privileged: bool,
    pub working_dir: String,
    pub environment: BTreeMap<String, Option<String>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub enum Condition {
    #[default]
    #[serde(rename = "service_started")]
    Started,
    #[serde(rename = "service_healthy")]
    Healthy,
    #[serde(rename = "service_completed_successfully")]
    Completed,
}

impl Condition {
    pub fn name(self) -> &'static str {
        match self {
            Self::Started => "service_started",
            Self::Healthy => "service_healthy",
            Self::Completed => "service_completed_successfully",
        }
    }
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Dependency {
    pub condition: Condition,
    pub restart: bool,
    pub required: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Blkio {
    pub weight: u16,
    pub weight_device: Vec<Weight>,
    pub device_read_bps: Vec<Rate>,
    pub device_read_iops: Vec<Rate>,
    pub device_write_bps: Vec<Rate>,
    pub device_write_iops: Vec<Rate>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Weight {
    pub path: String,
    pub weight: u16,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Rate {
    pub path: String,
    pub rate: Bytes,
}

/// A secret or a config in a container.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FileMount {
    pub source: String,
    pub target: String,
    pub uid: String,
    pub gid: String,
    pub mode: Option<u32>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Deploy {
    pub replicas: Option<usize>,
    pub resources: Resources,
    pub restart_policy: Option<RestartPolicy>,
    pub update_config: Option<UpdateConfig>,
}

/// How containers are replaced while the service goes on.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct UpdateConfig {
    /// How long a new one that has no health check must run before it counts.
    pub monitor: Option<Nanoseconds>,
    /// Between one and the next.
    pub delay: Option<Nanoseconds>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Resources {
    pub limits: Resource,
    pub reservations: Resource,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Resource {
    pub cpus: f64,
    pub memory: Bytes,
    pub pids: i64,
    pub devices: Vec<DeviceRequest>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct RestartPolicy {
    pub condition: String,
    pub max_attempts: Option<i64>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Device {
    pub source: String,
    pub target: String,
    pub permissions: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct DeviceRequest {
    pub capabilities: Vec<String>,
    pub driver: String,
    pub count: i64,
    pub device_ids: Vec<String>,
    pub options: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Healthcheck {
    pub test: Vec<String>,
    pub timeout: Nanoseconds,
    pub interval: Nanoseconds,
    pub retries: i64,
    pub start_period: Nanoseconds,
    pub start_interval: Nanoseconds,
    pub disable: bool,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Logging {
    pub driver: String,
    pub options: BTreeMap<String, String>,
}

/// A service on a network.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Endpoint {
    pub priority: i64,
    pub gw_priority: i64,
    pub aliases: Vec<String>,
    pub ipv4_address: String,
    pub ipv6_address: String,
    pub link_local_ips: Vec<String>,
    pub mac_address: String,
    pub driver_opts: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Port {
    pub mode: String,
    pub host_ip: String,
    pub target: u16,
    /// May be a range.
    pub published: String,
    pub protocol: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
pub enum Ulimit {
    Both(i64),
    Each { soft: i64, hard: i64 },
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Mount {
    #[serde(rename = "type")]
    pub kind: String,
    pub source: String,
    pub target: String,
    pub read_only: bool,
    pub consistency: String,
    pub bind: Option<Bind>,
    pub volume: Option<MountVolume>,
    pub tmpfs: Option<Tmpfs>,
    pub image: Option<MountVolume>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Bind {
    pub selinux: String,
    pub propagation: String,
    pub create_host_path: bool,
    pub recursive: String,
}

/// Of a volume or an image.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct MountVolume {
    pub labels: BTreeMap<String, String>,
    pub nocopy: bool,
    pub subpath: String,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Tmpfs {
    pub size: Bytes,
    pub mode: u32,
}
