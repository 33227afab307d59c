//! Making a container: its first process, set up to the point where only `execve` is left.
//!
//! ```text
//! create() -> Created: everything is in place, the program is found, and waits at its gate for another process
//! run()    -> Init: the program runs
//!         \-> Error, and nothing is left of it
//! ```
//!
//! The caller must have one thread: the first process begins as a copy of it.

mod init;

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci::runtime::{Linux, NamespaceKind, Process, Resources, Spec, State, Status, VERSION};
use sys::namespace;
use sys::overlay::Overlay;

use crate::cgroup::Cgroup;
use crate::devices::Nodes;
use crate::error::{Context, Error, Result};
use crate::launch::Launch;
use crate::mounts;
use crate::rootfs::{self, Propagation};
use crate::seccomp::{Asking, Filter};
use crate::spawn::{self, Namespaces, Spawned};
use crate::sync::Message;
use crate::user::id_maps;
use crate::{hooks, sysctl};

/// What a container is made of.
pub struct CreateOptions<'a> {
    pub id: &'a str,
    /// Relative paths of the specification start here.
    pub bundle: &'a Path,
    pub spec: &'a Spec,
    pub rootfs: Rootfs,
    pub stdio: Stdio,
    /// Joined in place of what the specification says about the network namespace.
    pub netns: Option<OwnedFd>,
    /// To be made, with the specification's limits. Of a container that fails it is left behind.
    pub cgroup: &'a mut Cgroup,
    /// Descriptors from 3 on that the program inherits.
    pub preserve_fds: u32,
    /// Moves the root over `/` where pivot_root is impossible (an initramfs).
    pub no_pivot: bool,
    /// A session keyring of its own.
    pub new_keyring: bool,
}

pub enum Rootfs {
    /// `root.path` of the specification.
    Path(PathBuf),
    /// Mounted where nobody else sees it; `root.path` is an empty directory to attach it at.
    Overlay(Overlay),
}

/// What the program has as stdin, stdout and stderr.
pub enum Stdio {
    Inherit,
    Fds([OwnedFd; 3]),
    /// A terminal, whose master is handed back.
    Pty,
}

/// Who lets the program begin.
enum Gate {
    /// [`run`], which says so ahead of time.
    Creator,
    /// Another process, that connects to this listening SEQPACKET socket.
    Socket(OwnedFd),
}

/// A container that waits at its socket to be started. Dropping it kills it.
#[derive(Debug)]
pub struct Created {
    pub pid: i32,
    pub pty_master: Option<OwnedFd>,
    process: Spawned,
}

/// A running container's first process, a child of the caller.
#[derive(Debug)]
pub struct Init {
    pub pid: i32,
    pub pidfd: OwnedFd,
    pub pty_master: Option<OwnedFd>,
    /// The container's seccomp filter, for later processes.
    pub filter: Option<Filter>,
}

/// Makes the container, which then waits for a connection to `socket`. Nothing is left of one that fails.
pub fn create(options: CreateOptions<'_>, socket: OwnedFd) -> Result<Created> {
    let (created, _) = make(options, Gate::Socket(socket), |mut process, plan| {
        let mut pty_master = None;
        loop {
            match process.channel.receive()? {
                Message::Ready => break,
                Message::Console(master) => pty_master = Some(master),
                Message::RunHooks => {
                    run_runtime_hooks(plan, process.pid())?;
                    process.channel.send(&Message::Go)?;
                }
                Message::Failed(error) => return Err(error),
                _ => return Err(process.died()),
            }
        }
        Ok(Created { pid: process.pid(), pty_master, process })
    })?;
    Ok(created)
}

/// Makes the container and runs its program: returns once it runs, or says why it cannot. The program does not begin
/// before `note` has returned, which is told the pid while the process still sets itself up.
pub fn run<T>(
    options: CreateOptions<'_>,
    note: impl FnOnce(i32) -> Result<T>,
) -> Result<(Init, T)> {
    let ((child, pty_master, noted), filter) =
        make(options, Gate::Creator, |mut process, plan| {
            let noted = note(process.pid()).map_err(|error| own_words(&process, error))?;
            // Said ahead, so that the process need not wait; behind the hooks' own Go, where there are any.
            if !plan.has_runtime_hooks() {
                let sent = process.channel.send(&Message::Start);
                sent.map_err(|error| own_words(&process, error))?;
            }
            let (mut pty_master, mut ready) = (None, false);
            loop {
                match process.channel.receive()? {
                    Message::Ready => ready = true,
                    Message::Console(master) => pty_master = Some(master),
                    Message::RunHooks => {
                        run_runtime_hooks(plan, process.pid())?;
                        process.channel.send(&Message::Go)?;
                        process.channel.send(&Message::Start)?;
                    }
                    Message::Listener(number) if ready => hand_over(plan, &process, number)?,
                    Message::End if ready => break,
                    Message::Failed(error) => return Err(error),
                    _ => return Err(process.died()),
                }
            }
            Ok((process.release(), pty_master, noted))
        })?;
    Ok((Init { pid: child.pid, pidfd: child.pidfd, pty_master, filter }, noted))
}

/// What the process says of its end explains more than what that end broke here.
fn own_words(process: &Spawned, error: Error) -> Error {
    loop {
        match process.channel.receive() {
            Ok(Message::Console(_)) => {}
            Ok(Message::Failed(own)) => return own,
            // It lives, or has nothing to say.
            _ => return error,
        }
    }
}

/// Brings the process into being, and hands it to `serve`, which brings it up.
fn make<T>(
    options: CreateOptions<'_>,
    gate: Gate,
    serve: impl FnOnce(Spawned, &Plan<'_>) -> Result<T>,
) -> Result<(T, Option<Filter>)> {
    let spec = options.spec;
    let process =
        spec.process.as_ref().ok_or_else(|| Error::invalid("config.json has no process"))?;
    let empty = Linux::default();
    let linux = spec.linux.as_ref().unwrap_or(&empty);
    let state = State {
        version: VERSION.to_owned(),
        id: options.id.to_owned(),
        status: Status::Creating,
        pid: 0,
        bundle: options.bundle.to_owned(),
        annotations: spec.annotations.clone(),
    };
    let filter = linux.seccomp.as_ref();
    let filter = filter.map(|rules| Filter::new(rules, || state.clone())).transpose()?;
    let namespaces = namespaces(linux, options.netns)?;
    let plan = Plan {
        id: options.id,
        spec,
        linux,
        launch: Launch::new(process, filter.as_ref(), options.preserve_fds)?,
        process,
        mounts: prepare_mounts(options.bundle, spec, linux)?,
        place: options
            .bundle
            .join(spec.root.as_ref().map_or(Path::new("rootfs"), |root| &root.path)),
        root: open_root(&options.rootfs, options.bundle)?,
        propagation: Propagation::parse(&linux.rootfs_propagation)?,
        nodes: if namespaces.new & namespace::USER != 0 { Nodes::Bind } else { Nodes::Make },
        new_cgroup: linux.has_new(NamespaceKind::Cgroup),
        stdio: options.stdio,
        no_pivot: options.no_pivot,
        new_keyring: options.new_keyring,
        gate,
        new: namespaces.new,
        made_inside: namespaces.made_inside(),
        state,
    };
    let own = own_namespaces(&namespaces, linux);
    sysctl::check(&linux.sysctl, own)?;
    check_names(spec, own)?;
    let spawned = begin(&plan, &namespaces, options.cgroup)?;
    let served = serve(spawned, &plan)?;
    drop(plan);
    Ok((served, filter))
}

/// Makes the process and the cgroup that it is in. Where it cannot be born in there, making the cgroup and moving it in
/// take about as long as the first half of its own set-up, and happen beside that.
fn begin(plan: &Plan<'_>, namespaces: &Namespaces, cgroup: &mut Cgroup) -> Result<Spawned> {
    let none = Resources::default();
    let resources = plan.linux.resources.as_ref().unwrap_or(&none);
    let beside = !cgroup.takes_newborns();
    if !beside {
        cgroup.create(resources).map_err(spawn::cgroup_error)?;
    }
    let home = (!beside).then_some(&mut *cgroup);
    let score = plan.process.oom_score_adj;
    let process = spawn::spawn(namespaces, home, score, |channel| init::run(plan, channel))?;
    if beside {
        let joined = cgroup.create(resources).and_then(|()| cgroup.add(process.pid()));
        joined.map_err(|error| match process.has_ended() {
            true => own_words(&process, spawn::cgroup_error(error)),
            false => spawn::cgroup_error(error),
        })?;
    }
    let sent = process.channel.send(&Message::Go);
    sent.map_err(|error| own_words(&process, error))?;
    Ok(process)
}

/// What the container's process needs; everything that can fail outside has been done.
struct Plan<'a> {
    id: &'a str,
    spec: &'a Spec,
    linux: &'a Linux,
    process: &'a Process,
    launch: Launch<'a>,
    mounts: Vec<mounts::Prepared>,
    /// Where the root is attached.
    place: PathBuf,
    root: OwnedFd,
    propagation: Propagation,
    nodes: Nodes,
    new_cgroup: bool,
    stdio: Stdio,
    no_pivot: bool,
    new_keyring: bool,
    gate: Gate,
    /// The namespaces that are made, and those of them that init makes.
    new: u64,
    made_inside: u64,
    state: State,
}

impl Plan<'_> {
    /// Those that run outside the container while it is being made.
    fn has_runtime_hooks(&self) -> bool {
        let hooks = self.spec.hooks.as_ref();
        hooks.is_some_and(|all| !all.prestart.is_empty() || !all.create_runtime.is_empty())
    }
}

fn open_root(root: &Rootfs, bundle: &Path) -> Result<OwnedFd> {
    match root {
        Rootfs::Path(path) => rootfs::open_path(&bundle.join(path)),
        Rootfs::Overlay(overlay) => overlay.mount().context(|| "mount the container's overlay"),
    }
}

fn prepare_mounts(bundle: &Path, spec: &Spec, linux: &Linux) -> Result<Vec<mounts::Prepared>> {
    let mut prepared = mounts::prepare(bundle, &spec.mounts, linux)?;
    let propagation = Propagation::parse(&linux.rootfs_propagation)?;
    for mount in &mut prepared {
        mount.default_propagation(propagation.flag);
    }
    Ok(prepared)
}

/// The namespaces to make and to join.
fn namespaces(linux: &Linux, netns: Option<OwnedFd>) -> Result<Namespaces> {
    let mut namespaces = Namespaces {
        uid_maps: id_maps(&linux.uid_mappings),
        gid_maps: id_maps(&linux.gid_mappings),
        ..Namespaces::default()
    };
    for wanted in &linux.namespaces {
        let flag = flag(wanted.kind);
        match &wanted.path {
            _ if wanted.kind == NamespaceKind::Network && netns.is_some() => {}
            Some(path) if !path.as_os_str().is_empty() => {
                let file = std::fs::File::open(path)
                    .context(|| format!("namespace path: lstat {}", path.display()))?;
                namespaces.join.push((file.into(), flag));
            }
            _ => match wanted.kind {
                NamespaceKind::Time => {
                    let offsets = linux.time_offsets.iter();
                    namespaces.time = Some(offsets.map(|(k, v)| (k.clone(), *v)).collect());
                }
                // Its root is where the process is when it is made: init makes it, once in its cgroup.
                NamespaceKind::Cgroup => {}
                _ => namespaces.new |= flag,
            },
        }
    }
    if let Some(netns) = netns {
        namespaces.join.push((netns, namespace::NETWORK));
    }
    // Rights over the others may come from the user namespace.
    namespaces.join.sort_by_key(|(_, kind)| *kind != namespace::USER);
    check_namespaces(&namespaces, linux)?;
    Ok(namespaces)
}

fn check_namespaces(namespaces: &Namespaces, linux: &Linux) -> Result<()> {
    let joined = namespaces.join.iter().fold(0, |all, (_, kind)| all | kind);
    if (namespaces.new | joined) & namespace::MOUNT == 0 {
        return Err(Error::invalid("a container needs a mount namespace of its own"));
    }
    let new_user = namespaces.new & namespace::USER != 0;
    if new_user && (linux.uid_mappings.is_empty() || linux.gid_mappings.is_empty()) {
        return Err(Error::invalid("user namespaces enabled, but no id mappings found"));
    }
    if !linux.time_offsets.is_empty() && namespaces.time.is_none() {
        return Err(Error::invalid("time namespace offsets given without a new time namespace"));
    }
    Ok(())
}

fn flag(kind: NamespaceKind) -> u64 {
    match kind {
        NamespaceKind::Pid => namespace::PID,
        NamespaceKind::Network => namespace::NETWORK,
        NamespaceKind::Mount => namespace::MOUNT,
        NamespaceKind::Ipc => namespace::IPC,
        NamespaceKind::Uts => namespace::UTS,
        NamespaceKind::User => namespace::USER,
        NamespaceKind::Cgroup => namespace::CGROUP,
        NamespaceKind::Time => namespace::TIME,
    }
}

/// Those that are not the caller's own: made, or joined and another.
fn own_namespaces(namespaces: &Namespaces, linux: &Linux) -> u64 {
    let others = namespaces.join.iter().filter(|(fd, kind)| !is_callers(fd.as_fd(), *kind));
    let joined = others.fold(0, |all, (_, kind)| all | kind);
    let cgroup = if linux.has_new(NamespaceKind::Cgroup) { namespace::CGROUP } else { 0 };
    namespaces.new | joined | cgroup
}

/// The host keeps its own names.
fn check_names(spec: &Spec, own: u64) -> Result<()> {
    for (what, name) in [("hostname", &spec.hostname), ("domainname", &spec.domainname)] {
        if !name.is_empty() && own & namespace::UTS == 0 {
            return Err(Error::invalid(format!(
                "unable to set {what} without a private UTS namespace"
            )));
        }
    }
    Ok(())
}

fn is_callers(fd: BorrowedFd<'_>, kind: u64) -> bool {
    let name = match kind {
        namespace::NETWORK => "net",
        namespace::IPC => "ipc",
        namespace::UTS => "uts",
        _ => return false,
    };
    let ours = rustix::fs::stat(format!("/proc/self/ns/{name}"));
    let theirs = rustix::fs::fstat(fd);
    matches!((ours, theirs), (Ok(a), Ok(b)) if (a.st_dev, a.st_ino) == (b.st_dev, b.st_ino))
}

/// To the agent with the process's listener, before it goes on.
fn hand_over(plan: &Plan<'_>, process: &Spawned, listener: i32) -> Result<()> {
    let (pid, status) = (process.pid(), Status::Creating);
    let filter = plan.launch.filter().ok_or_else(|| Error::other("no filter asks anybody"))?;
    let pidfd = process.pidfd().ok_or_else(|| Error::other("container init died"))?;
    filter.hand_over(&Asking { pid, pidfd, listener, init: pid, status })?;
    process.channel.send(&Message::Go)
}

fn run_runtime_hooks(plan: &Plan<'_>, pid: i32) -> Result<()> {
    let Some(all) = &plan.spec.hooks else { return Ok(()) };
    let state = State { pid, ..plan.state.clone() };
    hooks::run("prestart", &all.prestart, &state)?;
    hooks::run("createRuntime", &all.create_runtime, &state)
}

impl Created {
    /// Leaves the container to whoever comes through its gate.
    pub fn leave(self) {
        drop(self.process.release());
    }
}
