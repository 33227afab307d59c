//! `pause`: freezes every process of a container.

use oci::runtime::Status;

use super::{Command, Global};
use crate::error::{Error, Result};
use crate::flags::{Args, Order};

pub(super) const COMMAND: Command = Command {
    name: "pause",
    usage: "CONTAINER",
    help: "suspend all processes inside the container",
    flags: &[],
    order: Order::Interspersed,
    arguments: (1, 1),
    run,
};

fn run(global: &Global, args: &Args) -> Result<u8> {
    let container = global.container(args)?;
    if !matches!(container.status()?, Status::Running | Status::Created) {
        return Err(Error::other("container not running or created: not running"));
    }
    container.cgroup()?.freeze()?;
    Ok(0)
}
