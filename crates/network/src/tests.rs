//! The network on the real kernel. Each test is in a network namespace of its own, so that nothing of it meets the
//! machine's links and firewall; what it makes dies with the namespace.

mod default_bridge;
mod diagnosis;
mod dns;
mod firewall;
mod host;
mod lifecycle;
mod networks;
mod publish;
mod spoofing;
mod traffic;

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, OwnedFd};

use crate::{
    Config, Draft, Driver, Identity, Interface, Joined, Network, Options, PoolWish, Recovery,
    Subnet, Wanted, Wish,
};

/// Runs the test as on a machine of its own.
pub(crate) fn isolated(test: impl FnOnce() + Send) {
    sys::netns::create(|| {
        host::loopback_up();
        // A new namespace starts with the machine's own setting.
        host::set_sysctl("ipv4/ip_forward", "0");
        test();
        Ok(())
    })
    .expect("make a network namespace");
}

fn open(seed: &str) -> Network {
    open_with(seed, Options::default())
}

fn open_with(seed: &str, options: Options) -> Network {
    let recovery = Recovery::default();
    let (network, failures) =
        Network::open(Identity::new(seed), options, recovery).expect("open the network");
    assert!(failures.is_empty(), "{failures:?}");
    network.recover_ports([], None).expect("put up the table");
    network
}

/// The host's address on the default bridge.
fn gateway(network: &Network) -> Ipv4Addr {
    match network.default_network().pools[0].gateway {
        Some(IpAddr::V4(ip)) => ip,
        other => panic!("{other:?}"),
    }
}

fn default_bridge(network: &Network) -> &str {
    let Driver::Bridge(options) = &network.default_network().driver else { panic!("no bridge") };
    &options.name
}

fn default_subnet(network: &Network) -> Subnet {
    network.default_network().pools[0].subnet
}

fn wish(network: &Config) -> Wish {
    Wish { network: network.id.clone(), guarded: true, ..Wish::default() }
}

/// A network with driver bridge and these options.
fn create(network: &Network, name: &str, options: &[(&str, &str)], pools: &[&str]) -> Config {
    network.create(draft("bridge", name, options, pools)).expect("create the network")
}

fn draft(driver: &str, name: &str, options: &[(&str, &str)], pools: &[&str]) -> Draft {
    let id = Identity::new(name).network_id(name);
    let options = options.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect();
    let subnet = |text: &&str| Some(text.parse().expect("a subnet"));
    let pools: Vec<_> =
        pools.iter().map(|text| PoolWish { subnet: subnet(text), ..PoolWish::default() }).collect();
    let ipv6 = pools.iter().any(|pool| pool.subnet.is_some_and(|subnet| !subnet.is_ipv4()));
    Draft {
        driver: Driver::parse(driver, &id, &options).expect("options"),
        id,
        name: name.into(),
        internal: false,
        wanted: Wanted { ipv4: true, ipv6, pools },
    }
}

/// A container that has joined networks.
struct Container {
    netns: OwnedFd,
    interface: Interface,
}

impl Container {
    /// On the default bridge.
    fn join(network: &Network, id: &str) -> Self {
        Self::join_with(network, id, wish(network.default_network()))
    }

    /// On the default bridge, as one that may configure its network.
    fn join_unguarded(network: &Network, id: &str) -> Self {
        let wish = Wish { guarded: false, ..wish(network.default_network()) };
        Self::join_with(network, id, wish)
    }

    fn join_with(network: &Network, id: &str, wish: Wish) -> Self {
        let Joined { netns, mut interfaces, .. } = network.join(id, &[wish]).expect("join");
        Self { netns, interface: interfaces.remove(0) }
    }

    fn ip(&self) -> Ipv4Addr {
        self.address().ip
    }

    fn address(&self) -> crate::Address<Ipv4Addr> {
        self.interface.ipv4.expect("an IPv4 address")
    }

    fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        sys::netns::within(self.netns.as_fd(), || Ok(work())).expect("enter the container")
    }
}
