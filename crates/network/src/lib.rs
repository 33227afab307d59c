//! Networks of containers, private namespaces without any, and the host's firewall.
//!
//! Everything is done by netlink messages in batches; no `ip`, `iptables` or `nft` is ever run. An engine owns
//! one link group, the bridges in it and one nftables table, all named after its data root (see [`Identity`]), so that
//! several engines live side by side on one host.
//!
//! Calls block for about a millisecond, from any thread. What is slow (deleting links, making the next spare
//! namespace) is done behind the reply by one thread of the network's own; [`Network::settle`] waits for it.

mod books;
mod bridge;
mod config;
mod conntrack;
mod default_route;
pub mod diagnosis;
pub mod dns;
mod error;
pub mod files;
mod firewall;
mod firewalld;
mod forwarding;
mod identity;
mod ipam;
mod mac;
mod network;
mod nft;
mod options;
mod parent;
pub mod publish;
mod route;
mod sandbox;
mod subnet;
#[cfg(test)]
mod tests;
mod watcher;
mod worker;

pub use config::check_link_name;
pub use config::{
    BridgeOptions, Config, Driver, GatewayMode, InvalidOption, IpvlanFlag, IpvlanLayer, IpvlanMode,
    MacvlanMode, ParentOptions,
};
pub use default_route::default_interfaces;
pub use error::{Error, Result};
pub use identity::Identity;
pub use ipam::{Conflict, Pool, PoolWish, Wanted};
pub use mac::{InvalidMac, MacAddress};
pub use network::{Draft, Network};
pub use options::{AddressPool, BridgeAddress, InvalidPool, Options, Rules};
pub use subnet::{InvalidSubnet, Subnet, parse_cidr};

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

/// What a container wants of one network.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wish {
    /// The network's id.
    pub network: String,
    pub ipv4: Option<Ipv4Addr>,
    pub ipv6: Option<Ipv6Addr>,
    pub link_local: Vec<IpAddr>,
    pub mac: Option<MacAddress>,
    /// Of several gateways the one with the highest priority gets the default route.
    pub priority: i64,
    /// The link's name in the container; the next free one unless given.
    pub name: Option<String>,
    /// Whether it is kept from sending with addresses that are not its own.
    pub guarded: bool,
}

/// A container's place in the network: its namespace, to be handed to the monitor, and its interfaces in the order of
/// the wishes.
#[derive(Debug)]
pub struct Joined {
    pub netns: OwnedFd,
    pub interfaces: Vec<Interface>,
    /// Where its queries arrive; none of a container on no user-defined network.
    pub dns: Option<dns::Sockets>,
}

/// What an earlier engine on the same data root left that goes on.
#[derive(Debug, Default)]
pub struct Recovery {
    /// All but the default one.
    pub networks: Vec<Config>,
    /// Containers that are alive, by id, with what they have.
    pub interfaces: Vec<(String, Interface)>,
}

/// The interface a container has on one network. The engine keeps it in the container's record, for `inspect`, for
/// [`Network::recover`], and for whoever publishes ports or answers names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interface {
    /// 64 hex digits, the same for every container of the network.
    pub network_id: String,
    /// The network's name; it never changes.
    pub network: String,
    /// 64 hex digits, new with each join.
    pub endpoint_id: String,
    /// Its name in the container: `eth0`.
    pub name: String,
    /// The host's end of the veth pair; empty where there is none (macvlan, ipvlan).
    pub host_link: String,
    pub ipv4: Option<Address<Ipv4Addr>>,
    pub ipv6: Option<Address<Ipv6Addr>>,
    /// Besides, as they were asked for.
    #[serde(default)]
    pub link_local: Vec<IpAddr>,
    pub mac: MacAddress,
    /// 0 for the kernel's choice.
    pub mtu: u32,
    /// Whether everything can be sent by this link, whoever answers there (ipvlan l3).
    #[serde(default)]
    pub on_link: bool,
    #[serde(default)]
    pub priority: i64,
    #[serde(default)]
    pub guarded: bool,
}

impl Interface {
    /// Those that the network gave it.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + use<> {
        let ipv4 = self.ipv4.map(|address| IpAddr::V4(address.ip));
        ipv4.into_iter().chain(self.ipv6.map(|address| IpAddr::V6(address.ip)))
    }
}

/// An address with its network's prefix, and the gateway that the network offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address<A> {
    pub ip: A,
    pub prefix_len: u8,
    pub gateway: Option<A>,
}

impl<A: std::fmt::Display> Address<A> {
    /// `172.17.0.2/24`
    pub fn cidr(&self) -> String {
        format!("{}/{}", self.ip, self.prefix_len)
    }
}
