//! `start`: lets a created container run its program.

use std::os::fd::AsFd;

use super::{Command, Global, delete, make};
use crate::error::{Error, Result};
use crate::flags::{Args, Order};
use crate::seccomp::{Asking, Filter};
use crate::state::Container;
use crate::sync::{Channel, Message};
use oci::runtime::Status;

pub(super) const COMMAND: Command = Command {
    name: "start",
    usage: "CONTAINER",
    help: "execute the user defined process in a created container",
    flags: &[],
    order: Order::Interspersed,
    arguments: (1, 1),
    run,
};

fn run(global: &Global, args: &Args) -> Result<u8> {
    let container = global.container(args)?;
    match container.status()? {
        Status::Created => {}
        Status::Stopped => return Err(Error::other("cannot start a container that has stopped")),
        Status::Running => return Err(Error::other("cannot start an already running container")),
        other => {
            let words = format!("cannot start a container in the {} state", other.as_str());
            return Err(Error::other(words));
        }
    }
    let_go(&container)?;
    if let Err(error) = make::run_poststart_hooks(&container) {
        let _ = delete::kill(&container);
        return Err(error);
    }
    Ok(0)
}

/// Says start to the container's process, and hears whether its program runs.
fn let_go(container: &Container) -> Result<()> {
    let gone = || Error::other("cannot start a container that has stopped");
    let channel = Channel::new(container.directory.connect()?.ok_or_else(gone)?);
    // Nobody else must find a container that seems to wait.
    container.directory.forget_socket()?;
    let within = |error: Error| error.within("unable to start container process");
    channel.send(&Message::Start)?;
    loop {
        match channel.receive()? {
            Message::End => return Ok(()),
            Message::Failed(error) => return Err(within(error)),
            // Without the word to go on, the process ends.
            Message::Listener(number) => hand_over(container, number).map_err(within)?,
            _ => return Err(Error::other("unexpected answer from the container's process")),
        }
        channel.send(&Message::Go)?;
    }
}

/// Sends the process's seccomp listener to the agent that its rules name.
fn hand_over(container: &Container, listener: i32) -> Result<()> {
    let linux = container.record.spec.linux.as_ref();
    let rules = linux.and_then(|linux| linux.seccomp.as_ref());
    let rules = rules.ok_or_else(|| Error::other("no filter asks anybody"))?;
    let (pid, status) = (container.record.pid, Status::Created);
    let pidfd = container.pidfd()?.ok_or_else(|| Error::other("container init died"))?;
    let asking = Asking { pid, pidfd: pidfd.as_fd(), listener, init: pid, status };
    Filter::new(rules, || container.state_as(status))?.hand_over(&asking)
}
