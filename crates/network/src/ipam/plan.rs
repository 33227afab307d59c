//! Which subnets a new network gets. Pure: routes and other networks are given.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::Pool;
use crate::options::AddressPool;
use crate::subnet::{Subnet, to_bits};

/// One subnet as the user asked for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PoolWish {
    /// None for one of the engine's choice.
    pub subnet: Option<Subnet>,
    pub range: Option<Subnet>,
    pub gateway: Option<IpAddr>,
    pub auxiliary: BTreeMap<String, IpAddr>,
}

/// What a new network is to have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    pub ipv4: bool,
    pub ipv6: bool,
    pub pools: Vec<PoolWish>,
}

/// Why there is no such network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    #[error(
        "could not find an available, non-overlapping {0} address pool among the defaults to assign to the network"
    )]
    NothingLeft(&'static str),
    #[error("Pool overlaps with other one on this address space")]
    Overlap,
    #[error("failed to allocate gateway ({0}): Address already in use")]
    GatewayTaken(IpAddr),
    #[error("failed to allocate secondary ip address ({0}:{1}): Address already in use")]
    AuxiliaryTaken(String, IpAddr),
}

/// The pools of the new network, in the order asked for, those of the engine's choice last. A subnet that was asked for
/// must not meet another network's; one of our choice meets nothing in `networks` and nothing in `host`, where the
/// host's routes and name servers are.
pub(crate) fn plan(
    wanted: &Wanted,
    pools: &[AddressPool],
    networks: &[Subnet],
    host: &[Subnet],
) -> Result<Vec<Pool>, Conflict> {
    let mut taken = networks.to_vec();
    let mut planned = Vec::new();
    for wish in &wanted.pools {
        let Some(subnet) = wish.subnet else { continue };
        if taken.iter().any(|other| other.overlaps(&subnet)) {
            return Err(Conflict::Overlap);
        }
        taken.push(subnet);
        planned.push(pool(subnet, wish)?);
    }
    for (is_wanted, is_ipv4, family) in [(wanted.ipv4, true, "IPv4"), (wanted.ipv6, false, "IPv6")]
    {
        if is_wanted && !planned.iter().any(|pool| pool.subnet.is_ipv4() == is_ipv4) {
            let of_family = pools.iter().filter(|pool| pool.base.is_ipv4() == is_ipv4);
            let subnet = of_family
                .flat_map(|pool| pool.base.split(pool.size))
                .find(|candidate| !taken.iter().chain(host).any(|used| used.overlaps(candidate)))
                .ok_or(Conflict::NothingLeft(family))?;
            planned.push(pool(subnet, &PoolWish::default())?);
        }
    }
    Ok(planned)
}

fn pool(subnet: Subnet, wish: &PoolWish) -> Result<Pool, Conflict> {
    let hosts = subnet.hosts();
    // As in Docker the gateway is the range's first address, even where that is one which ends in 0.
    let first = wish.range.map(|range| range.first_bits()).filter(|first| hosts.contains(first));
    let gateway = wish.gateway.unwrap_or_else(|| subnet.ip(first.unwrap_or(hosts.start)));
    let is_no_hosts = |ip: IpAddr| !hosts.contains(&to_bits(ip));
    if wish.gateway.is_some_and(is_no_hosts) {
        return Err(Conflict::GatewayTaken(gateway));
    }
    let mut taken = BTreeSet::from([gateway]);
    for (name, ip) in &wish.auxiliary {
        if is_no_hosts(*ip) || !taken.insert(*ip) {
            return Err(Conflict::AuxiliaryTaken(name.clone(), *ip));
        }
    }
    let auxiliary = wish.auxiliary.clone();
    Ok(Pool { subnet, range: wish.range, gateway: Some(gateway), auxiliary })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(text: &str) -> Subnet {
        text.parse().expect("a subnet")
    }

    fn subnets(texts: &[&str]) -> Vec<Subnet> {
        texts.iter().map(|text| subnet(text)).collect()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn asked(text: &str) -> PoolWish {
        PoolWish { subnet: Some(subnet(text)), ..PoolWish::default() }
    }

    fn ipv4(pools: Vec<PoolWish>) -> Wanted {
        Wanted { ipv4: true, ipv6: false, pools }
    }

    fn chosen(networks: &[&str], host: &[&str]) -> Result<String, Conflict> {
        let pools = AddressPool::defaults();
        let planned = plan(&ipv4(vec![]), &pools, &subnets(networks), &subnets(host))?;
        Ok(format!("{} by {}", planned[0].subnet, planned[0].gateway.expect("a gateway")))
    }

    #[test]
    fn the_first_free_subnet_of_the_pools_is_chosen() {
        let ok = |text: &str| Ok(text.to_owned());
        assert_eq!(chosen(&[], &[]), ok("172.17.0.0/24 by 172.17.0.1"));
        assert_eq!(chosen(&["172.17.0.0/24"], &[]), ok("172.17.1.0/24 by 172.17.1.1"));
        assert_eq!(chosen(&[], &["172.17.0.0/16"]), ok("172.16.0.0/24 by 172.16.0.1"));
        assert_eq!(chosen(&[], &["172.16.0.0/12"]), ok("192.168.0.0/24 by 192.168.0.1"));
        assert_eq!(
            chosen(&["172.17.0.0/25"], &["172.17.1.9/32"]),
            ok("172.17.2.0/24 by 172.17.2.1")
        );
        assert_eq!(chosen(&[], &["128.0.0.0/1"]), Err(Conflict::NothingLeft("IPv4")));
    }

    #[test]
    fn one_subnet_of_each_family_that_is_on() {
        let both = Wanted { ipv4: true, ipv6: true, pools: vec![] };
        let mut pools = AddressPool::defaults();
        let none = plan(&both, &pools, &[], &[]);
        assert_eq!(none, Err(Conflict::NothingLeft("IPv6")), "no pool of that family");
        pools.push("base=fd00:1::/48,size=64".parse().expect("a pool"));
        let planned = plan(&both, &pools, &[], &subnets(&["fd00:1::/64"])).expect("a plan");
        let shown: Vec<_> = planned.iter().map(|pool| pool.subnet.to_string()).collect();
        assert_eq!(shown, ["172.17.0.0/24", "fd00:1:0:1::/64"]);
        assert_eq!(planned[1].gateway, Some(ip("fd00:1:0:1::1")));

        let given = Wanted { pools: vec![asked("fd00:7::/64")], ..both };
        let planned = plan(&given, &pools, &[], &[]).expect("a plan");
        let shown: Vec<_> = planned.iter().map(|pool| pool.subnet.to_string()).collect();
        assert_eq!(shown, ["fd00:7::/64", "172.17.0.0/24"], "what was asked for comes first");
        let only = Wanted { ipv4: false, ..given };
        assert_eq!(plan(&only, &pools, &[], &[]).expect("a plan").len(), 1);
    }

    #[test]
    fn what_was_asked_for_may_meet_the_hosts_routes_but_no_network() {
        let wish = ipv4(vec![asked("10.5.0.0/16")]);
        let planned = plan(&wish, &[], &[], &subnets(&["10.0.0.0/8"])).expect("a plan");
        assert_eq!((planned.len(), planned[0].gateway), (1, Some(ip("10.5.0.1"))));
        for other in ["10.5.0.0/16", "10.5.9.0/24", "10.0.0.0/8"] {
            assert_eq!(plan(&wish, &[], &subnets(&[other]), &[]), Err(Conflict::Overlap));
        }
        let twice = ipv4(vec![asked("10.5.0.0/16"), asked("10.5.1.0/24")]);
        assert_eq!(plan(&twice, &[], &[], &[]), Err(Conflict::Overlap));
    }

    #[test]
    fn the_gateway_is_the_first_address_of_range_or_subnet() {
        let gateway = |range: &str| {
            let range = Some(subnet(range));
            let wish = PoolWish { range, ..asked("10.5.0.0/16") };
            plan(&ipv4(vec![wish]), &[], &[], &[]).expect("a plan")[0].gateway
        };
        assert_eq!(gateway("10.5.7.0/24"), Some(ip("10.5.7.0")));
        assert_eq!(gateway("10.5.0.0/24"), Some(ip("10.5.0.1")));
    }

    #[test]
    fn reserved_addresses_and_the_gateway_are_different_ones() {
        let auxiliary: BTreeMap<_, _> = [("a".to_owned(), ip("10.5.0.1"))].into();
        let wish = PoolWish { auxiliary: auxiliary.clone(), ..asked("10.5.0.0/16") };
        let refused = plan(&ipv4(vec![wish]), &[], &[], &[]);
        assert_eq!(refused, Err(Conflict::AuxiliaryTaken("a".into(), ip("10.5.0.1"))));
        let gateway = Some(ip("10.5.0.1"));
        let wish = PoolWish { auxiliary, gateway, ..asked("10.5.0.0/16") };
        let refused = plan(&ipv4(vec![wish]), &[], &[], &[]);
        assert_eq!(refused, Err(Conflict::AuxiliaryTaken("a".into(), ip("10.5.0.1"))));
    }

    #[test]
    fn the_subnets_own_address_and_that_of_all_are_nobodys() {
        for gateway in ["10.5.0.0", "10.5.255.255"] {
            let wish = PoolWish { gateway: Some(ip(gateway)), ..asked("10.5.0.0/16") };
            let refused = plan(&ipv4(vec![wish]), &[], &[], &[]);
            assert_eq!(refused, Err(Conflict::GatewayTaken(ip(gateway))));
            let auxiliary = [("a".to_owned(), ip(gateway))].into();
            let wish = PoolWish { auxiliary, ..asked("10.5.0.0/16") };
            let refused = plan(&ipv4(vec![wish]), &[], &[], &[]);
            assert_eq!(refused, Err(Conflict::AuxiliaryTaken("a".into(), ip(gateway))));
        }
        let auxiliary = ["a", "b"].map(|name| (name.to_owned(), ip("10.5.0.5"))).into();
        let wish = PoolWish { auxiliary, ..asked("10.5.0.0/16") };
        let refused = plan(&ipv4(vec![wish]), &[], &[], &[]);
        assert_eq!(refused, Err(Conflict::AuxiliaryTaken("b".into(), ip("10.5.0.5"))));
    }

    #[test]
    fn the_smallest_subnets_have_room_for_a_gateway() {
        for (text, gateway) in [("10.5.0.0/31", "10.5.0.0"), ("10.5.0.7/32", "10.5.0.7")] {
            let planned = plan(&ipv4(vec![asked(text)]), &[], &[], &[]).expect("a plan");
            assert_eq!(planned[0].gateway, Some(ip(gateway)));
        }
    }
}
