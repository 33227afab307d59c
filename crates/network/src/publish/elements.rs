//! What of the firewall's table a mapping is. Pure: [`crate::firewall`] puts it there.
//!
//! | map | key | value |
//! |---|---|---|
//! | `ports4` | protocol, port | address, port |
//! | `addresses4` | host address, protocol, port | address, port |
//! | `ranges4_tcp`, `_udp`, `_sctp` | interval of ports | address |
//!
//! Maps of family 6 lead to a container's IPv6 address, those of family 64 to the IPv4 address of a container that has
//! no other: the proxy is between (gantry-runtime proxy).

use std::net::IpAddr;

use super::mapping::{Mapping, Protocol, Target};
use crate::nft::{DataType, Element, KeyType, MapElement, Set};

/// Which address leads where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
    V6ToV4,
}

/// The kinds of maps that each family has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Ports,
    Addresses,
    Ranges(Protocol),
}

impl Kind {
    pub(crate) const ALL: [Self; 5] = [
        Self::Addresses,
        Self::Ports,
        Self::Ranges(Protocol::Tcp),
        Self::Ranges(Protocol::Udp),
        Self::Ranges(Protocol::Sctp),
    ];
}

impl Family {
    pub(crate) const ALL: [Self; 3] = [Self::V4, Self::V6, Self::V6ToV4];

    pub(crate) fn map(self, kind: Kind) -> &'static str {
        const MAPS: [[&str; 5]; 3] = [
            ["addresses4", "ports4", "ranges4_tcp", "ranges4_udp", "ranges4_sctp"],
            ["addresses6", "ports6", "ranges6_tcp", "ranges6_udp", "ranges6_sctp"],
            ["addresses64", "ports64", "ranges64_tcp", "ranges64_udp", "ranges64_sctp"],
        ];
        let kind = match kind {
            Kind::Addresses => 0,
            Kind::Ports => 1,
            Kind::Ranges(Protocol::Tcp) => 2,
            Kind::Ranges(Protocol::Udp) => 3,
            Kind::Ranges(Protocol::Sctp) => 4,
        };
        MAPS[self as usize][kind]
    }

    fn set(self, kind: Kind) -> Set<'static> {
        let (address_and_port, address) = match self {
            Self::V6 => (DataType::Ipv6AndPort, DataType::Ipv6),
            Self::V4 | Self::V6ToV4 => (DataType::Ipv4AndPort, DataType::Ipv4),
        };
        let (key, data) = match (kind, self) {
            (Kind::Ports, _) => (KeyType::ProtocolAndPort, address_and_port),
            (Kind::Addresses, Self::V4) => (KeyType::Ipv4ProtocolAndPort, address_and_port),
            (Kind::Addresses, _) => (KeyType::Ipv6ProtocolAndPort, address_and_port),
            (Kind::Ranges(_), _) => (KeyType::PortInterval, address),
        };
        Set { name: self.map(kind), key, data: Some(data) }
    }
}

/// All maps of published ports.
pub(crate) fn maps() -> impl Iterator<Item = Set<'static>> {
    Family::ALL.into_iter().flat_map(|family| Kind::ALL.map(|kind| family.set(kind)))
}

/// What the table has for the mapping, all in one map; None where there is no way to the container.
pub(crate) fn elements(
    mapping: &Mapping,
    target: Target,
) -> Option<(&'static str, Vec<MapElement>)> {
    let (family, to) = match mapping.ip {
        IpAddr::V4(_) => (Family::V4, IpAddr::V4(target.ipv4?)),
        IpAddr::V6(_) => match (target.ipv6, target.ipv4) {
            (Some(ipv6), _) => (Family::V6, IpAddr::V6(ipv6)),
            (None, ipv4) => (Family::V6ToV4, IpAddr::V4(ipv4?)),
        },
    };
    // There are no intervals that lead to an interval, and none of addresses and ports that would not get slower the
    // more there are.
    let is_interval =
        !mapping.host.is_one() && mapping.is_straight() && mapping.ip.is_unspecified();
    if is_interval {
        let key = Element::ports(mapping.host.first, mapping.host.last);
        let map = family.map(Kind::Ranges(mapping.protocol));
        return Some((map, vec![MapElement { key, data: address(to) }]));
    }
    let kind = if mapping.ip.is_unspecified() { Kind::Ports } else { Kind::Addresses };
    let one = |port| MapElement {
        key: Element::Key(key(mapping, port)),
        data: [address(to), padded(mapping.behind(port))].concat(),
    };
    Some((family.map(kind), mapping.host.iter().map(one).collect()))
}

fn key(mapping: &Mapping, port: u16) -> Vec<u8> {
    let ip = match mapping.ip {
        ip if ip.is_unspecified() => Vec::new(),
        ip => address(ip),
    };
    [&ip[..], &[mapping.protocol.number(), 0, 0, 0], &padded(port)].concat()
}

fn address(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    }
}

/// Parts of a key or a value begin at multiples of four bytes.
fn padded(port: u16) -> Vec<u8> {
    [port.to_be_bytes(), [0; 2]].concat()
}

#[cfg(test)]
mod tests {
    use super::super::mapping::Ports;
    use super::*;

    const TARGET: Target = Target { ipv4: Some(std::net::Ipv4Addr::new(10, 9, 0, 2)), ipv6: None };

    fn of(ip: &str, first: u16, last: u16, container_port: u16) -> (&'static str, Vec<MapElement>) {
        let ip = ip.parse().expect("an address");
        let host = Ports { first, last };
        let mapping = Mapping { protocol: Protocol::Tcp, ip, host, container_port };
        elements(&mapping, TARGET).expect("there is a way")
    }

    #[test]
    fn a_single_port_is_an_element_of_a_hash_map() {
        let (map, elements) = of("0.0.0.0", 8080, 8080, 80);
        let key = Element::Key(vec![6, 0, 0, 0, 0x1f, 0x90, 0, 0]);
        let data = vec![10, 9, 0, 2, 0, 80, 0, 0];
        assert_eq!((map, elements), ("ports4", vec![MapElement { key, data }]));
        let (map, elements) = of("127.0.0.1", 8080, 8080, 80);
        let Element::Key(key) = &elements[0].key else { panic!("one key") };
        assert_eq!((map, &key[..4], key.len()), ("addresses4", &[127, 0, 0, 1][..], 12));
    }

    #[test]
    fn a_range_of_the_same_numbers_is_one_element_and_another_one_each() {
        let (map, elements) = of("0.0.0.0", 8000, 17999, 8000);
        assert_eq!((map, elements.len()), ("ranges4_tcp", 1));
        let (map, elements) = of("0.0.0.0", 8000, 17999, 9000);
        assert_eq!((map, elements.len()), ("ports4", 10_000));
        assert_eq!(elements[9_999].data[4..6], 18_999u16.to_be_bytes());
        let (map, elements) = of("127.0.0.1", 8000, 8009, 8000);
        assert_eq!((map, elements.len()), ("addresses4", 10));
    }

    #[test]
    fn ipv6_leads_to_what_the_container_has() {
        assert_eq!(of("::", 80, 80, 80).0, "ports64");
        assert_eq!(of("::1", 80, 80, 80).0, "addresses64");
        let ipv6 = Some("fd00::2".parse().expect("an address"));
        let host = Ports::one(80);
        let mapping = Mapping {
            protocol: Protocol::Udp,
            ip: "::".parse().expect("an address"),
            host,
            container_port: 80,
        };
        let (map, elements) = elements(&mapping, Target { ipv6, ..TARGET }).expect("a way");
        assert_eq!((map, elements[0].data.len()), ("ports6", 20));
        let ipv4 = Mapping { ip: "0.0.0.0".parse().expect("an address"), ..mapping };
        assert_eq!(super::elements(&ipv4, Target { ipv4: None, ipv6 }), None);
    }
}
