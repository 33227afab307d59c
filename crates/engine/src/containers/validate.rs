//! Is this a container we can make? Docker's checks in Docker's words; what it merely warns of is returned.

use std::fmt::Display;

use api::containers::{Config, HostConfig, Resources};
use api::networks::PortMap;

use super::health::command;
use super::health::on_failure::Action as OnFailure;
use super::restart_policy::Policy;
use super::spec::security::SecurityOptions;
use super::spec::{capabilities, devices, ulimits};
use super::{mounts, ports, signal};
use crate::config::parse_size;
use crate::error::Error;

const LEAST_MEMORY: i64 = 6 << 20;
/// Docker's bound for numbers in cpusets, which keeps a list small (CVE-2018-20699).
const CPUSET_MAX: u32 = 8192;

/// What the host offers.
#[derive(Clone, Debug)]
pub struct Host {
    /// Online.
    pub cpus: u32,
    pub available_cpus: Vec<u32>,
    pub available_nodes: Vec<u32>,
    /// Block I/O weights can be set.
    pub blkio_weight: bool,
    /// Real-time scheduling can be given out by cgroup, which it cannot on v2.
    pub cpu_realtime: bool,
    pub cgroup_v2: bool,
    /// Containers have cgroups: not those of an ordinary user to whom none was delegated.
    pub cgroups: bool,
    /// The highest group id that there is: fewer in a user namespace.
    pub last_group: u32,
    /// What containers write can be limited.
    pub project_quotas: bool,
}

/// Checks both halves; returns warnings.
pub fn validate(config: &Config, host: &HostConfig, offer: &Host) -> Result<Vec<String>, Error> {
    validate_config(config)?;
    validate_host_config(config, host)?;
    let mut warnings = validate_resources(&host.resources, offer)?;
    storage_options(host, offer.project_quotas)?;
    let has_ports = host.port_bindings.as_ref().is_some_and(|bindings| !bindings.is_empty());
    if host.network_mode == "host" && has_ports {
        warnings.push("Published ports are discarded when using host network mode".into());
    }
    Ok(warnings)
}

fn validate_config(config: &Config) -> Result<(), Error> {
    if !config.working_dir.is_empty() && !config.working_dir.starts_with('/') {
        return Err(Error::invalid(format!(
            "the working directory '{}' is invalid, it needs to be an absolute path",
            config.working_dir
        )));
    }
    if !config.stop_signal.is_empty() {
        signal::parse(&config.stop_signal)?;
    }
    for variable in config.env.iter().flatten() {
        if variable.starts_with('=') || variable.is_empty() {
            return Err(Error::invalid(format!("invalid environment variable: {variable}")));
        }
    }
    refuse_zero_bytes(config)?;
    validate_healthcheck(config)
}

/// A string with a zero byte would be cut when it becomes an argument of the kernel's.
fn refuse_zero_bytes(config: &Config) -> Result<(), Error> {
    let words = config.cmd.iter().chain(&config.entrypoint).flat_map(|slice| slice.iter());
    let all = words.chain(config.env.iter().flatten()).chain([
        &config.user,
        &config.working_dir,
        &config.hostname,
        &config.domainname,
    ]);
    match all.into_iter().find(|text| text.contains('\0')) {
        Some(text) => Err(Error::invalid(format!("{text:?} contains a zero byte"))),
        None => Ok(()),
    }
}

fn validate_healthcheck(config: &Config) -> Result<(), Error> {
    let Some(check) = &config.healthcheck else { return Ok(()) };
    // Docker makes such a container, and its engine panics at the first check.
    if check.test.first().is_some_and(|kind| kind == "CMD") && check.test.len() == 1 {
        return Err(Error::invalid("Healthcheck CMD needs a command"));
    }
    for (name, value) in [
        ("Interval", check.interval),
        ("Timeout", check.timeout),
        ("StartPeriod", check.start_period),
        ("StartInterval", check.start_interval),
    ] {
        if value != 0 && value < 1_000_000 {
            return Err(Error::invalid(format!("{name} in Healthcheck cannot be less than 1ms")));
        }
    }
    if check.retries < 0 {
        return Err(Error::invalid("Retries in Healthcheck cannot be negative"));
    }
    Ok(())
}

/// Whether what is done on failure can ever be. `config` is that with the image's health check.
pub fn health_on_failure(config: &Config, host: &HostConfig) -> Result<(), Error> {
    if OnFailure::parse(&host.health_on_failure)? != OnFailure::None && command(config).is_none() {
        return Err(Error::invalid(
            "an action on failed health checks needs a health check (--health-cmd, or the image's)",
        ));
    }
    Ok(())
}

fn validate_host_config(config: &Config, host: &HostConfig) -> Result<(), Error> {
    if host.auto_remove && !matches!(host.restart_policy.name.as_str(), "" | "no") {
        return Err(Error::invalid("can't create 'AutoRemove' container with restart policy"));
    }
    Policy::parse(&host.restart_policy)?;
    let on_failure = OnFailure::parse(&host.health_on_failure)?;
    if host.auto_remove && on_failure == OnFailure::Restart {
        return Err(Error::invalid(
            "can't create 'AutoRemove' container that failed health checks restart",
        ));
    }
    modes(config, host)?;
    SecurityOptions::parse(host.security_opt.as_deref().unwrap_or_default())?;
    capabilities::Wishes::parse(
        host.cap_add.as_deref().unwrap_or_default(),
        host.cap_drop.as_deref().unwrap_or_default(),
    )?;
    ulimits::rlimits(host.resources.ulimits.iter().flatten())?;
    for rule in host.resources.device_cgroup_rules.iter().flatten() {
        devices::cgroup_rule(rule)?;
    }
    for extra in host.extra_hosts.iter().flatten() {
        extra_host(extra)?;
    }
    if host.annotations.as_ref().is_some_and(|all| all.contains_key("")) {
        return Err(Error::invalid(
            "invalid Annotations: the empty string is not permitted as an annotation key",
        ));
    }
    ports::validate(host.port_bindings.as_ref().unwrap_or(&PortMap::new()))?;
    unsupported(host)?;
    cgroup_parent(&host.resources.cgroup_parent)?;
    range("oom score adj", host.oom_score_adj, -1000, 1000)?;
    if host.shm_size < 0 {
        return Err(Error::invalid("SHM size can not be less than 0"));
    }
    mounts::mount_points(&Config::default(), host, Vec::new()).map(drop)
}

/// Never ignored in silence: what this engine cannot do is refused by name.
fn unsupported(host: &HostConfig) -> Result<(), Error> {
    if !matches!(host.isolation.as_str(), "" | "default") {
        return Err(Error::invalid(format!(
            "Invalid isolation: {:?} - linux only supports 'default'",
            host.isolation
        )));
    }
    Ok(())
}

/// The one option that Docker's overlay2 has needs a file system with project quotas. What it means: [`size_limit`].
fn storage_options(host: &HostConfig, has_quotas: bool) -> Result<(), Error> {
    for (name, value) in host.storage_opt.iter().flatten() {
        if !name.eq_ignore_ascii_case("size") {
            return Err(Error::invalid(format!("Unknown option {name}")));
        }
        if !has_quotas {
            return Err(Error::invalid(
                "--storage-opt is supported only for overlay over xfs with 'pquota' mount option",
            ));
        }
        if parse_size(value).is_none() {
            return Err(Error::invalid(format!("invalid size: '{value}'")));
        }
    }
    Ok(())
}

/// What the container may write at most, in bytes, where it says so.
pub fn size_limit(host: &HostConfig) -> Option<u64> {
    let mut options = host.storage_opt.iter().flatten();
    let (_, size) = options.find(|(name, _)| name.eq_ignore_ascii_case("size"))?;
    parse_size(size).and_then(|bytes| u64::try_from(bytes).ok())
}

/// Parents are names below the engine's hierarchy: none climbs.
fn cgroup_parent(parent: &str) -> Result<(), Error> {
    if parent.split('/').any(|part| part == "..") || parent.contains('\0') || parent.len() > 255 {
        return Err(Error::invalid(format!("invalid cgroup parent: {parent:?}")));
    }
    Ok(())
}

fn modes(config: &Config, host: &HostConfig) -> Result<(), Error> {
    let container =
        |mode: &str| mode.strip_prefix("container:").is_some_and(|target| !target.is_empty());
    let pid = host.pid_mode.as_str();
    if !matches!(pid, "" | "host") && !container(pid) {
        return Err(Error::invalid(format!("invalid PID mode: {pid}")));
    }
    let ipc = host.ipc_mode.as_str();
    if !matches!(ipc, "" | "none" | "private" | "shareable" | "host") && !container(ipc) {
        return Err(Error::invalid(format!("invalid IPC mode: {ipc}")));
    }
    for (name, value) in
        [("UTS", host.uts_mode.as_str()), ("user namespace", host.userns_mode.as_str())]
    {
        if !matches!(value, "" | "host") {
            return Err(Error::invalid(format!("invalid {name} mode: {value}")));
        }
    }
    if !matches!(host.cgroupns_mode.as_str(), "" | "host" | "private") {
        return Err(Error::invalid(format!(
            "invalid cgroup namespace mode: {}",
            host.cgroupns_mode
        )));
    }
    let network = host.network_mode.as_str();
    if network.starts_with("container:") && !container(network) {
        return Err(Error::invalid(
            "Invalid network mode: invalid container format container:<name|id>",
        ));
    }
    hostname(config, host)
}

fn hostname(config: &Config, host: &HostConfig) -> Result<(), Error> {
    if host.uts_mode == "host" && !config.hostname.is_empty() {
        return Err(Error::invalid("conflicting options: hostname and the UTS mode"));
    }
    if host.network_mode.starts_with("container:") {
        return of_another(config, host);
    }
    Ok(())
}

/// What belongs to the container whose network it shares. In Docker's order.
fn of_another(config: &Config, host: &HostConfig) -> Result<(), Error> {
    let is_given = |list: &Option<Vec<String>>| list.as_ref().is_some_and(|list| !list.is_empty());
    let has_bindings = host.port_bindings.as_ref().is_some_and(|bindings| !bindings.is_empty());
    let has_exposed = config.exposed_ports.as_ref().is_some_and(|ports| !ports.is_empty());
    let conflicts = [
        (!config.hostname.is_empty(), "hostname and the network mode"),
        (is_given(&host.dns), "dns and the network mode"),
        (is_given(&host.extra_hosts), "custom host-to-IP mapping and the network mode"),
        (
            has_bindings || host.publish_all_ports,
            "port publishing and the container type network mode",
        ),
        (has_exposed, "port exposing and the container type network mode"),
    ];
    match conflicts.iter().find(|(is_there, _)| *is_there) {
        Some((_, what)) => Err(Error::invalid(format!("conflicting options: {what}"))),
        None => Ok(()),
    }
}

/// `name:ip` as the client sends it; the address may be the word for the host's gateway.
pub fn extra_host(text: &str) -> Result<(&str, &str), Error> {
    let bad = || Error::invalid(format!("bad format for add-host: {text:?}"));
    let (name, ip) = text.split_once(':').ok_or_else(bad)?;
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(bad());
    }
    if ip != "host-gateway" && ip.parse::<std::net::IpAddr>().is_err() {
        return Err(Error::invalid(format!("invalid IP address in add-host: {ip:?}")));
    }
    Ok((name, ip))
}

/// All of a container's limits. Returns warnings.
pub fn validate_resources(wishes: &Resources, offer: &Host) -> Result<Vec<String>, Error> {
    if wishes.memory == 0 && wishes.memory_swap > 0 {
        return Err(Error::invalid(
            "You should always set the Memory limit when using Memoryswap limit, see usage",
        ));
    }
    validate_changes(wishes, offer)
}

/// Those of `update`, which may need others that the container has. Returns warnings.
pub fn validate_changes(wishes: &Resources, offer: &Host) -> Result<Vec<String>, Error> {
    let mut warnings = Vec::new();
    if !offer.cgroups {
        refuse_limits(wishes)?;
    }
    memory(wishes)?;
    cpu(wishes, offer)?;
    cpuset("cpuset cpus", "CPUs", &wishes.cpuset_cpus, &offer.available_cpus)?;
    cpuset("cpuset mems", "memory nodes", &wishes.cpuset_mems, &offer.available_nodes)?;
    if wishes.blkio_weight > 0 && !(10..=1000).contains(&wishes.blkio_weight) && offer.blkio_weight
    {
        return Err(Error::invalid("Range of blkio weight is from 10 to 1000"));
    }
    if wishes.blkio_weight > 0 && !offer.blkio_weight {
        warnings.push("Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.".into());
    }
    if !offer.blkio_weight && wishes.blkio_weight_device.as_ref().is_some_and(|d| !d.is_empty()) {
        warnings.push("Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.".into());
    }
    // What `docker run` sends where nothing was asked for is -1.
    if offer.cgroup_v2 && wishes.memory_swappiness.is_some_and(|value| value != -1) {
        warnings.push("Your kernel does not support memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.".into());
    }
    if wishes.oom_kill_disable == Some(true) && offer.cgroup_v2 {
        warnings
            .push("Your kernel does not support OomKillDisable. OomKillDisable discarded.".into());
    } else if wishes.oom_kill_disable == Some(true) && wishes.memory == 0 {
        warnings.push("OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.".into());
    }
    Ok(warnings)
}

/// An ordinary user's containers run without cgroups rather than not at all; a limit that nobody would enforce is no limit.
fn refuse_limits(wishes: &Resources) -> Result<(), Error> {
    fn has<T>(list: Option<&Vec<T>>) -> bool {
        list.is_some_and(|list| !list.is_empty())
    }
    let limits = [
        ("--memory", wishes.memory != 0),
        ("--memory-reservation", wishes.memory_reservation != 0),
        ("--memory-swap", wishes.memory_swap != 0),
        ("--memory-swappiness", wishes.memory_swappiness.is_some_and(|it| it >= 0)),
        ("--oom-kill-disable", wishes.oom_kill_disable == Some(true)),
        ("--cpus", wishes.nano_cpus != 0),
        ("--cpu-shares", wishes.cpu_shares != 0),
        ("--cpu-period", wishes.cpu_period != 0),
        ("--cpu-quota", wishes.cpu_quota != 0),
        ("--cpu-rt-period", wishes.cpu_realtime_period != 0),
        ("--cpu-rt-runtime", wishes.cpu_realtime_runtime != 0),
        ("--cpuset-cpus", !wishes.cpuset_cpus.is_empty()),
        ("--cpuset-mems", !wishes.cpuset_mems.is_empty()),
        ("--pids-limit", wishes.pids_limit.is_some_and(|limit| limit > 0)),
        ("--blkio-weight", wishes.blkio_weight != 0),
        ("--blkio-weight-device", has(wishes.blkio_weight_device.as_ref())),
        ("--device-read-bps", has(wishes.blkio_device_read_bps.as_ref())),
        ("--device-write-bps", has(wishes.blkio_device_write_bps.as_ref())),
        ("--device-read-iops", has(wishes.blkio_device_read_iops.as_ref())),
        ("--device-write-iops", has(wishes.blkio_device_write_iops.as_ref())),
    ];
    match limits.into_iter().find(|(_, wanted)| *wanted) {
        Some((flag, _)) => Err(Error::invalid(format!(
            "{flag} cannot be enforced: no cgroup is delegated to this rootless engine; leave it away, or start the engine \
             as a service of the user's systemd with Delegate=yes on cgroup v2"
        ))),
        None => Ok(()),
    }
}

fn memory(wishes: &Resources) -> Result<(), Error> {
    let Resources { memory, memory_swap: swap, memory_reservation: reservation, .. } = *wishes;
    let refuse = |why: &str| Err(Error::invalid(why));
    if memory != 0 && memory < LEAST_MEMORY {
        return refuse("Minimum memory limit allowed is 6MB");
    }
    if memory > 0 && swap > 0 && swap < memory {
        return refuse("Minimum memoryswap limit should be larger than memory limit, see usage");
    }
    if reservation > 0 && reservation < LEAST_MEMORY {
        return refuse("Minimum memory reservation allowed is 6MB");
    }
    if memory > 0 && reservation > 0 && memory < reservation {
        return refuse(
            "Minimum memory limit can not be less than memory reservation limit, see usage",
        );
    }
    match wishes.memory_swappiness {
        Some(value) if !(-1..=100).contains(&value) => Err(Error::invalid(format!(
            "Invalid value: {value}, valid memory swappiness range is 0-100"
        ))),
        _ => Ok(()),
    }
}

/// What the kernel's first version would silently take for something else.
fn cpu_shares(shares: i64, offer: &Host) -> Result<(), Error> {
    match shares {
        ..=-1 => Err(Error::invalid("shares: invalid argument")),
        1 if !offer.cgroup_v2 => Err(Error::invalid("the minimum allowed cpu-shares is 2")),
        262_145.. if !offer.cgroup_v2 => {
            Err(Error::invalid("the maximum allowed cpu-shares is 262144"))
        }
        _ => Ok(()),
    }
}

fn cpu(wishes: &Resources, offer: &Host) -> Result<(), Error> {
    let refuse = |why: &str| Err(Error::invalid(why));
    cpu_shares(wishes.cpu_shares, offer)?;
    if wishes.nano_cpus != 0 && wishes.cpu_period > 0 {
        return refuse("Conflicting options: Nano CPUs and CPU Period cannot both be set");
    }
    if wishes.nano_cpus != 0 && wishes.cpu_quota > 0 {
        return refuse("Conflicting options: Nano CPUs and CPU Quota cannot both be set");
    }
    let most = i64::from(offer.cpus) * 1_000_000_000;
    if wishes.nano_cpus < 0 || wishes.nano_cpus > most {
        return Err(Error::invalid(format!(
            "Range of CPUs is from 0.01 to {0}.00, as there are only {0} CPUs available",
            offer.cpus
        )));
    }
    if wishes.cpu_period != 0 && !(1000..=1_000_000).contains(&wishes.cpu_period) {
        return refuse(
            "CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)",
        );
    }
    if wishes.cpu_quota > 0 && wishes.cpu_quota < 1000 {
        return refuse("CPU cfs quota can not be less than 1ms (i.e. 1000)");
    }
    let (period, runtime) = (wishes.cpu_realtime_period, wishes.cpu_realtime_runtime);
    if (period != 0 || runtime != 0) && !offer.cpu_realtime {
        return refuse("Your kernel does not support CPU real-time scheduler");
    }
    if period != 0 && runtime != 0 && runtime > period {
        return refuse("cpu real-time runtime cannot be higher than cpu real-time period");
    }
    if wishes.cpu_percent > 0 {
        return refuse("CPU percent is a Windows option");
    }
    Ok(())
}

fn cpuset(field: &str, what: &str, text: &str, available: &[u32]) -> Result<(), Error> {
    let ranges = parse_cpuset(text)
        .map_err(|why| Error::invalid(format!("Invalid value {text} for {field}: {why}")))?;
    let all_there = ranges.iter().all(|(from, to)| (*from..=*to).all(|n| available.contains(&n)));
    if all_there {
        return Ok(());
    }
    Err(Error::invalid(format!(
        "Requested {what} are not available - requested {text}, available: {}",
        ranges_text(available)
    )))
}

/// `0-3,5` as ranges; numbers are bounded before anything is made of them.
fn parse_cpuset(text: &str) -> Result<Vec<(u32, u32)>, String> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    text.split(',').map(|range| cpuset_range(range, text)).collect()
}

fn cpuset_range(range: &str, whole: &str) -> Result<(u32, u32), String> {
    let number = |text: &str| -> Result<u32, String> {
        let value: u64 = text.parse().map_err(|_| format!("invalid format: {whole}"))?;
        match u32::try_from(value) {
            Ok(value) if value <= CPUSET_MAX => Ok(value),
            _ => Err(format!("value of out range, maximum is {CPUSET_MAX}")),
        }
    };
    match range.split_once('-') {
        None => number(range).map(|one| (one, one)),
        Some((from, to)) => match (number(from)?, number(to)?) {
            (from, to) if from <= to => Ok((from, to)),
            _ => Err(format!("invalid format: {whole}")),
        },
    }
}

/// Reads a kernel list such as `/sys/devices/system/cpu/online`.
pub fn numbers(text: &str) -> Vec<u32> {
    let ranges = parse_cpuset(text.trim()).unwrap_or_default();
    ranges.into_iter().flat_map(|(from, to)| from..=to).collect()
}

fn ranges_text(numbers: &[u32]) -> String {
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match ranges.last_mut() {
            Some((_, to)) if *to + 1 == *number => *to = *number,
            _ => ranges.push((*number, *number)),
        }
    }
    let text = |(from, to): &(u32, u32)| {
        if from == to { from.to_string() } else { format!("{from}-{to}") }
    };
    ranges.iter().map(text).collect::<Vec<_>>().join(",")
}

fn range(what: &str, value: impl Into<i64> + Display, least: i64, most: i64) -> Result<(), Error> {
    let value = value.into();
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(Error::invalid(format!("Invalid value {value}, range for {what} is [{least}, {most}]")))
}

#[cfg(test)]
mod tests {
    use api::containers::HealthConfig;

    use super::*;

    fn offer() -> Host {
        Host {
            cpus: 2,
            available_cpus: vec![0, 1],
            available_nodes: vec![0],
            blkio_weight: false,
            cpu_realtime: true,
            cgroup_v2: false,
            cgroups: true,
            last_group: i32::MAX.cast_unsigned(),
            project_quotas: false,
        }
    }

    #[test]
    fn without_cgroups_limits_are_refused_by_name() {
        let offer = Host { cgroups: false, ..offer() };
        let unlimited = Resources { memory_swappiness: Some(-1), ..Resources::default() };
        assert!(validate_resources(&unlimited, &offer).unwrap().is_empty());
        let limited = Resources { pids_limit: Some(5), ..Resources::default() };
        let refusal = validate_resources(&limited, &offer).unwrap_err().to_string();
        assert!(refusal.starts_with("--pids-limit cannot be enforced: "), "{refusal}");
    }

    #[test]
    fn a_size_needs_quotas_and_a_number() {
        let said = |option: (&str, &str), project_quotas| {
            let options = [(option.0.to_owned(), option.1.to_owned())].into();
            let host = HostConfig { storage_opt: Some(options), ..HostConfig::default() };
            let offer = Host { project_quotas, ..offer() };
            let error = validate(&Config::default(), &host, &offer).err();
            (error.map(|error| error.to_string()).unwrap_or_default(), size_limit(&host))
        };
        let only =
            "--storage-opt is supported only for overlay over xfs with 'pquota' mount option";
        assert_eq!(said(("size", "x"), false).0, only);
        assert_eq!(said(("size", "x"), true).0, "invalid size: 'x'");
        assert_eq!(said(("nosuch", "1"), true).0, "Unknown option nosuch");
        assert_eq!(said(("size", "4m"), true), (String::new(), Some(4 << 20)));
    }

    fn said(resources: Resources) -> String {
        validate_resources(&resources, &offer()).map_or_else(|e| e.to_string(), |w| w.join("\n"))
    }

    const MB: i64 = 1 << 20;

    #[test]
    fn what_only_cgroup_v1_has_is_refused_or_warned_of_on_v2() {
        let v2 = Host { cpu_realtime: false, cgroup_v2: true, ..offer() };
        let on_v2 = |resources: Resources| validate_resources(&resources, &v2);
        for (cpu_realtime_period, cpu_realtime_runtime) in [(1000, 0), (0, 1000)] {
            let wishes =
                Resources { cpu_realtime_period, cpu_realtime_runtime, ..Resources::default() };
            assert_eq!(said(wishes.clone()), "");
            let refused = on_v2(wishes).unwrap_err().to_string();
            assert_eq!(refused, "Your kernel does not support CPU real-time scheduler");
        }
        for (value, warnings) in [(-1, 0), (0, 1), (10, 1)] {
            let wishes = Resources { memory_swappiness: Some(value), ..Resources::default() };
            assert_eq!(on_v2(wishes).unwrap().len(), warnings, "{value}");
        }
    }

    #[test]
    fn memory_is_refused_in_dockers_words() {
        let base = Resources::default;
        assert_eq!(said(Resources { memory: MB, ..base() }), "Minimum memory limit allowed is 6MB");
        assert_eq!(
            said(Resources { memory: 10 * MB, memory_swap: 5 * MB, ..base() }),
            "Minimum memoryswap limit should be larger than memory limit, see usage"
        );
        assert_eq!(
            said(Resources { memory_swap: 5 * MB, ..base() }),
            "You should always set the Memory limit when using Memoryswap limit, see usage"
        );
        assert_eq!(
            said(Resources { memory: 10 * MB, memory_reservation: 20 * MB, ..base() }),
            "Minimum memory limit can not be less than memory reservation limit, see usage"
        );
        assert_eq!(said(Resources { memory: 10 * MB, memory_swap: -1, ..base() }), "");
    }

    #[test]
    fn cpus_are_refused_in_dockers_words() {
        let base = Resources::default;
        let range = "Range of CPUs is from 0.01 to 2.00, as there are only 2 CPUs available";
        assert_eq!(said(Resources { nano_cpus: 100_000_000_000, ..base() }), range);
        assert_eq!(said(Resources { nano_cpus: -1, ..base() }), range);
        assert_eq!(
            said(Resources { cpu_quota: 10, ..base() }),
            "CPU cfs quota can not be less than 1ms (i.e. 1000)"
        );
        for (cpu_shares, expected) in [
            (-1, "shares: invalid argument"),
            (1, "the minimum allowed cpu-shares is 2"),
            (2, ""),
            (262_144, ""),
            (262_145, "the maximum allowed cpu-shares is 262144"),
        ] {
            assert_eq!(said(Resources { cpu_shares, ..base() }), expected);
        }
        assert_eq!(
            said(Resources { cpuset_cpus: "99".into(), ..base() }),
            "Requested CPUs are not available - requested 99, available: 0-1"
        );
        assert_eq!(
            said(Resources { cpuset_cpus: "x".into(), ..base() }),
            "Invalid value x for cpuset cpus: invalid format: x"
        );
    }

    #[test]
    fn cve_2018_20699_a_giant_cpuset_is_refused_before_it_is_counted() {
        assert_eq!(
            said(Resources { cpuset_cpus: "0-2147483647".into(), ..Resources::default() }),
            "Invalid value 0-2147483647 for cpuset cpus: value of out range, maximum is 8192"
        );
    }

    fn host_said(host: HostConfig) -> String {
        validate(&Config::default(), &host, &offer()).map_or_else(|e| e.to_string(), |_| "".into())
    }

    #[test]
    fn modes_are_refused_in_dockers_words() {
        let base = HostConfig::default;
        assert_eq!(
            host_said(HostConfig { ipc_mode: "foo".into(), ..base() }),
            "invalid IPC mode: foo"
        );
        assert_eq!(
            host_said(HostConfig { network_mode: "container:".into(), ..base() }),
            "Invalid network mode: invalid container format container:<name|id>"
        );
        assert_eq!(
            host_said(HostConfig { isolation: "hyperv".into(), ..base() }),
            "Invalid isolation: \"hyperv\" - linux only supports 'default'"
        );
        assert_eq!(
            host_said(HostConfig { oom_score_adj: 2000, ..base() }),
            "Invalid value 2000, range for oom score adj is [-1000, 1000]"
        );
    }

    #[test]
    fn what_belongs_to_the_other_container_is_refused() {
        let base = || HostConfig { network_mode: "container:a".into(), ..HostConfig::default() };
        assert_eq!(host_said(base()), "");
        let dns = Some(vec!["1.2.3.4".into()]);
        assert_eq!(
            host_said(HostConfig { dns, ..base() }),
            "conflicting options: dns and the network mode"
        );
        let extra_hosts = Some(vec!["a:1.2.3.4".into()]);
        assert_eq!(
            host_said(HostConfig { extra_hosts, ..base() }),
            "conflicting options: custom host-to-IP mapping and the network mode"
        );
        let exposed_ports = Some([("80/tcp".to_owned(), Default::default())].into());
        let config = Config { exposed_ports, ..Config::default() };
        assert_eq!(
            validate(&config, &base(), &offer()).unwrap_err().to_string(),
            "conflicting options: port exposing and the container type network mode"
        );
    }

    #[test]
    fn health_checks_are_possible_ones() {
        let said = |check: HealthConfig| {
            let config = Config { healthcheck: Some(check), ..Config::default() };
            let said = validate(&config, &HostConfig::default(), &offer());
            said.err().map(|error| error.to_string()).unwrap_or_default()
        };
        let test = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let check = |words| HealthConfig { test: test(words), ..HealthConfig::default() };
        assert_eq!(said(check(&["CMD", "true"])), "");
        assert_eq!(said(check(&["CMD"])), "Healthcheck CMD needs a command");
        assert_eq!(
            said(HealthConfig { timeout: 5, ..check(&["CMD", "true"]) }),
            "Timeout in Healthcheck cannot be less than 1ms"
        );
    }

    #[test]
    fn an_action_on_failed_checks_needs_checks() {
        let host = HostConfig { health_on_failure: "kill".into(), ..HostConfig::default() };
        let test = vec!["CMD-SHELL".to_owned(), "true".to_owned()];
        let healthcheck = Some(HealthConfig { test, ..HealthConfig::default() });
        let config = Config { healthcheck, ..Config::default() };
        assert!(health_on_failure(&config, &host).is_ok());
        assert!(health_on_failure(&Config::default(), &host).is_err());
        let rm = HostConfig { auto_remove: true, health_on_failure: "restart".into(), ..host };
        assert!(host_said(rm).contains("AutoRemove"));
    }

    #[test]
    fn a_cgroup_parent_does_not_climb() {
        for parent in ["a/../b", "../x", "/..", "a\0b"] {
            let resources = Resources { cgroup_parent: parent.into(), ..Resources::default() };
            let said = host_said(HostConfig { resources, ..HostConfig::default() });
            assert!(said.starts_with("invalid cgroup parent"), "{parent}: {said}");
        }
    }

    #[test]
    fn a_relative_working_directory_is_refused() {
        let config = Config { working_dir: "rel".into(), ..Config::default() };
        let error = validate(&config, &HostConfig::default(), &offer()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the working directory 'rel' is invalid, it needs to be an absolute path"
        );
    }

    #[test]
    fn kernel_lists() {
        assert_eq!(numbers("0-2,5\n"), [0, 1, 2, 5]);
        assert_eq!(ranges_text(&[0, 1, 2, 5]), "0-2,5");
    }
}
