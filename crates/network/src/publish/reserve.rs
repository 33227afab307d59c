//! Sockets that hold a port, so that no other program takes it while a container has it. Nobody ever reads from them:
//! packets are on their way to the container before a socket is looked for.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::sockopt::{set_ipv6_v6only, set_socket_reuseaddr};
use rustix::net::{self, AddressFamily, Shutdown, SocketFlags, SocketType};

use super::mapping::{Mapping, Protocol};

/// A port that is held as long as the socket is open.
#[derive(Debug)]
pub struct Reservation {
    /// Tells it from a container's other ones: `tcp 0.0.0.0:80`.
    pub name: String,
    pub socket: OwnedFd,
}

impl Mapping {
    /// The name of its reservation; ranges have none.
    pub fn reservation(&self) -> Option<String> {
        self.host.is_one().then(|| format!("{} {self}", self.protocol))
    }
}

/// None for SCTP where the kernel has no sockets of it: nobody could take the port then.
pub(super) fn reserve(protocol: Protocol, ip: IpAddr, port: u16) -> Result<Option<OwnedFd>, Errno> {
    let socket = match open(protocol, ip) {
        Err(Errno::PROTONOSUPPORT) if protocol == Protocol::Sctp => return Ok(None),
        socket => socket?,
    };
    let connects = protocol != Protocol::Udp;
    // Connections of a server that ended a moment ago are not in the way.
    set_socket_reuseaddr(&socket, connects)?;
    net::bind(&socket, &SocketAddr::new(ip, port))?;
    if connects {
        // What only listens could be bound to by another that reuses addresses, and refused too late. So it listens for
        // a moment, which fails where somebody does, and then is bound for itself alone.
        net::listen(&socket, 0)?;
        set_socket_reuseaddr(&socket, false)?;
        net::shutdown(&socket, Shutdown::Both)?;
    }
    Ok(Some(socket))
}

/// Whether the host has the address.
pub fn is_ours(ip: IpAddr) -> io::Result<bool> {
    let socket = open(Protocol::Udp, ip)?;
    match net::bind(&socket, &SocketAddr::new(ip, 0)) {
        Err(Errno::ADDRNOTAVAIL) => Ok(false),
        result => Ok(result.map(|()| true)?),
    }
}

fn open(protocol: Protocol, ip: IpAddr) -> Result<OwnedFd, Errno> {
    let (kind, number) = match protocol {
        Protocol::Tcp => (SocketType::STREAM, net::ipproto::TCP),
        Protocol::Udp => (SocketType::DGRAM, net::ipproto::UDP),
        Protocol::Sctp => (SocketType::STREAM, net::ipproto::SCTP),
    };
    let family = if ip.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = net::socket_with(family, kind, SocketFlags::CLOEXEC, Some(number))?;
    if ip.is_ipv6() {
        set_ipv6_v6only(&socket, true)?;
    }
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};

    use super::*;

    const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn isolated(test: impl FnOnce() + Send) {
        crate::tests::isolated(test);
    }

    #[test]
    fn a_reserved_port_is_taken_for_everybody() {
        isolated(|| {
            let held = reserve(Protocol::Tcp, ANY, 8080).expect("free").expect("TCP has sockets");
            // The standard library's listener reuses addresses.
            assert!(TcpListener::bind((LOCAL, 8080)).is_err());
            assert_eq!(reserve(Protocol::Tcp, LOCAL, 8080).err(), Some(Errno::ADDRINUSE));
            drop(held);
            TcpListener::bind((ANY, 8080)).expect("free again");
            let _held = reserve(Protocol::Udp, ANY, 53).expect("free");
            assert!(UdpSocket::bind((LOCAL, 53)).is_err());
        });
    }

    #[test]
    fn a_port_that_somebody_has_is_refused() {
        isolated(|| {
            let _listener = TcpListener::bind((LOCAL, 8080)).expect("free");
            assert_eq!(reserve(Protocol::Tcp, ANY, 8080).err(), Some(Errno::ADDRINUSE));
            assert!(
                reserve(Protocol::Tcp, Ipv6Addr::UNSPECIFIED.into(), 8080).is_ok(),
                "another family"
            );
            assert!(reserve(Protocol::Udp, ANY, 8080).is_ok(), "another protocol");
            let elsewhere = Ipv4Addr::new(192, 0, 2, 1).into();
            assert_eq!(reserve(Protocol::Tcp, elsewhere, 80).err(), Some(Errno::ADDRNOTAVAIL));
            assert!(is_ours(LOCAL).expect("to ask") && !is_ours(elsewhere).expect("to ask"));
        });
    }

    #[test]
    fn connections_that_have_ended_are_not_in_the_way() {
        isolated(|| {
            let listener = TcpListener::bind((LOCAL, 8080)).expect("free");
            let client = std::net::TcpStream::connect((LOCAL, 8080)).expect("connect");
            let (server, _) = listener.accept().expect("accept");
            // The side that closes first keeps the port for a minute.
            drop(server);
            drop(client);
            drop(listener);
            assert!(reserve(Protocol::Tcp, ANY, 8080).is_ok());
        });
    }
}
