//! The state directory of the command line: one directory per container below `--root`.
//!
//! ```text
//! <root>/<id>/state.json   written once the container is created, replaced atomically
//! <root>/<id>/start.sock   the container waits here for `start`; gone once it was started
//! ```
//!
//! Whether a container runs is never stored: it is asked of the kernel, by pid and start time.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use oci::runtime::{Spec, State, Status, VERSION};
use rustix::process::{Pid, PidfdFlags};
use serde::{Deserialize, Serialize};

use crate::cgroup::{Cgroup, Driver};
use crate::error::{Context, Error, Result};
use crate::hooks::Followers;

/// Longer ids make no directory names.
const ID_MAX: usize = 255;

/// What is known about a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: String,
    pub(crate) bundle: PathBuf,
    pub(crate) pid: i32,
    /// In clock ticks since boot: tells the process from a later one of the same number.
    pub(crate) start_time: u64,
    /// RFC 3339.
    pub(crate) created: String,
    pub(crate) owner: u32,
    pub(crate) systemd_cgroup: bool,
    pub(crate) spec: Spec,
}

impl Record {
    fn state_as(&self, status: Status) -> State {
        State {
            version: VERSION.to_owned(),
            id: self.id.clone(),
            status,
            pid: if status == Status::Stopped { 0 } else { self.pid },
            bundle: self.bundle.clone(),
            annotations: self.spec.annotations.clone(),
        }
    }

    /// The hooks that follow its start and its end.
    pub(crate) fn followers(&self) -> Option<Followers> {
        Followers::of(self.spec.hooks.as_ref(), || self.state_as(Status::Stopped))
    }
}

/// A container's directory.
#[derive(Debug)]
pub(crate) struct Directory {
    path: PathBuf,
}

/// A container whose record has been read.
#[derive(Debug)]
pub(crate) struct Container {
    pub(crate) record: Record,
    pub(crate) directory: Directory,
}

impl Directory {
    /// Reserves an id.
    pub(crate) fn create(root: &Path, id: &str) -> Result<Directory> {
        check_id(id)?;
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o711)
            .create(root)
            .context(|| format!("create {}", root.display()))?;
        let path = root.join(id);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                Err(Error::invalid("container with given ID already exists"))
            }
            result => {
                result.context(|| format!("create {}", path.display())).map(|()| Directory { path })
            }
        }
    }

    /// Binds the socket at which the container waits.
    pub(crate) fn listen(&self) -> Result<OwnedFd> {
        let (_held, path) = self.short_path("start.sock")?;
        sys::socket::listen(&path).context(|| "bind start.sock")
    }

    /// Connects to the container that waits; `None` if it does not.
    pub(crate) fn connect(&self) -> Result<Option<OwnedFd>> {
        let (_held, path) = self.short_path("start.sock")?;
        match sys::socket::connect(&path) {
            Err(error)
                if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ECONNREFUSED)) =>
            {
                Ok(None)
            }
            result => result.map(Some).context(|| "connect to start.sock"),
        }
    }

    pub(crate) fn forget_socket(&self) -> Result<()> {
        match fs::remove_file(self.path.join("start.sock")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.context(|| "remove start.sock"),
        }
    }

    /// A socket's address holds 107 bytes, less than many a path.
    fn short_path(&self, name: &str) -> Result<(OwnedFd, PathBuf)> {
        let directory: OwnedFd =
            fs::File::open(&self.path).context(|| format!("open {}", self.path.display()))?.into();
        let path = format!("/proc/self/fd/{}/{name}", directory.as_raw_fd()).into();
        Ok((directory, path))
    }

    pub(crate) fn write(&self, record: &Record) -> Result<()> {
        let json = serde_json::to_vec(record).map_err(|error| Error::other(error.to_string()))?;
        let (new, path) = (self.path.join("state.json.new"), self.path.join("state.json"));
        let write = || {
            let mut options = fs::OpenOptions::new();
            let mut file =
                options.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
            io::Write::write_all(&mut file, &json)?;
            fs::rename(&new, &path)
        };
        write().context(|| format!("write {}", path.display()))
    }

    pub(crate) fn remove(&self) -> Result<()> {
        match fs::remove_dir_all(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.context(|| format!("remove {}", self.path.display())),
        }
    }
}

impl Container {
    pub(crate) fn load(root: &Path, id: &str) -> Result<Container> {
        check_id(id)?;
        let path = root.join(id);
        let json = match fs::read(path.join("state.json")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::new(
                    crate::error::ErrorKind::NotFound,
                    "container does not exist",
                ));
            }
            result => result.context(|| format!("read the state of {id}"))?,
        };
        let record = serde_json::from_slice(&json)
            .map_err(|error| Error::other(format!("read the state of {id}: {error}")))?;
        Ok(Container { record, directory: Directory { path } })
    }

    /// Every container below a root.
    pub(crate) fn all(root: &Path) -> Result<Vec<Container>> {
        let entries = match fs::read_dir(root) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            result => result.context(|| format!("read {}", root.display()))?,
        };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        // One that is just being made or removed is passed over.
        let mut all: Vec<_> = names.filter_map(|id| Container::load(root, &id).ok()).collect();
        all.sort_by(|a, b| a.record.id.cmp(&b.record.id));
        Ok(all)
    }

    pub(crate) fn cgroup(&self) -> Result<Cgroup> {
        open_cgroup(&self.record.spec, &self.record.id, self.record.systemd_cgroup)
    }

    /// A handle on the first process, or `None` once it has ended.
    pub(crate) fn pidfd(&self) -> Result<Option<OwnedFd>> {
        let Some(pid) = Pid::from_raw(self.record.pid) else { return Ok(None) };
        let pidfd = match rustix::process::pidfd_open(pid, PidfdFlags::empty()) {
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            result => result.context(|| format!("pidfd_open {}", self.record.pid))?,
        };
        // Looked at after the handle was taken: it is of the process that was looked at.
        let same = start_time(self.record.pid).is_some_and(|time| time == self.record.start_time);
        Ok(same.then_some(pidfd))
    }

    pub(crate) fn status(&self) -> Result<Status> {
        if self.pidfd()?.is_none() {
            return Ok(Status::Stopped);
        }
        if self.cgroup()?.is_frozen().unwrap_or(false) {
            return Ok(Status::Paused);
        }
        let waits = self.directory.path.join("start.sock").exists();
        Ok(if waits { Status::Created } else { Status::Running })
    }

    /// The container's state as of the specification.
    pub(crate) fn state(&self) -> Result<State> {
        Ok(self.state_as(self.status()?))
    }

    /// The same of a container whose status is known.
    pub(crate) fn state_as(&self, status: Status) -> State {
        self.record.state_as(status)
    }

    /// Sends a signal to the first process.
    pub(crate) fn signal(&self, signal: i32) -> Result<()> {
        let pidfd = self.pidfd()?.ok_or_else(|| Error::other("container not running"))?;
        match sys::signal::send(pidfd.as_fd(), signal) {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {
                Err(Error::other("container not running"))
            }
            result => result.context(|| "send the signal"),
        }
    }
}

pub(crate) fn open_cgroup(spec: &Spec, id: &str, systemd: bool) -> Result<Cgroup> {
    let path = spec.linux.as_ref().map_or("", |linux| &linux.cgroups_path);
    let driver = if systemd { Driver::Systemd } else { Driver::Cgroupfs };
    Ok(Cgroup::open(driver, path, id)?)
}

/// Ids become names of directories and sockets.
fn check_id(id: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_+-.".contains(c);
    if id.is_empty() || id.len() > ID_MAX || matches!(id, "." | "..") || !id.chars().all(plain) {
        return Err(Error::invalid(format!("invalid container ID format {id:?}")));
    }
    Ok(())
}

/// When a process started, in clock ticks since boot; `None` if it has ended, reaped or not.
pub(crate) fn start_time(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name may hold anything, brackets too; the fields after it start with the state.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    let ended = matches!(state, "Z" | "X");
    (!ended).then(|| fields.nth(18)?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_are_no_names_are_refused() {
        let long = "a".repeat(300);
        for id in ["", ".", "..", "a/b", "../x", "a\0b", "a b", long.as_str()] {
            assert!(check_id(id).is_err(), "{id:?}");
        }
        check_id("redis_1.a+b-c").unwrap();
    }

    #[test]
    fn this_process_has_a_start_time_and_no_other_does() {
        let own = std::process::id().cast_signed();
        assert!(start_time(own).is_some());
        assert_eq!(start_time(i32::MAX), None);
    }
}
