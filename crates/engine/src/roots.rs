//! The engine's two folders, and that no other engine uses them at the same time.
//!
//! The data root outlives a boot, the exec root ends with it. The exec root has a file `lock` that is locked as long as an
//! engine lives; the kernel drops the lock however the engine ends. It is the process's lock, not the open file's: that
//! would outlive a killed engine in a child that it has forked and that has not yet become another program. The data root
//! is locked in the same way by the store that is in it.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::FlockOperation;

use crate::config::Config;
use crate::error::{Error, Result};

/// Held for the engine's life.
pub struct Roots {
    _exec: File,
}

impl Roots {
    /// Makes both folders where they are missing, and takes the exec root.
    pub fn take(config: &Config) -> Result<Self> {
        // Secrets lie in the data root. The exec root holds the socket, which others may pass to but not list
        // (CVE-2021-41091); what is inside it is private.
        make(&config.data_root, 0o700)?;
        make(&config.exec_root, 0o711)?;
        Ok(Self { _exec: lock(&config.exec_root)? })
    }
}

fn make(root: &Path, mode: u32) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(root)
        .and_then(|()| std::fs::set_permissions(root, Permissions::from_mode(mode)))
        .map_err(|error| unusable(root).because(error))
}

fn unusable(root: &Path) -> Error {
    Error::system(format!("cannot use the folder {}", root.display()))
}

fn lock(root: &Path) -> Result<File> {
    let fail = |error: io::Error| unusable(root).because(error);
    let mut options = File::options();
    options.create(true).truncate(false).read(true).write(true).mode(0o600);
    let mut lock = options.open(root.join("lock")).map_err(fail)?;
    if rustix::fs::fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        let mut pid = String::new();
        lock.read_to_string(&mut pid).map_err(fail)?;
        return Err(Error::conflict(format!(
            "another engine (pid {}) already uses the folder {}; give this one its own --data-root and --exec-root",
            pid.trim(),
            root.display()
        )));
    }
    lock.set_len(0).and_then(|()| writeln!(lock, "{}", std::process::id())).map_err(fail)?;
    Ok(lock)
}

/// The process id file, removed when the engine ends well. As with dockerd, one that names an engine that runs is in the
/// way; here a number that some other program has by now is not.
pub struct Pidfile<'a>(&'a Path);

impl<'a> Pidfile<'a> {
    pub fn write(path: &'a Path) -> Result<Self> {
        if let Some(pid) = engine_named_in(path) {
            return Err(Error::conflict(format!(
                "ensure gantryd is not running or delete {}: process with PID {pid} is still running",
                path.display()
            )));
        }
        std::fs::write(path, std::process::id().to_string()).map_err(|error| {
            Error::system(format!("cannot write the pidfile {}", path.display())).because(error)
        })?;
        Ok(Self(path))
    }
}

fn engine_named_in(path: &Path) -> Option<u32> {
    let pid = std::fs::read_to_string(path).ok()?.trim().parse().ok()?;
    let program = |pid: u32| {
        // PID (PROGRAM) STATE: one that only waits to be reaped is no engine.
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let (program, state) = stat.rsplit_once(") ")?;
        (!state.starts_with('Z'))
            .then(|| program.split_once('(').map(|(_, name)| name.to_owned()))?
    };
    let own = std::process::id();
    (pid != own && program(pid).is_some() && program(pid) == program(own)).then_some(pid)
}

impl Drop for Pidfile<'_> {
    fn drop(&mut self) {
        // The next engine overwrites one that is left.
        let _ = std::fs::remove_file(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pidfile_is_in_the_way_only_of_another_engine() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        // Nothing, nonsense, this very process, one that is none, and one that is another program.
        for text in [
            None,
            Some("nonsense".to_owned()),
            Some(std::process::id().to_string()),
            Some("4294967295".into()),
            Some("1".into()),
        ] {
            if let Some(text) = text {
                std::fs::write(&path, text).unwrap();
            }
            drop(Pidfile::write(&path).unwrap());
            assert!(!path.exists());
        }
    }

    #[test]
    fn cve_2021_41091_state_is_closed_to_other_users() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            data_root: folder.path().join("data"),
            exec_root: folder.path().join("exec"),
            ..Config::default()
        };
        std::fs::create_dir(&config.data_root).unwrap();
        std::fs::set_permissions(&config.data_root, Permissions::from_mode(0o755)).unwrap();
        let _roots = Roots::take(&config).unwrap();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&config.data_root), mode(&config.exec_root)), (0o700, 0o711));
    }
}
