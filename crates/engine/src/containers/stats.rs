//! `stats`: what a container uses, read from its cgroup and its network's counters.

use std::collections::BTreeMap;
use std::fs;

use api::containers::{
    BlkioEntry, BlkioStats, CpuStats, CpuUsage, MemoryStats, NetworkStats, PidsStats, Stats,
    ThrottlingData,
};
use runtime::cgroup::{self, Cgroup};

use super::Containers;
use super::record::Record;
use super::state::is_up;
use super::timestamp;
use crate::error::{Result, blocking};

impl Containers {
    /// What it uses now. `before` is the sample taken before, whose processor times go along.
    pub async fn stats(&self, wanted: &str, before: Option<&Stats>) -> Result<Stats> {
        let record = self.find(wanted)?.record();
        let mut stats = empty(&record);
        if is_up(record.state.status) && record.state.pid > 0 {
            let driver = self.0.cgroup_driver;
            let cpus = self.0.host.cpus;
            let sampled = record.clone();
            stats = blocking(move || Ok(sample(&sampled, driver, cpus))).await?.unwrap_or(stats);
        }
        if let Some(before) = before {
            stats.preread.clone_from(&before.read);
            stats.precpu_stats = before.cpu_stats.clone();
        }
        Ok(stats)
    }
}

/// What Docker answers for a container that does not run.
fn empty(record: &Record) -> Stats {
    Stats {
        read: timestamp::NEVER.into(),
        preread: timestamp::NEVER.into(),
        name: format!("/{}", record.name),
        id: record.id.clone(),
        os_type: "linux".into(),
        ..Stats::default()
    }
}

/// None if it ended meanwhile.
fn sample(record: &Record, driver: cgroup::Driver, cpus: u32) -> Option<Stats> {
    let group = Cgroup::open(driver, &record.state.cgroup, &record.id).ok()?;
    let used = group.stats().ok()?;
    let mut stats = empty(record);
    stats.read = timestamp::now();
    stats.pids_stats =
        PidsStats { current: used.pids.current, limit: used.pids.limit.unwrap_or(0) };
    stats.cpu_stats = processors(&used.cpu, cpus);
    stats.memory_stats = memory(&used.memory);
    stats.blkio_stats = block_io(&used.blkio);
    if !record.state.interfaces.is_empty() {
        stats.networks = networks(record.state.pid);
    }
    Some(stats)
}

fn processors(used: &cgroup::Cpu, cpus: u32) -> CpuStats {
    CpuStats {
        cpu_usage: CpuUsage {
            total_usage: used.total,
            percpu_usage: used.per_cpu.clone(),
            usage_in_kernelmode: used.kernel,
            usage_in_usermode: used.user,
        },
        system_cpu_usage: host_processor_time().unwrap_or(0),
        online_cpus: cpus,
        throttling_data: ThrottlingData {
            periods: used.periods,
            throttled_periods: used.throttled_periods,
            throttled_time: used.throttled_time,
        },
    }
}

fn memory(used: &cgroup::Memory) -> MemoryStats {
    // Without a limit of its own a container can use what the host has.
    let limit = host_memory().map_or(used.limit, |host| used.limit.min(host));
    MemoryStats {
        usage: used.usage,
        max_usage: used.max_usage,
        stats: used.stat.clone(),
        failcnt: used.failures,
        limit,
    }
}

/// Of cgroup v2 Docker shows what is there and nothing else, of v1 also what is empty.
fn block_io(used: &cgroup::Blkio) -> BlkioStats {
    let shows_empty = cgroup::layout() != cgroup::Layout::V2;
    let list = |entries: &[cgroup::BlkioEntry]| {
        let entry = |entry: &cgroup::BlkioEntry| BlkioEntry {
            major: entry.major,
            minor: entry.minor,
            op: entry.op.clone(),
            value: entry.value,
        };
        (shows_empty || !entries.is_empty()).then(|| entries.iter().map(entry).collect())
    };
    BlkioStats {
        io_service_bytes_recursive: list(&used.service_bytes),
        io_serviced_recursive: list(&used.serviced),
        io_queue_recursive: list(&used.queued),
        io_service_time_recursive: list(&used.service_time),
        io_wait_time_recursive: list(&used.wait_time),
        io_merged_recursive: list(&used.merged),
        io_time_recursive: list(&used.time),
        sectors_recursive: list(&used.sectors),
    }
}

/// Of all processors together since boot, in nanoseconds, as Docker counts it from /proc/stat.
fn host_processor_time() -> Option<u64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    let ticks: u64 = line.split_whitespace().take(8).filter_map(|n| n.parse::<u64>().ok()).sum();
    Some(ticks * 1_000_000_000 / rustix::param::clock_ticks_per_second())
}

fn host_memory() -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kilobytes| kilobytes << 10)
}

/// The counters of the container's interfaces, as its first process sees them.
fn networks(pid: i32) -> BTreeMap<String, NetworkStats> {
    let text = fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap_or_default();
    text.lines().filter_map(interface).filter(|(name, _)| name != "lo").collect()
}

fn interface(line: &str) -> Option<(String, NetworkStats)> {
    let (name, counters) = line.split_once(':')?;
    let counters: Vec<u64> = counters.split_whitespace().filter_map(|n| n.parse().ok()).collect();
    let [rx_bytes, rx_packets, rx_errors, rx_dropped, .., _] = counters[..] else { return None };
    let [tx_bytes, tx_packets, tx_errors, tx_dropped] = *counters.get(8..12)? else { return None };
    let stats = NetworkStats {
        rx_bytes,
        rx_packets,
        rx_errors,
        rx_dropped,
        tx_bytes,
        tx_packets,
        tx_errors,
        tx_dropped,
    };
    Some((name.trim().to_owned(), stats))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_counters() {
        let line = "  eth0:    1250       9    1    2    0     0          0         0      700      8    3    4    0     0       0          0";
        let (name, stats) = interface(line).unwrap();
        assert_eq!(name, "eth0");
        assert_eq!((stats.rx_bytes, stats.rx_dropped), (1250, 2));
        assert_eq!((stats.tx_bytes, stats.tx_errors), (700, 3));
        assert!(interface("Inter-|   Receive").is_none());
    }

    #[test]
    fn the_host_is_read() {
        assert!(host_processor_time().unwrap() > 0);
        assert!(host_memory().unwrap() > 1 << 20);
    }
}
