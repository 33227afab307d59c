//! What is to be seen of a container's network by its process.

use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsFd;

use network::diagnosis::{self, Hook, Obstacle, Packet};
use network::publish::Protocol;

use crate::error::{Error, Result};

/// A container may have any number of sockets.
const MOST: u64 = 8 << 20;

/// What in the container's own firewall is in the packet's way.
pub(super) fn obstacles(pid: i32, packet: &Packet) -> Result<Vec<Obstacle>> {
    let failed = |cause: io::Error| {
        Error::system("cannot look into the container's network namespace").because(cause)
    };
    let namespace = File::open(format!("/proc/{pid}/ns/net")).map_err(failed)?;
    let find = || Ok(diagnosis::obstacles(Hook::Input, packet, ""));
    sys::netns::within(namespace.as_fd(), find)
        .map_err(failed)?
        .map_err(|cause| Error::system("cannot read the container's firewall").because(cause))
}

/// The addresses on which somebody there listens to the port.
pub(super) fn listeners(pid: i32, protocol: Protocol, port: u16) -> Result<Vec<IpAddr>> {
    let name = match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
        Protocol::Sctp => return Ok(Vec::new()),
    };
    let mut found = Vec::new();
    for table in [name.to_owned(), format!("{name}6")] {
        let path = format!("/proc/{pid}/net/{table}");
        let mut text = String::new();
        match File::open(&path).map(|file| file.take(MOST).read_to_string(&mut text)) {
            // A kernel without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound && table.ends_with('6') => {}
            Ok(Ok(_)) => {}
            Err(error) | Ok(Err(error)) => {
                return Err(Error::system(format!("cannot read {path}")).because(error));
            }
        }
        let lines = text.lines().filter_map(|line| bound(line, protocol));
        found.extend(lines.filter(|(_, bound)| *bound == port).map(|(ip, _)| ip));
    }
    Ok(found)
}

/// Whether who listens there is reached by that address. A socket of IPv6 takes IPv4 as well, as a rule.
pub(super) fn serves(on: IpAddr, ip: IpAddr) -> bool {
    match (on, ip) {
        (IpAddr::V4(_), IpAddr::V6(_)) if !ip.is_unspecified() => false,
        (IpAddr::V6(on), IpAddr::V4(ip)) => {
            on.is_unspecified() || on.to_ipv4_mapped() == Some(ip) || ip.is_unspecified()
        }
        (on, ip) => on.is_unspecified() || on == ip || ip.is_unspecified() && !on.is_loopback(),
    }
}

/// A line of /proc/net/tcp or udp: number, local address, remote address, state.
fn bound(line: &str, protocol: Protocol) -> Option<(IpAddr, u16)> {
    let mut words = line.split_whitespace().skip(1);
    let (local, _, state) = (words.next()?, words.next()?, words.next()?);
    let wanted = if protocol == Protocol::Tcp { "0A" } else { "07" };
    if state != wanted {
        return None;
    }
    let (ip, port) = local.split_once(':')?;
    Some((address(ip)?, u16::from_str_radix(port, 16).ok()?))
}

/// Words of four bytes, each in the host's order.
fn address(text: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let word = u32::from_str_radix(text.get(at..at + 8)?, 16).ok()?;
        Some(word.to_ne_bytes())
    };
    match text.len() {
        8 => Some(Ipv4Addr::from(word(0)?).into()),
        32 => {
            let mut octets = [0; 16];
            for (index, part) in octets.chunks_mut(4).enumerate() {
                part.copy_from_slice(&word(index * 8)?);
            }
            Some(Ipv6Addr::from(octets).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_kernels_table_is_read() {
        let line = "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000";
        assert_eq!(bound(line, Protocol::Tcp), Some((ip("127.0.0.1"), 8080)));
        assert_eq!(bound(line, Protocol::Udp), None, "another state");
        let line = "1: 000000000000000000000000 01000000:0050";
        assert_eq!(bound(line, Protocol::Tcp), None);
        let line = "1: 00000000000000000000000001000000:0050 x 0A";
        assert_eq!(bound(line, Protocol::Tcp), Some((ip("::1"), 80)));
        assert_eq!(bound("  sl  local_address rem_address   st", Protocol::Tcp), None);
    }

    #[test]
    fn who_listens_where_serves_whom() {
        assert!(serves(ip("0.0.0.0"), ip("10.0.0.2")) && serves(ip("::"), ip("10.0.0.2")));
        assert!(serves(ip("10.0.0.2"), ip("10.0.0.2")) && serves(ip("::"), ip("fd00::2")));
        assert!(!serves(ip("127.0.0.1"), ip("10.0.0.2")));
        assert!(!serves(ip("0.0.0.0"), ip("fd00::2")));
        assert!(serves(ip("::ffff:10.0.0.2"), ip("10.0.0.2")));
    }
}
