//! Another OCI runtime by runc's command line (`--runtime`).
//!
//! Its root file system is mounted in a mount namespace of the monitor's own, which the runtime's
//! commands inherit; the monitor is the subreaper, so that what they detach becomes its child.

use std::fmt::Display;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, PidfdFlags};
use serde_json::Value;
use sys::mount::{self, Depth};

use super::config::{Config, ExternalRuntime, Rootfs};
use super::launch::{ChildStdio, Launched};
use super::protocol::{ErrorKind, Failure};
use super::session::Process;

pub(super) struct External {
    id: String,
    bundle: PathBuf,
    runtime: ExternalRuntime,
    rootfs: Rootfs,
    /// Kept for as long as the container's description names it by number.
    netns: Option<OwnedFd>,
}

impl External {
    pub(super) fn new(config: &Config, runtime: ExternalRuntime, bundle: &Path) -> External {
        External {
            id: config.id.clone(),
            bundle: bundle.to_owned(),
            runtime,
            rootfs: config.rootfs.clone(),
            netns: None,
        }
    }

    pub(super) fn start(
        &mut self,
        stdio: ChildStdio,
        netns: Option<OwnedFd>,
    ) -> Result<Launched, Failure> {
        self.mount_root().map_err(|error| other("mounting the root file system", &error))?;
        if let Some(netns) = netns {
            self.name_netns(&netns)
                .map_err(|error| other("naming the network namespace", &error))?;
            self.netns = Some(netns);
        }
        let launched = self.create(stdio)?;
        if let Err(failure) = self.run(self.command("start").arg(&self.id)) {
            // The failure that is reported is the one that came first.
            let _ = self.delete();
            return Err(failure);
        }
        Ok(launched)
    }

    fn mount_root(&self) -> io::Result<()> {
        sys::namespace::unshare(sys::namespace::MOUNT)?;
        mount::set_propagation(Path::new("/"), mount::SLAVE, Depth::Recursive)?;
        let root = match &self.rootfs {
            Rootfs::Path(path) => mount::clone_tree(path, Depth::Recursive)?,
            Rootfs::Overlay(overlay) => overlay.description().mount()?,
        };
        let target = std::fs::File::open(self.bundle.join("rootfs"))?;
        mount::attach(root.as_fd(), target.as_fd())
    }

    /// Puts our descriptor of the network namespace into the bundle's description.
    fn name_netns(&self, netns: &OwnedFd) -> io::Result<()> {
        let path = self.bundle.join("config.json");
        let mut spec: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
        let namespaces = spec.pointer_mut("/linux/namespaces").and_then(Value::as_array_mut);
        let network = namespaces
            .and_then(|list| list.iter_mut().find(|namespace| namespace["type"] == "network"))
            .ok_or_else(|| io::Error::other("config.json has no network namespace"))?;
        let fd = format!("/proc/{}/fd/{}", std::process::id(), netns.as_raw_fd());
        network["path"] = fd.into();
        std::fs::write(&path, serde_json::to_vec(&spec)?)
    }

    fn create(&self, stdio: ChildStdio) -> Result<Launched, Failure> {
        let pid_file = self.bundle.join("init.pid");
        let mut command = self.command("create");
        command.arg("--bundle").arg(&self.bundle).arg("--pid-file").arg(&pid_file);
        self.launch(command, stdio, &pid_file, |command| command.arg(&self.id))
    }

    pub(super) fn exec(&self, exec_id: &str, stdio: ChildStdio) -> Result<Launched, Failure> {
        let process = self.bundle.join("exec").join(format!("{exec_id}.json"));
        let pid_file = self.bundle.join("exec").join(format!("{exec_id}.pid"));
        let mut command = self.command("exec");
        command.arg("--detach").arg("--process").arg(process).arg("--pid-file").arg(&pid_file);
        let launched = self.launch(command, stdio, &pid_file, |command| command.arg(&self.id));
        // It was only for us.
        let _ = std::fs::remove_file(&pid_file);
        launched
    }

    /// Runs a command that leaves a process behind, whose pid it writes into a file.
    fn launch(
        &self,
        mut command: Command,
        stdio: ChildStdio,
        pid_file: &Path,
        finish: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<Launched, Failure> {
        let pty_master = match stdio {
            ChildStdio::Fds([stdin, stdout, stderr]) => {
                command.stdin(stdin).stdout(stdout).stderr(stderr);
                self.run(finish(&mut command))?;
                None
            }
            ChildStdio::Pty(size) => {
                let console = Console::listen(&self.bundle)
                    .map_err(|error| other("making the console socket", &error))?;
                command.arg("--console-socket").arg(&console.path);
                self.run(finish(&mut command))?;
                let master =
                    console.receive().map_err(|error| other("receiving the terminal", &error))?;
                if let Some([height, width]) = size {
                    sys::pty::resize(&master, height, width)
                        .map_err(|error| other("sizing the terminal", &error))?;
                }
                Some(master)
            }
        };
        let process = read_process(pid_file).map_err(|error| other("reading the pid", &error))?;
        Ok(Launched { process, pty_master })
    }

    pub(super) fn delete(&self) -> Result<(), Failure> {
        self.run(self.command("delete").arg("--force").arg(&self.id))
    }

    fn command(&self, verb: &str) -> Command {
        let mut command = Command::new(&self.runtime.path);
        command.args(&self.runtime.args);
        command.arg("--log").arg(self.log_path()).args(["--log-format", "json", verb]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn log_path(&self) -> PathBuf {
        self.bundle.join("runtime.log")
    }

    /// Runs a command to its end. Its log says why it failed, since its stderr is the container's.
    fn run(&self, command: &mut Command) -> Result<(), Failure> {
        // An old message would be taken for the cause of a new failure.
        let _ = std::fs::remove_file(self.log_path());
        let status = command
            .status()
            .map_err(|error| other(&format!("running {}", self.runtime.path.display()), &error))?;
        if status.success() {
            return Ok(());
        }
        let log = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let message = last_error(&log).unwrap_or_else(|| status.to_string());
        let kind = kind_of(&message);
        Err(Failure { kind, message: format!("{}: {message}", self.runtime.path.display()) })
    }
}

/// The socket on which a runtime hands over the terminal it made.
struct Console {
    path: PathBuf,
    listener: OwnedFd,
}

impl Console {
    fn listen(bundle: &Path) -> io::Result<Console> {
        let path = bundle.join("console.sock");
        let _ = std::fs::remove_file(&path);
        let listener = std::os::unix::net::UnixListener::bind(&path)?;
        Ok(Console { path, listener: listener.into() })
    }

    /// The runtime has ended well, so that its message waits, or it sent none.
    fn receive(&self) -> io::Result<OwnedFd> {
        rustix::io::ioctl_fionbio(&self.listener, true)?;
        let connection = rustix::net::accept(&self.listener)?;
        let (_, fds) = sys::socket::receive(&connection, &mut [0; 4096])?;
        fds.into_iter().next().ok_or_else(|| io::Error::other("the message holds no descriptor"))
    }
}

impl Drop for Console {
    fn drop(&mut self) {
        // A name that is left over is removed before the next use.
        let _ = std::fs::remove_file(&self.path);
    }
}

fn read_process(pid_file: &Path) -> io::Result<Process> {
    let text = std::fs::read_to_string(pid_file)?;
    let pid = text.trim().parse().map_err(io::Error::other)?;
    let raw = Pid::from_raw(pid).ok_or_else(|| io::Error::other("the pid is 0"))?;
    Ok(Process { pid, pidfd: rustix::process::pidfd_open(raw, PidfdFlags::empty())? })
}

/// The message of the last entry that is an error.
fn last_error(log: &str) -> Option<String> {
    log.lines().rev().find_map(|line| {
        let entry: Value = serde_json::from_str(line).ok()?;
        let is_error = matches!(entry["level"].as_str(), Some("error" | "fatal"));
        is_error.then(|| entry["msg"].as_str().map(str::to_owned))?
    })
}

/// Runtimes have no codes for these, only words.
fn kind_of(message: &str) -> ErrorKind {
    let message = message.to_ascii_lowercase();
    if message.contains("executable file not found") || message.contains("no such file") {
        ErrorKind::NotFound
    } else if message.contains("permission denied") {
        ErrorKind::Permission
    } else {
        ErrorKind::Other
    }
}

fn other(doing: &str, error: &dyn Display) -> Failure {
    Failure { kind: ErrorKind::Other, message: format!("{doing}: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_error_of_a_log_is_the_cause() {
        let log = r#"{"level":"warning","msg":"old"}
{"level":"error","msg":"runc create failed: exec: \"x\": executable file not found in $PATH"}
{"level":"info","msg":"bye"}
"#;
        let message = last_error(log).unwrap();
        assert!(message.starts_with("runc create failed"));
        assert_eq!(kind_of(&message), ErrorKind::NotFound);
        assert_eq!(kind_of("exec /x: Permission denied"), ErrorKind::Permission);
        assert_eq!(last_error("not json\n"), None);
    }
}
