//! The half of a container's configuration that is tied to the host.

use std::collections::BTreeMap;

use crate::go::{is_empty, none_or_empty, wire};
use crate::networks::PortMap;

wire! {
    pub struct HostConfig {
        pub binds: Option<Vec<String>>,
        #[serde(rename = "ContainerIDFile")]
        pub container_id_file: String,
        pub log_config: LogConfig,
        pub network_mode: String,
        pub port_bindings: Option<PortMap>,
        pub restart_policy: RestartPolicy,
        pub auto_remove: bool,
        pub volume_driver: String,
        pub volumes_from: Option<Vec<String>>,
        /// Height, width.
        pub console_size: [u32; 2],
        #[serde(skip_serializing_if = "none_or_empty")]
        pub annotations: Option<BTreeMap<String, String>>,

        pub cap_add: Option<Vec<String>>,
        pub cap_drop: Option<Vec<String>>,
        pub cgroupns_mode: String,
        pub dns: Option<Vec<String>>,
        pub dns_options: Option<Vec<String>>,
        pub dns_search: Option<Vec<String>>,
        pub extra_hosts: Option<Vec<String>>,
        pub group_add: Option<Vec<String>>,
        pub ipc_mode: String,
        pub cgroup: String,
        pub links: Option<Vec<String>>,
        pub oom_score_adj: i64,
        pub pid_mode: String,
        pub privileged: bool,
        pub publish_all_ports: bool,
        pub readonly_rootfs: bool,
        pub security_opt: Option<Vec<String>>,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub storage_opt: Option<BTreeMap<String, String>>,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub tmpfs: Option<BTreeMap<String, String>>,
        #[serde(rename = "UTSMode")]
        pub uts_mode: String,
        pub userns_mode: String,
        /// Bytes.
        pub shm_size: i64,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub sysctls: Option<BTreeMap<String, String>>,
        #[serde(skip_serializing_if = "is_empty")]
        pub runtime: String,
        pub isolation: String,
        /// Ours: what is done when health checks have failed. `""` and `none`, `kill`, `restart`, `stop`, `exec:LINE`.
        #[serde(skip_serializing_if = "is_empty")]
        pub health_on_failure: String,
        #[flatten]
        pub resources: Resources,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub mounts: Option<Vec<Mount>>,
        /// `None` asks for the default list, an empty list for none.
        pub masked_paths: Option<Vec<String>>,
        pub readonly_paths: Option<Vec<String>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub init: Option<bool>,
    }

    /// Limits, which `update` can change while the container runs. Memory in bytes.
    pub struct Resources {
        pub cpu_shares: i64,
        pub memory: i64,
        pub nano_cpus: i64,
        pub cgroup_parent: String,
        pub blkio_weight: u16,
        pub blkio_weight_device: Option<Vec<WeightDevice>>,
        pub blkio_device_read_bps: Option<Vec<ThrottleDevice>>,
        pub blkio_device_write_bps: Option<Vec<ThrottleDevice>>,
        #[serde(rename = "BlkioDeviceReadIOps")]
        pub blkio_device_read_iops: Option<Vec<ThrottleDevice>>,
        #[serde(rename = "BlkioDeviceWriteIOps")]
        pub blkio_device_write_iops: Option<Vec<ThrottleDevice>>,
        pub cpu_period: i64,
        pub cpu_quota: i64,
        pub cpu_realtime_period: i64,
        pub cpu_realtime_runtime: i64,
        pub cpuset_cpus: String,
        pub cpuset_mems: String,
        pub devices: Option<Vec<DeviceMapping>>,
        pub device_cgroup_rules: Option<Vec<String>>,
        pub device_requests: Option<Vec<DeviceRequest>>,
        #[serde(skip_serializing_if = "is_empty")]
        pub kernel_memory: i64,
        #[serde(rename = "KernelMemoryTCP", skip_serializing_if = "is_empty")]
        pub kernel_memory_tcp: i64,
        pub memory_reservation: i64,
        /// Memory and swap together; -1 is unlimited.
        pub memory_swap: i64,
        pub memory_swappiness: Option<i64>,
        pub oom_kill_disable: Option<bool>,
        pub pids_limit: Option<i64>,
        pub ulimits: Option<Vec<Ulimit>>,
        pub cpu_count: i64,
        pub cpu_percent: i64,
        #[serde(rename = "IOMaximumIOps")]
        pub io_maximum_iops: u64,
        #[serde(rename = "IOMaximumBandwidth")]
        pub io_maximum_bandwidth: u64,
    }

    pub struct LogConfig {
        #[serde(rename = "Type")]
        pub driver: String,
        pub config: Option<BTreeMap<String, String>>,
    }

    pub struct RestartPolicy {
        /// `""` and `no`, `always`, `unless-stopped`, `on-failure`.
        pub name: String,
        pub maximum_retry_count: i64,
    }

    pub struct DeviceMapping {
        pub path_on_host: String,
        pub path_in_container: String,
        pub cgroup_permissions: String,
    }

    pub struct DeviceRequest {
        pub driver: String,
        pub count: i64,
        #[serde(rename = "DeviceIDs")]
        pub device_ids: Option<Vec<String>>,
        pub capabilities: Option<Vec<Vec<String>>>,
        pub options: Option<BTreeMap<String, String>>,
    }

    pub struct WeightDevice {
        pub path: String,
        pub weight: u16,
    }

    pub struct ThrottleDevice {
        pub path: String,
        pub rate: u64,
    }

    pub struct Ulimit {
        pub name: String,
        pub hard: i64,
        pub soft: i64,
    }

    /// One `--mount`.
    pub struct Mount {
        /// `bind`, `volume`, `tmpfs`, `image`, `cluster`, `npipe`.
        #[serde(rename = "Type", skip_serializing_if = "is_empty")]
        pub kind: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub source: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub target: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub read_only: bool,
        #[serde(skip_serializing_if = "is_empty")]
        pub consistency: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub bind_options: Option<BindOptions>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub volume_options: Option<VolumeOptions>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_options: Option<ImageOptions>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub tmpfs_options: Option<TmpfsOptions>,
    }

    pub struct BindOptions {
        #[serde(skip_serializing_if = "is_empty")]
        pub propagation: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub non_recursive: bool,
        #[serde(skip_serializing_if = "is_empty")]
        pub create_mountpoint: bool,
        #[serde(skip_serializing_if = "is_empty")]
        pub read_only_non_recursive: bool,
        #[serde(skip_serializing_if = "is_empty")]
        pub read_only_force_recursive: bool,
    }

    pub struct VolumeOptions {
        #[serde(skip_serializing_if = "is_empty")]
        pub no_copy: bool,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub labels: Option<BTreeMap<String, String>>,
        #[serde(skip_serializing_if = "is_empty")]
        pub subpath: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub driver_config: Option<VolumeDriver>,
    }

    pub struct VolumeDriver {
        #[serde(skip_serializing_if = "is_empty")]
        pub name: String,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub options: Option<BTreeMap<String, String>>,
    }

    pub struct ImageOptions {
        #[serde(skip_serializing_if = "is_empty")]
        pub subpath: String,
    }

    pub struct TmpfsOptions {
        #[serde(skip_serializing_if = "is_empty")]
        pub size_bytes: i64,
        #[serde(skip_serializing_if = "is_empty")]
        pub mode: u32,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub options: Option<Vec<Vec<String>>>,
    }
}

impl Ulimit {
    /// What `--ulimit` takes. The API takes `as`, too.
    pub const NAMES: [&str; 15] = [
        "core",
        "cpu",
        "data",
        "fsize",
        "locks",
        "memlock",
        "msgqueue",
        "nice",
        "nofile",
        "nproc",
        "rss",
        "rtprio",
        "rttime",
        "sigpending",
        "stack",
    ];
}
