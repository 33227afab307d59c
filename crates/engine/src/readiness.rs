//! Waiting for a descriptor without a thread.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

/// Registers a descriptor that the kernel can poll: a socket, an inotify or a process handle. Non-blocking if it is to be
/// read afterwards.
#[expect(
    deprecated,
    reason = "the new constructors are unsafe for types that may close early; an OwnedFd never does"
)]
pub fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    AsyncFd::new(fd)
}
