//! `run`: create and start, and unless detached wait and clean up.

use std::os::fd::AsFd;
use std::path::Path;

use oci::runtime::NamespaceKind;

use super::{Command, Global, delete, foreground, make};
use crate::error::{Context, Result};
use crate::flags::{Args, Flag, Order, switch};
use crate::state::Container;

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
    let (init, container) = make::run(global, args).map_err(|error| {
        error.within("gantry-runtime run failed: unable to start container process")
    })?;
    // While the program starts, there is time for it.
    drop(global.own_mount.take());
    if let Err(error) = make::run_poststart_hooks(&container) {
        let _ = delete::kill_and_delete(&container);
        return Err(error);
    }
    if let (Some(master), Some(socket)) = (&init.pty_master, args.get("console-socket")) {
        make::send_console(Path::new(socket), master)?;
    }
    if args.has("detach") {
        return Ok(0);
    }
    let terminal = init.pty_master.filter(|_| args.get("console-socket").is_none());
    let status = foreground::attend(init.pidfd.as_fd(), terminal)?;
    if !args.has("keep") {
        clean_up(&container)?;
    }
    Ok(status)
}

/// Nobody outlives the first process of a pid namespace; in one that is shared, others may.
fn clean_up(container: &Container) -> Result<()> {
    let linux = container.record.spec.linux.as_ref();
    if linux.is_some_and(|linux| linux.has_new(NamespaceKind::Pid)) {
        delete::delete(container)
    } else {
        delete::kill_and_delete(container)
    }
}
