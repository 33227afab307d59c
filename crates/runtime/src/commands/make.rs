//! What `create` and `run` have in common: from a bundle to a container that waits.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use oci::runtime::{Spec, State};

use super::Global;
use crate::cgroup::Cgroup;
use crate::container::{self, CreateOptions, Created, Gate, Rootfs, Stdio};
use crate::error::{Context, Error, Result};
use crate::flags::{Args, Flag, switch, value};
use crate::state::{Container, Directory, Record, open_cgroup, start_time};

pub(super) const FLAGS: [Flag; 6] = [
    value("bundle", "DIR", "path to the root of the bundle directory").short('b'),
    value("console-socket", "SOCKET", "unix socket that receives the terminal's master"),
    value("pid-file", "FILE", "file to write the process id to"),
    switch("no-pivot", "do not use pivot_root, for roots on an initramfs"),
    switch("no-new-keyring", "do not create a new session keyring"),
    value("preserve-fds", "N", "pass N additional file descriptors to the container"),
];

/// Who starts the container that is being made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StartedBy {
    /// A later `start`, through the container's socket.
    Another,
    /// This process.
    Us,
}

/// A container that waits, with its record written.
pub(super) struct Made {
    pub(super) created: Created,
    pub(super) container: Container,
}

/// Makes the container of a bundle; nothing is left of one that fails.
pub(super) fn make(global: &Global, args: &Args, started_by: StartedBy) -> Result<Made> {
    let id = &args.positional[0];
    let bundle = bundle(args)?;
    let spec = read_spec(&bundle)?;
    let terminal = spec.process.as_ref().is_some_and(|process| process.terminal);
    check_console(terminal, args, started_by)?;
    let directory = Directory::create(&global.root, id)?;
    let mut cgroup = match open_cgroup(&spec, id, global.systemd_cgroup) {
        Ok(cgroup) => cgroup,
        Err(error) => return Err(undo(error, &directory, None)),
    };
    let made = make_in(global, args, started_by, &bundle, spec, &directory, &mut cgroup);
    match made {
        Ok((created, record)) => Ok(Made { created, container: Container { record, directory } }),
        Err(error) => Err(undo(error, &directory, Some(&cgroup))),
    }
}

fn make_in(
    global: &Global,
    args: &Args,
    started_by: StartedBy,
    bundle: &Path,
    mut spec: Spec,
    directory: &Directory,
    cgroup: &mut Cgroup,
) -> Result<(Created, Record)> {
    let id = &args.positional[0];
    let (preserve_fds, listening) = inherited_fds(args)?;
    if let (Some(process), Some(listening)) = (&mut spec.process, listening) {
        process.env.extend([format!("LISTEN_FDS={listening}"), "LISTEN_PID=1".to_owned()]);
    }
    let resources = spec.linux.as_ref().and_then(|linux| linux.resources.clone());
    cgroup
        .create(&resources.unwrap_or_default())
        .map_err(|error| Error::other(format!("unable to apply cgroup configuration: {error}")))?;
    let gate = match started_by {
        StartedBy::Us => Gate::Creator,
        StartedBy::Another => Gate::Socket(directory.listen()?),
    };
    let root = spec.root.as_ref().map_or(PathBuf::from("rootfs"), |root| root.path.clone());
    let created = container::create(CreateOptions {
        id,
        bundle,
        spec: &spec,
        rootfs: Rootfs::Path(root),
        stdio: Stdio::Inherit,
        netns: None,
        cgroup: Some(cgroup),
        preserve_fds,
        no_pivot: args.has("no-pivot"),
        gate,
    })?;
    if let (Some(master), Some(socket)) = (&created.pty_master, args.get("console-socket")) {
        send_console(Path::new(socket), master)?;
    }
    let record = Record {
        id: id.clone(),
        bundle: bundle.to_owned(),
        pid: created.pid,
        start_time: start_time(created.pid).ok_or_else(|| Error::other("container init died"))?,
        created: crate::state::rfc3339(SystemTime::now()),
        owner: rustix::process::getuid().as_raw(),
        systemd_cgroup: global.systemd_cgroup,
        spec,
    };
    directory.write(&record)?;
    if let Some(path) = args.get("pid-file") {
        write_pid(Path::new(path), created.pid)?;
    }
    Ok((created, record))
}

/// Takes back what was made before the error, which is the one to report.
fn undo(error: Error, directory: &Directory, cgroup: Option<&Cgroup>) -> Error {
    if let Some(cgroup) = cgroup {
        let _ = cgroup.delete();
    }
    let _ = directory.remove();
    error
}

fn bundle(args: &Args) -> Result<PathBuf> {
    let bundle = args.get("bundle").unwrap_or(".");
    fs::canonicalize(bundle).context(|| format!("bundle {bundle}"))
}

fn read_spec(bundle: &Path) -> Result<Spec> {
    let path = bundle.join("config.json");
    let json = match fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(Error::invalid(format!(
                "JSON specification file {} not found",
                path.display()
            )));
        }
        result => result.context(|| format!("read {}", path.display()))?,
    };
    serde_json::from_slice(&json)
        .map_err(|error| Error::invalid(format!("parse {}: {error}", path.display())))
}

/// A terminal needs somebody who holds its other end.
fn check_console(terminal: bool, args: &Args, started_by: StartedBy) -> Result<()> {
    let socket = args.get("console-socket").is_some();
    let detached = started_by == StartedBy::Another || args.has("detach");
    match (terminal, socket) {
        (true, false) if detached => Err(Error::invalid(
            "cannot allocate tty if runc will detach without setting console socket",
        )),
        (false, true) => {
            Err(Error::invalid("cannot use console socket if runc will not detach or allocate tty"))
        }
        _ => Ok(()),
    }
}

/// How many descriptors from 3 on the program gets, and how many of them by socket activation.
pub(super) fn inherited_fds(args: &Args) -> Result<(u32, Option<u32>)> {
    let preserved = args.number("preserve-fds")?.unwrap_or(0);
    let ours = std::env::var("LISTEN_PID").is_ok_and(|pid| pid == std::process::id().to_string());
    let listening = std::env::var("LISTEN_FDS").ok().and_then(|count| count.parse::<u32>().ok());
    match listening.filter(|count| ours && *count > 0) {
        Some(count) => Ok((preserved + count, Some(count))),
        None => Ok((preserved, None)),
    }
}

/// Hands the terminal's master to whoever listens at the socket.
pub(super) fn send_console(path: &Path, master: &OwnedFd) -> Result<()> {
    let what = || format!("send the terminal to {}", path.display());
    let socket = sys::socket::connect_stream(path).context(what)?;
    sys::socket::send(&socket, b"/dev/ptmx", &[master.as_fd()]).context(what)
}

/// Complete or not there at all: somebody waits for this file.
pub(super) fn write_pid(path: &Path, pid: i32) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let new = path.with_file_name(format!(".{name}"));
    let what = || format!("write {}", path.display());
    fs::write(&new, pid.to_string()).context(what)?;
    fs::rename(&new, path).context(what)
}

/// Runs the hooks that follow a container's start.
pub(super) fn run_poststart_hooks(container: &Container) -> Result<()> {
    let Some(all) = &container.record.spec.hooks else { return Ok(()) };
    let state: State = container.state()?;
    crate::hooks::run("poststart", &all.poststart, &state)
}
