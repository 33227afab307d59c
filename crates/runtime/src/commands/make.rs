//! What `create` and `run` have in common: from a bundle to a container that waits.

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci::runtime::Spec;

use super::{Global, delete};
use crate::cgroup::Cgroup;
use crate::container::{self, CreateOptions, Init, Rootfs, Stdio};
use crate::error::{Context, Error, Result};
use crate::flags::{Args, Flag, switch, value};
use crate::state::{Container, Directory, Record, open_cgroup, start_time};
use crate::time::Timestamp;

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

/// What a container is made from, under an id that is reserved.
struct Ground<'a> {
    global: &'a Global,
    args: &'a Args,
    bundle: PathBuf,
    spec: Spec,
    directory: Directory,
    preserve_fds: u32,
}

/// Makes the container of a bundle, which then waits for `start`; nothing is left of one that fails.
pub(super) fn create(global: &Global, args: &Args) -> Result<()> {
    let (ground, mut cgroup) = Ground::prepare(global, args, StartedBy::Another)?;
    ground.create(&mut cgroup).map_err(|error| {
        let error = ground.undo(error, Some(&cgroup));
        // What hooks before them did is theirs to undo. What they say is less worth than the error.
        let _ = ground.record(0).followers().map_or(Ok(()), |followers| followers.stopped());
        error
    })
}

/// Makes the container of a bundle and runs its program; nothing is left of one that fails.
pub(super) fn run(global: &Global, args: &Args) -> Result<(Init, Container)> {
    let (ground, mut cgroup) = Ground::prepare(global, args, StartedBy::Us)?;
    match container::run(ground.options(&mut cgroup), |pid| ground.note(pid)) {
        Ok((init, record)) => Ok((init, Container { record, directory: ground.directory })),
        Err(error) => {
            // Once noted, it has hooks for its end. What they say is less worth than the error.
            if let Ok(container) = global.container(args) {
                let _ = delete::delete(&container);
            }
            Err(ground.undo(error, Some(&cgroup)))
        }
    }
}

impl<'a> Ground<'a> {
    fn prepare(
        global: &'a Global,
        args: &'a Args,
        started_by: StartedBy,
    ) -> Result<(Self, Cgroup)> {
        let bundle = bundle(args)?;
        let mut spec = read_spec(&bundle)?;
        let terminal = spec.process.as_ref().is_some_and(|process| process.terminal);
        check_console(terminal, args, started_by)?;
        let (preserve_fds, listening) = inherited_fds(args)?;
        if let (Some(process), Some(listening)) = (&mut spec.process, listening) {
            process.env.extend([format!("LISTEN_FDS={listening}"), "LISTEN_PID=1".to_owned()]);
        }
        let directory = Directory::create(&global.root, &args.positional[0])?;
        let ground = Ground { global, args, bundle, spec, directory, preserve_fds };
        match open_cgroup(&ground.spec, &args.positional[0], global.systemd_cgroup) {
            Ok(cgroup) => Ok((ground, cgroup)),
            Err(error) => Err(ground.undo(error, None)),
        }
    }

    fn create(&self, cgroup: &mut Cgroup) -> Result<()> {
        let created = container::create(self.options(cgroup), self.directory.listen()?)?;
        if let (Some(master), Some(socket)) = (&created.pty_master, self.args.get("console-socket"))
        {
            send_console(Path::new(socket), master)?;
        }
        self.note(created.pid)?;
        created.leave();
        Ok(())
    }

    fn options<'b>(&'b self, cgroup: &'b mut Cgroup) -> CreateOptions<'b> {
        let root = self.spec.root.as_ref().map_or("rootfs".into(), |root| root.path.clone());
        CreateOptions {
            id: &self.args.positional[0],
            bundle: &self.bundle,
            spec: &self.spec,
            rootfs: Rootfs::Path(root),
            stdio: Stdio::Inherit,
            netns: None,
            cgroup,
            preserve_fds: self.preserve_fds,
            no_pivot: self.args.has("no-pivot"),
            new_keyring: !self.args.has("no-new-keyring"),
        }
    }

    /// The container around a process.
    fn record(&self, pid: i32) -> Record {
        Record {
            id: self.args.positional[0].clone(),
            bundle: self.bundle.clone(),
            pid,
            start_time: start_time(pid).unwrap_or_default(),
            created: Timestamp::now().rfc3339(),
            owner: rustix::process::getuid().as_raw(),
            systemd_cgroup: self.global.systemd_cgroup,
            spec: self.spec.clone(),
        }
    }

    /// Writes down the container around a process.
    fn note(&self, pid: i32) -> Result<Record> {
        let record = self.record(pid);
        if record.start_time == 0 {
            return Err(Error::other("container init died"));
        }
        self.directory.write(&record)?;
        if let Some(path) = self.args.get("pid-file") {
            write_pid(Path::new(path), pid)?;
        }
        Ok(record)
    }

    /// Takes back what was made before the error, which is the one to report.
    fn undo(&self, error: Error, cgroup: Option<&Cgroup>) -> Error {
        if let Some(cgroup) = cgroup {
            let _ = cgroup.delete();
        }
        let _ = self.directory.remove();
        error
    }
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
    let followers = container.record.followers();
    followers.map_or(Ok(()), |followers| followers.started(container.record.pid))
}
