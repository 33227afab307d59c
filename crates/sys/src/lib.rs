//! Safe Linux calls. The only crate with unsafe code: one module per kernel area, one function per kernel
//! operation, typed file descriptors, and a SAFETY note that names the invariant. What rustix already
//! offers safely is used from there directly.

pub mod allocator;
pub mod bpf;
pub mod credentials;
pub mod datagram;
pub mod inherited;
pub mod keyring;
pub mod loopback;
pub mod mount;
pub mod namespace;
pub mod netlink;
pub mod netns;
pub mod overlay;
pub mod path;
pub mod process;
pub mod program;
pub mod protect;
pub mod pty;
pub mod quota;
pub mod remove;
pub mod seccomp;
pub mod signal;
pub mod signalfd;
pub mod socket;
pub mod start;

use std::io;

/// The result of a raw call: -1 stands for `errno`.
fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
