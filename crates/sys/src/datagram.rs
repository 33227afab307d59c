//! UDP over IPv6 by a socket on all addresses: which of them a datagram came to, and which one an answer goes out by
//! (RFC 3542, section 6).

use std::io;
use std::mem::size_of;
use std::net::{Ipv6Addr, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

/// One of this host's addresses, and the link that it was used by; 0 for any.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Local {
    pub ip: Ipv6Addr,
    pub link: u32,
}

/// A datagram that was put into a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Received {
    pub len: usize,
    pub from: SocketAddrV6,
    pub to: Local,
}

const HEADER: usize = size_of::<libc::cmsghdr>();
/// A control message with the 20 bytes of an `in6_pktinfo`, whose successor would begin at a multiple of eight.
const SPACE: usize = HEADER + size_of::<libc::in6_pktinfo>().next_multiple_of(size_of::<usize>());

#[repr(C, align(8))]
struct Control([u8; SPACE]);

/// Has the socket tell where datagrams were sent to, which [`receive`] needs.
pub fn tell_destinations(socket: impl AsFd) -> io::Result<()> {
    let on: libc::c_int = 1;
    // SAFETY: the option's value is one int that lives until the call returns; the descriptor is open while borrowed.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_IPV6,
            libc::IPV6_RECVPKTINFO,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The next datagram; what does not fit in the buffer is cut off.
pub fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<Received> {
    let mut from = address(SocketAddrV6::new(Ipv6Addr::UNSPECIFIED, 0, 0, 0));
    let mut control = Control([0; SPACE]);
    let mut data = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut message = header(&mut from, &mut data, &mut control);
    // SAFETY: name, data and control are ours, of the lengths given, and outlive the call; the descriptor is open while
    // borrowed.
    let len = unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut message, 0) };
    let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
    let filled = control.0.get(..message.msg_controllen).unwrap_or_default();
    let to = read(filled).ok_or(io::ErrorKind::InvalidData)?;
    let ip = Ipv6Addr::from(from.sin6_addr.s6_addr);
    let from = SocketAddrV6::new(ip, u16::from_be(from.sin6_port), 0, from.sin6_scope_id);
    Ok(Received { len, from, to })
}

/// Sends all of `datagram` from that address.
pub fn send(socket: impl AsFd, datagram: &[u8], from: Local, to: SocketAddrV6) -> io::Result<()> {
    let mut to = address(to);
    let mut control = Control(write(from));
    // The kernel only reads from it.
    let mut data =
        libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
    let message = header(&mut to, &mut data, &mut control);
    // SAFETY: name, data and control are ours, of the lengths given, and outlive the call, which changes none of them; the
    // descriptor is open while borrowed.
    let sent = unsafe {
        libc::sendmsg(socket.as_fd().as_raw_fd(), &raw const message, libc::MSG_NOSIGNAL)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn header(
    name: &mut libc::sockaddr_in6,
    data: &mut libc::iovec,
    control: &mut Control,
) -> libc::msghdr {
    libc::msghdr {
        msg_name: ptr::from_mut(name).cast(),
        msg_namelen: size_of::<libc::sockaddr_in6>() as libc::socklen_t,
        msg_iov: data,
        msg_iovlen: 1,
        msg_control: control.0.as_mut_ptr().cast(),
        msg_controllen: SPACE,
        msg_flags: 0,
    }
}

fn address(address: SocketAddrV6) -> libc::sockaddr_in6 {
    libc::sockaddr_in6 {
        sin6_family: libc::AF_INET6 as libc::sa_family_t,
        sin6_port: address.port().to_be(),
        sin6_flowinfo: 0,
        sin6_addr: libc::in6_addr { s6_addr: address.ip().octets() },
        sin6_scope_id: address.scope_id(),
    }
}

/// Length, level, type; address, link.
fn write(local: Local) -> [u8; SPACE] {
    let length = HEADER + size_of::<libc::in6_pktinfo>();
    let parts: [&[u8]; 5] = [
        &length.to_ne_bytes(),
        &libc::IPPROTO_IPV6.to_ne_bytes(),
        &libc::IPV6_PKTINFO.to_ne_bytes(),
        &local.ip.octets(),
        &local.link.to_ne_bytes(),
    ];
    let mut bytes = [0; SPACE];
    let mut at = 0;
    for part in parts {
        bytes[at..at + part.len()].copy_from_slice(part);
        at += part.len();
    }
    bytes
}

/// The only control message that was asked for.
fn read(control: &[u8]) -> Option<Local> {
    let number = |at: usize| Some(i32::from_ne_bytes(*control.get(at..)?.first_chunk()?));
    let level = HEADER - 2 * size_of::<libc::c_int>();
    if number(level)? != libc::IPPROTO_IPV6 || number(level + 4)? != libc::IPV6_PKTINFO {
        return None;
    }
    let value = control.get(HEADER..)?;
    let ip = Ipv6Addr::from(*value.first_chunk::<16>()?);
    Some(Local { ip, link: u32::from_ne_bytes(*value.get(16..)?.first_chunk()?) })
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn an_answer_comes_from_where_the_question_was_sent_to() {
        let server = UdpSocket::bind("[::]:0").unwrap();
        tell_destinations(&server).unwrap();
        let port = server.local_addr().unwrap().port();
        let client = UdpSocket::bind("[::1]:0").unwrap();
        client.send_to(b"question", ("::1", port)).unwrap();
        let mut buffer = [0; 4];
        let received = receive(&server, &mut buffer).unwrap();
        assert_eq!((&buffer, received.len), (b"ques", 4), "as much as there is room for");
        assert_eq!(received.to.ip, Ipv6Addr::LOCALHOST);
        assert_eq!(
            received.from,
            SocketAddrV6::new(Ipv6Addr::LOCALHOST, client.local_addr().unwrap().port(), 0, 0)
        );
        send(&server, b"answer", received.to, received.from).unwrap();
        let (len, from) = client.recv_from(&mut buffer).unwrap();
        assert_eq!((len, from), (4, format!("[::1]:{port}").parse().unwrap()));
    }

    #[test]
    fn who_does_not_tell_is_an_error_and_so_is_an_address_of_others() {
        let server = UdpSocket::bind("[::1]:0").unwrap();
        let to = server.local_addr().unwrap();
        server.send_to(b"x", to).unwrap();
        let error = receive(&server, &mut [0; 4]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let elsewhere = Local { ip: "2001:db8::1".parse().unwrap(), link: 0 };
        let std::net::SocketAddr::V6(to) = to else { panic!("IPv6") };
        assert!(send(&server, b"x", elsewhere, to).is_err());
    }
}
