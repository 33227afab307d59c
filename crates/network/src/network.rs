//! The engine's networks: what containers join and leave.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};
use sys::netlink::{Batch, Protocol, Socket};

use crate::books::{Books, HostLink};
use crate::bridge::{self, bridge_of};
use crate::config::{Config, Driver, MacvlanMode};
use crate::diagnosis::{self, Hook, Obstacle, Packet};
use crate::error::{Context, Error, Result};
use crate::firewall::{
    BridgeRules, Contents, Firewall, Guard, Protection, UPLINKS, UPLINKS_IPV6, recorded_uplinks,
};
use crate::firewalld::Firewalld;
use crate::identity::{Identity, hex};
use crate::ipam::{self, Pool, Wanted};
use crate::options::{AddressPool, Options, Rules};
use crate::publish::{self, Mapping, Ports, Published, Publisher, Target, elements};
use crate::route::{self, ChildLink, VethPair};
use crate::sandbox::Sandbox;
use crate::worker::{Doomed, Shared, Worker};
use crate::{Interface, Joined, Recovery, Wish, dns, forwarding, nft, parent};

/// The networks of one engine. Dropping it leaves everything in place for the engine that comes next.
pub struct Network {
    identity: Identity,
    options: Options,
    default: Config,
    /// A socket in the host's namespace. Whoever has it changes links; the books are never locked for longer than it
    /// takes to look something up.
    host: Mutex<Socket>,
    shared: Arc<Shared>,
    worker: Worker,
    publisher: Publisher,
    firewalld: Option<Firewalld>,
}

/// A network that is to be made.
#[derive(Clone, Debug)]
pub struct Draft {
    pub id: String,
    pub name: String,
    pub driver: Driver,
    pub internal: bool,
    pub wanted: Wanted,
}

impl Network {
    /// Puts up the default network, those that are recorded and the firewall's table, or takes over what an earlier
    /// engine on the same data root left: containers that are alive keep what they have, and links that nobody has are
    /// deleted. Returns besides what is not as it was, such as a network that cannot be put up any more.
    pub fn open(
        identity: Identity,
        options: Options,
        recovery: Recovery,
    ) -> Result<(Self, Vec<Error>)> {
        let mut host =
            Socket::open(Protocol::Route).context(|| "open a netlink socket".to_owned())?;
        let turn = bridge::turn()?;
        let default = bridge::default_network(&mut host, &identity, &options, &recovery.networks)?;
        let mut books = Books::default();
        let mut failures = Vec::new();
        let default_one = Some(&default).filter(|_| !options.without_default);
        for config in default_one.into_iter().chain(&recovery.networks) {
            books.add(config.clone());
            match put_up(&mut host, &identity, config) {
                Ok(link) => books.put_up(&config.id, link),
                Err(error) if config.id == default.id => return Err(error),
                Err(error) => failures.push(error),
            }
        }
        drop(turn);
        for (container, interface) in recovery.interfaces {
            failures.extend(books.recover(container, interface).err());
        }
        let firewall = open_firewall(&mut host, &identity, &options, &books)?;
        let firewalld = open_firewalld(&options, &books)?;
        let (books, spare) = (Mutex::new(books), Mutex::new(None));
        let shared = Arc::new(Shared { books, spare, firewall });
        let worker = Worker::start(Arc::clone(&shared), identity.doomed_group())?;
        worker.refill();
        let host = Mutex::new(host);
        let publisher = Publisher::new(options.ip, options.outside.clone());
        let network =
            Self { identity, options, default, host, shared, worker, publisher, firewalld };
        network.delete_strays()?;
        Ok((network, failures))
    }

    /// Whether containers can be on it.
    pub fn has_default_network(&self) -> bool {
        !self.options.without_default
    }

    /// The default network.
    pub fn default_network(&self) -> &Config {
        &self.default
    }

    /// Makes a network. Its subnets are chosen where they were left open.
    pub fn create(&self, draft: Draft) -> Result<Config> {
        if !is_derived(&draft) {
            // Its link may be one that is about to be deleted.
            self.worker.settle();
        }
        let mut host = lock(&self.host);
        let _turn = bridge::turn()?;
        let config = self.reserve_network(&mut host, draft)?;
        let made = put_up(&mut host, &self.identity, &config).and_then(|link| {
            lock(&self.shared.books).put_up(&config.id, link);
            let firewall = &self.shared.firewall;
            BridgeRules::of(&config).map_or(Ok(()), |rules| firewall.add_bridge(rules))?;
            if self.options.ip_forward && has_ipv6_bridge(&config) {
                forward_ipv6(&mut host, &self.identity, firewall)?;
            }
            if self.options.rules == Rules::All { allow_loopback(&config) } else { Ok(()) }
        });
        drop(host);
        match made {
            Ok(()) => {
                if let (Some(firewalld), Some(bridge)) = (&self.firewalld, bridge_of(&config)) {
                    firewalld.add(bridge);
                }
                Ok(config)
            }
            Err(error) => {
                // Nothing half-made stays; what cannot be taken back is said by the worker.
                let _ = self.remove(&config.id);
                Err(error)
            }
        }
    }

    /// Removes a network that nobody has joined. Its links go after this has returned.
    pub fn remove(&self, network: &str) -> Result<()> {
        let (config, link) = lock(&self.shared.books).remove(network)?;
        let removed =
            bridge_of(&config).map_or(Ok(()), |name| self.shared.firewall.remove_bridge(name));
        if let (Some(firewalld), Some(bridge)) = (&self.firewalld, bridge_of(&config)) {
            firewalld.remove(bridge);
        }
        self.worker.delete(
            link.map(|link| Doomed { link: link.name, freed: vec![] }).into_iter().collect(),
        );
        removed
    }

    /// Makes a container's namespace and its interfaces.
    pub fn join(&self, container: &str, wishes: &[Wish]) -> Result<Joined> {
        let mut sandbox = self.take_sandbox()?;
        match self.join_all(container, &mut sandbox, wishes) {
            Ok((interfaces, dns)) => Ok(Joined { netns: sandbox.netns, interfaces, dns }),
            Err(error) => {
                self.leave(container);
                Err(error)
            }
        }
    }

    /// Connects a container that runs to one more network.
    pub fn connect(
        &self,
        container: &str,
        netns: BorrowedFd<'_>,
        wish: &Wish,
    ) -> Result<Interface> {
        let mut sandbox = Sandbox::enter(netns)?;
        let before = lock(&self.shared.books).interfaces_of(container);
        let interface = self.attach(container, &mut sandbox, wish)?;
        let now = lock(&self.shared.books).interfaces_of(container);
        let routed = sandbox.settle().and_then(|()| sandbox.route(&before, &now));
        match routed {
            Ok(()) => Ok(interface),
            Err(error) => {
                let left = self.disconnect(container, Some(netns), &wish.network);
                left.and(Err(error))
            }
        }
    }

    /// Gives a container that runs its name server, as `join` does; one from an earlier time does not count any more.
    pub fn open_dns(&self, netns: BorrowedFd<'_>) -> Result<dns::Sockets> {
        Sandbox::enter(netns)?.open_dns()
    }

    /// Takes a container out of one network; `netns` is none where the namespace is gone. The link is gone when this
    /// returns.
    pub fn disconnect(
        &self,
        container: &str,
        netns: Option<BorrowedFd<'_>>,
        network: &str,
    ) -> Result<()> {
        let before = lock(&self.shared.books).interfaces_of(container);
        let Some(interface) = lock(&self.shared.books).leave(container, network) else {
            return Ok(());
        };
        let now = lock(&self.shared.books).interfaces_of(container);
        let inside = netns.map_or(Ok(()), |netns| {
            let mut sandbox = Sandbox::enter(netns)?;
            sandbox.route(&before, &now)?;
            if interface.host_link.is_empty() { sandbox.delete(&interface.name) } else { Ok(()) }
        });
        self.worker.delete(vec![doomed(interface)]);
        self.worker.settle();
        inside
    }

    /// Forgets the container. Its links go, and its addresses are free again, after this has returned.
    pub fn leave(&self, container: &str) {
        let mut books = lock(&self.shared.books);
        let interfaces = books.interfaces_of(container);
        for interface in &interfaces {
            books.leave(container, &interface.network_id);
        }
        drop(books);
        if !interfaces.is_empty() {
            self.worker.delete(interfaces.into_iter().map(doomed).collect());
        }
    }

    /// Lets clients of the host's ports reach the container, which has joined: all of the wishes or none.
    pub fn publish(
        &self,
        container: &str,
        target: Target,
        wishes: &[publish::Wish],
    ) -> Result<Published, publish::Refused> {
        self.publisher.publish(&self.shared.firewall, container, target, wishes)
    }

    /// Takes ports back; no connection to them begins any more when this returns.
    pub fn unpublish(&self, container: &str, mappings: &[Mapping]) -> Result<()> {
        self.publisher.unpublish(&self.shared.firewall, container, mappings)
    }

    /// Leads the container's published ports to these addresses of it from now on.
    pub fn retarget(&self, container: &str, target: Target) -> Result<()> {
        self.publisher.retarget(&self.shared.firewall, container, target)
    }

    /// After a restart of the engine, once: the ports of the containers that are alive. Those of others are not
    /// published any more. What stays is there at every moment.
    pub fn recover_ports(
        &self,
        alive: impl IntoIterator<Item = (String, Target, Vec<Mapping>)>,
        proxy: Option<u16>,
    ) -> Result<()> {
        self.shared.firewall.recover(self.publisher.recover(alive), proxy)
    }

    /// Directs connections that the kernel cannot lead to a container to the proxy, which listens on that port.
    pub fn set_proxy(&self, port: u16) -> Result<()> {
        self.shared.firewall.set_proxy(port)
    }

    /// Whether the table leads to published ports at all.
    pub fn leads_ports(&self) -> bool {
        self.options.rules == Rules::All
    }

    /// Whether the table leads that port of the host as the mapping says.
    pub fn leads(&self, mapping: &Mapping, target: Target, port: u16) -> Result<bool> {
        let one =
            Mapping { host: Ports::one(port), container_port: mapping.behind(port), ..*mapping };
        let is_range = !mapping.host.is_one() && mapping.is_straight();
        let found = elements::elements(if is_range { mapping } else { &one }, target);
        let Some((map, elements)) = found else { return Ok(false) };
        let action = || "read the firewall's rules".to_owned();
        let mut rules = nft::Ruleset::read().context(action)?;
        let chain = nft::ChainName {
            family: nft::TableFamily::Inet as u8,
            table: self.identity.table(),
            chain: String::new(),
        };
        let is_there = |element: &nft::MapElement| {
            let (nft::Element::Key(key) | nft::Element::Interval(key, _)) = &element.key;
            matches!(rules.look_up(&chain, map, key), Some(nft::Lookup::There(_)))
        };
        // Of a range on one address each port is an element.
        Ok(elements.iter().take(1).all(is_there))
    }

    /// What of the host's firewall is in a packet's way.
    pub fn obstacles(&self, hook: Hook, packet: &Packet) -> Result<Vec<Obstacle>> {
        diagnosis::obstacles(hook, packet, &self.identity.table())
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

    /// Removes all that this engine has in the kernel: table, links, bridges. Returns what failed. Nobody can join any
    /// more.
    pub fn destroy(&self) -> Vec<Error> {
        self.settle();
        self.firewalld.iter().for_each(Firewalld::clear);
        let mut failures = Vec::from_iter(self.shared.firewall.remove().err());
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

    /// Chooses the network's subnets and enters it into the books.
    fn reserve_network(&self, host: &mut Socket, draft: Draft) -> Result<Config> {
        let Draft { id, name, driver, internal, wanted } = draft;
        let occupied = bridge::occupied(host)?;
        let mut books = lock(&self.shared.books);
        let pools = self.pools();
        let pools = ipam::plan(&wanted, &pools, &books.subnets(), &occupied)?;
        check_count(&driver, &pools)?;
        let config = Config { id, name, driver, internal, pools };
        check_links(&config, books.configs())?;
        books.add(config.clone());
        Ok(config)
    }

    /// The engine's own IPv6 pool comes last.
    fn pools(&self) -> Vec<AddressPool> {
        let mut pools = self.options.pools.clone();
        pools.push(AddressPool { base: self.identity.local_ipv6(), size: 64 });
        pools
    }

    fn take_sandbox(&self) -> Result<Sandbox> {
        let spare = lock(&self.shared.spare).take();
        let sandbox = spare.map_or_else(Sandbox::new, Ok);
        self.worker.refill();
        sandbox
    }

    fn join_all(
        &self,
        container: &str,
        sandbox: &mut Sandbox,
        wishes: &[Wish],
    ) -> Result<(Vec<Interface>, Option<dns::Sockets>)> {
        let is_named = |wish: &Wish| wish.network != self.default.id;
        let dns = wishes.iter().any(is_named).then(|| sandbox.open_dns()).transpose()?;
        let mut interfaces = Vec::with_capacity(wishes.len());
        for wish in wishes {
            interfaces.push(self.attach(container, sandbox, wish)?);
        }
        sandbox.settle()?;
        sandbox.route(&[], &interfaces)?;
        Ok((interfaces, dns))
    }

    /// Makes one interface; nothing of it is left where that fails.
    fn attach(&self, container: &str, sandbox: &mut Sandbox, wish: &Wish) -> Result<Interface> {
        let endpoint_id = random_id()?;
        let interface = self.reserve(container, wish, endpoint_id)?;
        let made = Guard::of(&interface)
            .map_or(Ok(()), |guard| self.shared.firewall.guard(guard))
            .and_then(|()| self.link(&interface, sandbox))
            .and_then(|()| sandbox.configure(&interface));
        if let Err(error) = made {
            lock(&self.shared.books).leave(container, &wish.network);
            self.worker.delete(vec![doomed(interface)]);
            return Err(error);
        }
        self.settle_carrier(&interface)?;
        Ok(interface)
    }

    /// An address that is not free may be so once the links that are being deleted are gone.
    fn reserve(&self, container: &str, wish: &Wish, endpoint_id: String) -> Result<Interface> {
        let reserve = |endpoint_id| {
            let mut books = lock(&self.shared.books);
            books.reserve(container, wish, endpoint_id)
        };
        match reserve(endpoint_id.clone()) {
            Err(Error::AddressInUse | Error::NoAddressLeft { .. }) => {
                self.worker.settle();
                reserve(endpoint_id)
            }
            result => result,
        }
    }

    fn settle_carrier(&self, interface: &Interface) -> Result<()> {
        if interface.host_link.is_empty() {
            return Ok(());
        }
        let action = || format!("wait for the carrier of {}", interface.host_link);
        route::settle_carrier(&mut lock(&self.host), &interface.host_link).context(action)
    }

    /// Makes the link in the namespace. A bridge or a parent that somebody deleted is made again.
    fn link(&self, interface: &Interface, sandbox: &mut Sandbox) -> Result<()> {
        sandbox.expect(interface)?;
        let (config, link) = {
            let books = lock(&self.shared.books);
            let live = books.get(&interface.network_id)?;
            (live.config.clone(), live.link.clone())
        };
        let mut host = lock(&self.host);
        let made = match link {
            Some(link) => match self.make_link(&mut host, &config, &link, interface, sandbox) {
                Err(_) if !is_there(&mut host, &link) => None,
                made => Some(made),
            },
            None => None,
        };
        let made = match made {
            Some(made) => made,
            None => {
                let link = self.revive(&mut host, &config)?;
                self.make_link(&mut host, &config, &link, interface, sandbox)
            }
        };
        made.context(|| format!("connect the container to network {}", config.name))
    }

    fn make_link(
        &self,
        host: &mut Socket,
        config: &Config,
        link: &HostLink,
        interface: &Interface,
        sandbox: &Sandbox,
    ) -> Result<(), sys::netlink::Error> {
        let mut batch = Batch::default();
        match (&config.driver, parent::child(&config.driver)) {
            (Driver::Bridge(options), _) => {
                let pair = VethPair {
                    host_link: &interface.host_link,
                    bridge: link.index,
                    group: self.identity.link_group(),
                    netns: sandbox.netns.as_fd(),
                    container_link: &interface.name,
                    mac: interface.mac,
                    mtu: interface.mtu,
                };
                route::create_veth(&mut batch, &pair);
                if !options.icc {
                    route::isolate_port(&mut batch, &interface.host_link);
                }
                if forwarding::sees_bridged_packets() {
                    route::hairpin_port(&mut batch, &interface.host_link);
                }
            }
            (driver, kind) => {
                let has_own_mac = match driver {
                    Driver::Macvlan(options) => options.mode != MacvlanMode::Passthru,
                    Driver::Ipvlan(_) | Driver::Bridge(_) => false,
                };
                let child = ChildLink {
                    parent: link.index,
                    netns: sandbox.netns.as_fd(),
                    container_link: &interface.name,
                    mac: has_own_mac.then_some(interface.mac),
                    kind: kind.unwrap_or_default(),
                };
                route::create_child(&mut batch, child);
            }
        }
        host.transact(batch).map(drop)
    }

    /// Makes the network's link again, with those who are on it.
    fn revive(&self, host: &mut Socket, config: &Config) -> Result<HostLink> {
        let link = put_up(host, &self.identity, config)?;
        let mut books = lock(&self.shared.books);
        books.put_up(&config.id, link.clone());
        let members = books.members(&config.id);
        drop(books);
        if bridge_of(config).is_some() {
            let mut batch = Batch::default();
            for member in members {
                route::enslave(&mut batch, &member.host_link, link.index);
            }
            match host.transact(batch) {
                // The one that is about to be made is among them.
                Err(error) if error.errno == Errno::NODEV => {}
                result => drop(result.context(|| format!("put back the bridge {}", link.name))?),
            }
        }
        Ok(link)
    }

    /// Deletes our links that no network and no interface has.
    fn delete_strays(&self) -> Result<()> {
        let links =
            route::links(&mut lock(&self.host)).context(|| "list the host's links".to_owned())?;
        let groups = [self.identity.link_group(), self.identity.doomed_group()];
        let books = lock(&self.shared.books);
        let known: HashSet<String> = books
            .interfaces()
            .map(|i| i.host_link.clone())
            .chain(books.configs().filter_map(link_of))
            .collect();
        drop(books);
        let is_stray =
            |link: &route::Link| groups.contains(&link.group) && !known.contains(&link.name);
        // A stray link has no address that could become free.
        let doomed = |link: route::Link| Doomed { link: link.name, freed: vec![] };
        self.worker.delete(links.into_iter().filter(is_stray).map(doomed).collect());
        Ok(())
    }
}

/// Whether somebody deleted it, or made another of its name.
fn is_there(host: &mut Socket, link: &HostLink) -> bool {
    route::link_index(host, &link.name).is_ok_and(|index| index == link.index)
}

fn link_of(config: &Config) -> Option<String> {
    bridge_of(config).map(str::to_owned).or_else(|| parent::name(config))
}

/// Whether its link's name is one that no other network has.
fn is_derived(draft: &Draft) -> bool {
    match &draft.driver {
        Driver::Bridge(options) => options.name.get(3..) == draft.id.get(..12),
        Driver::Macvlan(options) => options.parent.is_empty(),
        Driver::Ipvlan(options) => options.parent.is_empty(),
    }
}

/// A bridge has one subnet of a family, as in Docker; links below a parent may have several.
fn check_count(driver: &Driver, pools: &[Pool]) -> Result<()> {
    let ipv4 = pools.iter().filter(|pool| pool.subnet.is_ipv4()).count();
    match driver {
        Driver::Bridge(_) if ipv4 > 1 || pools.len() - ipv4 > 1 => Err(Error::SeveralSubnets),
        _ => Ok(()),
    }
}

/// A bridge is one network's. A parent is shared, but not by one who takes all of it.
fn check_links<'a>(new: &Config, others: impl Iterator<Item = &'a Config>) -> Result<()> {
    let is_greedy = |config: &Config| matches!(&config.driver, Driver::Macvlan(options) if options.mode == MacvlanMode::Passthru);
    for old in others {
        if let (Some(bridge), Some(taken)) = (bridge_of(new), bridge_of(old))
            && bridge == taken
        {
            let (new, old) = (new.id.clone(), old.id.clone());
            return Err(Error::SameBridge { new, old, bridge: bridge.to_owned() });
        }
        if let (Some(parent), Some(taken)) = (parent::name(new), parent::name(old))
            && parent == taken
            && (is_greedy(new) || is_greedy(old))
        {
            return Err(Error::ParentTaken { network: old.name.clone(), parent });
        }
    }
    Ok(())
}

fn doomed(interface: Interface) -> Doomed {
    let network = &interface.network_id;
    let freed = interface.addresses().map(|ip| (network.clone(), ip)).collect();
    Doomed { link: interface.host_link, freed }
}

/// Makes the network's link, or takes it over.
fn put_up(host: &mut Socket, identity: &Identity, config: &Config) -> Result<HostLink> {
    if let Some(name) = parent::name(config) {
        return parent::ensure(host, identity, config, &name);
    }
    let Driver::Bridge(bridge) = &config.driver else { unreachable!("others have a parent") };
    bridge::ensure(host, identity, bridge, &config.pools)
}

fn has_ipv6_bridge(config: &Config) -> bool {
    bridge_of(config).is_some() && config.pools.iter().any(|pool| !pool.subnet.is_ipv4())
}

/// Lets the host forward IPv6 for our bridges, and between its own links no more than before.
fn forward_ipv6(host: &mut Socket, identity: &Identity, firewall: &Firewall) -> Result<()> {
    if forwarding::is_enabled_ipv6()? {
        return Ok(());
    }
    let links = host_links(host, identity)?;
    firewall.separate_ipv6(links.clone())?;
    forwarding::enable_ipv6(&links)
}

/// Puts up the table and then turns on forwarding, in this order: never is the host a router without rules.
fn open_firewall(
    host: &mut Socket,
    identity: &Identity,
    options: &Options,
    books: &Books,
) -> Result<Firewall> {
    let turn_on = options.ip_forward && !forwarding::is_enabled()?;
    let uplinks = match turn_on {
        true => host_links(host, identity)?,
        false => recorded_uplinks(&identity.table(), UPLINKS)?,
    };
    let uplinks_ipv6 = recorded_uplinks(&identity.table(), UPLINKS_IPV6)?;
    let bridges = books.configs().filter_map(BridgeRules::of).collect();
    let guards = books.interfaces().filter_map(Guard::of);
    let guards = guards.map(|guard| (guard.port.clone(), guard)).collect();
    let rules = options.rules;
    let contents =
        Contents { bridges, uplinks, uplinks_ipv6, guards, rules, ..Contents::default() };
    let firewall = match options.protected {
        true => Firewall::open(identity.table(), contents)?,
        false => Firewall::open_as(Protection::Watched, identity.table(), contents)?,
    };
    if turn_on {
        forwarding::enable()?;
    }
    if options.ip_forward && books.configs().any(has_ipv6_bridge) {
        forward_ipv6(host, identity, &firewall)?;
    }
    for config in books.configs().filter(|_| rules == Rules::All) {
        allow_loopback(config)?;
    }
    Ok(firewall)
}

/// An engine without tables leaves the host's firewall to the administrator altogether.
fn open_firewalld(options: &Options, books: &Books) -> Result<Option<Firewalld>> {
    let bus = options.system_bus.clone().filter(|_| options.rules != Rules::None);
    let bridges = books.configs().filter_map(bridge_of).map(str::to_owned);
    bus.map_or(Ok(None), |bus| Firewalld::start(bus, bridges))
}

/// For clients of ports that are published on the host's 127.0.0.1.
fn allow_loopback(config: &Config) -> Result<()> {
    match bridge_of(config) {
        Some(bridge) if !config.internal => forwarding::allow_loopback(bridge),
        _ => Ok(()),
    }
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
