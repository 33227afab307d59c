//! The maps of the engine's table that say which container a port leads to (crate network, publish/elements.rs), and what
//! the kernel has of redirections.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use sys::netlink::attributes::{Attributes, find};
use sys::netlink::{Protocol as Netlink, Socket};

use super::Protocol;

const GET_ELEMENTS: u16 = 10 << 8 | 13;
const FAMILY_INET: u8 = 1;
const TABLE: u16 = 1;
const SET: u16 = 2;
const ELEMENTS: u16 = 3;
const LIST_ELEMENT: u16 = 1;
const KEY: u16 = 1;
const DATA: u16 = 2;
const VALUE: u16 = 1;

const GET_CONNECTION: u16 = 1 << 8 | 1;
const FAMILY_IPV6: u8 = 10;
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_REPLY: u16 = 2;
const TUPLE_ADDRESSES: u16 = 1;
const IPV6_SOURCE: u16 = 3;
const IPV6_DESTINATION: u16 = 4;
const TUPLE_PROTOCOL: u16 = 2;
const PROTOCOL_NUMBER: u16 = 1;
const SOURCE_PORT: u16 = 2;
const DESTINATION_PORT: u16 = 3;

pub(super) struct Table {
    name: String,
    socket: Socket,
}

impl Table {
    pub(super) fn open(name: &str) -> io::Result<Self> {
        Ok(Self { name: name.to_owned(), socket: Socket::open(Netlink::Netfilter)? })
    }

    /// Where the client's datagram to our own address was sent to, before it was redirected.
    pub(super) fn before_redirection(
        &mut self,
        client: SocketAddrV6,
        ours: SocketAddrV6,
    ) -> Option<SocketAddrV6> {
        let mut request = vec![FAMILY_IPV6, 0, 0, 0];
        // Which connection it is an answer tells best: that one would go from us to the client.
        Attributes(&mut request).nest(TUPLE_REPLY, |tuple| {
            tuple.nest(TUPLE_ADDRESSES, |addresses| {
                addresses.bytes(IPV6_SOURCE, &ours.ip().octets());
                addresses.bytes(IPV6_DESTINATION, &client.ip().octets());
            });
            tuple.nest(TUPLE_PROTOCOL, |protocol| {
                protocol.bytes(PROTOCOL_NUMBER, &[number(Protocol::Udp)]);
                protocol.bytes(SOURCE_PORT, &ours.port().to_be_bytes());
                protocol.bytes(DESTINATION_PORT, &client.port().to_be_bytes());
            });
        });
        let answers = self.socket.ask(GET_CONNECTION, &request).ok()?;
        destination(find(answers.first()?.payload.get(4..)?, TUPLE_ORIGINAL)?)
    }

    /// Where what is sent to that address leads, if it is published.
    pub(super) fn target(
        &mut self,
        protocol: Protocol,
        address: SocketAddrV6,
    ) -> Option<SocketAddr> {
        let port = address.port();
        let padded = [&port.to_be_bytes()[..], &[0; 2]].concat();
        let any = [&[number(protocol), 0, 0, 0], &padded[..]].concat();
        let one = [&address.ip().octets(), &any[..]].concat();
        ["6", "64"].iter().find_map(|family| {
            let of_address = self.look_up(&format!("addresses{family}"), &one);
            let value = of_address.or_else(|| self.look_up(&format!("ports{family}"), &any));
            let in_range = format!("ranges{family}_{}", name(protocol));
            let value = value.or_else(|| self.look_up(&in_range, &port.to_be_bytes()))?;
            read(&value, port)
        })
    }

    fn look_up(&mut self, map: &str, key: &[u8]) -> Option<Vec<u8>> {
        let mut request = vec![FAMILY_INET, 0, 0, 0];
        Attributes(&mut request).string(TABLE, &self.name).string(SET, map).nest(
            ELEMENTS,
            |list| {
                list.nest(LIST_ELEMENT, |element| {
                    element.nest(KEY, |value| {
                        value.bytes(VALUE, key);
                    });
                });
            },
        );
        let answers = self.socket.ask(GET_ELEMENTS, &request).ok()?;
        let list = find(answers.first()?.payload.get(4..)?, ELEMENTS)?;
        find(find(find(list, LIST_ELEMENT)?, DATA)?, VALUE).map(<[u8]>::to_vec)
    }
}

/// As IP has it.
fn number(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
    }
}

/// As maps have it in their names.
fn name(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
        Protocol::Udp => "udp",
    }
}

/// Of one direction of a connection.
fn destination(tuple: &[u8]) -> Option<SocketAddrV6> {
    let ip = find(find(tuple, TUPLE_ADDRESSES)?, IPV6_DESTINATION)?.first_chunk::<16>()?;
    let port = find(find(tuple, TUPLE_PROTOCOL)?, DESTINATION_PORT)?.first_chunk()?;
    Some(SocketAddrV6::new(Ipv6Addr::from(*ip), u16::from_be_bytes(*port), 0, 0))
}

/// An address, with a port unless it is that of a range.
fn read(value: &[u8], own_port: u16) -> Option<SocketAddr> {
    let (ip, rest): (IpAddr, &[u8]) = match value.len() {
        4 | 8 => (Ipv4Addr::from(*value.first_chunk::<4>()?).into(), &value[4..]),
        16 | 20 => (Ipv6Addr::from(*value.first_chunk::<16>()?).into(), &value[16..]),
        _ => return None,
    };
    let port = rest.first_chunk().map_or(own_port, |bytes| u16::from_be_bytes(*bytes));
    Some(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tuple_tells_where_a_datagram_was_sent_to() {
        let mut tuple = Vec::new();
        Attributes(&mut tuple)
            .nest(TUPLE_ADDRESSES, |addresses| {
                addresses.bytes(IPV6_DESTINATION, &Ipv6Addr::LOCALHOST.octets());
            })
            .nest(TUPLE_PROTOCOL, |protocol| {
                protocol.bytes(DESTINATION_PORT, &[0, 53]);
            });
        assert_eq!(destination(&tuple), Some("[::1]:53".parse().unwrap()));
        assert_eq!(destination(&tuple[..tuple.len() - 8]), None);
    }

    #[test]
    fn values_are_addresses_with_or_without_a_port() {
        let read = |value: &[u8]| read(value, 8000).map(|address| address.to_string());
        assert_eq!(read(&[10, 0, 0, 2]).as_deref(), Some("10.0.0.2:8000"));
        assert_eq!(read(&[10, 0, 0, 2, 0, 80, 0, 0]).as_deref(), Some("10.0.0.2:80"));
        let mut ipv6 = vec![0; 16];
        ipv6[15] = 1;
        assert_eq!(read(&ipv6).as_deref(), Some("[::1]:8000"));
        assert_eq!(read(&[1; 3]), None);
    }
}
