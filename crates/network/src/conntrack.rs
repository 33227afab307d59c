//! Connections that the kernel tracks.
//!
//! Where the first packet of a connection is led to, all others are. UDP has no end: a client that goes on sending would
//! be led for ever to an address that is nobody's any more, or past a port that was published meanwhile.

use rustix::io::Errno;
use sys::netlink::attributes::{Attributes, find};
use sys::netlink::{Error, Protocol as Netlink, Socket};

use crate::publish::{Mapping, Ports, Protocol};

const SUBSYSTEM: u16 = 1;
const GET: u16 = 1;
const DELETE: u16 = 2;
const TUPLE_ORIGINAL: u16 = 1;
const TUPLE_PROTOCOL: u16 = 2;
const PROTOCOL_NUMBER: u16 = 1;
const DESTINATION_PORT: u16 = 3;
const FILTER: u16 = 25;
const ORIGINAL_FLAGS: u16 = 1;
const BY_PROTOCOL: u32 = 1 << 3;
const BY_DESTINATION_PORT: u32 = 1 << 5;
const FAMILIES: [u8; 2] = [2, 10];

/// Forgets the connections of UDP to these ports of the host, so that the next packet is a first one.
pub(crate) fn forget_udp(mappings: &[Mapping]) {
    let of_udp = mappings.iter().filter(|mapping| mapping.protocol == Protocol::Udp);
    for ports in of_udp.map(|mapping| mapping.host) {
        match forget(ports) {
            // A kernel that does not track connections, or does not tell.
            Err(error) if matches!(error.errno, Errno::INVAL | Errno::OPNOTSUPP) => {}
            Err(error) => tracing::warn!("stale connections to UDP ports {ports}: {error}"),
            Ok(()) => {}
        }
    }
}

fn forget(ports: Ports) -> Result<(), Error> {
    let mut socket = Socket::open(Netlink::Netfilter)?;
    for family in FAMILIES {
        for message in socket.dump(SUBSYSTEM << 8 | GET, &request(family, ports))? {
            let Some(tuple) = message.payload.get(4..).and_then(|all| find(all, TUPLE_ORIGINAL))
            else {
                continue;
            };
            if !port(tuple).is_some_and(|port| ports.contains(port)) {
                continue;
            }
            let mut one = vec![family, 0, 0, 0];
            Attributes(&mut one).nest(TUPLE_ORIGINAL, |list| list.0.extend_from_slice(tuple));
            match socket.ask(SUBSYSTEM << 8 | DELETE, &one) {
                // It ended by itself.
                Err(error) if error.errno == Errno::NOENT => {}
                result => drop(result?),
            }
        }
    }
    Ok(())
}

/// The kernel looks through them all, and tells of those alone (Linux 5.8).
fn request(family: u8, ports: Ports) -> Vec<u8> {
    let by_port = if ports.is_one() { BY_DESTINATION_PORT } else { 0 };
    let mut request = vec![family, 0, 0, 0];
    Attributes(&mut request)
        .nest(TUPLE_ORIGINAL, |tuple| {
            tuple.nest(TUPLE_PROTOCOL, |protocol| {
                protocol.bytes(PROTOCOL_NUMBER, &[Protocol::Udp.number()]);
                protocol.bytes(DESTINATION_PORT, &ports.first.to_be_bytes());
            });
        })
        .nest(FILTER, |filter| {
            filter.bytes(ORIGINAL_FLAGS, &(BY_PROTOCOL | by_port).to_ne_bytes());
        });
    request
}

fn port(tuple: &[u8]) -> Option<u16> {
    let bytes = find(find(tuple, TUPLE_PROTOCOL)?, DESTINATION_PORT)?;
    Some(u16::from_be_bytes(bytes.try_into().ok()?))
}
