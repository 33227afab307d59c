//! Limits, namespaces and what happens at the end.

use std::collections::BTreeMap;

use api::containers::{Resources, RestartPolicy, Ulimit};

use super::{devices, gpus};
use crate::flags::{self, Parsed};

pub(super) fn check_uint16(text: &str) -> Result<(), String> {
    match text.parse::<u16>() {
        Ok(_) => Ok(()),
        Err(error) if *error.kind() == std::num::IntErrorKind::PosOverflow => {
            Err(format!("strconv.ParseUint: parsing {text:?}: value out of range"))
        }
        Err(_) => Err(format!("strconv.ParseUint: parsing {text:?}: invalid syntax")),
    }
}

pub(super) fn check_cpus(text: &str) -> Result<(), String> {
    flags::nano_cpus(text).map(drop)
}

pub(in crate::commands) fn check_ulimit(text: &str) -> Result<(), String> {
    ulimit(text).map(drop)
}

pub(super) fn check_sysctl(text: &str) -> Result<(), String> {
    const ALLOWED: [&str; 8] = [
        "kernel.msgmax",
        "kernel.msgmnb",
        "kernel.msgmni",
        "kernel.sem",
        "kernel.shmall",
        "kernel.shmmax",
        "kernel.shmmni",
        "kernel.shm_rmid_forced",
    ];
    let namespaced = |name: &str| {
        ALLOWED.contains(&name) || name.starts_with("net.") || name.starts_with("fs.mqueue.")
    };
    match text.split_once('=') {
        Some((name, _)) if namespaced(name) => Ok(()),
        _ => Err(format!("sysctl '{text}' is not allowed")),
    }
}

/// `name=soft[:hard]`; -1 is unlimited.
pub(in crate::commands) fn ulimit(text: &str) -> Result<Ulimit, String> {
    let invalid = || format!("invalid ulimit argument: {text}");
    let (name, values) = text.split_once('=').ok_or_else(invalid)?;
    if !Ulimit::NAMES.contains(&name) {
        return Err(format!("invalid ulimit type: {name}"));
    }
    let number = |text: &str| -> Result<i64, String> {
        let invalid = |_| format!("strconv.ParseInt: parsing {text:?}: invalid syntax");
        text.parse().map_err(invalid)
    };
    let (soft, hard) = match values.split_once(':') {
        Some((_, hard)) if hard.contains(':') => {
            return Err(format!(
                "too many limit value arguments - {values}, can only have up to two, `soft[:hard]`"
            ));
        }
        Some((soft, hard)) => (number(soft)?, number(hard)?),
        None => (number(values)?, number(values)?),
    };
    if hard != -1 && soft == -1 {
        return Err(format!(
            "ulimit soft limit must be less than or equal to hard limit: soft: -1 (unlimited), hard: {hard}"
        ));
    }
    if hard != -1 && soft > hard {
        return Err(format!(
            "ulimit soft limit must be less than or equal to hard limit: {soft} > {hard}"
        ));
    }
    Ok(Ulimit { name: name.to_owned(), hard, soft })
}

/// A size flag that was checked when it was parsed; 0 where not given.
pub(super) fn size(parsed: &Parsed, flag: &str) -> Result<i64, String> {
    if parsed.is_set(flag) { flags::bytes_or_unlimited(parsed.str(flag)) } else { Ok(0) }
}

/// `no`, `always`, `unless-stopped`, `on-failure[:times]`. The engine knows which names are valid.
pub(in crate::commands::container) fn restart_policy(text: &str) -> Result<RestartPolicy, String> {
    let Some((name, times)) = text.split_once(':') else {
        return Ok(RestartPolicy { name: text.to_owned(), maximum_retry_count: 0 });
    };
    if name.is_empty() {
        return Err("invalid restart policy format: no policy provided before colon".to_owned());
    }
    let invalid =
        |_| "invalid restart policy format: maximum retry count must be an integer".to_owned();
    Ok(RestartPolicy {
        name: name.to_owned(),
        maximum_retry_count: times.parse().map_err(invalid)?,
    })
}

/// The value of a namespace flag, if it is one of `known` (a name, or a prefix that ends in a colon).
pub(super) fn namespace(
    parsed: &Parsed,
    flag: &str,
    what: &str,
    known: &[&str],
) -> Result<String, String> {
    let value = parsed.str(flag);
    let is_known = |name: &&str| match name.strip_suffix(':') {
        Some(_) => value.len() > name.len() && value.starts_with(*name),
        None => value == *name,
    };
    if value.is_empty() || known.iter().any(is_known) {
        return Ok(value.to_owned());
    }
    Err(format!("--{flag}: invalid {what} mode"))
}

pub(super) fn resources(parsed: &Parsed) -> Result<Resources, String> {
    let swappiness = parsed.int("memory-swappiness");
    if swappiness != -1 && !(0..=100).contains(&swappiness) {
        return Err(format!("invalid value: {swappiness}. Valid memory swappiness range is 0-100"));
    }
    let nano_cpus = if parsed.is_set("cpus") { flags::nano_cpus(parsed.str("cpus"))? } else { 0 };
    let ulimits = parsed.list("ulimit");
    // The last one of each name, by name.
    let ulimits: Result<BTreeMap<_, _>, String> =
        ulimits.iter().map(|text| ulimit(text).map(|limit| (limit.name.clone(), limit))).collect();
    let mut paths = parsed.list("device");
    paths.retain(|device| !gpus::is_qualified(device));
    Ok(Resources {
        cpu_shares: parsed.int("cpu-shares"),
        memory: size(parsed, "memory")?,
        nano_cpus,
        cgroup_parent: parsed.string("cgroup-parent"),
        blkio_weight: parsed.int("blkio-weight").try_into().unwrap_or_default(),
        blkio_weight_device: Some(devices::weights(&parsed.list("blkio-weight-device"))?),
        blkio_device_read_bps: Some(devices::bps(&parsed.list("device-read-bps"))?),
        blkio_device_write_bps: Some(devices::bps(&parsed.list("device-write-bps"))?),
        blkio_device_read_iops: Some(devices::iops(&parsed.list("device-read-iops"))?),
        blkio_device_write_iops: Some(devices::iops(&parsed.list("device-write-iops"))?),
        cpu_period: parsed.int("cpu-period"),
        cpu_quota: parsed.int("cpu-quota"),
        cpu_realtime_period: parsed.int("cpu-rt-period"),
        cpu_realtime_runtime: parsed.int("cpu-rt-runtime"),
        cpuset_cpus: parsed.string("cpuset-cpus"),
        cpuset_mems: parsed.string("cpuset-mems"),
        devices: Some(devices::mappings(&paths)?),
        device_requests: gpus::requests(&parsed.list("gpus"), &parsed.list("device"))?,
        device_cgroup_rules: super::non_empty(parsed.list("device-cgroup-rule")),
        // Deprecated, and no kernel has it any more: the engine leaves it out of what it keeps, as Docker's does.
        kernel_memory: size(parsed, "kernel-memory")?,
        memory_reservation: size(parsed, "memory-reservation")?,
        memory_swap: size(parsed, "memory-swap")?,
        memory_swappiness: Some(swappiness),
        oom_kill_disable: Some(parsed.bool("oom-kill-disable")),
        pids_limit: Some(parsed.int("pids-limit")),
        ulimits: Some(ulimits?.into_values().collect()),
        ..Resources::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulimits() {
        assert_eq!(ulimit("nofile=5").map(|u| (u.soft, u.hard)), Ok((5, 5)));
        assert_eq!(ulimit("core=0:-1").map(|u| (u.soft, u.hard)), Ok((0, -1)));
        for bad in ["nofile", "what=1", "nofile=5:4", "nofile=-1:4", "nofile=a", "nofile=1:2:3"] {
            assert!(ulimit(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn restart_policies() {
        assert_eq!(restart_policy("on-failure:3").map(|p| p.maximum_retry_count), Ok(3));
        assert!(restart_policy("on-failure:x").is_err());
        assert!(restart_policy(":3").is_err());
    }
}
