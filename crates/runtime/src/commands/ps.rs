//! `ps`: the processes of a container.

use std::process::Command as Program;

use super::{Command, Global};
use crate::error::{Context, Error, Result};
use crate::flags::{Args, Order, value};

pub(super) const COMMAND: Command = Command {
    name: "ps",
    usage: "[options] CONTAINER [PS OPTIONS]",
    help: "display the processes running inside a container",
    flags: &[value("format", "FORMAT", "table or json (default: table)").short('f')],
    order: Order::FlagsBefore(1),
    arguments: (1, usize::MAX),
    run,
};

fn run(global: &Global, args: &Args) -> Result<u8> {
    let cgroup = global.container(args)?.cgroup()?;
    let pids = cgroup.pids()?;
    match args.get("format") {
        Some("json") => println!("{}", serde_json::json!(pids)),
        None | Some("table") => print!("{}", table(&pids, &args.positional[1..])?),
        Some(other) => return Err(Error::invalid(format!("invalid format option {other:?}"))),
    }
    Ok(0)
}

/// What the host's ps says about these processes.
fn table(pids: &[i32], options: &[String]) -> Result<String> {
    let mut ps = Program::new("ps");
    if options.is_empty() {
        ps.arg("-ef")
    } else {
        ps.args(options)
    };
    let output = ps.output().context(|| "run ps")?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(Error::other(format!("ps: {}", words.trim_end())));
    }
    filter(&String::from_utf8_lossy(&output.stdout), pids)
}

fn filter(table: &str, pids: &[i32]) -> Result<String> {
    let mut lines = table.lines();
    let head = lines.next().unwrap_or_default();
    let column = head
        .split_whitespace()
        .position(|name| name == "PID")
        .ok_or_else(|| Error::invalid("couldn't find PID field in ps output"))?;
    let wanted = |line: &&str| {
        let field = line.split_whitespace().nth(column);
        field.and_then(|field| field.parse().ok()).is_some_and(|pid| pids.contains(&pid))
    };
    let kept: Vec<&str> = std::iter::once(head).chain(lines.filter(wanted)).collect();
    Ok(kept.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_container_s_lines_are_kept() {
        let table = "UID PID CMD\nroot 1 init\nroot 12 sleep\nroot 2 x 12\n";
        assert_eq!(filter(table, &[12]).unwrap(), "UID PID CMD\nroot 12 sleep\n");
        assert!(filter("A B\n", &[1]).is_err());
    }
}
