//! The container's process, from its birth in its namespaces to the program.
//!
//! Until [`rootfs::enter`] it sees the host's files through a private copy of the host's mounts;
//! the container's files are reached below the root's descriptor only.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use oci::runtime::{Personality, State, Status};
use rustix::fs::Mode;
use sys::{credentials, keyring, namespace};

use super::{Gate, Plan, Stdio};
use crate::error::{Context, Error, Result};
use crate::launch::set_stdio;
use crate::mounts::{self, Surroundings};
use crate::sync::{Channel, Message};
use crate::{console, devices, hooks, rootfs, sysctl};

/// Runs the container's process; returns only if that fails.
pub(super) fn run(plan: &Plan<'_>, channel: &Channel) -> Error {
    set_up(plan, channel).and_then(|()| run_program(plan, channel)).unwrap_or_else(|error| error)
}

fn set_up(plan: &Plan<'_>, channel: &Channel) -> Result<()> {
    rustix::process::setsid().context(|| "setsid")?;
    if plan.new_keyring {
        join_keyring(plan.id)?;
    }
    if plan.new & namespace::USER != 0 {
        become_root()?;
    }
    if plan.made_inside != 0 {
        namespace::unshare(plan.made_inside).context(|| "new namespaces")?;
    }
    set_names(plan)?;
    if plan.new & namespace::NETWORK != 0 {
        sys::loopback::bring_up().context(|| "bring up lo")?;
    }
    let root = rootfs::attach(&plan.root, &plan.place)?;
    let slave = furnish(plan, root.as_fd(), channel)?;
    run_hooks_before_pivot(plan, channel)?;
    protect(plan, root.as_fd())?;
    rootfs::enter(root.as_fd(), plan.no_pivot, plan.propagation)?;
    sysctl::write(&plan.linux.sysctl)?;
    set_up_stdio(&plan.stdio, slave)
}

/// As in runc, every container has its own session keyring. A kernel or a filter without keys is no error.
fn join_keyring(id: &str) -> Result<()> {
    let name = CString::new(format!("_ses.{id}"))
        .map_err(|_| Error::invalid(format!("invalid container id {id:?}")))?;
    match keyring::join_session(&name) {
        Err(error)
            if matches!(error.raw_os_error(), Some(libc::ENOSYS | libc::EPERM | libc::EDQUOT)) =>
        {
            Ok(())
        }
        result => result.context(|| "unable to join session keyring"),
    }
}

/// A process in a new user namespace is nobody until it takes an id of it.
fn become_root() -> Result<()> {
    credentials::set_gid(0).context(|| "setgid 0 in the user namespace")?;
    credentials::set_uid(0).context(|| "setuid 0 in the user namespace")
}

fn set_names(plan: &Plan<'_>) -> Result<()> {
    let names = plan.spec;
    if !names.hostname.is_empty() {
        rustix::system::sethostname(names.hostname.as_bytes()).context(|| "sethostname")?;
    }
    if !names.domainname.is_empty() {
        rustix::system::setdomainname(names.domainname.as_bytes()).context(|| "setdomainname")?;
    }
    Ok(())
}

/// Waits until it is in its cgroup, and makes that the root of its cgroup namespace.
fn enter_cgroup(plan: &Plan<'_>, channel: &Channel) -> Result<()> {
    channel.expect_go()?;
    if plan.new_cgroup {
        namespace::unshare(namespace::CGROUP).context(|| "new cgroup namespace")?;
    }
    Ok(())
}

/// Mounts, devices and the terminal, and on the way the cgroup. Returns the terminal's slave.
fn furnish(plan: &Plan<'_>, root: BorrowedFd<'_>, channel: &Channel) -> Result<Option<OwnedFd>> {
    // The modes of what is made are exact.
    let old = rustix::process::umask(Mode::empty());
    let around = Surroundings {
        root,
        mount_label: &plan.linux.mount_label,
        own_cgroup_namespace: plan.new_cgroup,
    };
    let needs_cgroup = plan.mounts.iter().position(mounts::Prepared::needs_cgroup);
    let (before, after) = plan.mounts.split_at(needs_cgroup.unwrap_or(plan.mounts.len()));
    let mut open = Vec::new();
    for mount in before {
        open.extend(mount.mount(&around)?);
    }
    enter_cgroup(plan, channel)?;
    for mount in after {
        open.extend(mount.mount(&around)?);
    }
    if has_own_dev(plan) {
        devices::make_all(root, &plan.linux.devices, plan.nodes)?;
        devices::make_links(root)?;
    }
    let slave = if plan.process.terminal || matches!(plan.stdio, Stdio::Pty) {
        let pty = console::open(root, plan.process.console_size)?;
        console::bind_console(root, &pty.slave)?;
        channel.send(&Message::Console(pty.master))?;
        Some(pty.slave)
    } else {
        None
    };
    create_working_directory(root, &plan.process.cwd);
    open.iter().try_for_each(|mount| mounts::close(mount.as_fd()))?;
    rustix::process::umask(old);
    Ok(slave)
}

/// The host's `/dev`, bound as it is, is not ours to change.
fn has_own_dev(plan: &Plan<'_>) -> bool {
    !plan.spec.mounts.iter().any(|mount| {
        mount.destination == Path::new("/dev")
            && (mount.kind == "bind" || mount.options.iter().any(|o| o == "bind" || o == "rbind"))
    })
}

/// As runc does. Where it cannot be made, entering it fails with the reason.
fn create_working_directory(root: BorrowedFd<'_>, path: &Path) {
    let _ = sys::path::create_dir_all_in_root(root, path, Mode::from_raw_mode(0o755));
}

fn run_hooks_before_pivot(plan: &Plan<'_>, channel: &Channel) -> Result<()> {
    let Some(all) = &plan.spec.hooks else { return Ok(()) };
    if plan.has_runtime_hooks() {
        channel.send(&Message::RunHooks)?;
        channel.expect_go()?;
    }
    hooks::run("createContainer", &all.create_container, &own_state(plan, Status::Creating))
}

/// The state with the pid as the container sees it.
fn own_state(plan: &Plan<'_>, status: Status) -> State {
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    State { status, pid, ..plan.state.clone() }
}

fn protect(plan: &Plan<'_>, root: BorrowedFd<'_>) -> Result<()> {
    rootfs::protect(root, &plan.linux.readonly_paths)?;
    // Of the host's `/dev`, in this process's own copy of the host's mounts.
    let null = rootfs::host_null()?;
    rootfs::mask(root, &plan.linux.masked_paths, null.as_fd())?;
    if plan.spec.root.as_ref().is_some_and(|root| root.readonly) {
        rootfs::make_read_only(root)?;
    }
    Ok(())
}

fn set_up_stdio(stdio: &Stdio, slave: Option<OwnedFd>) -> Result<()> {
    match (stdio, &slave) {
        (Stdio::Fds([stdin, stdout, stderr]), None) => {
            set_stdio([stdin.as_fd(), stdout.as_fd(), stderr.as_fd()])
        }
        (_, Some(slave)) => {
            sys::pty::make_controlling(slave)
                .context(|| "make the terminal the controlling one")?;
            set_stdio([slave.as_fd(); 3])
        }
        (Stdio::Inherit | Stdio::Pty, None) => Ok(()),
    }
}

/// Everything after the container's root is the process's own. Returns only what went wrong.
fn run_program(plan: &Plan<'_>, channel: &Channel) -> Result<Error> {
    if let Some(personality) = &plan.linux.personality {
        set_personality(personality)?;
    }
    let loaded = plan.launch.load()?;
    channel.send(&Message::Ready)?;
    let starter = wait_at_gate(&plan.gate, channel)?;
    let report = starter.as_ref().unwrap_or(channel);
    let error = match run_start_hooks(plan) {
        Ok(()) => loaded.exec(report),
        Err(error) => error,
    };
    // To whoever said start; the creator's channel, if that is another, has no reader.
    if starter.is_some() {
        let _ = report.send(&Message::Failed(error.clone()));
    }
    Ok(error)
}

fn run_start_hooks(plan: &Plan<'_>) -> Result<()> {
    let Some(all) = &plan.spec.hooks else { return Ok(()) };
    hooks::run("startContainer", &all.start_container, &own_state(plan, Status::Created))
}

/// Waits for `start`: the channel to whoever said it, where that is not the creator.
fn wait_at_gate(gate: &Gate, channel: &Channel) -> Result<Option<Channel>> {
    match gate {
        Gate::Creator => channel.expect_go().map(|()| None),
        Gate::Socket(listener) => loop {
            let flags = rustix::net::SocketFlags::CLOEXEC;
            let caller = rustix::io::retry_on_intr(|| rustix::net::accept_with(listener, flags));
            let caller = Channel::new(caller.context(|| "wait for start")?);
            // A connection without the word is somebody's look at whether we wait.
            if caller.expect_go().is_ok() {
                return Ok(Some(caller));
            }
        },
    }
}

fn set_personality(personality: &Personality) -> Result<()> {
    let domain = match personality.domain.as_str() {
        "LINUX" => 0,
        "LINUX32" => 8,
        other => return Err(Error::invalid(format!("invalid personality domain {other:?}"))),
    };
    if !personality.flags.is_empty() {
        return Err(Error::invalid("personality flags are not supported"));
    }
    sys::process::set_personality(domain).context(|| "personality")
}
