//! The accounts of v2. A controller that is not enabled leaves its part zero.

use std::collections::BTreeMap;
use std::path::Path;

use super::file;
use crate::cgroup::Result;
use crate::cgroup::stats::{Blkio, BlkioEntry, Cpu, Hugetlb, Memory, Stats};
use crate::cgroup::v1::read_pids;

const NANOSECONDS_PER_MICROSECOND: u64 = 1000;

pub(super) fn read(directory: &Path) -> Result<Stats> {
    let text = |name: &str| Ok(file::read_if_present(&directory.join(name))?.unwrap_or_default());
    Ok(Stats {
        cpu: cpu(&text("cpu.stat")?),
        memory: memory(directory, &text("memory.stat")?, &text("memory.events")?)?,
        pids: read_pids(directory)?,
        blkio: blkio(&text("io.stat")?),
        hugetlb: hugetlb(directory)?,
    })
}

fn cpu(text: &str) -> Cpu {
    let mut cpu = Cpu::default();
    for (key, value) in file::pairs(text) {
        let (field, unit) = match key {
            "usage_usec" => (&mut cpu.total, NANOSECONDS_PER_MICROSECOND),
            "user_usec" => (&mut cpu.user, NANOSECONDS_PER_MICROSECOND),
            "system_usec" => (&mut cpu.kernel, NANOSECONDS_PER_MICROSECOND),
            "nr_periods" => (&mut cpu.periods, 1),
            "nr_throttled" => (&mut cpu.throttled_periods, 1),
            "throttled_usec" => (&mut cpu.throttled_time, NANOSECONDS_PER_MICROSECOND),
            _ => continue,
        };
        *field = value * unit;
    }
    cpu
}

fn memory(directory: &Path, stat: &str, events: &str) -> Result<Memory> {
    let number = |name: &str| file::read_number(&directory.join(name));
    let usage = number("memory.current")?.unwrap_or(0);
    Ok(Memory {
        usage,
        // Linux 5.19 and newer.
        max_usage: number("memory.peak")?.unwrap_or(usage),
        limit: number("memory.max")?.unwrap_or(u64::MAX),
        failures: file::value_of(events, "max").unwrap_or(0),
        swap_usage: number("memory.swap.current")?.unwrap_or(0),
        oom_kills: file::value_of(events, "oom_kill").unwrap_or(0),
        stat: file::pairs(stat).map(|(key, value)| (key.to_owned(), value)).collect(),
    })
}

/// `8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0` by device.
fn blkio(text: &str) -> Blkio {
    let mut blkio = Blkio::default();
    for line in text.lines() {
        let mut fields = line.split_whitespace();
        let Some((major, minor)) = fields.next().and_then(|device| device.split_once(':')) else {
            continue;
        };
        let (Ok(major), Ok(minor)) = (major.parse(), minor.parse()) else { continue };
        for (key, value) in fields.filter_map(|field| field.split_once('=')) {
            let (entries, op) = match key {
                "rbytes" => (&mut blkio.service_bytes, "read"),
                "wbytes" => (&mut blkio.service_bytes, "write"),
                "rios" => (&mut blkio.serviced, "read"),
                "wios" => (&mut blkio.serviced, "write"),
                _ => continue,
            };
            if let Ok(value) = value.parse() {
                entries.push(BlkioEntry { major, minor, op: op.to_owned(), value });
            }
        }
    }
    blkio
}

fn hugetlb(directory: &Path) -> Result<BTreeMap<String, Hugetlb>> {
    let mut sizes = BTreeMap::new();
    let Ok(entries) = std::fs::read_dir(directory) else { return Ok(sizes) };
    for name in entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()) {
        let size = name.strip_prefix("hugetlb.").and_then(|name| name.strip_suffix(".current"));
        let Some(size) = size.filter(|size| !size.contains('.')) else { continue };
        let read = |what: &str| directory.join(format!("hugetlb.{size}.{what}"));
        let events = file::read_if_present(&read("events"))?.unwrap_or_default();
        let usage = file::read_number(&read("current"))?.unwrap_or(0);
        let failures = file::value_of(&events, "max").unwrap_or(0);
        // There is no high-water mark.
        sizes.insert(size.to_owned(), Hugetlb { usage, max: usage, failures });
    }
    Ok(sizes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn io_stat_by_device() {
        let blkio =
            blkio("8:16 rbytes=1459200 wbytes=314 rios=192 wios=353 dbytes=0 dios=0\n8:0 \n");
        let entry = |op: &str, value| BlkioEntry { major: 8, minor: 16, op: op.to_owned(), value };
        assert_eq!(blkio.service_bytes, [entry("read", 1_459_200), entry("write", 314)]);
        assert_eq!(blkio.serviced, [entry("read", 192), entry("write", 353)]);
    }

    #[test]
    fn cpu_stat_in_nanoseconds() {
        let cpu = cpu("usage_usec 12\nuser_usec 8\nsystem_usec 4\nnr_throttled 3\n");
        assert_eq!((cpu.total, cpu.user, cpu.kernel), (12_000, 8_000, 4_000));
        assert_eq!(cpu.throttled_periods, 3);
    }
}
