//! Session keyrings: a container must not see the keys of whoever started it.

use std::ffi::CStr;
use std::io;

use crate::check;

/// Gives the calling process a new session keyring of the given name.
pub fn join_session(name: &CStr) -> io::Result<()> {
    const KEYCTL_JOIN_SESSION_KEYRING: i32 = 1;
    // SAFETY: the name outlives the call.
    check(unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr()) })
        .map(drop)
}
