//! Which port of the host is whose. Pure bookkeeping: what other programs hold, the kernel knows.
//!
//! Single ports are found by their number; ranges, of which there are few, one by one.

use std::collections::HashMap;
use std::net::IpAddr;

use super::mapping::{Mapping, Ports, Protocol};

#[derive(Debug, Default)]
pub(super) struct Books {
    singles: HashMap<(Protocol, u16), Vec<Holder>>,
    ranges: Vec<(Mapping, String)>,
    /// The ephemeral port given out last.
    last: HashMap<Protocol, u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Holder {
    ip: IpAddr,
    container: String,
}

/// A port that somebody of ours has.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Taken {
    pub(super) port: u16,
    /// The address it is taken on.
    pub(super) on: IpAddr,
    pub(super) container: String,
}

impl Books {
    /// The first port of these that is taken on this address or on one that includes it.
    pub(super) fn conflict(&self, protocol: Protocol, ip: IpAddr, ports: Ports) -> Option<Taken> {
        let single = match ports.is_one() {
            true => self.holder(protocol, ip, ports.first),
            false => {
                let held = self
                    .singles
                    .keys()
                    .filter(|(its, port)| *its == protocol && ports.contains(*port));
                held.filter_map(|(_, port)| self.holder(protocol, ip, *port))
                    .min_by_key(|taken| taken.port)
            }
        };
        let ranges = self.ranges.iter().filter(|(mapping, _)| {
            mapping.protocol == protocol && meet(mapping.ip, ip) && mapping.host.overlaps(ports)
        });
        let of_range = |(mapping, container): &(Mapping, String)| Taken {
            port: mapping.host.first.max(ports.first),
            on: mapping.ip,
            container: container.clone(),
        };
        single.into_iter().chain(ranges.map(of_range)).min_by_key(|taken| taken.port)
    }

    fn holder(&self, protocol: Protocol, ip: IpAddr, port: u16) -> Option<Taken> {
        let holders = self.singles.get(&(protocol, port))?;
        let holder = holders.iter().find(|holder| meet(holder.ip, ip))?;
        Some(Taken { port, on: holder.ip, container: holder.container.clone() })
    }

    pub(super) fn enter(&mut self, container: &str, mapping: &Mapping) {
        if mapping.host.is_one() {
            let holder = Holder { ip: mapping.ip, container: container.to_owned() };
            self.singles.entry((mapping.protocol, mapping.host.first)).or_default().push(holder);
        } else {
            self.ranges.push((*mapping, container.to_owned()));
        }
    }

    pub(super) fn strike(&mut self, container: &str, mapping: &Mapping) {
        if !mapping.host.is_one() {
            self.ranges.retain(|(its, owner)| its != mapping || owner != container);
            return;
        }
        let key = (mapping.protocol, mapping.host.first);
        let Some(holders) = self.singles.get_mut(&key) else { return };
        holders.retain(|holder| holder.ip != mapping.ip || holder.container != container);
        if holders.is_empty() {
            self.singles.remove(&key);
        }
    }

    /// Ports of the range that are free on all the addresses, beginning after the one that was given out last, so
    /// that a client of a container that has just ended does not meet the next one.
    pub(super) fn free<'a>(
        &'a self,
        protocol: Protocol,
        ips: &'a [IpAddr],
        range: Ports,
    ) -> impl Iterator<Item = u16> + 'a {
        let last = self.last.get(&protocol).copied().filter(|last| range.contains(*last));
        let start = last.map_or(range.first, |last| last.saturating_add(1));
        let turn = (start..=range.last).chain(range.first..start);
        turn.filter(move |port| {
            ips.iter().all(|ip| self.conflict(protocol, *ip, Ports::one(*port)).is_none())
        })
    }

    pub(super) fn gave_out(&mut self, protocol: Protocol, port: u16) {
        self.last.insert(protocol, port);
    }
}

/// Whether a packet to one of the addresses could be meant by both.
fn meet(one: IpAddr, other: IpAddr) -> bool {
    one.is_ipv4() == other.is_ipv4()
        && (one == other || one.is_unspecified() || other.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn mapping(address: &str, first: u16, last: u16) -> Mapping {
        let host = Ports { first, last };
        Mapping { protocol: Protocol::Tcp, ip: ip(address), host, container_port: first }
    }

    fn books(entries: &[(&str, Mapping)]) -> Books {
        let mut books = Books::default();
        entries.iter().for_each(|(container, mapping)| books.enter(container, mapping));
        books
    }

    #[test]
    fn a_port_has_one_holder_on_each_address() {
        let books =
            books(&[("web", mapping("0.0.0.0", 80, 80)), ("db", mapping("127.0.0.1", 81, 81))]);
        let holder = |protocol, address, port| {
            books.conflict(protocol, ip(address), Ports::one(port)).map(|taken| taken.container)
        };
        for (protocol, address, port, expected) in [
            (Protocol::Tcp, "0.0.0.0", 80, Some("web")),
            (Protocol::Tcp, "127.0.0.1", 80, Some("web")),
            (Protocol::Udp, "0.0.0.0", 80, None),
            (Protocol::Tcp, "::", 80, None),
            (Protocol::Tcp, "0.0.0.0", 81, Some("db")),
            (Protocol::Tcp, "10.0.0.1", 81, None),
            (Protocol::Tcp, "0.0.0.0", 82, None),
        ] {
            assert_eq!(holder(protocol, address, port).as_deref(), expected, "{address}:{port}");
        }
    }

    #[test]
    fn ranges_meet_ranges_and_single_ports() {
        let books =
            books(&[("a", mapping("0.0.0.0", 8000, 9000)), ("b", mapping("0.0.0.0", 7005, 7005))]);
        let taken = |first, last| {
            let taken = books.conflict(Protocol::Tcp, ip("0.0.0.0"), Ports { first, last })?;
            Some((taken.port, taken.container))
        };
        assert_eq!(taken(8500, 8500), Some((8500, "a".into())));
        assert_eq!(taken(7000, 9500), Some((7005, "b".into())));
        assert_eq!(taken(7006, 8000), Some((8000, "a".into())));
        assert_eq!(taken(9001, 65535), None);
    }

    #[test]
    fn what_is_struck_is_free_again() {
        let (single, range) = (mapping("0.0.0.0", 80, 80), mapping("0.0.0.0", 90, 99));
        let mut books = books(&[("a", single), ("a", range)]);
        books.strike("b", &single);
        assert!(books.conflict(Protocol::Tcp, ip("0.0.0.0"), Ports::one(80)).is_some(), "not b's");
        books.strike("a", &single);
        books.strike("a", &range);
        assert!(books.singles.is_empty() && books.ranges.is_empty());
    }

    #[test]
    fn free_ports_come_in_turn() {
        let mut books = books(&[("a", mapping("0.0.0.0", 11, 11))]);
        let all = [ip("0.0.0.0"), ip("::")];
        let range = Ports { first: 10, last: 13 };
        let free = |books: &Books| books.free(Protocol::Tcp, &all, range).collect::<Vec<_>>();
        assert_eq!(free(&books), [10, 12, 13]);
        books.gave_out(Protocol::Tcp, 12);
        assert_eq!(free(&books), [13, 10, 12]);
        books.gave_out(Protocol::Tcp, 13);
        assert_eq!(free(&books), [10, 12, 13]);
    }
}
