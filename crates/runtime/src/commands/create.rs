//! `create`: everything up to the program, which waits for `start`.

use super::{Command, Global, make};
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
    make::create(global, args).map(|()| 0).map_err(|error| {
        error.within("gantry-runtime create failed: unable to start container process")
    })
}
