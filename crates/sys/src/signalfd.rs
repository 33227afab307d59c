//! Signals as data: blocked, and read from a descriptor instead.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use crate::check;

/// Blocks `signals` and returns a non-blocking descriptor that becomes readable when one arrives.
pub fn open(signals: &[i32]) -> io::Result<OwnedFd> {
    // SAFETY: sigset_t is a plain C structure, initialised by sigemptyset before it is used; the
    // calls only read it, and change the calling thread's mask.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for signal in signals {
            libc::sigaddset(&raw mut set, *signal);
        }
        check(i64::from(libc::sigprocmask(libc::SIG_BLOCK, &raw const set, std::ptr::null_mut())))?;
        let fd = libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        check(i64::from(fd))?;
        Ok(OwnedFd::from_raw_fd(fd))
    }
}

/// Takes the next signal's number; None when there is none.
pub fn next(signals: BorrowedFd<'_>) -> io::Result<Option<i32>> {
    const SIZE: usize = std::mem::size_of::<libc::signalfd_siginfo>();
    let mut info = [0_u8; SIZE];
    // SAFETY: the buffer has the size of the one structure that is read into it.
    let read = unsafe { libc::read(signals.as_raw_fd(), info.as_mut_ptr().cast(), SIZE) };
    match check(read as i64) {
        // The structure begins with the number.
        Ok(_) => Ok(Some(i32::from_ne_bytes([info[0], info[1], info[2], info[3]]))),
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
        Err(error) => Err(error),
    }
}
