//! Limits onto the files of v1. Only what is given is written.

use std::path::Path;

use oci::runtime::{BlockIo, Cpu, Memory, Resources};

use super::{Group, cpuset, file};
use crate::cgroup::{Error, Result, convert};

/// The controllers outside [`super::ALWAYS`] that `resources` needs.
pub(super) fn on_demand(resources: &Resources) -> Vec<&'static str> {
    let cpuset = resources.cpu.as_ref().is_some_and(|c| !c.cpus.is_empty() || !c.mems.is_empty());
    let network = resources.network.as_ref();
    let wanted = [
        ("cpuset", cpuset),
        ("hugetlb", !resources.hugepage_limits.is_empty()),
        ("net_cls", network.is_some_and(|n| n.class_id.is_some_and(|id| id != 0))),
        ("net_prio", network.is_some_and(|n| !n.priorities.is_empty())),
        ("rdma", !resources.rdma.is_empty()),
    ];
    wanted.into_iter().filter(|(_, wanted)| *wanted).map(|(name, _)| name).collect()
}

impl Group {
    pub(super) fn set(&self, resources: &Resources) -> Result<()> {
        if !resources.unified.is_empty() {
            return Err(Error::Invalid {
                what: "unified",
                reason: String::from("this host's controllers are of cgroup v1"),
            });
        }
        if let Some(memory) = &resources.memory {
            self.set_memory(memory)?;
        }
        if let Some(cpu) = &resources.cpu {
            self.set_cpu(cpu)?;
            self.set_cpuset(cpu)?;
        }
        if let Some(limit) = resources.pids.as_ref().and_then(|pids| pids.limit) {
            let limit = if limit > 0 { limit.to_string() } else { String::from("max") };
            file::write(&self.path_of("pids")?.join("pids.max"), limit)?;
        }
        if let Some(block_io) = &resources.block_io {
            self.set_block_io(block_io)?;
        }
        self.set_rare(resources)
    }

    fn set_memory(&self, memory: &Memory) -> Result<()> {
        if memory == &Memory::default() {
            return Ok(());
        }
        let directory = self.path_of("memory")?;
        let write = |name: &str, value: Option<i64>| match value {
            Some(value) if value != 0 => file::write(&directory.join(name), value),
            _ => Ok(()),
        };
        set_memory_and_swap(directory, memory)?;
        write("memory.soft_limit_in_bytes", memory.reservation)?;
        write("memory.kmem.tcp.limit_in_bytes", memory.kernel_tcp)?;
        // The kernel limit is not set: kernels since 5.16 refuse it, and those before count kernel
        // memory within the limit of memory.
        if memory.disable_oom_killer == Some(true) {
            file::write(&directory.join("memory.oom_control"), 1)?;
        }
        if let Some(swappiness) = memory.swappiness {
            file::write(&directory.join("memory.swappiness"), swappiness)?;
        }
        Ok(())
    }

    fn set_cpu(&self, cpu: &Cpu) -> Result<()> {
        let directory = self.path_of("cpu")?;
        if let Some(shares) = cpu.shares.filter(|shares| *shares != 0) {
            file::write(&directory.join("cpu.shares"), shares)?;
        }
        if let Some(period) = cpu.realtime_period.filter(|period| *period != 0) {
            file::write(&directory.join("cpu.rt_period_us"), period)?;
        }
        if let Some(runtime) = cpu.realtime_runtime.filter(|runtime| *runtime != 0) {
            file::write(&directory.join("cpu.rt_runtime_us"), runtime)?;
        }
        set_bandwidth(directory, cpu)?;
        if let Some(burst) = cpu.burst {
            file::write(&directory.join("cpu.cfs_burst_us"), burst)?;
        }
        if let Some(idle) = cpu.idle {
            file::write(&directory.join("cpu.idle"), idle)?;
        }
        Ok(())
    }

    fn set_cpuset(&self, cpu: &Cpu) -> Result<()> {
        for (name, list) in [("cpuset.cpus", &cpu.cpus), ("cpuset.mems", &cpu.mems)] {
            if !list.is_empty() {
                check_list(name, list)?;
                file::write(&self.path_of("cpuset")?.join(name), list)?;
            }
        }
        Ok(())
    }

    fn set_block_io(&self, block_io: &BlockIo) -> Result<()> {
        if block_io == &BlockIo::default() {
            return Ok(());
        }
        let directory = self.path_of("blkio")?;
        // The names of CFQ, and since Linux 5.0 those of BFQ.
        let scheduler = if directory.join("blkio.weight").exists() { "" } else { "bfq." };
        let weight = directory.join(format!("blkio.{scheduler}weight"));
        if let Some(value) = block_io.weight.filter(|weight| *weight != 0) {
            file::write(&weight, value)?;
        }
        if let Some(value) = block_io.leaf_weight.filter(|weight| *weight != 0) {
            file::write(&directory.join("blkio.leaf_weight"), value)?;
        }
        for device in &block_io.weight_device {
            let device_line = |weight| format!("{}:{} {weight}", device.major, device.minor);
            if let Some(weight) = device.weight {
                let name = format!("blkio.{scheduler}weight_device");
                file::write(&directory.join(name), device_line(weight))?;
            }
            if let Some(weight) = device.leaf_weight {
                file::write(&directory.join("blkio.leaf_weight_device"), device_line(weight))?;
            }
        }
        for (name, devices) in [
            ("read_bps_device", &block_io.throttle_read_bps_device),
            ("write_bps_device", &block_io.throttle_write_bps_device),
            ("read_iops_device", &block_io.throttle_read_iops_device),
            ("write_iops_device", &block_io.throttle_write_iops_device),
        ] {
            for d in devices {
                let line = format!("{}:{} {}", d.major, d.minor, d.rate);
                file::write(&directory.join(format!("blkio.throttle.{name}")), line)?;
            }
        }
        Ok(())
    }

    fn set_rare(&self, resources: &Resources) -> Result<()> {
        for limit in &resources.hugepage_limits {
            let directory = self.path_of("hugetlb")?;
            file::check_name("hugepage size", &limit.page_size)?;
            let name = format!("hugetlb.{}.limit_in_bytes", limit.page_size);
            file::write(&directory.join(name), limit.limit)?;
        }
        for (device, limits) in &resources.rdma {
            let line = convert::rdma_line(device, limits);
            file::write(&self.path_of("rdma")?.join("rdma.max"), line)?;
        }
        let Some(network) = &resources.network else { return Ok(()) };
        if let Some(id) = network.class_id.filter(|id| *id != 0) {
            file::write(&self.path_of("net_cls")?.join("net_cls.classid"), id)?;
        }
        for interface in &network.priorities {
            let line = format!("{} {}", interface.name, interface.priority);
            file::write(&self.path_of("net_prio")?.join("net_prio.ifpriomap"), line)?;
        }
        Ok(())
    }
}

pub(in crate::cgroup) fn check_list(what: &'static str, list: &str) -> Result<()> {
    cpuset::parse(list)
        .map(drop)
        .map_err(|error| Error::Invalid { what, reason: error.to_string() })
}

/// The kernel holds memory <= memory and swap at every moment, so the order depends on the direction.
fn set_memory_and_swap(directory: &Path, memory: &Memory) -> Result<()> {
    let limit = memory.limit.filter(|limit| *limit != 0);
    // No limit of memory means none of swap either.
    let swap = memory.swap.filter(|swap| *swap != 0).or(limit.filter(|limit| *limit == -1));
    let (memory_file, swap_file) =
        (directory.join("memory.limit_in_bytes"), directory.join("memory.memsw.limit_in_bytes"));
    let set_limit = || limit.map_or(Ok(()), |limit| file::write(&memory_file, limit));
    let Some(swap) = swap else { return set_limit() };
    let Some(current_swap) = file::read_number(&swap_file)? else {
        // Without swap accounting only "no limit" can be honoured.
        return if swap < 0 {
            set_limit()
        } else {
            Err(Error::NoController("memory (swap accounting)"))
        };
    };
    if swap < 0 || u64::try_from(swap).is_ok_and(|swap| swap > current_swap) {
        file::write(&swap_file, swap)?;
        set_limit()
    } else {
        set_limit()?;
        file::write(&swap_file, swap)
    }
}

/// The kernel refuses a period whose old quota would exceed the parent's ratio, until the quota is set.
fn set_bandwidth(directory: &Path, cpu: &Cpu) -> Result<()> {
    let (quota, period) = (cpu.quota.filter(|q| *q != 0), cpu.period.filter(|p| *p != 0));
    let period_file = directory.join("cpu.cfs_period_us");
    let write_period = || period.map_or(Ok(()), |period| file::write(&period_file, period));
    let first = write_period();
    if let Some(quota) = quota {
        file::write(&directory.join("cpu.cfs_quota_us"), quota)?;
        return if first.is_err() { write_period() } else { Ok(()) };
    }
    first
}
