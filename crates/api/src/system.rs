//! The engine itself: `/version`, `/info`, and the headers of `/_ping`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::go::{is_empty, none_or_empty, wire};

/// Headers by which a client learns what it talks to.
pub mod ping {
    pub const API_VERSION: &str = "api-version";
    pub const OS_TYPE: &str = "ostype";
    pub const EXPERIMENTAL: &str = "docker-experimental";
    pub const BUILDER_VERSION: &str = "builder-version";
    pub const SWARM: &str = "swarm";
}

wire! {
    pub struct VersionInfo {
        pub platform: Platform,
        pub components: Vec<Component>,
        pub version: String,
        pub api_version: String,
        #[serde(rename = "MinAPIVersion")]
        pub min_api_version: String,
        pub git_commit: String,
        pub go_version: String,
        pub os: String,
        pub arch: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub kernel_version: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub experimental: bool,
        #[serde(skip_serializing_if = "is_empty")]
        pub build_time: String,
    }

    pub struct Platform {
        pub name: String,
    }

    pub struct Component {
        pub name: String,
        pub version: String,
        pub details: Option<BTreeMap<String, String>>,
    }

    pub struct Info {
        #[serde(rename = "ID")]
        pub id: String,
        pub containers: i64,
        pub containers_running: i64,
        pub containers_paused: i64,
        pub containers_stopped: i64,
        pub images: i64,
        pub driver: String,
        pub driver_status: Vec<[String; 2]>,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub system_status: Option<Vec<[String; 2]>>,
        pub plugins: Plugins,
        pub memory_limit: bool,
        pub swap_limit: bool,
        #[serde(skip_serializing_if = "is_empty")]
        pub kernel_memory: bool,
        #[serde(rename = "KernelMemoryTCP", skip_serializing_if = "is_empty")]
        pub kernel_memory_tcp: bool,
        pub cpu_cfs_period: bool,
        pub cpu_cfs_quota: bool,
        #[serde(rename = "CPUShares")]
        pub cpu_shares: bool,
        #[serde(rename = "CPUSet")]
        pub cpu_set: bool,
        pub pids_limit: bool,
        #[serde(rename = "IPv4Forwarding")]
        pub ipv4_forwarding: bool,
        /// Until 1.49.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub bridge_nf_iptables: Option<bool>,
        #[serde(rename = "BridgeNfIp6tables", skip_serializing_if = "Option::is_none")]
        pub bridge_nf_ip6tables: Option<bool>,
        pub debug: bool,
        #[serde(rename = "NFd")]
        pub n_fd: i64,
        pub oom_kill_disable: bool,
        #[serde(rename = "NGoroutines")]
        pub n_goroutines: i64,
        pub system_time: String,
        pub logging_driver: String,
        pub cgroup_driver: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub cgroup_version: String,
        #[serde(rename = "NEventsListener")]
        pub n_events_listener: i64,
        pub kernel_version: String,
        pub operating_system: String,
        #[serde(rename = "OSVersion")]
        pub os_version: String,
        #[serde(rename = "OSType")]
        pub os_type: String,
        pub architecture: String,
        pub index_server_address: String,
        pub registry_config: Option<RegistryConfig>,
        #[serde(rename = "NCPU")]
        pub ncpu: i64,
        pub mem_total: i64,
        pub generic_resources: Option<Vec<serde_json::Value>>,
        pub docker_root_dir: String,
        pub http_proxy: String,
        pub https_proxy: String,
        pub no_proxy: String,
        pub name: String,
        pub labels: Option<Vec<String>>,
        pub experimental_build: bool,
        pub server_version: String,
        pub runtimes: BTreeMap<String, Runtime>,
        pub default_runtime: String,
        pub swarm: Swarm,
        pub live_restore_enabled: bool,
        pub isolation: String,
        pub init_binary: String,
        pub containerd_commit: Commit,
        pub runc_commit: Commit,
        pub init_commit: Commit,
        pub security_options: Option<Vec<String>>,
        #[serde(skip_serializing_if = "is_empty")]
        pub product_license: String,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub default_address_pools: Option<Vec<AddressPool>>,
        #[serde(rename = "CDISpecDirs")]
        pub cdi_spec_dirs: Option<Vec<String>>,
        /// From 1.49 on.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub firewall_backend: Option<Firewall>,
        pub warnings: Option<Vec<String>>,
        /// Until 1.24.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub execution_driver: Option<String>,
    }

    pub struct Plugins {
        pub volume: Option<Vec<String>>,
        pub network: Option<Vec<String>>,
        pub authorization: Option<Vec<String>>,
        pub log: Option<Vec<String>>,
    }

    pub struct Firewall {
        pub driver: String,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub info: Option<Vec<[String; 2]>>,
    }

    /// Until 1.48.
    pub struct Nondistributable {
        #[serde(rename = "AllowNondistributableArtifactsCIDRs")]
        pub cidrs: Option<Vec<String>>,
        #[serde(rename = "AllowNondistributableArtifactsHostnames")]
        pub hostnames: Option<Vec<String>>,
    }

    pub struct RegistryConfig {
        #[flatten]
        pub nondistributable: Option<Nondistributable>,
        #[serde(rename = "InsecureRegistryCIDRs")]
        pub insecure_registry_cidrs: Option<Vec<String>>,
        pub index_configs: BTreeMap<String, Index>,
        pub mirrors: Option<Vec<String>>,
    }

    pub struct Index {
        pub name: String,
        pub mirrors: Option<Vec<String>>,
        pub secure: bool,
        pub official: bool,
    }

    pub struct Runtime {
        #[serde(rename = "path", skip_serializing_if = "is_empty")]
        pub path: String,
        #[serde(rename = "runtimeArgs", skip_serializing_if = "none_or_empty")]
        pub args: Option<Vec<String>>,
        #[serde(rename = "status", skip_serializing_if = "none_or_empty")]
        pub status: Option<BTreeMap<String, String>>,
    }

    pub struct Swarm {
        #[serde(rename = "NodeID")]
        pub node_id: String,
        pub node_addr: String,
        /// `inactive` outside a swarm.
        pub local_node_state: String,
        pub control_available: bool,
        pub error: String,
        pub remote_managers: Option<Vec<serde_json::Value>>,
    }

    pub struct Commit {
        #[serde(rename = "ID")]
        pub id: String,
        /// Until 1.48.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub expected: Option<String>,
    }

    /// `GET /system/df`.
    pub struct DiskUsage {
        #[flatten]
        pub legacy: Option<LegacyDiskUsage>,
        /// Since 1.52, as the others of its kind. What was not asked for is absent.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub image_usage: Option<Usage<crate::images::Summary>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub container_usage: Option<Usage<crate::containers::Summary>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub volume_usage: Option<Usage<crate::volumes::Volume>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub build_cache_usage: Option<Usage<crate::build::CacheRecord>>,
    }

    /// Until 1.52. What was not asked for is null.
    pub struct LegacyDiskUsage {
        pub layers_size: i64,
        pub images: Option<Vec<crate::images::Summary>>,
        pub containers: Option<Vec<crate::containers::Summary>>,
        pub volumes: Option<Vec<crate::volumes::Volume>>,
        pub build_cache: Option<Vec<crate::build::CacheRecord>>,
    }

    pub struct AddressPool {
        pub base: String,
        pub size: i64,
    }
}

/// What objects of one kind take. Sizes in bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default, bound(deserialize = "T: Deserialize<'de>"))]
pub struct Usage<T> {
    pub active_count: i64,
    pub total_count: i64,
    /// What removing those that are not active would give back.
    pub reclaimable: i64,
    pub total_size: i64,
    /// If asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub items: Vec<T>,
}

impl<T> Default for Usage<T> {
    fn default() -> Self {
        Self { active_count: 0, total_count: 0, reclaimable: 0, total_size: 0, items: Vec::new() }
    }
}

/// How much of the disk's usage is told from 1.52 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    Totals,
    /// Every object, too.
    Items,
}

impl DiskUsage {
    pub(crate) fn without_items(&mut self) {
        self.image_usage.iter_mut().for_each(|usage| usage.items.clear());
        self.container_usage.iter_mut().for_each(|usage| usage.items.clear());
        self.volume_usage.iter_mut().for_each(|usage| usage.items.clear());
        self.build_cache_usage.iter_mut().for_each(|usage| usage.items.clear());
    }

    /// As it was until 1.51: everything in lists, which clients add up.
    pub(crate) fn legacy(&self) -> LegacyDiskUsage {
        let layers_size = self.image_usage.as_ref().map_or(0, |usage| usage.total_size);
        LegacyDiskUsage {
            layers_size,
            images: items(&self.image_usage),
            containers: items(&self.container_usage),
            volumes: items(&self.volume_usage),
            build_cache: items(&self.build_cache_usage),
        }
    }
}

fn items<T: Clone>(usage: &Option<Usage<T>>) -> Option<Vec<T>> {
    usage.as_ref().map(|usage| usage.items.clone())
}
