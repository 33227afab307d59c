//! The networks of an engine and who has joined them, in memory. Pure: nothing here talks to the kernel.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::config::{Config, Driver, IpvlanLayer};
use crate::error::{Error, Result};
use crate::ipam::{Addresses, Refused};
use crate::mac::MacAddress;
use crate::subnet::Subnet;
use crate::{Address, Interface, Wish};

/// All networks, by id.
#[derive(Debug, Default)]
pub(crate) struct Books {
    networks: BTreeMap<String, Live>,
}

/// A network that containers can join.
#[derive(Debug)]
pub(crate) struct Live {
    pub(crate) config: Config,
    /// None where putting it up failed.
    pub(crate) link: Option<HostLink>,
    pools: Vec<Addresses>,
    /// By container.
    interfaces: HashMap<String, Interface>,
}

/// The bridge, or the parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostLink {
    pub(crate) name: String,
    pub(crate) index: u32,
    /// Whether the engine made it, or an earlier one did.
    pub(crate) is_ours: bool,
}

/// An address of a network that is free once a link is gone.
pub(crate) type Freed = (String, IpAddr);

impl Books {
    pub(crate) fn add(&mut self, config: Config) {
        let pools = config.pools.iter().cloned().map(Addresses::new).collect();
        let live = Live { pools, link: None, interfaces: HashMap::new(), config };
        self.networks.insert(live.config.id.clone(), live);
    }

    pub(crate) fn get(&self, network: &str) -> Result<&Live> {
        self.networks.get(network).ok_or_else(|| Error::NoSuchNetwork(network.to_owned()))
    }

    pub(crate) fn put_up(&mut self, network: &str, link: HostLink) {
        if let Some(live) = self.networks.get_mut(network) {
            live.link = Some(link);
        }
    }

    /// Forgets the network, which nobody has joined. Returns the link that is now nobody's.
    pub(crate) fn remove(&mut self, network: &str) -> Result<(Config, Option<HostLink>)> {
        let live = self.get(network)?;
        if !live.interfaces.is_empty() {
            let Config { name, id, .. } = live.config.clone();
            return Err(Error::InUse { name, id });
        }
        let live = self.networks.remove(network).expect("it was there a line ago");
        let is_shared = |link: &HostLink| {
            self.networks
                .values()
                .any(|other| other.link.as_ref().is_some_and(|l| l.name == link.name))
        };
        let link = live.link.filter(|link| link.is_ours && !is_shared(link));
        Ok((live.config, link))
    }

    pub(crate) fn configs(&self) -> impl Iterator<Item = &Config> {
        self.networks.values().map(|live| &live.config)
    }

    pub(crate) fn subnets(&self) -> Vec<Subnet> {
        self.configs().flat_map(|config| &config.pools).map(|pool| pool.subnet).collect()
    }

    /// What the container has, in the order of the names.
    pub(crate) fn interfaces_of(&self, container: &str) -> Vec<Interface> {
        let of_networks = self.networks.values();
        let mut own: Vec<_> =
            of_networks.filter_map(|live| live.interfaces.get(container).cloned()).collect();
        own.sort_by(|a, b| (a.name.len(), &a.name).cmp(&(b.name.len(), &b.name)));
        own
    }

    pub(crate) fn interfaces(&self) -> impl Iterator<Item = &Interface> {
        self.networks.values().flat_map(|live| live.interfaces.values())
    }

    /// Those who have joined one network.
    pub(crate) fn members(&self, network: &str) -> Vec<Interface> {
        let live = self.networks.get(network);
        live.into_iter().flat_map(|live| live.interfaces.values().cloned()).collect()
    }

    /// Chooses the names and addresses of a new interface and enters it.
    pub(crate) fn reserve(
        &mut self,
        container: &str,
        wish: &Wish,
        endpoint_id: String,
    ) -> Result<Interface> {
        let others = self.interfaces_of(container);
        let missing = || Error::NoSuchNetwork(wish.network.clone());
        let live = self.networks.get_mut(&wish.network).ok_or_else(missing)?;
        if live.interfaces.contains_key(container) {
            let network = live.config.name.clone();
            return Err(Error::AlreadyJoined { container: container.to_owned(), network });
        }
        let ipv4 = live.take(true, wish.ipv4.map(IpAddr::V4))?;
        let ipv6 = live.take(false, wish.ipv6.map(IpAddr::V6)).inspect_err(|_| {
            if let Some((ip, ..)) = ipv4 {
                live.release(ip);
            }
        })?;
        let ipv4 = ipv4.and_then(as_ipv4);
        let ipv6 = ipv6.and_then(as_ipv6);
        let derived = || match ipv4 {
            Some(address) => MacAddress::from_ip(address.ip),
            None => MacAddress::local(&endpoint_id),
        };
        let interface = Interface {
            network_id: wish.network.clone(),
            network: live.config.name.clone(),
            name: link_name(&live.config, wish, &others),
            host_link: match live.config.driver {
                Driver::Bridge(_) => format!("veth{}", &endpoint_id[..11]),
                Driver::Macvlan(_) | Driver::Ipvlan(_) => String::new(),
            },
            mac: wish.mac.unwrap_or_else(derived),
            mtu: live.mtu(),
            endpoint_id,
            ipv4,
            ipv6,
            link_local: wish.link_local.clone(),
            on_link: live.is_on_link(),
            priority: wish.priority,
            guarded: wish.guarded,
        };
        live.interfaces.insert(container.to_owned(), interface.clone());
        Ok(interface)
    }

    /// Enters an interface that is there.
    pub(crate) fn recover(&mut self, container: String, interface: Interface) -> Result<()> {
        let missing = || Error::NoSuchNetwork(interface.network_id.clone());
        let live = self.networks.get_mut(&interface.network_id).ok_or_else(missing)?;
        let taken = interface.addresses().map(|ip| live.take(ip.is_ipv4(), Some(ip)).map(drop));
        let taken = taken.collect::<Vec<_>>().into_iter().collect();
        live.interfaces.insert(container, interface);
        taken
    }

    /// The container leaves one network. Its addresses are free when the link is gone.
    pub(crate) fn leave(&mut self, container: &str, network: &str) -> Option<Interface> {
        let live = self.networks.get_mut(network)?;
        let interface = live.interfaces.remove(container)?;
        for ip in interface.addresses() {
            live.pools.iter_mut().for_each(|pool| pool.leave(ip));
        }
        Some(interface)
    }

    pub(crate) fn release(&mut self, (network, ip): &Freed) {
        if let Some(live) = self.networks.get_mut(network) {
            live.release(*ip);
        }
    }
}

type Taken = (IpAddr, u8, Option<IpAddr>);

impl Live {
    /// An address of that family, that very one if it is given. None where the network has no such family.
    fn take(&mut self, is_ipv4: bool, wished: Option<IpAddr>) -> Result<Option<Taken>> {
        let has_gateway = self.offers_gateway(is_ipv4);
        let router = self.router(is_ipv4);
        let mut refused = None;
        let of_family = |pool: &&mut Addresses| pool.pool().subnet.is_ipv4() == is_ipv4;
        for pool in self.pools.iter_mut().filter(of_family) {
            let taken = match wished {
                Some(ip) => pool.take(ip),
                None => pool.take_next(),
            };
            match taken {
                Ok(ip) => {
                    let gateway = router.or(pool.pool().gateway).filter(|_| has_gateway);
                    return Ok(Some((ip, pool.pool().subnet.prefix_len(), gateway)));
                }
                Err(why) if refused != Some(Refused::InUse) => refused = Some(why),
                Err(_) => {}
            }
        }
        let Config { name, id, .. } = &self.config;
        match (refused, wished) {
            (None, None) => Ok(None),
            (Some(Refused::InUse), _) => Err(Error::AddressInUse),
            (_, Some(ip)) => Err(Error::AddressOutside(ip)),
            (Some(_), None) => Err(Error::NoAddressLeft {
                family: if is_ipv4 { "IPv4" } else { "IPv6" },
                name: name.clone(),
                id: id.clone(),
            }),
        }
    }

    fn release(&mut self, ip: IpAddr) {
        self.pools.iter_mut().for_each(|pool| pool.release(ip));
    }

    /// Whether containers send by the gateway what is not for their own network.
    fn offers_gateway(&self, is_ipv4: bool) -> bool {
        match &self.config.driver {
            _ if self.config.internal => false,
            Driver::Bridge(options) => options.has_gateway(is_ipv4),
            Driver::Macvlan(options) => !options.parent.is_empty(),
            Driver::Ipvlan(options) => !options.parent.is_empty() && !self.is_on_link(),
        }
    }

    fn router(&self, is_ipv4: bool) -> Option<IpAddr> {
        let Driver::Bridge(options) = &self.config.driver else { return None };
        options.routers.iter().find(|ip| ip.is_ipv4() == is_ipv4).copied()
    }

    /// An ipvlan of layer 3 has no neighbours to ask.
    fn is_on_link(&self) -> bool {
        let Driver::Ipvlan(options) = &self.config.driver else { return false };
        !self.config.internal && !options.parent.is_empty() && options.mode.layer != IpvlanLayer::L2
    }

    fn mtu(&self) -> u32 {
        match &self.config.driver {
            Driver::Bridge(options) => options.mtu,
            Driver::Macvlan(_) | Driver::Ipvlan(_) => 0,
        }
    }
}

fn as_ipv4((ip, prefix_len, gateway): Taken) -> Option<Address<Ipv4Addr>> {
    let ipv4 = |ip| match ip {
        IpAddr::V4(ip) => Some(ip),
        IpAddr::V6(_) => None,
    };
    Some(Address { ip: ipv4(ip)?, prefix_len, gateway: gateway.and_then(ipv4) })
}

fn as_ipv6((ip, prefix_len, gateway): Taken) -> Option<Address<Ipv6Addr>> {
    let ipv6 = |ip| match ip {
        IpAddr::V6(ip) => Some(ip),
        IpAddr::V4(_) => None,
    };
    Some(Address { ip: ipv6(ip)?, prefix_len, gateway: gateway.and_then(ipv6) })
}

/// The name asked for, else the first that is free: `eth0`, `eth1`.
fn link_name(config: &Config, wish: &Wish, others: &[Interface]) -> String {
    if let Some(name) = &wish.name {
        return name.clone();
    }
    let prefix = match &config.driver {
        Driver::Bridge(options) => options.link_prefix.as_str(),
        Driver::Macvlan(_) | Driver::Ipvlan(_) => "eth",
    };
    let mut names = (0..).map(|number: u32| format!("{prefix}{number}"));
    let is_free = |name: &String| others.iter().all(|other| other.name != *name);
    names.find(is_free).expect("numbers do not end before interfaces do")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::BridgeOptions;
    use crate::ipam::Pool;

    fn network(id: &str, subnets: &[&str]) -> Config {
        let pool = |text: &&str| {
            let subnet: Subnet = text.parse().expect("a subnet");
            let gateway = Some(subnet.ip(subnet.first_bits() + 1));
            Pool { subnet, range: None, gateway, auxiliary: BTreeMap::new() }
        };
        Config {
            id: id.into(),
            name: format!("net-{id}"),
            driver: Driver::Bridge(BridgeOptions::new("br-x")),
            internal: false,
            pools: subnets.iter().map(pool).collect(),
        }
    }

    fn wish(network: &str) -> Wish {
        Wish { network: network.into(), ..Wish::default() }
    }

    const ENDPOINT: &str = "0123456789abcdef";

    fn join(books: &mut Books, container: &str, wish: &Wish) -> Result<Interface, String> {
        books.reserve(container, wish, ENDPOINT.into()).map_err(|error| error.to_string())
    }

    #[test]
    fn an_interface_has_an_address_of_each_family_and_the_next_name() {
        let mut books = Books::default();
        books.add(network("a", &["10.1.0.0/24", "fd01::/64"]));
        books.add(network("b", &["10.2.0.0/24"]));
        let first = join(&mut books, "c1", &wish("a")).unwrap();
        assert_eq!((first.name.as_str(), first.host_link.as_str()), ("eth0", "veth0123456789a"));
        assert_eq!(first.ipv4.unwrap().cidr(), "10.1.0.2/24");
        assert_eq!(first.ipv6.unwrap().cidr(), "fd01::2/64");
        assert_eq!(first.mac.to_string(), "02:42:0a:01:00:02");
        let second = join(&mut books, "c1", &wish("b")).unwrap();
        assert_eq!((second.name.as_str(), second.ipv6), ("eth1", None));
        assert_eq!(books.interfaces_of("c1"), [first, second]);
    }

    #[test]
    fn a_name_that_is_free_again_is_taken_again() {
        let mut books = Books::default();
        for (id, subnet) in [("a", "10.1.0.0/24"), ("b", "10.2.0.0/24"), ("c", "10.3.0.0/24")] {
            books.add(network(id, &[subnet]));
        }
        let mut names = vec![];
        for id in ["a", "b"] {
            names.push(join(&mut books, "c1", &wish(id)).unwrap().name);
        }
        books.leave("c1", "a");
        names.push(join(&mut books, "c1", &wish("c")).unwrap().name);
        assert_eq!(names, ["eth0", "eth1", "eth0"]);
    }

    #[test]
    fn refusals_are_in_dockers_words() {
        let mut books = Books::default();
        books.add(network("a", &["10.1.0.0/30"]));
        let fixed = |ip: [u8; 4]| Wish { ipv4: Some(ip.into()), ..wish("a") };
        let outside = join(&mut books, "c1", &fixed([10, 9, 0, 1])).unwrap_err();
        assert_eq!(outside, "no configured subnet contains IP address 10.9.0.1");
        join(&mut books, "c1", &fixed([10, 1, 0, 2])).unwrap();
        let taken = join(&mut books, "c2", &fixed([10, 1, 0, 2])).unwrap_err();
        assert_eq!(taken, "Address already in use");
        let full = join(&mut books, "c2", &wish("a")).unwrap_err();
        assert_eq!(full, "no available IPv4 addresses on this network's address pools: net-a (a)");
        let twice = join(&mut books, "c1", &wish("a")).unwrap_err();
        assert_eq!(twice, "endpoint with name c1 already exists in network net-a");
        assert_eq!(join(&mut books, "c1", &wish("z")).unwrap_err(), "network z not found");
        let in_use = books.remove("a").unwrap_err().to_string();
        assert_eq!(in_use, "network net-a id a has active endpoints");
    }

    #[test]
    fn a_join_that_fails_half_way_takes_nothing() {
        let mut books = Books::default();
        books.add(network("a", &["10.1.0.0/30", "fd01::/64"]));
        let outside = Wish { ipv6: Some("fd99::1".parse().unwrap()), ..wish("a") };
        assert!(join(&mut books, "c1", &outside).is_err());
        assert!(join(&mut books, "c1", &wish("a")).is_ok(), "the only IPv4 address is free");
    }

    #[test]
    fn internal_networks_offer_no_gateway() {
        let mut books = Books::default();
        books.add(Config { internal: true, ..network("a", &["10.1.0.0/24"]) });
        assert_eq!(join(&mut books, "c1", &wish("a")).unwrap().ipv4.unwrap().gateway, None);
    }

    #[test]
    fn addresses_come_back_when_the_link_is_gone() {
        let mut books = Books::default();
        books.add(network("a", &["10.1.0.0/30"]));
        let interface = join(&mut books, "c1", &wish("a")).unwrap();
        books.leave("c1", "a");
        assert!(join(&mut books, "c2", &wish("a")).is_err(), "its link may be there");
        books.release(&("a".into(), interface.ipv4.unwrap().ip.into()));
        assert!(join(&mut books, "c2", &wish("a")).is_ok());
    }

    #[test]
    fn what_is_recovered_is_taken() {
        let mut books = Books::default();
        books.add(network("a", &["10.1.0.0/24"]));
        let interface = join(&mut books, "c1", &wish("a")).unwrap();
        let mut next = Books::default();
        next.add(network("a", &["10.1.0.0/24"]));
        next.recover("c1".into(), interface.clone()).unwrap();
        assert_eq!(next.interfaces_of("c1"), [interface]);
        let other = join(&mut next, "c2", &wish("a")).unwrap();
        assert_eq!(other.ipv4.unwrap().cidr(), "10.1.0.3/24");
        assert!(next.remove("a").is_err());
    }
}
