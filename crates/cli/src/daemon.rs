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

use rustix::fs::{Access, FlockOperation, flock};
use rustix::io::{FdFlags, fcntl_setfd};

use crate::error::{Failure, Result};

/// Where root's engine keeps its socket. An ordinary user's does so in the same way below `XDG_RUNTIME_DIR`.
const RUN_DIRECTORY: &str = "/run/gantry";
const SOCKET: &str = "gantry.sock";
const UNIT: &str = "gantry.service";
/// The engine's environment: of the caller's nothing reaches it but what says where the user's folders are, and through
/// which proxies registries are asked.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const FOLDERS: [&str; 4] = ["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR"];
const PROXIES: [&str; 6] =
    ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"];

/// Where an engine of this machine listens: root's, unless this user may not talk to it and has one of their own.
pub(crate) fn default_socket() -> PathBuf {
    run_directory().join(SOCKET)
}

fn run_directory() -> PathBuf {
    let of_root = PathBuf::from(RUN_DIRECTORY);
    let is_usable =
        || rustix::fs::access(of_root.join(SOCKET), Access::READ_OK | Access::WRITE_OK).is_ok();
    if rustix::process::geteuid().is_root() || is_usable() {
        return of_root;
    }
    let own = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    own.filter(|path| path.is_absolute()).map_or(of_root, |path| path.join("gantry"))
}

/// Returns once an engine answers on the default socket.
pub(crate) fn start() -> Result<()> {
    let directory = run_directory();
    let is_root = rustix::process::geteuid().is_root();
    if !is_root && directory == Path::new(RUN_DIRECTORY) {
        return Err(Failure::new(
            "No engine is running. For one of your own set XDG_RUNTIME_DIR, as a login with systemd does; for the system's \
             run gantry as root, or set DOCKER_HOST.",
        ));
    }
    fs::DirBuilder::new().recursive(true).mode(0o711).create(&directory)?;
    let lock = File::create(directory.join("start.lock"))?;
    flock(&lock, FlockOperation::LockExclusive).map_err(std::io::Error::from)?;
    // Whoever held the lock before may have started one.
    if std::os::unix::net::UnixStream::connect(directory.join(SOCKET)).is_ok() {
        return Ok(());
    }
    let manager = if is_root { Manager::of_system() } else { Manager::of_user() };
    match manager.filter(Manager::has_unit) {
        Some(manager) => manager.start_unit(),
        None => start_detached(&directory.join("gantryd.log")),
    }
}

/// The systemd that starts services for whoever asks for an engine.
struct Manager {
    units: Vec<PathBuf>,
    words: &'static [&'static str],
}

impl Manager {
    fn of_system() -> Option<Self> {
        const UNITS: [&str; 4] = [
            "/etc/systemd/system",
            "/run/systemd/system",
            "/usr/lib/systemd/system",
            "/lib/systemd/system",
        ];
        let units = UNITS.map(PathBuf::from).into();
        Path::new("/run/systemd/system").is_dir().then_some(Self { units, words: &["start", UNIT] })
    }

    fn of_user() -> Option<Self> {
        const UNITS: [&str; 2] = ["/etc/systemd/user", "/usr/lib/systemd/user"];
        let folder = |name| std::env::var_os(name).map(PathBuf::from);
        let config = folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")));
        let own = config.map(|config| config.join("systemd/user"));
        let units = own.into_iter().chain(UNITS.map(PathBuf::from)).collect();
        let runs = folder("XDG_RUNTIME_DIR")?.join("systemd/private").exists();
        runs.then_some(Self { units, words: &["--user", "start", UNIT] })
    }

    fn has_unit(&self) -> bool {
        self.units.iter().any(|directory| directory.join(UNIT).exists())
    }

    fn start_unit(&self) -> Result<()> {
        let output = Command::new("systemctl").args(self.words).output()?;
        if output.status.success() {
            return Ok(());
        }
        let reason = String::from_utf8_lossy(&output.stderr);
        Err(Failure::new(format!("systemctl {}: {}", self.words.join(" "), reason.trim())))
    }
}

fn start_detached(log: &Path) -> Result<()> {
    let engine = engine_binary()?;
    let (mut ready, writer) = std::io::pipe()?;
    // Inherited under its own number: nothing else of this process is, and it has one thread.
    fcntl_setfd(&writer, FdFlags::empty()).map_err(std::io::Error::from)?;
    let own = |name: &'static str| Some((name, std::env::var_os(name)?));
    let folders = FOLDERS.into_iter().filter_map(own);
    let mut started = Command::new(&engine)
        .args(["--ready-fd", &writer.as_raw_fd().to_string()])
        .env_clear()
        .env("PATH", PATH)
        .envs(folders.filter(|_| !rustix::process::geteuid().is_root()))
        .envs(PROXIES.into_iter().filter_map(own))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(log)?)
        .spawn()
        .map_err(|error| Failure::new(format!("could not start {}: {error}", engine.display())))?;
    drop(writer);
    match ready.read(&mut [0]) {
        Ok(1) => Ok(()),
        _ => {
            // It says why after it has let go of the pipe.
            started.wait()?;
            Err(Failure::new(format!("{} did not start: {}", engine.display(), last_line(log))))
        }
    }
}

/// `gantryd` beside this program, else the first one in the engine's own PATH.
pub(crate) fn engine_binary() -> Result<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("gantryd")));
    let installed = PATH.split(':').map(|directory| Path::new(directory).join("gantryd"));
    beside
        .into_iter()
        .chain(installed)
        .find(|path| path.exists())
        .ok_or_else(|| Failure::new("no gantryd found beside gantry or in the PATH"))
}

fn last_line(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    text.lines().last().map_or_else(|| format!("see {}", log.display()), str::to_owned)
}
