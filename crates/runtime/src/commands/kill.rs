//! `kill`: sends a signal to a container.

use super::{Command, Global};
use crate::error::{Context, Error, Result};
use crate::flags::{Args, Order, switch};
use crate::state::Container;
use oci::runtime::Status;

pub(super) const COMMAND: Command = Command {
    name: "kill",
    usage: "[options] CONTAINER [SIGNAL]",
    help: "send the specified signal (default: SIGTERM) to the container's init process",
    flags: &[switch("all", "send the signal to all processes of the container").short('a')],
    order: Order::Interspersed,
    arguments: (1, 2),
    run,
};

fn run(global: &Global, args: &Args) -> Result<u8> {
    let container = global.container(args)?;
    let word = args.positional.get(1).map_or("TERM", String::as_str);
    let signal = sys::signal::parse(word)
        .ok_or_else(|| Error::invalid(format!("unknown signal {word:?}")))?;
    if args.has("all") {
        signal_all(&container, signal)?
    } else {
        signal_init(&container, signal)?
    }
    Ok(0)
}

fn signal_init(container: &Container, signal: i32) -> Result<()> {
    container.signal(signal)?;
    // A frozen process dies of it only once it is thawed (cgroup v1).
    if signal == libc::SIGKILL && container.status()? == Status::Paused {
        container.cgroup()?.thaw()?;
    }
    Ok(())
}

fn signal_all(container: &Container, signal: i32) -> Result<()> {
    let cgroup = container.cgroup()?;
    if signal == libc::SIGKILL {
        return Ok(cgroup.kill()?);
    }
    for pid in cgroup.pids()? {
        let Some(pid) = rustix::process::Pid::from_raw(pid) else { continue };
        let pidfd = match rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::empty()) {
            Err(rustix::io::Errno::SRCH) => continue,
            result => result.context(|| "pidfd_open")?,
        };
        match sys::signal::send(std::os::fd::AsFd::as_fd(&pidfd), signal) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
            result => result.context(|| format!("signal process {pid}"))?,
        }
    }
    Ok(())
}
