//! The default bridge: found again by its link group, or made.

use std::fs::{self, File};
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use rustix::fs::FlockOperation;
use rustix::io::Errno;

use sys::netlink::{Batch, Socket};

use crate::error::{Context, Error, Result};
use crate::identity::Identity;
use crate::ipam::choose_subnet;
use crate::mac::MacAddress;
use crate::options::{BridgeAddress, Options};
use crate::route::{self, Link};
use crate::subnet::Subnet;

/// The name of the first engine's bridge; others have one with their identity in it.
const FAVOURITE_NAME: &str = "gantry0";

/// The default bridge as it is in the kernel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    pub name: String,
    /// 64 hex digits.
    pub network_id: String,
    pub gateway: Ipv4Addr,
    pub subnet: Subnet,
    pub mtu: u32,
    pub(crate) index: u32,
}

/// Makes the bridge, or takes over the one that an earlier engine on this data root left. That one keeps its
/// address, which its containers use, unless `--bip` names another.
pub(crate) fn ensure(
    socket: &mut Socket,
    identity: &Identity,
    options: &Options,
) -> Result<Bridge> {
    let _turn = turn().context(|| "wait for other engines' networks".to_owned())?;
    let links = route::links(socket).context(|| "list the host's links".to_owned())?;
    let ours = links.iter().find(|link| link.is_bridge && link.group == identity.link_group());
    let name = ours.map_or_else(|| free_name(&links, identity), |link| link.name.clone());
    let action = || format!("set up the bridge {name}");

    let present = match ours {
        Some(link) => route::addresses(socket, link.index).context(action)?,
        None => Vec::new(),
    };
    let address = choose_address(socket, options, &present)?;
    let index = match ours {
        Some(link) => link.index,
        None => create(socket, &name, identity, address, options.mtu).context(action)?,
    };
    let mut batch = Batch::default();
    for (ip, subnet) in present
        .into_iter()
        .filter(|(ip, subnet)| (*ip, *subnet) != (address.gateway, address.subnet))
    {
        route::remove_address(&mut batch, index, ip, subnet);
    }
    route::add_address(&mut batch, index, address.gateway, address.subnet);
    route::set_link_up(&mut batch, index);
    switch_off_ipv6(&name).context(action)?;
    socket.transact(batch).context(action)?;
    let network_id = identity.network_id("bridge");
    Ok(Bridge {
        name,
        network_id,
        gateway: address.gateway,
        subnet: address.subnet,
        mtu: options.mtu,
        index,
    })
}

/// A name and a subnet are free until they are taken: of several engines that start at once on one network namespace, one
/// looks and takes at a time. The lock is on the namespace itself, and goes with the descriptor. Whoever holds it for
/// longer than this takes is no engine (a container on the host's network can open it too): then we go on without.
fn turn() -> io::Result<File> {
    const TRIES: u32 = 200;
    const PAUSE: Duration = Duration::from_millis(10);
    let namespace = File::open("/proc/thread-self/ns/net")?;
    for _ in 0..TRIES {
        match rustix::fs::flock(&namespace, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => std::thread::sleep(PAUSE),
            result => return result.map(|()| namespace).map_err(io::Error::from),
        }
    }
    Ok(namespace)
}

fn free_name(links: &[Link], identity: &Identity) -> String {
    let is_taken = links.iter().any(|link| link.name == FAVOURITE_NAME);
    if is_taken { identity.bridge() } else { FAVOURITE_NAME.to_owned() }
}

fn choose_address(
    socket: &mut Socket,
    options: &Options,
    present: &[(Ipv4Addr, Subnet)],
) -> Result<BridgeAddress> {
    if let Some(bip) = options.bip {
        return Ok(bip);
    }
    if let [(gateway, subnet), ..] = *present {
        return Ok(BridgeAddress { gateway, subnet });
    }
    let routed = route::routed_subnets(socket).context(|| "list the host's routes".to_owned())?;
    let subnet = choose_subnet(&options.pools, &routed).ok_or(Error::NoSubnetLeft)?;
    Ok(BridgeAddress { gateway: Ipv4Addr::from_bits(subnet.hosts().start), subnet })
}

fn create(
    socket: &mut Socket,
    name: &str,
    identity: &Identity,
    address: BridgeAddress,
    mtu: u32,
) -> Result<u32, sys::netlink::Error> {
    let mut batch = Batch::default();
    route::create_bridge(
        &mut batch,
        name,
        identity.link_group(),
        MacAddress::from_ip(address.gateway),
        mtu,
    );
    socket.transact(batch)?;
    route::link_index(socket, name)
}

/// A container may send anything on its bridge, router advertisements included (CVE-2020-13401): the host's side
/// neither listens to them nor speaks IPv6 there.
fn switch_off_ipv6(bridge: &str) -> io::Result<()> {
    for (key, value) in [("accept_ra", "0"), ("disable_ipv6", "1")] {
        match fs::write(format!("/proc/sys/net/ipv6/conf/{bridge}/{key}"), value) {
            // A kernel without IPv6.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    Ok(())
}
