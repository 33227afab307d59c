//! Limits onto the files of v2. Only what is given is written.

use std::path::Path;

use oci::runtime::{BlockIo, Cpu, HugepageLimit, Memory, Resources};

use super::file;
use crate::cgroup::v1::check_list;
use crate::cgroup::{Error, Result, convert};

pub(super) fn set(directory: &Path, resources: &Resources) -> Result<()> {
    if let Some(memory) = &resources.memory {
        set_memory(directory, memory)?;
    }
    if let Some(cpu) = &resources.cpu {
        set_cpu(directory, cpu)?;
    }
    if let Some(limit) = resources.pids.as_ref().and_then(|pids| pids.limit) {
        let limit = if limit > 0 { limit.to_string() } else { String::from("max") };
        file::write(&directory.join("pids.max"), limit)?;
    }
    if let Some(block_io) = &resources.block_io {
        set_io(directory, block_io)?;
    }
    resources.hugepage_limits.iter().try_for_each(|limit| set_hugetlb(directory, limit))?;
    for (device, limits) in &resources.rdma {
        file::write(&directory.join("rdma.max"), convert::rdma_line(device, limits))?;
    }
    // Last: these are the files themselves and overrule what was computed.
    for (name, value) in &resources.unified {
        file::check_name("unified", name)?;
        value.lines().try_for_each(|line| file::write(&directory.join(name), line))?;
    }
    Ok(())
}

fn set_memory(directory: &Path, memory: &Memory) -> Result<()> {
    let swap = convert::swap_max(memory)?;
    if let Some(swap) = swap {
        match file::write(&directory.join("memory.swap.max"), convert::or_max(swap)) {
            // Without swap accounting there is no swap to limit: "none" and "no limit" hold as it is.
            Err(Error::Write { source, .. }) if file::is_absent(&source) && swap <= 0 => {}
            result => result?,
        }
    }
    if let Some(limit) = memory.limit.filter(|limit| *limit != 0) {
        file::write(&directory.join("memory.max"), convert::or_max(limit))?;
    }
    if let Some(reservation) = memory.reservation.filter(|value| *value != 0) {
        file::write(&directory.join("memory.low"), convert::or_max(reservation))?;
    }
    // Swappiness, kernel memory and the switch of the OOM killer do not exist here.
    Ok(())
}

fn set_cpu(directory: &Path, cpu: &Cpu) -> Result<()> {
    if let Some(idle) = cpu.idle {
        file::write(&directory.join("cpu.idle"), idle)?;
    }
    // An idle cgroup has no weight.
    if let Some(weight) =
        convert::cpu_weight(cpu.shares.unwrap_or(0)).filter(|_| cpu.idle != Some(1))
    {
        file::write(&directory.join("cpu.weight"), weight)?;
    }
    let (quota, period) = (cpu.quota.filter(|q| *q != 0), cpu.period.filter(|p| *p != 0));
    if quota.is_some() || period.is_some() {
        file::write(&directory.join("cpu.max"), bandwidth(directory, quota, period)?)?;
    }
    if let Some(burst) = cpu.burst {
        file::write(&directory.join("cpu.max.burst"), burst)?;
    }
    for (name, list) in [("cpuset.cpus", &cpu.cpus), ("cpuset.mems", &cpu.mems)] {
        if !list.is_empty() {
            check_list(name, list)?;
            file::write(&directory.join(name), list)?;
        }
    }
    Ok(())
}

/// `cpu.max` holds both numbers; the one that is not given keeps its value.
fn bandwidth(directory: &Path, quota: Option<i64>, period: Option<u64>) -> Result<String> {
    let current = file::read(&directory.join("cpu.max"))?;
    let (current_quota, current_period) =
        current.trim().split_once(' ').unwrap_or(("max", "100000"));
    let quota = quota.map_or_else(|| current_quota.to_owned(), convert::or_max);
    let period = period.map_or_else(|| current_period.to_owned(), |period| period.to_string());
    Ok(format!("{quota} {period}"))
}

fn set_io(directory: &Path, block_io: &BlockIo) -> Result<()> {
    // io.weight is io.cost's; BFQ has a file of its own, in the specification's own scale.
    let bfq = directory.join("io.bfq.weight");
    let has_bfq = bfq.exists();
    if let Some(weight) = block_io.weight.filter(|weight| *weight != 0) {
        if has_bfq {
            file::write(&bfq, weight)?;
        } else if let Some(weight) = convert::io_weight(weight) {
            file::write(&directory.join("io.weight"), format!("default {weight}"))?;
        }
    }
    for device in &block_io.weight_device {
        let Some(weight) = device.weight else { continue };
        let (file, weight) = if has_bfq {
            (&bfq, u64::from(weight))
        } else {
            (&directory.join("io.weight"), convert::io_weight(weight).unwrap_or(100))
        };
        file::write(file, format!("{}:{} {weight}", device.major, device.minor))?;
    }
    for (key, devices) in [
        ("rbps", &block_io.throttle_read_bps_device),
        ("wbps", &block_io.throttle_write_bps_device),
        ("riops", &block_io.throttle_read_iops_device),
        ("wiops", &block_io.throttle_write_iops_device),
    ] {
        for d in devices {
            let line = format!("{}:{} {key}={}", d.major, d.minor, d.rate);
            file::write(&directory.join("io.max"), line)?;
        }
    }
    Ok(())
}

fn set_hugetlb(directory: &Path, limit: &HugepageLimit) -> Result<()> {
    file::check_name("hugepage size", &limit.page_size)?;
    file::write(&directory.join(format!("hugetlb.{}.max", limit.page_size)), limit.limit)?;
    // Reservations are counted apart since Linux 5.7, and would go past the limit.
    let reserved = directory.join(format!("hugetlb.{}.rsvd.max", limit.page_size));
    if reserved.exists() { file::write(&reserved, limit.limit) } else { Ok(()) }
}
