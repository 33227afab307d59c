//! Network namespaces, entered by threads made for it: a thread that changed its namespace is never reused.

use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::panic::resume_unwind;
use std::thread;

use rustix::thread::{LinkNameSpaceType, UnshareFlags, move_into_link_name_space, unshare_unsafe};

/// Makes a network namespace and runs `setup` inside it. The namespace lives as long as the returned file
/// descriptor, a process, a thread or a mount refers to it.
pub fn create<T: Send>(setup: impl FnOnce() -> io::Result<T> + Send) -> io::Result<(OwnedFd, T)> {
    on_own_thread(|| {
        // SAFETY: only the network namespace is unshared, not the table of file descriptors.
        unsafe { unshare_unsafe(UnshareFlags::NEWNET) }?;
        let namespace = current()?;
        Ok((namespace, setup()?))
    })
}

/// Runs `work` inside the network namespace.
pub fn within<T: Send>(
    namespace: BorrowedFd<'_>,
    work: impl FnOnce() -> io::Result<T> + Send,
) -> io::Result<T> {
    on_own_thread(|| {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
        work()
    })
}

/// The calling thread's network namespace.
pub fn current() -> io::Result<OwnedFd> {
    Ok(File::open("/proc/thread-self/ns/net")?.into())
}

/// The namespace that a socket was made in.
pub fn of_socket(socket: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    const SIOCGSKNS: libc::Ioctl = 0x894c;
    // SAFETY: the descriptor is open while it is borrowed; the request has no argument.
    let fd = unsafe { libc::ioctl(socket.as_raw_fd(), SIOCGSKNS) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it for us; it is closed on exec.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn on_own_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let thread = thread::Builder::new().name("netns".into()).spawn_scoped(scope, work)?;
        thread.join().unwrap_or_else(|panic| resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::fstat;

    #[test]
    fn a_new_namespace_is_another_and_the_caller_stays_where_it_is() {
        let before = fstat(current().expect("own namespace")).expect("stat").st_ino;
        let (namespace, inside) = create(|| Ok(fstat(current()?)?.st_ino)).expect("create");
        assert_ne!(inside, before);
        assert_eq!(fstat(&namespace).expect("stat").st_ino, inside);
        assert_eq!(
            within(namespace.as_fd(), || Ok(fstat(current()?)?.st_ino)).expect("enter"),
            inside
        );
        assert_eq!(fstat(current().expect("own namespace")).expect("stat").st_ino, before);
    }

    #[test]
    fn a_socket_knows_its_namespace() {
        let open = || std::net::UdpSocket::bind("0.0.0.0:0");
        let (namespace, socket) = create(open).expect("create");
        let found = of_socket(socket.as_fd()).expect("ask");
        assert_eq!(fstat(&found).expect("stat").st_ino, fstat(&namespace).expect("stat").st_ino);
    }

    #[test]
    fn a_failing_setup_is_reported() {
        let error = create(|| Err::<(), _>(io::Error::other("no"))).expect_err("setup failed");
        assert_eq!(error.to_string(), "no");
    }
}
