//! `update`: changes a container's limits.

use std::io::Read;

use oci::runtime::{BlockIo, Cpu, Memory, Pids, Resources};

use super::{Command, Global};
use crate::error::{Context, Error, Result};
use crate::flags::{Args, Flag, Order, value};

const FLAGS: [Flag; 14] = [
    value("resources", "FILE", "file with the resources as JSON, or - for stdin").short('r'),
    value("blkio-weight", "N", "block IO weight, between 10 and 1000"),
    value("cpu-period", "N", "CPU CFS period in microseconds"),
    value("cpu-quota", "N", "CPU CFS quota in microseconds"),
    value("cpu-burst", "N", "CPU CFS burst in microseconds"),
    value("cpu-share", "N", "CPU shares (relative weight)"),
    value("cpu-rt-period", "N", "CPU realtime period in microseconds"),
    value("cpu-rt-runtime", "N", "CPU realtime runtime in microseconds"),
    value("cpuset-cpus", "LIST", "CPUs to use"),
    value("cpuset-mems", "LIST", "memory nodes to use"),
    value("memory", "BYTES", "memory limit"),
    value("memory-reservation", "BYTES", "memory reservation or soft limit"),
    value("memory-swap", "BYTES", "memory and swap together; -1 is unlimited"),
    value("pids-limit", "N", "maximum number of processes; 0 or less is unlimited"),
];

pub(super) const COMMAND: Command = Command {
    name: "update",
    usage: "[options] CONTAINER",
    help: "update container resource constraints",
    flags: &FLAGS,
    order: Order::Interspersed,
    arguments: (1, 1),
    run,
};

fn run(global: &Global, args: &Args) -> Result<u8> {
    let mut container = global.container(args)?;
    let resources = match args.get("resources") {
        Some(path) => read(path)?,
        None => from_flags(args)?,
    };
    container.cgroup()?.update(&resources)?;
    let linux = container.record.spec.linux.get_or_insert_default();
    merge(linux.resources.get_or_insert_default(), resources);
    container.directory.write(&container.record)?;
    Ok(0)
}

fn read(path: &str) -> Result<Resources> {
    let mut text = String::new();
    let mut input: Box<dyn Read> = match path {
        "-" => Box::new(std::io::stdin()),
        _ => Box::new(std::fs::File::open(path).context(|| format!("open {path}"))?),
    };
    input.read_to_string(&mut text).context(|| format!("read {path}"))?;
    serde_json::from_str(&text).map_err(|error| Error::invalid(format!("parse {path}: {error}")))
}

fn from_flags(args: &Args) -> Result<Resources> {
    let cpu = Cpu {
        period: args.number("cpu-period")?,
        quota: args.number("cpu-quota")?,
        burst: args.number("cpu-burst")?,
        shares: args.number("cpu-share")?,
        realtime_period: args.number("cpu-rt-period")?,
        realtime_runtime: args.number("cpu-rt-runtime")?,
        cpus: args.get("cpuset-cpus").unwrap_or_default().to_owned(),
        mems: args.get("cpuset-mems").unwrap_or_default().to_owned(),
        ..Cpu::default()
    };
    let memory = Memory {
        limit: bytes(args, "memory")?,
        reservation: bytes(args, "memory-reservation")?,
        swap: bytes(args, "memory-swap")?,
        ..Memory::default()
    };
    let pids = Pids { limit: args.number("pids-limit")? };
    let block_io = BlockIo { weight: args.number("blkio-weight")?, ..BlockIo::default() };
    Ok(Resources {
        cpu: (cpu != Cpu::default()).then_some(cpu),
        memory: (memory != Memory::default()).then_some(memory),
        pids: pids.limit.is_some().then_some(pids),
        block_io: block_io.weight.is_some().then_some(block_io),
        ..Resources::default()
    })
}

/// A number of bytes, with a unit's letter if one is given.
fn bytes(args: &Args, name: &str) -> Result<Option<i64>> {
    args.get(name)
        .map(|text| {
            parse_bytes(text)
                .ok_or_else(|| Error::invalid(format!("invalid value for {name}: {text:?}")))
        })
        .transpose()
}

fn parse_bytes(text: &str) -> Option<i64> {
    let lower = text.to_ascii_lowercase();
    let plain = lower.strip_suffix('b').unwrap_or(&lower);
    let (number, shift) = match plain.chars().last()? {
        'k' => (&plain[..plain.len() - 1], 10),
        'm' => (&plain[..plain.len() - 1], 20),
        'g' => (&plain[..plain.len() - 1], 30),
        't' => (&plain[..plain.len() - 1], 40),
        _ => (plain, 0),
    };
    number.parse::<i64>().ok()?.checked_mul(1 << shift)
}

/// What was asked for replaces what was; the rest stays as it is in the record.
fn merge(old: &mut Resources, new: Resources) {
    old.cpu = new.cpu.or(old.cpu.take());
    old.memory = new.memory.or(old.memory.take());
    old.pids = new.pids.or(old.pids.take());
    old.block_io = new.block_io.or(old.block_io.take());
    old.unified.extend(new.unified);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_units() {
        for (text, size) in
            [("1024", 1024), ("4k", 4096), ("2MB", 2 << 20), ("-1", -1), ("1g", 1 << 30)]
        {
            assert_eq!(parse_bytes(text), Some(size), "{text}");
        }
        for text in ["", "k", "1x", "99999999999t"] {
            assert_eq!(parse_bytes(text), None, "{text}");
        }
    }
}
