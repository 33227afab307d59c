//! The OCI specification speaks cgroup v1; these turn its numbers into those of v2, by the formulas
//! of runc, so that a container weighs the same under both.

use super::{Error, Result};
use oci::runtime::{Memory, Rdma};

/// `cpu.shares` 2..=262144 onto `cpu.weight` 1..=10000. 0 stands for unset.
pub(super) fn cpu_weight(shares: u64) -> Option<u64> {
    (shares != 0).then(|| 1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142)
}

/// `blkio.weight` 10..=1000 onto `io.weight` 1..=10000. 0 stands for unset.
pub(super) fn io_weight(weight: u16) -> Option<u64> {
    (weight != 0).then(|| 1 + (u64::from(weight.clamp(10, 1000)) - 10) * 9999 / 990)
}

/// The specification counts memory and swap together, v2 swap alone. None leaves it as it is.
pub(super) fn swap_max(memory: &Memory) -> Result<Option<i64>> {
    let invalid = |reason: &str| Error::Invalid { what: "memory.swap", reason: reason.to_owned() };
    match (memory.limit.unwrap_or(0), memory.swap.unwrap_or(0)) {
        // No limit of memory means none of swap either.
        (-1, 0) => Ok(Some(-1)),
        (_, 0) => Ok(None),
        (_, -1) => Ok(Some(-1)),
        (0 | -1, _) => Err(invalid("a limit of swap needs a limit of memory")),
        (_, swap) if swap < -1 => Err(invalid("it is negative")),
        (limit, swap) if swap < limit => {
            Err(invalid("memory and swap together are less than memory alone"))
        }
        (limit, swap) => Ok(Some(swap - limit)),
    }
}

/// `max` is how v2 writes what the specification writes as -1.
pub(super) fn or_max(value: i64) -> String {
    if value < 0 { String::from("max") } else { value.to_string() }
}

/// A line of `rdma.max`, the same in both versions.
pub(super) fn rdma_line(device: &str, limits: &Rdma) -> String {
    let or_max = |limit: Option<u32>| limit.map_or(String::from("max"), |n| n.to_string());
    let (handles, objects) = (or_max(limits.hca_handles), or_max(limits.hca_objects));
    format!("{device} hca_handle={handles} hca_object={objects}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_keep_their_ends() {
        assert_eq!(cpu_weight(0), None);
        assert_eq!(cpu_weight(2), Some(1));
        assert_eq!(cpu_weight(1024), Some(39));
        assert_eq!(cpu_weight(262_144), Some(10_000));
        assert_eq!(cpu_weight(u64::MAX), Some(10_000));
        assert_eq!(io_weight(0), None);
        assert_eq!(io_weight(10), Some(1));
        assert_eq!(io_weight(1000), Some(10_000));
    }

    #[test]
    fn swap_is_what_remains_above_memory() {
        let swap = |limit, swap| {
            swap_max(&Memory { limit: Some(limit), swap: Some(swap), ..Memory::default() })
        };
        assert_eq!(swap(100, 300).unwrap(), Some(200));
        assert_eq!(swap(100, 100).unwrap(), Some(0));
        assert_eq!(swap(100, -1).unwrap(), Some(-1));
        assert_eq!(swap(100, 0).unwrap(), None);
        assert_eq!(swap(-1, 0).unwrap(), Some(-1));
        assert!(swap(100, 99).is_err());
        assert!(swap(0, 99).is_err());
    }
}
