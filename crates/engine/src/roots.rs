//! The engine's two folders, and that no other engine uses them at the same time.
//!
//! The data root outlives a boot, the exec root ends with it. Each has a file `lock` that is locked as long as an
//! engine lives; the kernel drops the lock however the engine ends. It is the process's lock, not the open file's: that
//! would outlive a killed engine in a child that it has forked and that has not yet become another program.

use std::fs::{DirBuilder, File, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use rustix::fs::FlockOperation;

use crate::config::Config;
use crate::error::{Error, Result};

/// Held for the engine's life.
pub struct Roots {
    _data: File,
    _exec: File,
}

impl Roots {
    /// Makes both folders where they are missing, and takes them.
    pub fn take(config: &Config) -> Result<Self> {
        // Secrets lie in the data root. The exec root holds the socket, which others may pass to but not list
        // (CVE-2021-41091); what is inside it is private.
        let data = take(&config.data_root, 0o700)?;
        let exec = take(&config.exec_root, 0o711)?;
        Ok(Self { _data: data, _exec: exec })
    }
}

fn take(root: &Path, mode: u32) -> Result<File> {
    let fail = |error: io::Error| {
        Error::system(format!("cannot use the folder {}", root.display())).because(error)
    };
    DirBuilder::new().recursive(true).mode(mode).create(root).map_err(fail)?;
    std::fs::set_permissions(root, Permissions::from_mode(mode)).map_err(fail)?;
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

/// The process id file, removed when the engine ends well.
pub struct Pidfile<'a>(&'a Path);

impl<'a> Pidfile<'a> {
    pub fn write(path: &'a Path) -> Result<Self> {
        std::fs::write(path, std::process::id().to_string()).map_err(|error| {
            Error::system(format!("cannot write the pidfile {}", path.display())).because(error)
        })?;
        Ok(Self(path))
    }
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
