//! `resume`: lets a paused container go on.

use oci::runtime::Status;

use super::{Command, Global};
use crate::error::{Error, Result};
use crate::flags::{Args, Order};

pub(super) const COMMAND: Command = Command {
    name: "resume",
    usage: "CONTAINER",
    help: "resume all processes that have been previously paused",
    flags: &[],
    order: Order::Interspersed,
    arguments: (1, 1),
    run,
};

fn run(global: &Global, args: &Args) -> Result<u8> {
    let container = global.container(args)?;
    if container.status()? != Status::Paused {
        return Err(Error::other("container not paused"));
    }
    container.cgroup()?.thaw()?;
    Ok(0)
}
