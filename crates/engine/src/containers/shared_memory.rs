//! The /dev/shm of a container that lends its IPC namespace: a tmpfs below its directory in the exec root, as Docker has
//! one below the container's. A mount in the container's own namespace could not be given to those that join it.

use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use rustix::io::Errno;
use rustix::mount::UnmountFlags;
use sys::mount::{self, FileSystem, NODEV, NOEXEC, NOSUID};

/// Where it is in a container's directory.
pub fn place(directory: &Path) -> PathBuf {
    directory.join("shm")
}

/// Makes it, of so many bytes.
pub fn make(directory: &Path, size: i64) -> io::Result<()> {
    let place = place(directory);
    fs::create_dir(&place)?;
    let tmpfs = FileSystem::open("tmpfs")?;
    tmpfs.set("source", "shm")?;
    tmpfs.set("size", &size.to_string())?;
    tmpfs.set("mode", "1777")?;
    let mount = tmpfs.mount(NOSUID | NODEV | NOEXEC)?;
    mount::attach(mount.as_fd(), fs::File::open(place)?.as_fd())
}

/// Takes a container's directory away, with what is mounted there. Who joined keeps what he has.
pub fn remove_with(directory: &Path) -> io::Result<()> {
    let flags = UnmountFlags::DETACH | UnmountFlags::NOFOLLOW;
    match rustix::mount::unmount(place(directory), flags) {
        // Hardly any container has one.
        Ok(()) | Err(Errno::NOENT | Errno::INVAL) => sys::remove::tree(directory),
        Err(errno) => Err(errno.into()),
    }
}
