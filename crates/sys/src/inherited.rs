//! File descriptors that a parent process left open for this one and named by number.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

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
