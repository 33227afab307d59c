//! Unix sockets that keep the bounds of messages and carry descriptors.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, SocketAddrUnix, SocketFlags, SocketType,
};

/// As many descriptors as one message may carry here.
pub const FDS_MAX: usize = 8;

/// How many bytes the other side's kernel (for unix sockets: the other side) has not taken yet.
pub fn unsent(socket: BorrowedFd<'_>) -> io::Result<usize> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the descriptor is open while it is borrowed, and TIOCOUTQ writes one int to where it is told.
    if unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) } != 0 {
        return Err(io::Error::last_os_error());
    }
    usize::try_from(bytes).map_err(io::Error::other)
}

/// A connected pair of SEQPACKET sockets.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(rustix::net::socketpair(
        AddressFamily::UNIX,
        SocketType::SEQPACKET,
        SocketFlags::CLOEXEC,
        None,
    )?)
}

/// A listening SEQPACKET socket at `path`, which must not exist.
pub fn listen(path: &Path) -> io::Result<OwnedFd> {
    let socket = new(SocketType::SEQPACKET)?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    rustix::net::listen(&socket, 16)?;
    Ok(socket)
}

/// Connects to a SEQPACKET socket.
pub fn connect(path: &Path) -> io::Result<OwnedFd> {
    connect_with(path, SocketType::SEQPACKET)
}

/// Connects to a stream socket.
pub fn connect_stream(path: &Path) -> io::Result<OwnedFd> {
    connect_with(path, SocketType::STREAM)
}

/// Connects to a stream socket; neither that nor what is sent later waits longer for the other side.
pub fn connect_stream_within(path: &Path, patience: Duration) -> io::Result<OwnedFd> {
    let socket = new(SocketType::STREAM)?;
    set_socket_timeout(&socket, Timeout::Send, Some(patience))?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?).map_err(|errno| match errno {
        rustix::io::Errno::AGAIN => io::Error::from_raw_os_error(libc::ETIMEDOUT),
        errno => errno.into(),
    })?;
    Ok(socket)
}

fn connect_with(path: &Path, kind: SocketType) -> io::Result<OwnedFd> {
    let socket = new(kind)?;
    rustix::net::connect(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

fn new(kind: SocketType) -> io::Result<OwnedFd> {
    Ok(rustix::net::socket_with(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None)?)
}

/// What a unix socket's peer has not read yet, in bytes with the kernel's overhead: 0 once it has read everything.
pub fn unread_by_peer(socket: impl AsFd) -> io::Result<usize> {
    let mut unread: libc::c_int = 0;
    // SAFETY: TIOCOUTQ, which sockets know as SIOCOUTQ, writes one int to the address given, which is ours.
    let result =
        unsafe { libc::ioctl(socket.as_fd().as_raw_fd(), libc::TIOCOUTQ, &raw mut unread) };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(usize::try_from(unread).unwrap_or(0))
}

/// Sends one message with descriptors. What a stream takes only a part of is an error.
pub fn send(socket: impl AsFd, message: &[u8], fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !fds.is_empty() && !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::Error::from_raw_os_error(libc::E2BIG));
    }
    let data = [IoSlice::new(message)];
    let sent = rustix::io::retry_on_intr(|| {
        rustix::net::sendmsg(socket.as_fd(), &data, &mut control, SendFlags::NOSIGNAL)
    })?;
    if sent < message.len() {
        return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
    }
    Ok(())
}

/// One message: its length in `buffer` (zero once the peer is gone) and its descriptors.
///
/// A message that does not fit is an error, never cut.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FDS_MAX))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let mut data = [IoSliceMut::new(buffer)];
    let received = rustix::io::retry_on_intr(|| {
        rustix::net::recvmsg(socket.as_fd(), &mut data, &mut control, RecvFlags::CMSG_CLOEXEC)
    })?;
    let mut fds = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            fds.extend(rights);
        }
    }
    let cut = rustix::net::ReturnFlags::TRUNC | rustix::net::ReturnFlags::CTRUNC;
    if received.flags.intersects(cut) {
        return Err(io::Error::from_raw_os_error(libc::EMSGSIZE));
    }
    Ok((received.bytes, fds))
}

/// The user id of the process at the other end.
pub fn peer_uid(socket: impl AsFd) -> io::Result<u32> {
    Ok(rustix::net::sockopt::socket_peercred(socket)?.uid.as_raw())
}

/// The pid of the process at the other end, as of the time it connected.
pub fn peer_pid(socket: impl AsFd) -> io::Result<i32> {
    Ok(rustix::net::sockopt::socket_peercred(socket)?.pid.as_raw_nonzero().get())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_arrives_whole_with_its_descriptors() {
        let (here, there) = pair().unwrap();
        let null = std::fs::File::open("/dev/null").unwrap();
        send(&here, b"hello", &[null.as_fd(), here.as_fd()]).unwrap();
        let mut buffer = [0; 64];
        let (length, fds) = receive(&there, &mut buffer).unwrap();
        assert_eq!((&buffer[..length], fds.len()), (&b"hello"[..], 2));
    }

    #[test]
    fn what_a_peer_has_not_read_is_known() {
        use std::io::{Read, Write};
        let (mut here, mut there) = std::os::unix::net::UnixStream::pair().unwrap();
        assert_eq!(unread_by_peer(&here).unwrap(), 0);
        here.write_all(b"hello").unwrap();
        assert!(unread_by_peer(&here).unwrap() > 0);
        there.read_exact(&mut [0; 5]).unwrap();
        assert_eq!(unread_by_peer(&here).unwrap(), 0);
    }

    #[test]
    fn a_message_that_does_not_fit_is_an_error() {
        let (here, there) = pair().unwrap();
        send(&here, &[1; 100], &[]).unwrap();
        let error = receive(&there, &mut [0; 10]).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    }

    #[test]
    fn the_end_is_a_message_of_no_bytes() {
        let (here, there) = pair().unwrap();
        drop(here);
        assert_eq!(receive(&there, &mut [0; 10]).unwrap().0, 0);
    }
}
