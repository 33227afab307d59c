//! Which ports other programs have, by the kernel's own list (NETLINK_SOCK_DIAG), and who they are.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use sys::netlink::{Protocol as Netlink, Socket};

use super::mapping::{Ports, Protocol};
use crate::nft::find;

const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;

const SOCK_DIAG_BY_FAMILY: u16 = 20;
/// Sockets that listen, and those that are only bound (Linux 6.8).
const TCP_HOLDING: u32 = 1 << 10 | 1 << 13;
/// Sockets of UDP and SCTP are in the state CLOSE, or LISTEN.
const OTHER_HOLDING: u32 = 1 << 7 | 1 << 10;

/// Length of struct inet_diag_msg.
const MESSAGE: usize = 72;
/// The attribute INET_DIAG_SKV6ONLY.
const ONLY_IPV6: u16 = 11;

/// A socket that holds a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    ip: IpAddr,
    pub(super) port: u16,
    /// One of IPv6 that serves IPv4 as well.
    is_dual: bool,
    inode: u32,
}

/// Sockets on those ports that are in the way of somebody who wants them on `ip`.
pub(super) fn in_the_way(
    protocol: Protocol,
    ip: IpAddr,
    ports: Ports,
) -> Result<Vec<Bound>, sys::netlink::Error> {
    let mut socket = Socket::open(Netlink::SockDiag)?;
    let mut found = Vec::new();
    // A socket of IPv6 may serve IPv4 as well.
    for family in [AF_INET, AF_INET6] {
        let messages = socket.dump(SOCK_DIAG_BY_FAMILY, &request(family, protocol))?;
        found.extend(messages.iter().filter_map(|message| read(&message.payload)));
    }
    found.retain(|bound| ports.contains(bound.port) && bound.is_in_the_way_of(ip));
    found.sort_by_key(|bound| bound.port);
    Ok(found)
}

/// `nginx (pid 123)`, where it can be told.
pub(super) fn owner(bound: Bound) -> Option<String> {
    let wanted = format!("socket:[{}]", bound.inode);
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let holds = |pid: &u32| {
        let fds = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
        let mut links = fds.filter_map(|fd| fs::read_link(fd.path()).ok());
        links.any(|link| link.to_str() == Some(&wanted))
    };
    let pid = pids.find(holds)?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("{} (pid {pid})", name.trim_end()))
}

impl Bound {
    fn is_in_the_way_of(self, wanted: IpAddr) -> bool {
        match (self.ip, wanted) {
            (IpAddr::V6(bound), IpAddr::V4(wanted)) => {
                let mapped = bound.to_ipv4_mapped();
                (self.is_dual && bound.is_unspecified())
                    || mapped.is_some_and(|bound| bound == wanted || wanted.is_unspecified())
            }
            (IpAddr::V4(_), IpAddr::V6(_)) => false,
            (bound, wanted) => bound == wanted || bound.is_unspecified() || wanted.is_unspecified(),
        }
    }
}

/// struct inet_diag_req_v2 (linux/inet_diag.h).
fn request(family: u8, protocol: Protocol) -> Vec<u8> {
    const SOCKET_ID: usize = 48;
    let states = if protocol == Protocol::Tcp { TCP_HOLDING } else { OTHER_HOLDING };
    let mut bytes = vec![family, protocol.number(), 0, 0];
    bytes.extend(states.to_ne_bytes());
    bytes.resize(bytes.len() + SOCKET_ID, 0);
    bytes
}

/// struct inet_diag_msg, and attributes.
fn read(bytes: &[u8]) -> Option<Bound> {
    let port = u16::from_be_bytes(*bytes.get(4..)?.first_chunk()?);
    let address = bytes.get(8..24)?;
    let ip = match *bytes.first()? {
        AF_INET => Ipv4Addr::from(*address.first_chunk::<4>()?).into(),
        _ => Ipv6Addr::from(*address.first_chunk::<16>()?).into(),
    };
    let inode = u32::from_ne_bytes(*bytes.get(68..)?.first_chunk()?);
    // Told of every socket of IPv6 that could.
    let only_ipv6 = find(bytes.get(MESSAGE..)?, ONLY_IPV6);
    Some(Bound { ip, port, is_dual: only_ipv6 == Some(&[0]), inode })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    const ANY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

    #[test]
    fn sockets_of_others_are_found_with_their_owner() {
        crate::tests::isolated(|| {
            let _listener = TcpListener::bind("127.0.0.1:8050").expect("free");
            let _socket = UdpSocket::bind("[::1]:8051").expect("free");
            let ports = Ports { first: 8000, last: 8100 };
            let found = in_the_way(Protocol::Tcp, ANY, ports).expect("to ask");
            assert_eq!(found.iter().map(|bound| bound.port).collect::<Vec<_>>(), [8050]);
            let owner = owner(found[0]).expect("it is ours");
            assert!(owner.ends_with(&format!("(pid {})", std::process::id())), "{owner}");
            let none = |protocol, ip| in_the_way(protocol, ip, ports).expect("to ask").is_empty();
            assert!(none(Protocol::Tcp, Ipv4Addr::new(192, 0, 2, 1).into()), "another address");
            assert!(none(Protocol::Udp, ANY), "another family");
            assert!(!none(Protocol::Udp, Ipv6Addr::UNSPECIFIED.into()));
            let _dual = TcpListener::bind("[::]:8052").expect("free");
            let found = in_the_way(Protocol::Tcp, ANY, Ports::one(8052)).expect("to ask");
            assert_eq!(found.len(), 1, "it serves IPv4, too");
        });
    }

    #[test]
    fn what_is_cut_off_is_nobody() {
        assert_eq!(read(&[0; 71]), None);
        assert!(read(&[0; 72]).is_some());
    }
}
