//! What a cgroup used, in the units of Docker's stats; both versions fill the same shape.

use std::collections::BTreeMap;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    pub cpu: Cpu,
    pub memory: Memory,
    pub pids: Pids,
    pub blkio: Blkio,
    /// By page size, as `2MB`.
    pub hugetlb: BTreeMap<String, Hugetlb>,
}

/// Times in nanoseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    pub total: u64,
    pub user: u64,
    pub kernel: u64,
    /// Empty on cgroup v2, which does not count by CPU.
    pub per_cpu: Vec<u64>,
    pub periods: u64,
    pub throttled_periods: u64,
    pub throttled_time: u64,
}

/// In bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    pub usage: u64,
    pub max_usage: u64,
    /// `u64::MAX` where there is none on v2; v1 gives its largest multiple of a page.
    pub limit: u64,
    /// How often the limit was met.
    pub failures: u64,
    pub swap_usage: u64,
    pub oom_kills: u64,
    /// The lines of memory.stat.
    pub stat: BTreeMap<String, u64>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pids {
    pub current: u64,
    /// None stands for no limit.
    pub limit: Option<u64>,
}

/// Block device traffic, this cgroup's and that of those below it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blkio {
    pub service_bytes: Vec<BlkioEntry>,
    pub serviced: Vec<BlkioEntry>,
    pub queued: Vec<BlkioEntry>,
    pub service_time: Vec<BlkioEntry>,
    pub wait_time: Vec<BlkioEntry>,
    pub merged: Vec<BlkioEntry>,
    pub time: Vec<BlkioEntry>,
    pub sectors: Vec<BlkioEntry>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BlkioEntry {
    pub major: u64,
    pub minor: u64,
    /// The kernel's name: `Read`, `Write`, `Total`, ... on v1; `read`, `write` on v2.
    pub op: String,
    pub value: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hugetlb {
    pub usage: u64,
    pub max: u64,
    pub failures: u64,
}
