//! `GET /containers/{id}/stats`: one sample. Times in nanoseconds, sizes in bytes.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::go::{is_empty, nullable};

macro_rules! snake {
    ($(
        $(#[$meta:meta])*
        pub struct $name:ident { $( $(#[$field_meta:meta])* pub $field:ident : $type:ty, )* }
    )*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
        pub struct $name {
            $(
                #[serde(default, deserialize_with = "nullable")]
                $(#[$field_meta])*
                pub $field: $type,
            )*
        }
    )* };
}

snake! {
    pub struct Stats {
        pub read: String,
        pub preread: String,
        pub pids_stats: PidsStats,
        pub blkio_stats: BlkioStats,
        pub num_procs: u32,
        pub storage_stats: StorageStats,
        pub cpu_stats: CpuStats,
        pub precpu_stats: CpuStats,
        pub memory_stats: MemoryStats,
        /// With a leading slash; absent with `one-shot` before 1.52.
        #[serde(skip_serializing_if = "is_empty")]
        pub name: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub id: String,
        /// Since 1.52.
        #[serde(skip_serializing_if = "is_empty")]
        pub os_type: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub networks: BTreeMap<String, NetworkStats>,
    }

    pub struct PidsStats {
        #[serde(skip_serializing_if = "is_empty")]
        pub current: u64,
        #[serde(skip_serializing_if = "is_empty")]
        pub limit: u64,
    }

    pub struct BlkioStats {
        pub io_service_bytes_recursive: Option<Vec<BlkioEntry>>,
        pub io_serviced_recursive: Option<Vec<BlkioEntry>>,
        pub io_queue_recursive: Option<Vec<BlkioEntry>>,
        pub io_service_time_recursive: Option<Vec<BlkioEntry>>,
        pub io_wait_time_recursive: Option<Vec<BlkioEntry>>,
        pub io_merged_recursive: Option<Vec<BlkioEntry>>,
        pub io_time_recursive: Option<Vec<BlkioEntry>>,
        pub sectors_recursive: Option<Vec<BlkioEntry>>,
    }

    pub struct BlkioEntry {
        pub major: u64,
        pub minor: u64,
        pub op: String,
        pub value: u64,
    }

    pub struct StorageStats {
        #[serde(skip_serializing_if = "is_empty")]
        pub read_count_normalized: u64,
        #[serde(skip_serializing_if = "is_empty")]
        pub write_count_normalized: u64,
    }

    pub struct CpuStats {
        pub cpu_usage: CpuUsage,
        #[serde(skip_serializing_if = "is_empty")]
        pub system_cpu_usage: u64,
        #[serde(skip_serializing_if = "is_empty")]
        pub online_cpus: u32,
        pub throttling_data: ThrottlingData,
    }

    pub struct CpuUsage {
        pub total_usage: u64,
        #[serde(skip_serializing_if = "is_empty")]
        pub percpu_usage: Vec<u64>,
        pub usage_in_kernelmode: u64,
        pub usage_in_usermode: u64,
    }

    pub struct ThrottlingData {
        pub periods: u64,
        pub throttled_periods: u64,
        pub throttled_time: u64,
    }

    pub struct MemoryStats {
        #[serde(skip_serializing_if = "is_empty")]
        pub usage: u64,
        #[serde(skip_serializing_if = "is_empty")]
        pub max_usage: u64,
        /// The lines of memory.stat.
        #[serde(skip_serializing_if = "is_empty")]
        pub stats: BTreeMap<String, u64>,
        #[serde(skip_serializing_if = "is_empty")]
        pub failcnt: u64,
        #[serde(skip_serializing_if = "is_empty")]
        pub limit: u64,
    }

    pub struct NetworkStats {
        pub rx_bytes: u64,
        pub rx_packets: u64,
        pub rx_errors: u64,
        pub rx_dropped: u64,
        pub tx_bytes: u64,
        pub tx_packets: u64,
        pub tx_errors: u64,
        pub tx_dropped: u64,
    }
}
