//! Another process in a running container.
//!
//! The caller must have one thread: the process begins as a copy of it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use oci::runtime::{Process, Status};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use sys::namespace;

use crate::cgroup::Cgroup;
use crate::console;
use crate::container::Stdio;
use crate::error::{Context, Error, Result};
use crate::launch::{Launch, set_stdio};
use crate::seccomp::{Asking, Filter};
use crate::spawn::{self, Namespaces, Spawned};
use crate::sync::{Channel, Message};

pub struct ExecOptions<'a> {
    /// The container's first process.
    pub init_pid: i32,
    pub init_pidfd: BorrowedFd<'a>,
    pub process: &'a Process,
    pub stdio: Stdio,
    pub cgroup: Option<&'a mut Cgroup>,
    /// The container's filter.
    pub filter: Option<&'a Filter>,
    pub preserve_fds: u32,
}

/// A process that was started in a container, a child of the caller.
#[derive(Debug)]
pub struct Exec {
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub pty_master: Option<OwnedFd>,
}

/// Starts a process in a container: returns once its program runs, or says why it cannot.
pub fn exec(options: ExecOptions<'_>) -> Result<Exec> {
    let joined = kinds_to_join(options.init_pid)?;
    let pidfd = options.init_pidfd.try_clone_to_owned().context(|| "dup")?;
    let namespaces = Namespaces { join: vec![(pidfd, joined)], ..Namespaces::default() };
    let plan = Plan {
        launch: Launch::new(options.process, options.filter, options.preserve_fds)?,
        process: options.process,
        stdio: options.stdio,
        new_user: joined & namespace::USER != 0,
    };
    let score = options.process.oom_score_adj;
    let mut spawned = spawn::spawn(&namespaces, options.cgroup, score, |channel| {
        run(&plan, channel).unwrap_or_else(|error| error)
    })?;
    let mut pty_master = None;
    loop {
        match spawned.channel.receive()? {
            Message::Console(master) => pty_master = Some(master),
            Message::Listener(number) => {
                hand_over(&plan, &spawned, options.init_pid, number)?;
            }
            Message::End => break,
            Message::Failed(error) => return Err(error),
            _ => return Err(spawned.died()),
        }
    }
    let child = spawned.release();
    Ok(Exec { pid: child.pid, pidfd: child.pidfd, pty_master })
}

/// To the agent with the process's listener, before it goes on.
fn hand_over(plan: &Plan<'_>, process: &Spawned, init: i32, listener: i32) -> Result<()> {
    let filter = plan.launch.filter().ok_or_else(|| Error::other("no filter asks anybody"))?;
    let pidfd = process.pidfd().ok_or_else(|| Error::other("the process died"))?;
    let (pid, status) = (process.pid(), Status::Running);
    filter.hand_over(&Asking { pid, pidfd, listener, init, status })?;
    process.channel.send(&Message::Go)
}

struct Plan<'a> {
    launch: Launch<'a>,
    process: &'a Process,
    stdio: Stdio,
    new_user: bool,
}

/// All of the container's namespaces, but for the user namespace where it is the caller's: that cannot be joined. Nor
/// can, for root in a user namespace, what the container shares with the host.
fn kinds_to_join(pid: i32) -> Result<u64> {
    const KINDS: [(&str, u64); 8] = [
        ("user", namespace::USER),
        ("time", namespace::TIME),
        ("cgroup", namespace::CGROUP),
        ("ipc", namespace::IPC),
        ("mnt", namespace::MOUNT),
        ("net", namespace::NETWORK),
        ("pid", namespace::PID),
        ("uts", namespace::UTS),
    ];
    let theirs = pid.to_string();
    let compared = if namespace::is_in_user_namespace() { KINDS.len() } else { 2 };
    let mut kinds = 0;
    for (at, (name, kind)) in KINDS.into_iter().enumerate() {
        if at >= compared || differs(name, &theirs)? {
            kinds |= kind;
        }
    }
    Ok(kinds)
}

/// False for a kind that the kernel does not have.
fn differs(kind: &str, pid: &str) -> Result<bool> {
    let inode = |of: &str| match rustix::fs::stat(format!("/proc/{of}/ns/{kind}")) {
        Ok(stat) => Ok(Some(stat.st_ino)),
        Err(Errno::NOENT) if kind == "time" => Ok(None),
        Err(error) => Err(error).context(|| format!("namespaces of process {of}")),
    };
    Ok(inode(pid)? != inode("self")?)
}

/// The process itself, in the container's namespaces. Returns only what went wrong.
fn run(plan: &Plan<'_>, channel: &Channel) -> Result<Error> {
    rustix::process::setsid().context(|| "setsid")?;
    if plan.new_user {
        sys::credentials::set_gid(0).context(|| "setgid 0 in the user namespace")?;
        sys::credentials::set_uid(0).context(|| "setuid 0 in the user namespace")?;
    }
    match (&plan.stdio, plan.process.terminal) {
        (Stdio::Pty, _) | (_, true) => open_terminal(plan, channel)?,
        (Stdio::Fds([stdin, stdout, stderr]), false) => {
            set_stdio([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])?;
        }
        (Stdio::Inherit, false) => {}
    }
    let loaded = plan.launch.load()?;
    Ok(loaded.exec(channel))
}

fn open_terminal(plan: &Plan<'_>, channel: &Channel) -> Result<()> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = rustix::fs::open(c"/", flags, Mode::empty()).context(|| "open /")?;
    let pty = console::open(root.as_fd(), plan.process.console_size)?;
    sys::pty::make_controlling(&pty.slave).context(|| "make the terminal the controlling one")?;
    set_stdio([pty.slave.as_fd(); 3])?;
    channel.send(&Message::Console(pty.master))
}
