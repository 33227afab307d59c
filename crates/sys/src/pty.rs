//! Pseudoterminals.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::pty::OpenptFlags;

use crate::check;

/// Both ends of a new pseudoterminal.
#[derive(Debug)]
pub struct Pty {
    pub master: OwnedFd,
    pub slave: OwnedFd,
}

/// A pseudoterminal of the devpts instance whose `ptmx` is `ptmx`.
///
/// The slave is opened through the master, never by its name, so that nothing can be put in its place.
pub fn open(devpts: BorrowedFd<'_>) -> io::Result<Pty> {
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let master = rustix::fs::openat(devpts, c"ptmx", flags, Mode::empty())?;
    rustix::pty::unlockpt(&master)?;
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let slave = rustix::pty::ioctl_tiocgptpeer(&master, flags)?;
    Ok(Pty { master, slave })
}

/// The number under which the master's slave is found in its devpts.
pub fn number(master: BorrowedFd<'_>) -> io::Result<u32> {
    let mut number: libc::c_uint = 0;
    // SAFETY: TIOCGPTN writes one unsigned int, which outlives the call.
    check(unsafe { libc::ioctl(master.as_raw_fd(), libc::TIOCGPTN, &raw mut number) } as i64)?;
    Ok(number)
}

/// Sets the size in characters.
pub fn resize(terminal: impl AsFd, height: u16, width: u16) -> io::Result<()> {
    let size =
        rustix::termios::Winsize { ws_row: height, ws_col: width, ws_xpixel: 0, ws_ypixel: 0 };
    Ok(rustix::termios::tcsetwinsize(terminal, size)?)
}

/// Makes the terminal the controlling one of the calling session leader.
pub fn make_controlling(terminal: impl AsFd) -> io::Result<()> {
    Ok(rustix::process::ioctl_tiocsctty(terminal)?)
}

/// The devpts of the calling process's mount namespace.
pub fn host_devpts() -> io::Result<OwnedFd> {
    Ok(File::open("/dev/pts")?.into())
}
