//! File descriptors that a parent process left open for this one and named by number.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Takes over descriptor `fd`, which must be open and above the standard ones, and keeps it from children.
///
/// Call it once for each number, before the process opens anything that could have got the same number.
pub fn adopt(fd: RawFd) -> io::Result<OwnedFd> {
    if fd <= libc::STDERR_FILENO {
        return Err(io::Error::from_raw_os_error(libc::EBADF));
    }
    // SAFETY: F_SETFD takes no pointer; on a number that is not open it fails with EBADF.
    crate::check(unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) }.into())?;
    // SAFETY: the descriptor is open, as the call above has shown, and by this function's contract nothing else in
    // this process owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Closes every descriptor above the standard ones but `kept`: what the parent left open by mistake, a pipe whose
/// reader waits for its end among them.
///
/// Call it before this process opens anything of its own.
pub fn close_all_but(kept: BorrowedFd<'_>) -> io::Result<()> {
    let kept = kept.as_raw_fd().unsigned_abs();
    close_range(libc::STDERR_FILENO.unsigned_abs() + 1, kept - 1)?;
    close_range(kept + 1, libc::c_uint::MAX)
}

/// Empty where `first` is above `last`.
fn close_range(first: libc::c_uint, last: libc::c_uint) -> io::Result<()> {
    if first > last {
        return Ok(());
    }
    // SAFETY: the call takes no pointer, and by the contract of `close_all_but` nothing in this process owns any of
    // the descriptors.
    crate::check(unsafe { libc::syscall(libc::SYS_close_range, first, last, 0) }).map(drop)
}

#[cfg(test)]
mod tests {
    use std::os::fd::IntoRawFd;

    use super::*;

    #[test]
    fn only_open_descriptors_above_the_standard_ones_are_taken() {
        let open = std::fs::File::open("/dev/null").unwrap().into_raw_fd();
        assert!(adopt(open).is_ok());
        assert!(adopt(0).is_err());
        assert!(adopt(1_000_000).is_err());
    }
}
