//! Scopes made by systemd, which owns the cgroup tree where it runs.
//!
//! A scope is made around a process (`StartTransientUnit`), its tree is delegated, and the limits that
//! systemd knows are given to it as well: it would otherwise take them away at its next reload.

use std::io;
use std::path::Path;

use dbus::{Body, Connection, Method, Value};
use oci::runtime::Resources;

use super::path::Unit;
use super::{Error, Layout, Result, convert, devices, layout};

/// Reaches systemd itself, without the bus; root's alone.
const PRIVATE_SOCKET: &str = "/run/systemd/private";
const DEFAULT_PERIOD: u64 = 100_000;
const MICROSECONDS_PER_SECOND: u64 = 1_000_000;

/// What sd_booted(3) looks at.
pub(super) fn is_running() -> bool {
    Path::new("/run/systemd/system").is_dir()
}

pub(super) fn require() -> Result<()> {
    if is_running() {
        return Ok(());
    }
    Err(Error::Systemd(String::from(
        "it does not run on this host; use the cgroupfs driver instead",
    )))
}

/// Moves `pid` into a new scope and returns once that exists.
pub(super) fn start_scope(unit: &Unit, pid: i32, resources: &Resources) -> Result<()> {
    let mut limits = limits(resources, layout());
    // On v2 the devices are guarded by a program that systemd leaves alone.
    if layout() != Layout::V2 {
        let known = std::fs::read_to_string("/proc/devices").unwrap_or_default();
        limits.extend(device_policy(devices::for_systemd(resources, &known)?));
    }
    let result = try_start(unit, pid, limits).map_err(|error| failed("start", unit, &error))?;
    if result == "done" {
        return Ok(());
    }
    Err(Error::Systemd(format!("start {}: {result}", unit.name)))
}

fn device_policy(allowed: Option<Vec<(String, String)>>) -> [(&'static str, Value); 2] {
    let policy = if allowed.is_none() { "auto" } else { "strict" };
    [
        ("DevicePolicy", Value::Text(policy.into())),
        ("DeviceAllow", Value::Pairs(allowed.unwrap_or_default())),
    ]
}

fn try_start(unit: &Unit, pid: i32, limits: Vec<(&'static str, Value)>) -> io::Result<String> {
    let mut systemd = connect()?;
    systemd.call(&manager("Subscribe", ""), Body::default())?;
    let mut properties = vec![
        ("Description", Value::Text(format!("container {}", unit.name))),
        ("Slice", Value::Text(unit.slice.clone())),
        ("PIDs", Value::Pids(vec![pid.cast_unsigned()])),
        ("Delegate", Value::Flag(true)),
        ("DefaultDependencies", Value::Flag(false)),
        ("CollectMode", Value::Text(String::from("inactive-or-failed"))),
        ("MemoryAccounting", Value::Flag(true)),
        ("CPUAccounting", Value::Flag(true)),
        ("IOAccounting", Value::Flag(true)),
        ("TasksAccounting", Value::Flag(true)),
    ];
    properties.extend(limits);
    let mut body = Body::default();
    body.text(&unit.name);
    body.text("replace");
    body.properties(&properties);
    body.empty_structures();
    let reply = systemd.call(&manager("StartTransientUnit", "ssa(sv)a(sa(sv))"), body)?;
    let job = reply.body().text().unwrap_or_default().to_owned();
    systemd.wait(|message| {
        let mut body = message.is_signal("JobRemoved").then(|| message.body())?;
        body.u32()?;
        let (removed, _unit, result) = (body.text()?, body.text()?, body.text()?);
        (removed == job).then(|| result.to_owned())
    })
}

pub(super) fn update_scope(unit: &Unit, resources: &Resources) -> Result<()> {
    let properties = limits(resources, layout());
    if properties.is_empty() {
        return Ok(());
    }
    let mut body = Body::default();
    body.text(&unit.name);
    // Until the next boot.
    body.flag(true);
    body.properties(&properties);
    connect()
        .and_then(|mut systemd| systemd.call(&manager("SetUnitProperties", "sba(sv)"), body))
        .map(drop)
        .map_err(|error| failed("update", unit, &error))
}

pub(super) fn stop_scope(unit: &Unit) -> Result<()> {
    let mut body = Body::default();
    body.text(&unit.name);
    body.text("replace");
    connect()
        .and_then(|mut systemd| systemd.call(&manager("StopUnit", "ss"), body))
        .map(drop)
        .map_err(|error| failed("stop", unit, &error))
}

/// Under the names that systemd has for them.
fn limits(resources: &Resources, layout: Layout) -> Vec<(&'static str, Value)> {
    let v2 = layout == Layout::V2;
    let mut limits = Vec::new();
    let number = |value: i64| Value::Number(u64::try_from(value).unwrap_or(u64::MAX));
    if let Some(memory) = &resources.memory {
        let name = if v2 { "MemoryMax" } else { "MemoryLimit" };
        limits.extend(memory.limit.filter(|limit| *limit != 0).map(|limit| (name, number(limit))));
        // An impossible combination is reported when the files are written.
        let swap = if v2 { convert::swap_max(memory).ok().flatten() } else { None };
        limits.extend(swap.map(|swap| ("MemorySwapMax", number(swap))));
    }
    if let Some(cpu) = &resources.cpu {
        let shares = cpu.shares.unwrap_or(0);
        let weight = if v2 { convert::cpu_weight(shares) } else { (shares != 0).then_some(shares) };
        let name = if v2 { "CPUWeight" } else { "CPUShares" };
        limits.extend(weight.map(|weight| (name, Value::Number(weight))));
        let period = cpu.period.filter(|period| *period != 0);
        limits.extend(period.map(|period| ("CPUQuotaPeriodUSec", Value::Number(period))));
        let quota = cpu.quota.filter(|quota| *quota != 0);
        limits.extend(quota.map(|quota| ("CPUQuotaPerSecUSec", per_second(quota, period))));
    }
    let pids = resources.pids.as_ref().and_then(|pids| pids.limit);
    limits.extend(pids.map(|limit| ("TasksMax", number(if limit > 0 { limit } else { -1 }))));
    limits
}

/// systemd keeps the quota as microseconds in a second, in steps of 10 ms: rounded up, since rounding
/// down could mean none at all.
fn per_second(quota: i64, period: Option<u64>) -> Value {
    const STEP: u64 = 10_000;
    let Ok(quota) = u64::try_from(quota) else { return Value::Number(u64::MAX) };
    let per_second =
        quota.saturating_mul(MICROSECONDS_PER_SECOND) / period.unwrap_or(DEFAULT_PERIOD);
    Value::Number(per_second.div_ceil(STEP).saturating_mul(STEP))
}

fn connect() -> io::Result<Connection> {
    if let Ok(connection) = Connection::open(Path::new(PRIVATE_SOCKET)) {
        return Ok(connection);
    }
    let mut connection = Connection::open_bus(&dbus::system_socket())?;
    connection
        .listen("type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'")?;
    Ok(connection)
}

fn manager<'a>(name: &'a str, signature: &'a str) -> Method<'a> {
    Method {
        destination: "org.freedesktop.systemd1",
        path: "/org/freedesktop/systemd1",
        interface: "org.freedesktop.systemd1.Manager",
        name,
        signature,
    }
}

fn failed(action: &str, unit: &Unit, error: &io::Error) -> Error {
    Error::Systemd(format!("{action} {}: {error}", unit.name))
}

#[cfg(test)]
mod tests {
    use oci::runtime::{Cpu, Memory, Pids};

    use super::*;

    #[test]
    fn limits_have_systemd_s_names_and_units() {
        let resources = Resources {
            memory: Some(Memory { limit: Some(100), swap: Some(300), ..Memory::default() }),
            cpu: Some(Cpu { shares: Some(1024), quota: Some(12_345), ..Cpu::default() }),
            pids: Some(Pids { limit: Some(0) }),
            ..Resources::default()
        };
        let number = Value::Number;
        assert_eq!(
            limits(&resources, Layout::V2),
            [
                ("MemoryMax", number(100)),
                ("MemorySwapMax", number(200)),
                ("CPUWeight", number(39)),
                ("CPUQuotaPerSecUSec", number(130_000)),
                ("TasksMax", number(u64::MAX)),
            ]
        );
        let v1 = limits(&resources, Layout::Hybrid);
        assert_eq!(v1[..2], [("MemoryLimit", number(100)), ("CPUShares", number(1024))]);
    }

    #[test]
    fn without_systemd_the_error_says_what_to_do() {
        if is_running() {
            return testkit::skip("no systemd", "it runs here");
        }
        let error = require().unwrap_err().to_string();
        assert!(error.contains("cgroupfs driver"), "{error}");
    }
}
