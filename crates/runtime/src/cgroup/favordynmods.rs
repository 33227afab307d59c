//! An empty hierarchy of the engine's own that keeps moves between cgroups cheap.
//!
//! The first write to a `cgroup.procs` after a quiet while waits for an RCU grace period (measured:
//! 9 ms of a container's start), since the lock that it takes favours forks. A hierarchy mounted with
//! `favordynmods` switches that lock to favour moves, for all hierarchies of the host at once, until it
//! is unmounted. (Newer kernels, 6.18 among them, give each process a lock of its own instead, and keep
//! to that after the unmount, until the next boot.) On cgroup v2 containers are cloned into their cgroup, and nothing of this is needed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rustix::mount::{MountFlags, UnmountFlags};

use super::{Layout, Result, file, is_delegated, layout};

fn mountpoint(exec_root: &Path) -> PathBuf {
    exec_root.join("favordynmods")
}

/// Mounts the hierarchy, unless it is there already, and says whether it is of use: false on cgroup
/// v2 and where containers have no cgroups, since it is not needed, and on kernels before 6.0, which do not have it.
pub fn mount(exec_root: &Path) -> Result<bool> {
    if layout() == Layout::V2 || !is_delegated() {
        return Ok(false);
    }
    let mountpoint = mountpoint(exec_root);
    if mountpoint.join("cgroup.procs").exists() {
        return Ok(true);
    }
    file::create_directories(&mountpoint)?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
    match rustix::mount::mount(
        "gantry",
        &mountpoint,
        "cgroup",
        flags,
        c"none,name=gantry,favordynmods",
    ) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::INVAL) => Ok(false),
        Err(error) => Err(file::failed("mount a hierarchy on", &mountpoint, error.into())),
    }
}

/// Unmounts what [`mount`] mounted under the same root; nothing there is no error.
pub fn unmount(exec_root: &Path) -> Result<()> {
    let mountpoint = mountpoint(exec_root);
    match rustix::mount::unmount(&mountpoint, UnmountFlags::DETACH) {
        Ok(()) | Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOENT) => {}
        Err(error) => return Err(file::failed("unmount", &mountpoint, error.into())),
    }
    match fs::remove_dir(&mountpoint) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            Err(file::failed("remove", &mountpoint, error))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_once_and_leaves_nothing() {
        let root = tempfile::tempdir().unwrap();
        match mount(root.path()) {
            Ok(true) => {}
            other => {
                assert!(!other.unwrap(), "v2 needs none, and old kernels have none");
                return unmount(root.path()).unwrap();
            }
        }
        assert!(mount(root.path()).unwrap(), "a second engine start finds it");
        assert!(root.path().join("favordynmods/cgroup.procs").exists());
        unmount(root.path()).unwrap();
        assert!(!root.path().join("favordynmods").exists());
        unmount(root.path()).unwrap();
    }
}
