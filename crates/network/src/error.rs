//! What can go wrong, in words for the user.

use std::io;
use std::net::IpAddr;

use crate::Subnet;
use crate::ipam::Conflict;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Both causes are in the text, and so not said again by who writes down what is behind an error.
    #[error("failed to {action}: {cause}")]
    Kernel {
        /// What was attempted on which object: `create the bridge gantry0`.
        action: String,
        cause: sys::netlink::Error,
    },
    #[error("failed to {action}: {cause}")]
    Io { action: String, cause: io::Error },
    #[error(transparent)]
    Conflict(#[from] Conflict),
    #[error("bridge driver doesn't support multiple subnets")]
    SeveralSubnets,
    #[error("no available {family} addresses on this network's address pools: {name} ({id})")]
    NoAddressLeft { family: &'static str, name: String, id: String },
    #[error("Address already in use")]
    AddressInUse,
    #[error("no configured subnet contains IP address {0}")]
    AddressOutside(IpAddr),
    #[error("endpoint with name {container} already exists in network {network}")]
    AlreadyJoined { container: String, network: String },
    #[error("network {0} not found")]
    NoSuchNetwork(String),
    #[error("network {name} id {id} has active endpoints")]
    InUse { name: String, id: String },
    #[error(
        "cannot create network {new} ({bridge}): conflicts with network {old} ({bridge}): networks have same bridge name"
    )]
    SameBridge { new: String, old: String, bridge: String },
    #[error("{0} is a link of the host, and no bridge")]
    NoBridge(String),
    #[error("bridge device with non default name {0} must be created manually")]
    NoSuchBridge(String),
    #[error("invalid --fixed-cidr: {range} is not within the bridge's subnet {subnet}")]
    RangeOutside { range: Subnet, subnet: Subnet },
    #[error("invalid --default-gateway: {0} is in no subnet of the default bridge")]
    GatewayOutside(IpAddr),
    #[error("-o parent interface was not found on the host: {0}")]
    NoParent(String),
    #[error("invalid subinterface vlan name {0}, example formatting is eth0.10")]
    NoVlan(String),
    #[error("network {network} is already using parent interface {parent}")]
    ParentTaken { network: String, parent: String },
    #[error(
        "the firewall table {0} belongs to another engine that is running on the same data root"
    )]
    TableOwned(String),
}

/// Names the action that failed.
pub(crate) trait Context<T> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T>;
}

impl<T> Context<T> for Result<T, sys::netlink::Error> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| Error::Kernel { action: action(), cause })
    }
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|cause| Error::Io { action: action(), cause })
    }
}
