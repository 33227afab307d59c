//! `delete`: forgets a container that has stopped.

use std::os::fd::AsFd;

use oci::runtime::Status;
use rustix::event::{PollFd, PollFlags, Timespec};

use super::{Command, Global};
use crate::error::{Context, Error, ErrorKind, Result};
use crate::flags::{Args, Order, switch};
use crate::state::Container;

pub(super) const COMMAND: Command = Command {
    name: "delete",
    usage: "[options] CONTAINER",
    help: "delete any resources held by the container",
    flags: &[switch("force", "kill the container first, if it is still running").short('f')],
    order: Order::Interspersed,
    arguments: (1, 1),
    run,
};

/// How long a killed process may take to end.
const PATIENCE: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

fn run(global: &Global, args: &Args) -> Result<u8> {
    let container = match global.container(args) {
        Err(error) if error.kind == ErrorKind::NotFound && args.has("force") => return Ok(0),
        result => result?,
    };
    match container.status()? {
        Status::Stopped => delete(&container)?,
        Status::Created => kill_and_delete(&container)?,
        _ if args.has("force") => kill_and_delete(&container)?,
        status => {
            return Err(Error::other(format!(
                "cannot delete container {} that is not stopped: {}",
                container.record.id,
                status.as_str()
            )));
        }
    }
    Ok(0)
}

/// Kills every process of the container, waits for their end, and deletes it.
pub(super) fn kill_and_delete(container: &Container) -> Result<()> {
    kill(container)?;
    delete(container)
}

/// Kills every process of the container, and waits for the end of the first.
pub(super) fn kill(container: &Container) -> Result<()> {
    let pidfd = container.pidfd()?;
    if let Some(pidfd) = &pidfd {
        // It may end by itself meanwhile.
        let _ = sys::signal::send(pidfd.as_fd(), libc::SIGKILL);
    }
    let cgroup = container.cgroup()?;
    if cgroup.exists() {
        cgroup.kill()?;
    }
    if let Some(pidfd) = pidfd {
        let mut fds = [PollFd::from_borrowed_fd(pidfd.as_fd(), PollFlags::IN)];
        rustix::event::poll(&mut fds, Some(&PATIENCE))
            .context(|| "wait for the container's end")?;
    }
    Ok(())
}

/// Removes the cgroup and the record, and runs the hooks that follow; all of it, whatever fails on the way.
pub(super) fn delete(container: &Container) -> Result<()> {
    let cgroup = container.cgroup().and_then(|cgroup| Ok(cgroup.delete()?));
    let followers = container.record.followers();
    let hooks = followers.map_or(Ok(()), |followers| followers.stopped());
    container.directory.remove()?;
    cgroup.and(hooks)
}
