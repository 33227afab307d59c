//! The terminal of a process, from the container's own devpts.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use oci::runtime::ConsoleSize;
use rustix::fs::{Mode, OFlags};
use sys::mount::{self, Depth};
use sys::pty::{self, Pty};

use crate::error::{Context, Result};

const DEVPTS_MAGIC: u64 = 0x1cd1;

/// Opens a terminal of the devpts at `/dev/pts` below `root`.
///
/// CVE-2025-52565: the slave is taken from the master, and what is at `/dev/pts` must be a devpts.
pub(crate) fn open(root: BorrowedFd<'_>, size: Option<ConsoleSize>) -> Result<Pty> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    let devpts = sys::path::open_in_root(root, Path::new("/dev/pts"), flags, Mode::empty())
        .context(|| "open /dev/pts of the container")?;
    sys::path::verify_filesystem(devpts.as_fd(), DEVPTS_MAGIC)
        .context(|| "/dev/pts of the container")?;
    let pty = pty::open(devpts.as_fd()).context(|| "open a terminal of the container")?;
    if let Some(size) = size.filter(|size| size.height != 0 && size.width != 0) {
        pty::resize(&pty.master, size.height, size.width).context(|| "size of the terminal")?;
    }
    Ok(pty)
}

/// Shows the terminal as `/dev/console`.
pub(crate) fn bind_console(root: BorrowedFd<'_>, slave: &OwnedFd) -> Result<()> {
    let target =
        sys::path::create_file_in_root(root, Path::new("/dev/console"), Mode::from_raw_mode(0o600))
            .context(|| "create /dev/console")?;
    let terminal = mount::clone_fd(slave.as_fd(), Depth::Single).context(|| "bind the terminal")?;
    mount::attach(terminal.as_fd(), target.as_fd()).context(|| "mount /dev/console")
}
