//! Networks of containers: the default bridge, private namespaces without one, and the host's firewall.
//!
//! Everything is done by netlink messages in batches; no `ip`, `iptables` or `nft` is ever run. An engine owns
//! one link group, one bridge and one nftables table, all named after its data root (see [`Identity`]), so that
//! several engines live side by side on one host.
//!
//! Calls block for about a millisecond, from any thread. What is slow (deleting links, making the next spare
//! namespace) is done behind the reply by one thread of the network's own; [`Network::settle`] waits for it.

mod bridge;
mod error;
pub mod files;
mod firewall;
mod forwarding;
mod identity;
mod ipam;
mod mac;
mod network;
mod nft;
mod options;
pub mod publish;
mod route;
mod sandbox;
mod subnet;
#[cfg(test)]
mod tests;
mod watcher;
mod worker;

pub use bridge::Bridge;
pub use error::{Error, Result};
pub use identity::Identity;
pub use mac::{InvalidMac, MacAddress};
pub use network::Network;
pub use options::{AddressPool, BridgeAddress, InvalidPool, Options};
pub use subnet::{InvalidSubnet, Subnet};

use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::OwnedFd;

use serde::{Deserialize, Serialize};

/// What a container wants from the network.
#[derive(Clone, Debug)]
pub struct Endpoint<'a> {
    /// The container's ID; one container has at most one endpoint here.
    pub container: &'a str,
    pub attachment: Attachment,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attachment {
    /// `--network none`: a namespace of its own with nothing but loopback.
    None,
    /// The default bridge. Address and MAC are chosen unless given.
    Bridge { ip: Option<Ipv4Addr>, mac: Option<MacAddress> },
}

/// A container's place in the network: its namespace, to be handed to the monitor, and its interface if any.
#[derive(Debug)]
pub struct Joined {
    pub netns: OwnedFd,
    pub interface: Option<Interface>,
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
    pub mac: MacAddress,
    pub mtu: u32,
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
