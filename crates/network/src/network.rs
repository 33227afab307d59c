//! The engine's networks: what containers join and leave.

use std::collections::{HashMap, HashSet};
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use sys::netlink::{Batch, Protocol, Socket};

use crate::bridge::{self, Bridge};
use crate::error::{Context, Error, Result};
use crate::firewall::{BridgeRules, Contents, Firewall, recorded_uplinks};
use crate::identity::{Identity, hex};
use crate::ipam::{Addresses, Refused};
use crate::mac::MacAddress;
use crate::options::Options;
use crate::publish::{self, Mapping, Published, Publisher, Target, Wish};
use crate::route::{self, VethPair};
use crate::sandbox::{self, Sandbox};
use crate::worker::{Doomed, Shared, Worker};
use crate::{Address, Attachment, Endpoint, Interface, Joined, forwarding, nft};

/// The networks of one engine. Dropping it leaves everything in place for the engine that comes next.
pub struct Network {
    identity: Identity,
    options: Options,
    bridge: Bridge,
    /// A socket in the host's namespace.
    host: Mutex<Socket>,
    /// Who has joined, by container ID.
    endpoints: Mutex<HashMap<String, Interface>>,
    shared: Arc<Shared>,
    worker: Worker,
    firewall: Firewall,
    publisher: Publisher,
}

impl Network {
    /// Makes bridge and firewall table, or takes over what an earlier engine on the same data root left.
    pub fn open(identity: Identity, options: Options) -> Result<Self> {
        let mut host =
            Socket::open(Protocol::Route).context(|| "open a netlink socket".to_owned())?;
        let bridge = bridge::ensure(&mut host, &identity, &options)?;
        let firewall = open_firewall(&mut host, &identity, &options, &bridge)?;
        let shared = Arc::new(Shared {
            addresses: Mutex::new(Addresses::new(bridge.subnet, bridge.gateway)),
            spare: Mutex::new(None),
        });
        let worker = Worker::start(Arc::clone(&shared), identity.doomed_group())?;
        worker.refill();
        let (host, endpoints) = (Mutex::new(host), Mutex::default());
        let publisher = Publisher::new(options.ip);
        Ok(Self { identity, options, bridge, host, endpoints, shared, worker, firewall, publisher })
    }

    /// The default bridge.
    pub fn bridge(&self) -> &Bridge {
        &self.bridge
    }

    /// Makes a container's namespace and its interface.
    pub fn join(&self, endpoint: &Endpoint<'_>) -> Result<Joined> {
        let mut sandbox = self.take_sandbox()?;
        let interface = match endpoint.attachment {
            Attachment::None => None,
            Attachment::Bridge { ip, mac } => {
                Some(self.attach(endpoint.container, &mut sandbox, ip, mac)?)
            }
        };
        Ok(Joined { netns: sandbox.netns, interface })
    }

    /// Forgets the container. Its link goes, and its address is free again, after this has returned.
    pub fn leave(&self, container: &str) {
        let Some(interface) = lock(&self.endpoints).remove(container) else { return };
        let ip = interface.ipv4.map_or(Ipv4Addr::UNSPECIFIED, |address| address.ip);
        lock(&self.shared.addresses).leave(ip);
        self.worker.delete(vec![Doomed { link: interface.host_link, ip }]);
    }

    /// After a restart of the engine: the containers that are alive keep what they have, and links that nobody has
    /// are deleted. To be called once, before anybody joins. Returns what is not as it was, such as an address
    /// outside of a bridge that has moved.
    pub fn recover(
        &self,
        alive: impl IntoIterator<Item = (String, Interface)>,
    ) -> Result<Vec<Error>> {
        let mut failures = Vec::new();
        let mut endpoints = lock(&self.endpoints);
        for (container, interface) in alive {
            let address = interface.ipv4.map(|address| address.ip);
            let taken =
                address.map_or(Ok(()), |ip| lock(&self.shared.addresses).take(ip).map(drop));
            failures.extend(taken.err().map(|refused| self.refusal(refused, address)));
            endpoints.insert(container, interface);
        }
        let known: HashSet<_> =
            endpoints.values().map(|interface| interface.host_link.as_str()).collect();
        self.delete_strays(&known)?;
        Ok(failures)
    }

    /// Lets clients of the host's ports reach the container, which has joined: all of the wishes or none.
    pub fn publish(
        &self,
        container: &str,
        target: Target,
        wishes: &[Wish],
    ) -> Result<Published, publish::Refused> {
        self.publisher.publish(&self.firewall, container, target, wishes)
    }

    /// Takes ports back; no connection to them begins any more when this returns.
    pub fn unpublish(&self, container: &str, mappings: &[Mapping]) -> Result<()> {
        self.publisher.unpublish(&self.firewall, container, mappings)
    }

    /// After a restart of the engine, once: the ports of the containers that are alive. Those of others are not
    /// published any more. What stays is there at every moment.
    pub fn recover_ports(
        &self,
        alive: impl IntoIterator<Item = (String, Target, Vec<Mapping>)>,
        proxy: Option<u16>,
    ) -> Result<()> {
        self.firewall.recover(self.publisher.recover(alive), proxy)
    }

    /// Directs connections that the kernel cannot lead to a container to the proxy, which listens on that port.
    pub fn set_proxy(&self, port: u16) -> Result<()> {
        self.firewall.set_proxy(port)
    }

    /// Chains of the host's own firewall (`ip filter FORWARD`) that drop what they do not accept of what is forwarded. An
    /// accept in our table does not overrule them: other hosts may not reach published ports.
    pub fn dropping_chains(&self) -> Result<Vec<String>> {
        let action = || "list the host's firewall".to_owned();
        let mut socket = Socket::open(Protocol::Netfilter).context(action)?;
        nft::dropping_forward_chains(&mut socket).context(action)
    }

    /// Waits until links of containers that have left are gone, and a spare namespace is made.
    pub fn settle(&self) {
        self.worker.settle();
    }

    /// Removes all that this engine has in the kernel: table, links, bridge. Returns what failed. Nobody can join
    /// any more.
    pub fn destroy(&self) -> Vec<Error> {
        self.settle();
        let mut failures = Vec::from_iter(self.firewall.remove().err());
        let mut host = lock(&self.host);
        for group in [self.identity.doomed_group(), self.identity.link_group()] {
            let mut batch = Batch::default();
            route::delete_group(&mut batch, group);
            match host.transact(batch) {
                Err(error) if error.errno == Errno::NODEV => {}
                result => {
                    failures
                        .extend(result.context(|| "delete the engine's links".to_owned()).err());
                }
            }
        }
        failures
    }

    fn take_sandbox(&self) -> Result<Sandbox> {
        let spare = lock(&self.shared.spare).take();
        let sandbox = spare.map_or_else(Sandbox::new, Ok);
        self.worker.refill();
        sandbox
    }

    fn attach(
        &self,
        container: &str,
        sandbox: &mut Sandbox,
        ip: Option<Ipv4Addr>,
        mac: Option<MacAddress>,
    ) -> Result<Interface> {
        let (interface, ip) = self.reserve(container, ip, mac)?;
        self.connect(&interface, ip, sandbox).inspect_err(|_| self.leave(container))?;
        Ok(interface)
    }

    fn connect(&self, interface: &Interface, ip: Ipv4Addr, sandbox: &mut Sandbox) -> Result<()> {
        let Bridge { subnet, gateway, .. } = self.bridge;
        self.link(interface, sandbox)?;
        sandbox.configure(ip, subnet, gateway)?;
        let action = || format!("wait for the carrier of {}", interface.host_link);
        route::settle_carrier(&mut lock(&self.host), &interface.host_link).context(action)
    }

    /// Chooses the interface's names and addresses and enters it into the books.
    fn reserve(
        &self,
        container: &str,
        ip: Option<Ipv4Addr>,
        mac: Option<MacAddress>,
    ) -> Result<(Interface, Ipv4Addr)> {
        let endpoint_id = random_id()?;
        let mut endpoints = lock(&self.endpoints);
        if endpoints.contains_key(container) {
            return Err(Error::AlreadyJoined(container.to_owned()));
        }
        let mut addresses = lock(&self.shared.addresses);
        let taken = match ip {
            Some(ip) => addresses.take(ip),
            None => addresses.take_next(),
        };
        let ip = taken.map_err(|refused| self.refusal(refused, ip))?;
        let interface = Interface {
            network_id: self.bridge.network_id.clone(),
            network: "bridge".into(),
            name: sandbox::CONTAINER_LINK.into(),
            host_link: format!("veth{}", &endpoint_id[..11]),
            endpoint_id,
            ipv4: Some(Address {
                ip,
                prefix_len: self.bridge.subnet.prefix_len(),
                gateway: Some(self.bridge.gateway),
            }),
            ipv6: None,
            mac: mac.unwrap_or_else(|| MacAddress::from_ip(ip)),
            mtu: self.bridge.mtu,
        };
        endpoints.insert(container.to_owned(), interface.clone());
        Ok((interface, ip))
    }

    /// Makes the pair of links between the bridge and the namespace.
    fn link(&self, interface: &Interface, sandbox: &Sandbox) -> Result<()> {
        let mut batch = Batch::default();
        let pair = VethPair {
            host_link: &interface.host_link,
            bridge: self.bridge.index,
            group: self.identity.link_group(),
            netns: sandbox.netns.as_fd(),
            container_link: sandbox.link_name(),
            mac: interface.mac,
            mtu: interface.mtu,
        };
        route::create_veth(&mut batch, &pair);
        if !self.options.icc {
            route::isolate_port(&mut batch, &interface.host_link);
        }
        if forwarding::sees_bridged_packets() {
            route::hairpin_port(&mut batch, &interface.host_link);
        }
        let action = || format!("connect the container to the bridge {}", self.bridge.name);
        lock(&self.host).transact(batch).map(drop).context(action)
    }

    fn refusal(&self, refused: Refused, ip: Option<Ipv4Addr>) -> Error {
        let subnet = self.bridge.subnet;
        match (refused, ip) {
            (Refused::InUse, Some(ip)) => Error::AddressInUse(ip),
            (Refused::Outside, Some(ip)) => Error::AddressOutside { ip, subnet },
            _ => Error::NoAddressLeft { name: self.bridge.name.clone(), subnet },
        }
    }

    /// Deletes our links that are neither the bridge nor known.
    fn delete_strays(&self, known: &HashSet<&str>) -> Result<()> {
        let links =
            route::links(&mut lock(&self.host)).context(|| "list the host's links".to_owned())?;
        let groups = [self.identity.link_group(), self.identity.doomed_group()];
        let is_stray = |link: &route::Link| {
            groups.contains(&link.group)
                && link.index != self.bridge.index
                && !known.contains(link.name.as_str())
        };
        // A stray link has no address that could become free.
        let doomed = |link: route::Link| Doomed { link: link.name, ip: Ipv4Addr::UNSPECIFIED };
        self.worker.delete(links.into_iter().filter(is_stray).map(doomed).collect());
        Ok(())
    }
}

/// Puts up the table and then turns on forwarding, in this order: never is the host a router without rules.
fn open_firewall(
    host: &mut Socket,
    identity: &Identity,
    options: &Options,
    bridge: &Bridge,
) -> Result<Firewall> {
    let turn_on = options.ip_forward && !forwarding::is_enabled()?;
    let uplinks =
        if turn_on { host_links(host, identity)? } else { recorded_uplinks(&identity.table())? };
    let rules = BridgeRules {
        name: bridge.name.clone(),
        subnet: bridge.subnet,
        masquerade: options.ip_masq,
    };
    let contents = Contents { bridges: vec![rules], uplinks, ..Contents::default() };
    let firewall = Firewall::open(identity.table(), contents)?;
    if turn_on {
        forwarding::enable()?;
    }
    forwarding::allow_loopback(&bridge.name)?;
    Ok(firewall)
}

/// The names of the links that are the host's own.
fn host_links(host: &mut Socket, identity: &Identity) -> Result<Vec<String>> {
    let links = route::links(host).context(|| "list the host's links".to_owned())?;
    let is_own = |link: &route::Link| link.name != "lo" && link.group != identity.link_group();
    Ok(links.into_iter().filter(is_own).map(|link| link.name).collect())
}

fn random_id() -> Result<String> {
    let mut bytes = [0; 32];
    getrandom(&mut bytes, GetRandomFlags::empty())
        .map_err(std::io::Error::from)
        .context(|| "read random bytes".to_owned())?;
    Ok(hex(&bytes))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks is complete in itself: a panic elsewhere leaves nothing half-made.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
