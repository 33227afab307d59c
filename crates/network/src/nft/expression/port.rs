//! Ports: comparing them and writing them.

use std::net::Ipv4Addr;

use super::{
    DATA_VALUE, EQUAL, FIRST, Family, NETWORK_HEADER, Rule, Side, TRANSPORT_HEADER, address_offset,
};
use crate::publish::Protocol;

impl Rule {
    /// `ip saddr 10.0.0.1`
    pub(crate) fn ipv4_address(self, side: Side, address: Ipv4Addr) -> Self {
        let offset = address_offset(Family::Ipv4, side);
        self.family(Family::Ipv4)
            .load_payload(NETWORK_HEADER, offset, 4, FIRST)
            .compare(EQUAL, &address.octets())
    }

    /// `udp dport 53`
    pub(crate) fn port(self, protocol: Protocol, side: Side, port: u16) -> Self {
        self.transport(protocol.number())
            .load_payload(TRANSPORT_HEADER, port_offset(side), 2, FIRST)
            .compare(EQUAL, &port.to_be_bytes())
    }

    /// `udp dport set 5353`. The packet's checksum follows; SCTP's, which is of another kind, does not.
    pub(crate) fn set_port(self, protocol: Protocol, side: Side, port: u16) -> Self {
        const INTERNET_CHECKSUM: u32 = 1;
        let checksum = match protocol {
            Protocol::Tcp => Some(16),
            Protocol::Udp => Some(6),
            Protocol::Sctp => None,
        };
        self.expression("immediate", |data| {
            data.number(1, FIRST).nest(2, |value| {
                value.bytes(DATA_VALUE, &port.to_be_bytes());
            });
        })
        .expression("payload", |data| {
            data.number(2, TRANSPORT_HEADER).number(3, port_offset(side)).number(4, 2);
            data.number(5, FIRST);
            if let Some(offset) = checksum {
                data.number(6, INTERNET_CHECKSUM).number(7, offset);
            }
        })
    }
}

fn port_offset(side: Side) -> u32 {
    match side {
        Side::Source => 0,
        Side::Destination => 2,
    }
}
