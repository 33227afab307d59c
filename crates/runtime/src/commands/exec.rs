//! `exec`: another process in a running container.

use std::os::fd::AsFd;
use std::path::Path;

use oci::runtime::{Capabilities, Process, Status, User};

use super::{Command, Global, foreground, make};
use crate::container::Stdio;
use crate::error::{Context, Error, Result};
use crate::flags::{Args, Flag, Order, switch, value};
use crate::process::{self, ExecOptions};
use crate::seccomp::Filter;
use crate::state::Container;

const FLAGS: [Flag; 17] = [
    value("process", "FILE", "path to the process as JSON").short('p'),
    switch("detach", "detach from the container's process").short('d'),
    switch("tty", "allocate a pseudo-TTY").short('t'),
    value("console-socket", "SOCKET", "unix socket that receives the terminal's master"),
    value("pid-file", "FILE", "file to write the process id to"),
    value("cwd", "DIR", "current working directory in the container"),
    value("env", "NAME=VALUE", "set environment variables").short('e'),
    value("user", "UID[:GID]", "user and group to run as").short('u'),
    value("additional-gids", "GID", "additional groups").short('g'),
    value("cap", "CAPABILITY", "add a capability").short('c'),
    switch("no-new-privs", "set the no new privileges value for the process"),
    value("process-label", "LABEL", "SELinux label of the process"),
    value("apparmor", "PROFILE", "AppArmor profile of the process"),
    value("preserve-fds", "N", "pass N additional file descriptors to the process"),
    value("cgroup", "PATH", "run the process in a sub-cgroup (not supported)"),
    switch("ignore-paused", "allow exec in a paused container"),
    switch("no-subreaper", "disable the use of the subreaper"),
];

pub(super) const COMMAND: Command = Command {
    name: "exec",
    usage: "[options] CONTAINER COMMAND [ARG...]",
    help: "execute new process inside the container",
    flags: &FLAGS,
    order: Order::FlagsBefore(1),
    arguments: (1, usize::MAX),
    run,
};

fn run(global: &Global, args: &Args) -> Result<u8> {
    sys::protect::ensure_protected().context(|| "protect the runtime from the container")?;
    let container = global.container(args)?;
    check_status(&container, args)?;
    let process = wanted_process(&container, args)?;
    check_console(&process, args)?;
    let running = || Error::other("cannot exec in a stopped container");
    let pidfd = container.pidfd()?.ok_or_else(running)?;
    let mut cgroup = container.cgroup()?;
    let linux = container.record.spec.linux.as_ref();
    let rules = linux.and_then(|linux| linux.seccomp.as_ref());
    let filter = rules.map(|rules| Filter::new(rules, || container.state_as(Status::Running)));
    let filter = filter.transpose()?;
    let exec = process::exec(ExecOptions {
        init_pid: container.record.pid,
        init_pidfd: pidfd.as_fd(),
        process: &process,
        stdio: Stdio::Inherit,
        cgroup: Some(&mut cgroup),
        filter: filter.as_ref(),
        preserve_fds: args.number("preserve-fds")?.unwrap_or(0),
    })
    .map_err(|error| {
        error.within("gantry-runtime exec failed: unable to start container process")
    })?;
    if let (Some(master), Some(socket)) = (&exec.pty_master, args.get("console-socket")) {
        make::send_console(Path::new(socket), master)?;
    }
    if let Some(path) = args.get("pid-file") {
        make::write_pid(Path::new(path), exec.pid)?;
    }
    if args.has("detach") {
        return Ok(0);
    }
    let terminal = exec.pty_master.filter(|_| args.get("console-socket").is_none());
    foreground::attend(exec.pidfd.as_fd(), terminal)
}

fn check_status(container: &Container, args: &Args) -> Result<()> {
    if args.get("cgroup").is_some() {
        return Err(Error::invalid("exec --cgroup is not supported"));
    }
    match container.status()? {
        Status::Stopped => Err(Error::other("cannot exec in a stopped container")),
        Status::Paused if !args.has("ignore-paused") => {
            Err(Error::other("cannot exec in a paused container (use --ignore-paused to override)"))
        }
        _ => Ok(()),
    }
}

fn check_console(process: &Process, args: &Args) -> Result<()> {
    let socket = args.get("console-socket").is_some();
    match (process.terminal, socket) {
        (true, false) if args.has("detach") => Err(Error::invalid(
            "cannot allocate tty if runc will detach without setting console socket",
        )),
        (false, true) => {
            Err(Error::invalid("cannot use console socket if runc will not detach or allocate tty"))
        }
        _ => Ok(()),
    }
}

/// The process of a file, or the container's own with what the flags change.
fn wanted_process(container: &Container, args: &Args) -> Result<Process> {
    if let Some(path) = args.get("process") {
        let json = std::fs::read(path).context(|| format!("read {path}"))?;
        let mut process: Process = serde_json::from_slice(&json)
            .map_err(|error| Error::invalid(format!("parse {path}: {error}")))?;
        if process.capabilities.is_none() {
            let own = container.record.spec.process.as_ref();
            process.capabilities = own.and_then(|own| own.capabilities.clone());
        }
        return Ok(process);
    }
    let mut process = container.record.spec.process.clone().unwrap_or_default();
    process.args = args.positional[1..].to_vec();
    // As a command line's own words have it, these are not inherited.
    process.terminal = args.has("tty");
    process.console_size = None;
    if let Some(cwd) = args.get("cwd") {
        process.cwd = cwd.into();
    }
    process.env.extend(args.all("env").map(str::to_owned));
    if let Some(user) = args.get("user") {
        process.user = parse_user(user)?;
    }
    for gid in args.all("additional-gids") {
        process.user.additional_gids.push(parse_id(gid)?);
    }
    if args.has("no-new-privs") {
        process.no_new_privileges = true;
    }
    if let Some(label) = args.get("process-label") {
        process.selinux_label = label.to_owned();
    }
    if let Some(profile) = args.get("apparmor") {
        process.apparmor_profile = profile.to_owned();
    }
    add_capabilities(process.capabilities.get_or_insert_default(), args);
    Ok(process)
}

fn add_capabilities(capabilities: &mut Capabilities, args: &Args) {
    for name in args.all("cap") {
        let sets =
            [&mut capabilities.bounding, &mut capabilities.effective, &mut capabilities.permitted];
        sets.into_iter().for_each(|set| set.push(name.to_owned()));
    }
}

/// CVE-2026-30892, CVE-2024-40635: whatever is not two plain numbers is refused, never taken for root.
fn parse_user(text: &str) -> Result<User> {
    let (uid, gid) = match text.split_once(':') {
        Some((uid, gid)) => (parse_id(uid)?, parse_id(gid)?),
        None => (parse_id(text)?, 0),
    };
    Ok(User { uid, gid, ..User::default() })
}

fn parse_id(text: &str) -> Result<u32> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // The highest means "unchanged" to the kernel.
    let id = text.parse().ok().filter(|id| digits && *id < u32::MAX);
    id.ok_or_else(|| Error::invalid(format!("invalid user or group id {text:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn users_are_numbers() {
        let user = parse_user("1000:50").unwrap();
        assert_eq!((user.uid, user.gid), (1000, 50));
        assert_eq!(parse_user("7").unwrap().gid, 0);
    }

    #[test]
    fn cve_2024_40635_ids_do_not_wrap() {
        for text in ["4294967296", "4294967295", "-1", "0:4294967296", "99999999999999999999"] {
            assert!(parse_user(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn cve_2026_30892_only_what_was_written_is_run_as(text in "[0-9:+ \\-xa]{0,12}") {
            if let Ok(user) = parse_user(&text) {
                let (uid, gid) = text.split_once(':').unwrap_or((&text, "0"));
                prop_assert_eq!(uid.parse::<u32>().unwrap(), user.uid);
                prop_assert_eq!(gid.parse::<u32>().unwrap(), user.gid);
            }
        }
    }
}
