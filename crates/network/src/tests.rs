//! The network on the real kernel. Each test is in a network namespace of its own, so that nothing of it meets the
//! machine's links and firewall; what it makes dies with the namespace.

mod firewall;
mod host;
mod lifecycle;
mod publish;
mod traffic;

use std::net::Ipv4Addr;
use std::os::fd::{AsFd, OwnedFd};

use crate::{Attachment, Endpoint, Identity, Interface, Joined, Network, Options};

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
    Network::open(Identity::new(seed), options).expect("open the network")
}

/// A container on the bridge.
struct Container {
    netns: OwnedFd,
    interface: Interface,
}

impl Container {
    fn join(network: &Network, id: &str) -> Self {
        let attachment = Attachment::Bridge { ip: None, mac: None };
        let joined = network.join(&Endpoint { container: id, attachment }).expect("join");
        let Joined { netns, interface } = joined;
        Self { netns, interface: interface.expect("an interface") }
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
