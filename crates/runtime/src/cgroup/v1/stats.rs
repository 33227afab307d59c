//! The accounts of v1. A controller that the host lacks leaves its part zero.

use std::collections::BTreeMap;
use std::path::Path;

use super::{Group, file};
use crate::cgroup::Result;
use crate::cgroup::stats::{Blkio, BlkioEntry, Cpu, Hugetlb, Memory, Pids, Stats};

pub(super) fn read(group: &Group) -> Result<Stats> {
    let of = |controller, stats: &mut Stats, read: fn(&Path, &mut Stats) -> Result<()>| {
        group.path_of(controller).map_or(Ok(()), |directory| read(directory, stats))
    };
    let mut stats = Stats::default();
    of("cpuacct", &mut stats, |directory, stats| read_usage(directory, &mut stats.cpu))?;
    of("cpu", &mut stats, |directory, stats| read_throttling(directory, &mut stats.cpu))?;
    of("memory", &mut stats, |directory, stats| read_memory(directory, &mut stats.memory))?;
    of("pids", &mut stats, |directory, stats| {
        stats.pids = read_pids(directory)?;
        Ok(())
    })?;
    of("blkio", &mut stats, |directory, stats| read_blkio(directory, &mut stats.blkio))?;
    of("hugetlb", &mut stats, |directory, stats| read_hugetlb(directory, &mut stats.hugetlb))?;
    Ok(stats)
}

fn number(directory: &Path, name: &str) -> Result<u64> {
    Ok(file::read_number(&directory.join(name))?.unwrap_or(0))
}

fn read_usage(directory: &Path, cpu: &mut Cpu) -> Result<()> {
    cpu.total = number(directory, "cpuacct.usage")?;
    cpu.user = number(directory, "cpuacct.usage_user")?;
    cpu.kernel = number(directory, "cpuacct.usage_sys")?;
    let per_cpu = file::read_if_present(&directory.join("cpuacct.usage_percpu"))?;
    cpu.per_cpu =
        per_cpu.unwrap_or_default().split_whitespace().filter_map(|n| n.parse().ok()).collect();
    Ok(())
}

fn read_throttling(directory: &Path, cpu: &mut Cpu) -> Result<()> {
    let text = file::read_if_present(&directory.join("cpu.stat"))?.unwrap_or_default();
    for (key, value) in file::pairs(&text) {
        match key {
            "nr_periods" => cpu.periods = value,
            "nr_throttled" => cpu.throttled_periods = value,
            "throttled_time" => cpu.throttled_time = value,
            _ => {}
        }
    }
    Ok(())
}

fn read_memory(directory: &Path, memory: &mut Memory) -> Result<()> {
    memory.usage = number(directory, "memory.usage_in_bytes")?;
    memory.max_usage = number(directory, "memory.max_usage_in_bytes")?;
    memory.limit = number(directory, "memory.limit_in_bytes")?;
    memory.failures = number(directory, "memory.failcnt")?;
    memory.swap_usage =
        number(directory, "memory.memsw.usage_in_bytes")?.saturating_sub(memory.usage);
    let control = file::read_if_present(&directory.join("memory.oom_control"))?.unwrap_or_default();
    memory.oom_kills = file::value_of(&control, "oom_kill").unwrap_or(0);
    let stat = file::read_if_present(&directory.join("memory.stat"))?.unwrap_or_default();
    memory.stat = file::pairs(&stat).map(|(key, value)| (key.to_owned(), value)).collect();
    Ok(())
}

pub(in crate::cgroup) fn read_pids(directory: &Path) -> Result<Pids> {
    let limit = file::read_number(&directory.join("pids.max"))?;
    Ok(Pids {
        current: number(directory, "pids.current")?,
        limit: limit.filter(|limit| *limit != u64::MAX),
    })
}

fn read_blkio(directory: &Path, blkio: &mut Blkio) -> Result<()> {
    // BFQ counts only where it schedules; the throttle's account is complete.
    for (name, entries) in [
        ("throttle.io_service_bytes_recursive", &mut blkio.service_bytes),
        ("throttle.io_serviced_recursive", &mut blkio.serviced),
        ("bfq.io_queued_recursive", &mut blkio.queued),
        ("bfq.io_service_time_recursive", &mut blkio.service_time),
        ("bfq.io_wait_time_recursive", &mut blkio.wait_time),
        ("bfq.io_merged_recursive", &mut blkio.merged),
        ("bfq.time_recursive", &mut blkio.time),
        ("bfq.sectors_recursive", &mut blkio.sectors),
    ] {
        let text = file::read_if_present(&directory.join(format!("blkio.{name}")))?;
        *entries = text.unwrap_or_default().lines().filter_map(blkio_entry).collect();
    }
    Ok(())
}

/// `8:0 Read 4096`, or `8:0 17`; the sum over all devices (`Total 17`) is left out.
fn blkio_entry(line: &str) -> Option<BlkioEntry> {
    let mut fields = line.split_whitespace();
    let (major, minor) = fields.next()?.split_once(':')?;
    let (first, second) = (fields.next()?, fields.next());
    let (op, value) = second.map_or(("", first), |value| (first, value));
    Some(BlkioEntry {
        major: major.parse().ok()?,
        minor: minor.parse().ok()?,
        op: op.to_owned(),
        value: value.parse().ok()?,
    })
}

fn read_hugetlb(directory: &Path, sizes: &mut BTreeMap<String, Hugetlb>) -> Result<()> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Ok(()) };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let size = name.strip_prefix("hugetlb.").and_then(|n| n.strip_suffix(".usage_in_bytes"));
        let Some(size) = size.filter(|size| !size.contains('.')) else { continue };
        let read = |what: &str| number(directory, &format!("hugetlb.{size}.{what}"));
        let usage = Hugetlb {
            usage: read("usage_in_bytes")?,
            max: read("max_usage_in_bytes")?,
            failures: read("failcnt")?,
        };
        sizes.insert(size.to_owned(), usage);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blkio_lines() {
        let entry = |op: &str, value| BlkioEntry { major: 8, minor: 0, op: op.to_owned(), value };
        assert_eq!(blkio_entry("8:0 Read 4096"), Some(entry("Read", 4096)));
        assert_eq!(blkio_entry("8:0 17"), Some(entry("", 17)));
        assert_eq!(blkio_entry("Total 17"), None);
    }
}
