//! `run`: create and start, and unless detached wait and clean up.

use std::os::fd::AsFd;

use super::make::{self, StartedBy};
use super::{Command, Global, delete, foreground};
use crate::error::{Context, Result};
use crate::flags::{Args, Flag, Order, switch};

const FLAGS: [Flag; 9] = [
    make::FLAGS[0],
    make::FLAGS[1],
    make::FLAGS[2],
    make::FLAGS[3],
    make::FLAGS[4],
    make::FLAGS[5],
    switch("detach", "detach from the container's process").short('d'),
    switch("keep", "do not delete the container after it exits"),
    switch("no-subreaper", "disable the use of the subreaper"),
];

pub(super) const COMMAND: Command = Command {
    name: "run",
    usage: "[options] CONTAINER",
    help: "create and run a container",
    flags: &FLAGS,
    order: Order::Interspersed,
    arguments: (1, 1),
    run,
};

fn run(global: &Global, args: &Args) -> Result<u8> {
    sys::protect::ensure_protected().context(|| "protect the runtime from the container")?;
    let named = "gantry-runtime run failed: unable to start container process";
    let made = make::make(global, args, StartedBy::Us).map_err(|error| error.within(named))?;
    let container = made.container;
    let init = match made.created.start() {
        Ok(init) => init,
        Err(error) => {
            // What it says is less worth than why the container did not start.
            let _ = delete::delete(&container);
            return Err(error.within(named));
        }
    };
    if let Err(error) = make::run_poststart_hooks(&container) {
        let _ = delete::kill_and_delete(&container);
        return Err(error);
    }
    if args.has("detach") {
        return Ok(0);
    }
    let terminal = init.pty_master.filter(|_| args.get("console-socket").is_none());
    let status = foreground::attend(init.pidfd.as_fd(), terminal)?;
    if !args.has("keep") {
        delete::kill_and_delete(&container)?;
    }
    Ok(status)
}
