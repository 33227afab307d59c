//! Limits, from Docker's terms to the runtime specification's. They were validated before.

use std::os::unix::fs::MetadataExt;

use api::containers::{Resources, ThrottleDevice, WeightDevice};
use oci::runtime;

use crate::error::Error;

const CPU_PERIOD: u64 = 100_000;

/// Everything but the device rules.
pub fn resources(wishes: &Resources) -> Result<runtime::Resources, Error> {
    Ok(runtime::Resources {
        memory: Some(memory(wishes)),
        cpu: Some(cpu(wishes)),
        pids: pids(wishes.pids_limit),
        block_io: Some(block_io(wishes)?),
        ..runtime::Resources::default()
    })
}

fn memory(wishes: &Resources) -> runtime::Memory {
    runtime::Memory {
        limit: given(wishes.memory),
        reservation: given(wishes.memory_reservation),
        swap: swap(wishes.memory, wishes.memory_swap),
        swappiness: wishes.memory_swappiness.and_then(|value| u64::try_from(value).ok()),
        disable_oom_killer: wishes.oom_kill_disable,
        ..runtime::Memory::default()
    }
}

/// Memory and swap together. Without a wish a container may swap as much as its memory.
pub fn swap(memory: i64, swap: i64) -> Option<i64> {
    match swap {
        0 if memory > 0 => Some(memory.saturating_mul(2)),
        0 => None,
        chosen => Some(chosen),
    }
}

/// Says what [`swap`] will be where nothing was said.
pub fn fill_swap(wishes: &mut Resources) {
    wishes.memory_swap = swap(wishes.memory, wishes.memory_swap).unwrap_or(0);
}

fn cpu(wishes: &Resources) -> runtime::Cpu {
    let (period, quota) = if wishes.nano_cpus > 0 {
        (Some(CPU_PERIOD), Some(nano_cpus_quota(wishes.nano_cpus)))
    } else {
        (given_unsigned(wishes.cpu_period), given(wishes.cpu_quota))
    };
    runtime::Cpu {
        shares: given_unsigned(wishes.cpu_shares),
        period,
        quota,
        realtime_period: given_unsigned(wishes.cpu_realtime_period),
        realtime_runtime: given(wishes.cpu_realtime_runtime),
        cpus: wishes.cpuset_cpus.clone(),
        mems: wishes.cpuset_mems.clone(),
        ..runtime::Cpu::default()
    }
}

fn nano_cpus_quota(nano_cpus: i64) -> i64 {
    let per_second = i128::from(nano_cpus) * i128::from(CPU_PERIOD) / 1_000_000_000;
    i64::try_from(per_second).unwrap_or(i64::MAX)
}

/// 0 and below mean no limit; absent means that nothing is written.
fn pids(limit: Option<i64>) -> Option<runtime::Pids> {
    let limit = limit?;
    Some(runtime::Pids { limit: Some(if limit <= 0 { -1 } else { limit }) })
}

fn block_io(wishes: &Resources) -> Result<runtime::BlockIo, Error> {
    Ok(runtime::BlockIo {
        weight: Some(wishes.blkio_weight).filter(|weight| *weight > 0),
        weight_device: each(&wishes.blkio_weight_device, weight)?,
        throttle_read_bps_device: each(&wishes.blkio_device_read_bps, throttle)?,
        throttle_write_bps_device: each(&wishes.blkio_device_write_bps, throttle)?,
        throttle_read_iops_device: each(&wishes.blkio_device_read_iops, throttle)?,
        throttle_write_iops_device: each(&wishes.blkio_device_write_iops, throttle)?,
        ..runtime::BlockIo::default()
    })
}

fn each<A, B>(list: &Option<Vec<A>>, one: fn(&A) -> Result<B, Error>) -> Result<Vec<B>, Error> {
    list.iter().flatten().map(one).collect()
}

fn weight(wish: &WeightDevice) -> Result<runtime::WeightDevice, Error> {
    let (major, minor) = device_numbers(&wish.path)?;
    Ok(runtime::WeightDevice { major, minor, weight: Some(wish.weight), leaf_weight: None })
}

fn throttle(wish: &ThrottleDevice) -> Result<runtime::ThrottleDevice, Error> {
    let (major, minor) = device_numbers(&wish.path)?;
    Ok(runtime::ThrottleDevice { major, minor, rate: wish.rate })
}

fn device_numbers(path: &str) -> Result<(i64, i64), Error> {
    let metadata = std::fs::metadata(path)
        .map_err(|cause| Error::invalid(format!("cannot limit device {path}")).because(cause))?;
    let number = metadata.rdev();
    Ok((rustix::fs::major(number).into(), rustix::fs::minor(number).into()))
}

fn given(value: i64) -> Option<i64> {
    Some(value).filter(|value| *value != 0)
}

fn given_unsigned(value: i64) -> Option<u64> {
    u64::try_from(value).ok().filter(|value| *value > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_asked_for_is_not_written() {
        let resources = resources(&Resources::default()).unwrap();
        assert_eq!(resources.memory, Some(runtime::Memory::default()));
        assert_eq!(resources.cpu, Some(runtime::Cpu::default()));
        assert_eq!(resources.pids, None);
    }

    #[test]
    fn cpus_become_a_quota_of_100_ms() {
        let half = Resources { nano_cpus: 500_000_000, ..Resources::default() };
        let cpu = resources(&half).unwrap().cpu.unwrap();
        assert_eq!((cpu.period, cpu.quota), (Some(100_000), Some(50_000)));
    }

    #[test]
    fn swap_defaults_to_as_much_as_memory() {
        assert_eq!(swap(10, 0), Some(20));
        assert_eq!(swap(10, -1), Some(-1));
        assert_eq!(swap(10, 15), Some(15));
        assert_eq!(swap(0, 0), None);
    }

    #[test]
    fn no_pids_limit_is_not_unlimited() {
        assert_eq!(pids(None), None);
        assert_eq!(pids(Some(0)), Some(runtime::Pids { limit: Some(-1) }));
        assert_eq!(pids(Some(9)), Some(runtime::Pids { limit: Some(9) }));
    }
}
