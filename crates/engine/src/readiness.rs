//! Waiting for a descriptor without a thread.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
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

/// Completes once the other end of a unix stream socket is closed for good. One that has only said that it sends nothing
/// more still waits for an answer.
#[expect(deprecated, reason = "as above")]
pub async fn hung_up(socket: io::Result<OwnedFd>) {
    // Registered for priority data, which such sockets never have, the kernel tells of nothing but the end.
    let watched = socket.and_then(|fd| AsyncFd::with_interest(fd, Interest::PRIORITY));
    match watched {
        Ok(watched) => {
            let _ = watched.ready(Interest::PRIORITY).await;
        }
        // Out of descriptors: the end is seen when something is written.
        Err(_) => std::future::pending().await,
    }
}
