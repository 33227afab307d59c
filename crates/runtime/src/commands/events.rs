//! `events`: what a container uses, once or again and again.

use serde_json::{Value, json};

use super::{Command, Global};
use crate::cgroup::{BlkioEntry, Stats};
use crate::error::{Error, Result};
use crate::flags::{Args, Order, switch, value};
use crate::state::Container;
use oci::runtime::Status;

pub(super) const COMMAND: Command = Command {
    name: "events",
    usage: "[options] CONTAINER",
    help: "display container events such as resource usage",
    flags: &[
        value("interval", "DURATION", "interval between two looks, in seconds (default: 5s)"),
        switch("stats", "display the container's stats then exit"),
    ],
    order: Order::Interspersed,
    arguments: (1, 1),
    run,
};

fn run(global: &Global, args: &Args) -> Result<u8> {
    let container = global.container(args)?;
    if container.status()? == Status::Stopped {
        return Err(Error::other(format!(
            "container with id {} is not running",
            container.record.id
        )));
    }
    if args.has("stats") {
        print(&container)?;
        return Ok(0);
    }
    let interval = interval(args.get("interval").unwrap_or("5s"))?;
    while container.status()? != Status::Stopped {
        print(&container)?;
        std::thread::sleep(interval);
    }
    Ok(0)
}

fn interval(text: &str) -> Result<std::time::Duration> {
    let number = text.strip_suffix('s').unwrap_or(text).parse::<u64>();
    match number {
        Ok(seconds @ 1..) => Ok(std::time::Duration::from_secs(seconds)),
        _ => Err(Error::invalid("duration interval must be greater than 0")),
    }
}

fn print(container: &Container) -> Result<()> {
    let stats = container.cgroup()?.stats()?;
    println!("{}", json!({"type": "stats", "id": container.record.id, "data": data(&stats)}));
    Ok(())
}

/// runc's names.
fn data(stats: &Stats) -> Value {
    let (cpu, memory) = (&stats.cpu, &stats.memory);
    let hugetlb: serde_json::Map<_, _> = stats
        .hugetlb
        .iter()
        .map(|(size, h)| {
            (size.clone(), json!({"usage": h.usage, "max": h.max, "failcnt": h.failures}))
        })
        .collect();
    json!({
        "cpu": {
            "usage": {
                "total": cpu.total,
                "percpu": cpu.per_cpu,
                "kernel": cpu.kernel,
                "user": cpu.user,
            },
            "throttling": {
                "periods": cpu.periods,
                "throttledPeriods": cpu.throttled_periods,
                "throttledTime": cpu.throttled_time,
            },
        },
        "memory": {
            "usage": {
                "limit": memory.limit,
                "usage": memory.usage,
                "max": memory.max_usage,
                "failcnt": memory.failures,
            },
            "swap": {"usage": memory.swap_usage},
            "raw": memory.stat,
        },
        "pids": {"current": stats.pids.current, "limit": stats.pids.limit},
        "blkio": {
            "ioServiceBytesRecursive": entries(&stats.blkio.service_bytes),
            "ioServicedRecursive": entries(&stats.blkio.serviced),
            "ioQueueRecursive": entries(&stats.blkio.queued),
            "ioServiceTimeRecursive": entries(&stats.blkio.service_time),
            "ioWaitTimeRecursive": entries(&stats.blkio.wait_time),
            "ioMergedRecursive": entries(&stats.blkio.merged),
            "ioTimeRecursive": entries(&stats.blkio.time),
            "sectorsRecursive": entries(&stats.blkio.sectors),
        },
        "hugetlb": hugetlb,
    })
}

fn entries(entries: &[BlkioEntry]) -> Value {
    let one =
        |e: &BlkioEntry| json!({"major": e.major, "minor": e.minor, "op": e.op, "value": e.value});
    entries.iter().map(one).collect()
}
