//! `create`: everything up to the program, which waits for `start`.

use super::make::{self, StartedBy};
use super::{Command, Global};
use crate::error::{Context, Result};
use crate::flags::{Args, Order};

pub(super) const COMMAND: Command = Command {
    name: "create",
    usage: "[options] CONTAINER",
    help: "create a container",
    flags: &make::FLAGS,
    order: Order::Interspersed,
    arguments: (1, 1),
    run,
};

fn run(global: &Global, args: &Args) -> Result<u8> {
    sys::protect::ensure_protected().context(|| "protect the runtime from the container")?;
    let made = make::make(global, args, StartedBy::Another).map_err(|error| {
        error.within("gantry-runtime create failed: unable to start container process")
    })?;
    made.created.leave();
    Ok(0)
}
