//! Starting an engine where none listens: by its systemd unit, else detached.
//!
//! The engine says that it is ready by writing to the pipe of `--ready-fd N`; the end of the pipe
//! without a word means that it died. It makes a session of its own and leaves the caller's cgroup.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::AsRawFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::fs::{FlockOperation, flock};
use rustix::io::{FdFlags, fcntl_setfd};

use crate::error::{Failure, Result};

const RUN_DIRECTORY: &str = "/run/gantry";
const LOG: &str = "/run/gantry/gantryd.log";
const UNIT: &str = "gantry.service";
const UNIT_DIRECTORIES: [&str; 4] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
/// The engine's environment: nothing of the caller's reaches it.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Returns once an engine answers on the default socket.
pub(crate) fn start() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::new(
            "No engine is running, and an ordinary user cannot start one yet: rootless engines come with the networks issue.\nRun gantry as root, or set DOCKER_HOST.",
        ));
    }
    fs::DirBuilder::new().recursive(true).mode(0o711).create(RUN_DIRECTORY)?;
    let lock = File::create(Path::new(RUN_DIRECTORY).join("start.lock"))?;
    flock(&lock, FlockOperation::LockExclusive).map_err(std::io::Error::from)?;
    // Whoever held the lock before may have started one.
    if std::os::unix::net::UnixStream::connect(crate::context::DEFAULT_SOCKET).is_ok() {
        return Ok(());
    }
    if has_unit() { start_unit() } else { start_detached() }
}

fn has_unit() -> bool {
    Path::new("/run/systemd/system").is_dir()
        && UNIT_DIRECTORIES.iter().any(|directory| Path::new(directory).join(UNIT).exists())
}

fn start_unit() -> Result<()> {
    let output = Command::new("systemctl").args(["start", UNIT]).output()?;
    if output.status.success() {
        return Ok(());
    }
    let reason = String::from_utf8_lossy(&output.stderr);
    Err(Failure::new(format!("systemctl start {UNIT}: {}", reason.trim())))
}

fn start_detached() -> Result<()> {
    let engine = engine_binary()?;
    let (mut ready, writer) = std::io::pipe()?;
    // Inherited under its own number: nothing else of this process is, and it has one thread.
    fcntl_setfd(&writer, FdFlags::empty()).map_err(std::io::Error::from)?;
    let log = File::create(LOG)?;
    Command::new(&engine)
        .args(["--ready-fd", &writer.as_raw_fd().to_string()])
        .env_clear()
        .env("PATH", PATH)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|error| Failure::new(format!("could not start {}: {error}", engine.display())))?;
    drop(writer);
    match ready.read(&mut [0]) {
        Ok(1) => Ok(()),
        _ => Err(Failure::new(format!("{} did not start: {}", engine.display(), last_line()))),
    }
}

/// `gantryd` beside this program, else the first one in the engine's own PATH.
fn engine_binary() -> Result<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("gantryd")));
    let installed = PATH.split(':').map(|directory| Path::new(directory).join("gantryd"));
    beside
        .into_iter()
        .chain(installed)
        .find(|path| path.exists())
        .ok_or_else(|| Failure::new("no gantryd found beside gantry or in the PATH"))
}

fn last_line() -> String {
    let log = fs::read_to_string(LOG).unwrap_or_default();
    log.lines().last().map_or_else(|| format!("see {LOG}"), str::to_owned)
}
