//! Which container has which address. Pure bookkeeping: nothing here talks to the kernel.
//!
//! An address goes `free -> taken -> leaving -> free`. It is leaving from the moment its container has left until
//! its link is known to be gone: two links with one address on a bridge would take each other's traffic. Free
//! addresses are handed out in turn, so that one that was just freed comes last.

use std::collections::HashMap;
use std::net::Ipv4Addr;

use crate::subnet::Subnet;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lease {
    Taken,
    Leaving,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    Exhausted,
    InUse,
    Outside,
}

/// The addresses of one network.
#[derive(Debug)]
pub(crate) struct Addresses {
    subnet: Subnet,
    gateway: Ipv4Addr,
    leases: HashMap<Ipv4Addr, Lease>,
    /// Where the search for a free address begins.
    next: u32,
}

impl Addresses {
    pub(crate) fn new(subnet: Subnet, gateway: Ipv4Addr) -> Self {
        Self { subnet, gateway, leases: HashMap::new(), next: subnet.hosts().start }
    }

    /// The next free address in turn.
    pub(crate) fn take_next(&mut self) -> Result<Ipv4Addr, Refused> {
        let hosts = self.subnet.hosts();
        let from_next =
            (self.next..hosts.end).chain(hosts.start..self.next).map(Ipv4Addr::from_bits);
        let is_free = |ip: &Ipv4Addr| *ip != self.gateway && !self.leases.contains_key(ip);
        let ip = from_next.into_iter().find(is_free).ok_or(Refused::Exhausted)?;
        self.next = ip.to_bits() + 1;
        self.leases.insert(ip, Lease::Taken);
        Ok(ip)
    }

    /// That very address.
    pub(crate) fn take(&mut self, ip: Ipv4Addr) -> Result<Ipv4Addr, Refused> {
        if !self.subnet.hosts().contains(&ip.to_bits()) {
            return Err(Refused::Outside);
        }
        if ip == self.gateway || self.leases.contains_key(&ip) {
            return Err(Refused::InUse);
        }
        self.leases.insert(ip, Lease::Taken);
        Ok(ip)
    }

    /// The container that had the address has left; its link may still be there.
    pub(crate) fn leave(&mut self, ip: Ipv4Addr) {
        if let Some(lease) = self.leases.get_mut(&ip) {
            *lease = Lease::Leaving;
        }
    }

    /// The link is gone.
    pub(crate) fn release(&mut self, ip: Ipv4Addr) {
        self.leases.remove(&ip);
    }
}

/// The first subnet of the pools that meets none of those in use.
pub(crate) fn choose_subnet(pools: &[crate::AddressPool], in_use: &[Subnet]) -> Option<Subnet> {
    let candidates = pools.iter().flat_map(|pool| pool.base.split(pool.size));
    candidates.into_iter().find(|candidate| !in_use.iter().any(|used| used.overlaps(candidate)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AddressPool;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn ip(last: u8) -> Ipv4Addr {
        Ipv4Addr::new(10, 0, 0, last)
    }

    fn small() -> Addresses {
        Addresses::new(Subnet::around(ip(0), 29), ip(1))
    }

    #[test]
    fn addresses_are_handed_out_in_turn_without_the_gateway() {
        let mut addresses = small();
        let taken: Vec<_> = std::iter::from_fn(|| addresses.take_next().ok()).collect();
        assert_eq!(taken, [ip(2), ip(3), ip(4), ip(5), ip(6)]);
        assert_eq!(addresses.take_next(), Err(Refused::Exhausted));
    }

    #[test]
    fn a_freed_address_comes_last() {
        let mut addresses = small();
        assert_eq!(addresses.take_next(), Ok(ip(2)));
        addresses.leave(ip(2));
        addresses.release(ip(2));
        let taken: Vec<_> = std::iter::from_fn(|| addresses.take_next().ok()).collect();
        assert_eq!(taken, [ip(3), ip(4), ip(5), ip(6), ip(2)]);
    }

    #[test]
    fn an_address_is_not_reused_while_its_link_is_there() {
        let mut addresses = small();
        while addresses.take_next().is_ok() {}
        addresses.leave(ip(4));
        assert_eq!(addresses.take_next(), Err(Refused::Exhausted));
        assert_eq!(addresses.take(ip(4)), Err(Refused::InUse));
        addresses.release(ip(4));
        assert_eq!(addresses.take_next(), Ok(ip(4)));
    }

    #[test]
    fn a_wish_is_granted_if_it_is_free_and_inside() {
        let mut addresses = small();
        assert_eq!(addresses.take(ip(5)), Ok(ip(5)));
        assert_eq!(addresses.take(ip(5)), Err(Refused::InUse));
        assert_eq!(addresses.take(ip(1)), Err(Refused::InUse), "the gateway's");
        for outside in [0, 7, 8] {
            assert_eq!(addresses.take(ip(outside)), Err(Refused::Outside));
        }
    }

    #[test]
    fn subnets_skip_what_the_host_routes() {
        let in_use = |texts: &[&str]| {
            texts.iter().map(|text| text.parse().expect("a subnet")).collect::<Vec<_>>()
        };
        let choose = |texts: &[&str]| {
            choose_subnet(&AddressPool::defaults(), &in_use(texts)).map(|s| s.to_string())
        };
        assert_eq!(choose(&[]).as_deref(), Some("172.17.0.0/24"));
        assert_eq!(choose(&["172.17.0.0/24"]).as_deref(), Some("172.17.1.0/24"));
        assert_eq!(choose(&["172.17.0.0/16"]).as_deref(), Some("172.16.0.0/24"));
        assert_eq!(choose(&["172.16.0.0/12"]).as_deref(), Some("192.168.0.0/24"));
        assert_eq!(choose(&["128.0.0.0/1"]), None);
    }

    proptest! {
        #[test]
        fn no_two_containers_ever_have_one_address(steps in prop::collection::vec((0..4_u8, 0..16_u8), 1..200)) {
            let mut addresses = small();
            let mut live = HashSet::new();
            for (step, last) in steps {
                match step {
                    0 => if let Ok(new) = addresses.take_next() { prop_assert!(live.insert(new)) },
                    1 => if let Ok(new) = addresses.take(ip(last)) { prop_assert!(live.insert(new)) },
                    2 => addresses.leave(ip(last)),
                    _ => if live.remove(&ip(last)) { addresses.release(ip(last)) },
                }
            }
        }
    }
}
