//! Which container has which address. Pure bookkeeping: nothing here talks to the kernel.
//!
//! An address goes `free -> taken -> leaving -> free`. It is leaving from the moment its container has left until
//! its link is known to be gone: two links with one address on a bridge would take each other's traffic. Free
//! addresses are handed out in turn, so that one that was just freed comes last.

mod plan;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::subnet::{Subnet, to_bits};

pub(crate) use plan::plan;
pub use plan::{Conflict, PoolWish, Wanted};

/// One subnet of a network, with what is not for containers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pool {
    pub subnet: Subnet,
    /// Where containers' addresses are chosen from; any of the subnet may be asked for.
    pub range: Option<Subnet>,
    /// The host's own address, or the router's on a network that is not the host's to route.
    pub gateway: Option<IpAddr>,
    /// Never handed out, by the names that the user gave them.
    #[serde(default)]
    pub auxiliary: BTreeMap<String, IpAddr>,
}

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

/// The addresses of one pool.
#[derive(Debug)]
pub(crate) struct Addresses {
    pool: Pool,
    leases: HashMap<IpAddr, Lease>,
    /// What is handed out unasked.
    range: Range<u128>,
    /// Where the search for a free address begins.
    next: u128,
}

impl Addresses {
    pub(crate) fn new(pool: Pool) -> Self {
        let range = handed_out(&pool);
        Self { leases: HashMap::new(), next: range.start, range, pool }
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// The next free address in turn.
    pub(crate) fn take_next(&mut self) -> Result<IpAddr, Refused> {
        let Range { start, end } = self.range;
        let from_next = (self.next..end).chain(start..self.next);
        let mut candidates = from_next.map(|bits| (bits, self.pool.subnet.ip(bits)));
        let (bits, ip) = candidates.find(|(_, ip)| self.is_free(*ip)).ok_or(Refused::Exhausted)?;
        self.next = bits + 1;
        self.leases.insert(ip, Lease::Taken);
        Ok(ip)
    }

    /// That very address.
    pub(crate) fn take(&mut self, ip: IpAddr) -> Result<IpAddr, Refused> {
        let subnet = self.pool.subnet;
        if !subnet.contains(ip) {
            return Err(Refused::Outside);
        }
        // The subnet's own and that of all are nobody's.
        if !subnet.hosts().contains(&to_bits(ip)) || !self.is_free(ip) {
            return Err(Refused::InUse);
        }
        self.leases.insert(ip, Lease::Taken);
        Ok(ip)
    }

    /// The container that had the address has left; its link may still be there.
    pub(crate) fn leave(&mut self, ip: IpAddr) {
        if let Some(lease) = self.leases.get_mut(&ip) {
            *lease = Lease::Leaving;
        }
    }

    /// The link is gone.
    pub(crate) fn release(&mut self, ip: IpAddr) {
        self.leases.remove(&ip);
    }

    fn is_free(&self, ip: IpAddr) -> bool {
        let pool = &self.pool;
        !self.leases.contains_key(&ip)
            && pool.gateway != Some(ip)
            && !pool.auxiliary.values().any(|reserved| *reserved == ip)
    }
}

/// What of the range, or of the whole subnet, hosts may have.
fn handed_out(pool: &Pool) -> Range<u128> {
    let hosts = pool.subnet.hosts();
    let Some(range) = pool.range else { return hosts };
    let end = range.last_bits().saturating_add(1).min(hosts.end);
    range.first_bits().max(hosts.start).min(end)..end
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn pool(subnet: &str) -> Pool {
        let subnet: Subnet = subnet.parse().expect("a subnet");
        let gateway = Some(subnet.ip(subnet.first_bits() + 1));
        Pool { subnet, range: None, gateway, auxiliary: BTreeMap::new() }
    }

    fn small() -> Addresses {
        Addresses::new(pool("10.0.0.0/29"))
    }

    fn all(addresses: &mut Addresses) -> Vec<IpAddr> {
        std::iter::from_fn(|| addresses.take_next().ok()).collect()
    }

    #[test]
    fn addresses_are_handed_out_in_turn_without_the_gateway() {
        let mut addresses = small();
        assert_eq!(all(&mut addresses), [ip(2), ip(3), ip(4), ip(5), ip(6)]);
        assert_eq!(addresses.take_next(), Err(Refused::Exhausted));
    }

    #[test]
    fn a_freed_address_comes_last() {
        let mut addresses = small();
        assert_eq!(addresses.take_next(), Ok(ip(2)));
        addresses.leave(ip(2));
        addresses.release(ip(2));
        assert_eq!(all(&mut addresses), [ip(3), ip(4), ip(5), ip(6), ip(2)]);
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
        for nobodys in [ip(0), ip(7)] {
            assert_eq!(addresses.take(nobodys), Err(Refused::InUse));
        }
        for outside in [ip(8), "::1".parse().expect("an address")] {
            assert_eq!(addresses.take(outside), Err(Refused::Outside));
        }
    }

    #[test]
    fn auxiliary_addresses_are_nobodys() {
        let auxiliary = [("printer".to_owned(), ip(3))].into();
        let mut addresses = Addresses::new(Pool { auxiliary, ..pool("10.0.0.0/29") });
        assert_eq!(addresses.take(ip(3)), Err(Refused::InUse));
        assert_eq!(all(&mut addresses), [ip(2), ip(4), ip(5), ip(6)]);
    }

    #[test]
    fn a_range_bounds_what_is_chosen_but_not_what_is_asked_for() {
        let range = Some("10.0.0.128/30".parse().expect("a range"));
        let mut addresses = Addresses::new(Pool { range, ..pool("10.0.0.0/24") });
        assert_eq!(all(&mut addresses), [ip(128), ip(129), ip(130), ip(131)]);
        assert_eq!(addresses.take(ip(7)), Ok(ip(7)));
        for (range, expected) in [("10.0.0.0/31", vec![]), ("10.0.0.254/31", vec![ip(254)])] {
            let range = Some(range.parse().expect("a range"));
            let mut addresses = Addresses::new(Pool { range, ..pool("10.0.0.0/24") });
            assert_eq!(
                all(&mut addresses),
                expected,
                "the subnet's own and the gateway's are none"
            );
        }
    }

    #[test]
    fn a_wide_subnet_costs_no_more_than_a_small_one() {
        let mut addresses = Addresses::new(pool("fd00::/64"));
        assert_eq!(addresses.take_next().map(|ip| ip.to_string()), Ok("fd00::2".into()));
        let last = "fd00::ffff:ffff:ffff:ffff".parse().expect("an address");
        assert_eq!(addresses.take(last), Ok(last));
        assert_eq!(addresses.take_next().map(|ip| ip.to_string()), Ok("fd00::3".into()));
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
