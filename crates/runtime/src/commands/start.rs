//! `start`: lets a created container run its program.

use super::{Command, Global, make};
use crate::error::{Error, Result};
use crate::flags::{Args, Order};
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
    make::run_poststart_hooks(&container)?;
    Ok(0)
}

/// Says start to the container's process, and hears whether its program runs.
fn let_go(container: &Container) -> Result<()> {
    let gone = || Error::other("cannot start a container that has stopped");
    let channel = Channel::new(container.directory.connect()?.ok_or_else(gone)?);
    // Nobody else must find a container that seems to wait.
    container.directory.forget_socket()?;
    channel.send(&Message::Start)?;
    match channel.receive()? {
        Message::End => Ok(()),
        Message::Failed(error) => Err(error.within("unable to start container process")),
        _ => Err(Error::other("unexpected answer from the container's process")),
    }
}
