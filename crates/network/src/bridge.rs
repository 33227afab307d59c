//! Bridges: found again by name and link group, or made.

use std::fs::{self, File};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use sys::netlink::{Batch, Socket};

use crate::books::HostLink;
use crate::config::{BridgeOptions, Config, Driver};
use crate::error::{Context, Error, Result};
use crate::identity::Identity;
use crate::ipam::{self, Pool, Wanted};
use crate::mac::MacAddress;
use crate::options::{AddressPool, Options};
use crate::route::{self, Link};
use crate::subnet::Subnet;

/// The name of the first engine's default bridge; others have one with their identity in it.
const FAVOURITE_NAME: &str = "gantry0";

/// The default network, whose bridge may be there: it keeps its name and its address, which containers use, unless
/// `--bip` names another. Where there is to be none it has no pools.
pub(crate) fn default_network(
    socket: &mut Socket,
    identity: &Identity,
    options: &Options,
    others: &[Config],
) -> Result<Config> {
    let action = || "look for the default bridge".to_owned();
    let links = route::links(socket).context(action)?;
    let of_others = |name: &str| others.iter().any(|other| bridge_of(other) == Some(name));
    let ours = links.iter().find(|link| {
        link.is_bridge
            && link.group == identity.link_group()
            && !of_others(&link.name)
            && is_default(&link.name, identity)
    });
    let ours = match &options.bridge {
        None => ours,
        Some(name) => {
            let there = links.iter().find(|link| link.is_bridge && link.name == *name);
            Some(there.ok_or_else(|| Error::NoSuchBridge(name.clone()))?)
        }
    };
    let name = ours.map_or_else(|| free_name(&links, identity), |link| link.name.clone());
    let present = match ours {
        Some(link) => route::addresses(socket, link.index).context(action)?,
        None => Vec::new(),
    };
    let networks: Vec<_> =
        others.iter().flat_map(|other| &other.pools).map(|pool| pool.subnet).collect();
    let mut pools = Vec::new();
    if !options.without_default {
        pools.push(ipv4_pool(socket, options, &present, &networks)?);
        if options.ipv6 {
            pools.push(ipv6_pool(socket, identity, options, &present, &networks)?);
        }
        reserve_routers(&mut pools, &options.gateways)?;
    }
    let bridge = BridgeOptions {
        mtu: options.mtu,
        icc: options.icc,
        masquerade: options.ip_masq,
        routers: options.gateways.clone(),
        ..BridgeOptions::new(name)
    };
    Ok(Config {
        id: identity.network_id("bridge"),
        name: "bridge".into(),
        driver: Driver::Bridge(bridge),
        internal: false,
        pools,
    })
}

/// What `--bip` says, else what the bridge has, else what containers are to have, else the first that is free.
fn ipv4_pool(
    socket: &mut Socket,
    options: &Options,
    present: &[(IpAddr, u8)],
    networks: &[Subnet],
) -> Result<Pool> {
    let first = |subnet: Subnet| pool(subnet, subnet.ip(subnet.first_bits() + 1));
    let there = present.iter().find(|(ip, _)| ip.is_ipv4());
    let mut chosen = match (options.bip, there, options.fixed_cidr) {
        (Some(bip), ..) => pool(bip.subnet, bip.gateway.into()),
        (None, Some((ip, prefix_len)), _) => pool(Subnet::around(*ip, *prefix_len), *ip),
        (None, None, Some(range)) => first(range),
        (None, None, None) => {
            let wanted = Wanted { ipv4: true, ..Wanted::default() };
            ipam::plan(&wanted, &options.pools, networks, &occupied(socket)?)?.swap_remove(0)
        }
    };
    if let Some(range) = options.fixed_cidr {
        let subnet = chosen.subnet;
        if !subnet.covers(&range) {
            return Err(Error::RangeOutside { range, subnet });
        }
        chosen.range = (range != subnet).then_some(range);
    }
    Ok(chosen)
}

fn ipv6_pool(
    socket: &mut Socket,
    identity: &Identity,
    options: &Options,
    present: &[(IpAddr, u8)],
    networks: &[Subnet],
) -> Result<Pool> {
    let there = present.iter().find(|(ip, _)| ip.is_ipv6());
    match (options.fixed_cidr_v6, there) {
        (Some(subnet), _) => Ok(pool(subnet, subnet.ip(subnet.first_bits() + 1))),
        (None, Some((ip, prefix_len))) => Ok(pool(Subnet::around(*ip, *prefix_len), *ip)),
        (None, None) => {
            let own = AddressPool { base: identity.local_ipv6(), size: 64 };
            let wanted = Wanted { ipv6: true, ..Wanted::default() };
            Ok(ipam::plan(&wanted, &[own], networks, &occupied(socket)?)?.swap_remove(0))
        }
    }
}

/// A router on the bridge is nobody else, and containers must be able to reach it.
fn reserve_routers(pools: &mut [Pool], routers: &[IpAddr]) -> Result<()> {
    for router in routers {
        let mut pools = pools.iter_mut();
        let pool = pools.find(|pool| pool.subnet.contains(*router));
        let name = if router.is_ipv4() { "DefaultGatewayIPv4" } else { "DefaultGatewayIPv6" };
        let pool = pool.ok_or(Error::GatewayOutside(*router))?;
        pool.auxiliary.insert(name.to_owned(), *router);
    }
    Ok(())
}

fn pool(subnet: Subnet, gateway: IpAddr) -> Pool {
    Pool { subnet, range: None, gateway: Some(gateway), auxiliary: Default::default() }
}

fn is_default(name: &str, identity: &Identity) -> bool {
    name == FAVOURITE_NAME || name == identity.bridge()
}

pub(crate) fn bridge_of(config: &Config) -> Option<&str> {
    match &config.driver {
        Driver::Bridge(options) => Some(&options.name),
        Driver::Macvlan(_) | Driver::Ipvlan(_) => None,
    }
}

/// What a subnet of our choice must not meet: the host's routes and its name servers.
pub(crate) fn occupied(socket: &mut Socket) -> Result<Vec<Subnet>> {
    let mut subnets =
        route::routed_subnets(socket).context(|| "list the host's routes".to_owned())?;
    let servers = crate::files::host_nameservers();
    subnets.extend(servers.into_iter().map(|ip| Subnet::around(ip, u8::MAX)));
    Ok(subnets)
}

/// Makes the network's bridge, or takes over the one that an earlier engine on this data root left.
pub(crate) fn ensure(
    socket: &mut Socket,
    identity: &Identity,
    options: &BridgeOptions,
    pools: &[Pool],
) -> Result<HostLink> {
    let name = &options.name;
    let action = || format!("set up the bridge {name}");
    let there = route::link_named(socket, name).context(action)?;
    if there.as_ref().is_some_and(|link| !link.is_bridge) {
        return Err(Error::NoBridge(name.clone()));
    }
    let Some(link) = &there else {
        let index = create(socket, identity, options, pools).context(action)?;
        let link = HostLink { name: name.clone(), index, is_ours: true };
        return match address(socket, options, pools, &link, &[]) {
            Ok(()) => Ok(link),
            Err(error) => {
                let mut batch = Batch::default();
                route::delete_link(&mut batch, name);
                // What failed first is what is told.
                let _ = socket.transact(batch);
                Err(error)
            }
        };
    };
    let present = route::addresses(socket, link.index).context(action)?;
    let is_ours = link.group == identity.link_group();
    let link = HostLink { name: name.clone(), index: link.index, is_ours };
    address(socket, options, pools, &link, &present)?;
    Ok(link)
}

/// Its addresses, of which some are there, and up with it.
fn address(
    socket: &mut Socket,
    options: &BridgeOptions,
    pools: &[Pool],
    link: &HostLink,
    present: &[(IpAddr, u8)],
) -> Result<()> {
    let HostLink { name, index, is_ours } = link;
    let action = || format!("set up the bridge {name}");
    let wanted = gateways(options, pools);
    let mut batch = Batch::default();
    for (ip, prefix_len) in present.iter().filter(|address| *is_ours && !wanted.contains(address)) {
        route::remove_address(&mut batch, *index, *ip, *prefix_len);
    }
    let has_ipv6 = pools.iter().any(|pool| !pool.subnet.is_ipv4());
    switch_ipv6(name, has_ipv6).context(action)?;
    for (ip, prefix_len) in &wanted {
        route::add_address(&mut batch, *index, *ip, *prefix_len);
    }
    route::set_link_up(&mut batch, *index);
    socket.transact(batch).map(drop).context(action)
}

/// The host's own addresses on the bridge.
fn gateways(options: &BridgeOptions, pools: &[Pool]) -> Vec<(IpAddr, u8)> {
    let of_host = pools.iter().filter(|pool| options.has_gateway(pool.subnet.is_ipv4()));
    of_host.filter_map(|pool| Some((pool.gateway?, pool.subnet.prefix_len()))).collect()
}

/// A name and a subnet are free until they are taken: of several engines that start at once on one network namespace, one
/// looks and takes at a time. The lock is on the namespace itself, and goes with the descriptor. Whoever holds it for
/// longer than this takes is no engine (a container on the host's network can open it too): then we go on without.
pub(crate) fn turn() -> Result<File> {
    const TRIES: u32 = 200;
    const PAUSE: Duration = Duration::from_millis(10);
    let action = || "wait for other engines' networks".to_owned();
    let namespace = File::open("/proc/thread-self/ns/net").context(action)?;
    for _ in 0..TRIES {
        match rustix::fs::flock(&namespace, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => std::thread::sleep(PAUSE),
            result => return result.map(|()| namespace).map_err(io::Error::from).context(action),
        }
    }
    Ok(namespace)
}

fn free_name(links: &[Link], identity: &Identity) -> String {
    let is_taken = links.iter().any(|link| link.name == FAVOURITE_NAME);
    if is_taken { identity.bridge() } else { FAVOURITE_NAME.to_owned() }
}

fn create(
    socket: &mut Socket,
    identity: &Identity,
    options: &BridgeOptions,
    pools: &[Pool],
) -> Result<u32, sys::netlink::Error> {
    let gateway = pools.iter().find_map(|pool| match pool.gateway {
        Some(IpAddr::V4(ip)) => Some(ip),
        _ => None,
    });
    let mac = match gateway {
        Some(ip) => MacAddress::from_ip(ip),
        None => MacAddress::from_ip(Ipv4Addr::from_bits(identity.link_group())),
    };
    let mut batch = Batch::default();
    route::create_bridge(&mut batch, &options.name, identity.link_group(), mac, options.mtu);
    socket.transact(batch)?;
    route::link_index(socket, &options.name)
}

/// A container may send anything on its bridge, router advertisements included (CVE-2020-13401): the host's side never
/// listens to them, and speaks IPv6 only where the network has it.
fn switch_ipv6(bridge: &str, on: bool) -> io::Result<()> {
    for (key, value) in [("accept_ra", "0"), ("disable_ipv6", if on { "0" } else { "1" })] {
        match fs::write(format!("/proc/sys/net/ipv6/conf/{bridge}/{key}"), value) {
            // A kernel without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !on => {}
            result => result?,
        }
    }
    Ok(())
}
