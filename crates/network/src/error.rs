//! What can go wrong, in words for the user.

use std::io;
use std::net::Ipv4Addr;

use crate::subnet::Subnet;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("failed to {action}: {source}")]
    Kernel {
        /// What was attempted on which object: `create the bridge gantry0`.
        action: String,
        source: sys::netlink::Error,
    },
    #[error("failed to {action}: {source}")]
    Io { action: String, source: io::Error },
    #[error(
        "could not find an available, non-overlapping IPv4 address pool among the defaults to assign to the network"
    )]
    NoSubnetLeft,
    #[error("no available IPv4 addresses on this network's address pools: {name} ({subnet})")]
    NoAddressLeft { name: String, subnet: Subnet },
    #[error("Address already in use: {0}")]
    AddressInUse(Ipv4Addr),
    #[error("Invalid address {ip}: It does not belong to any of this network's subnets ({subnet})")]
    AddressOutside { ip: Ipv4Addr, subnet: Subnet },
    #[error("endpoint with name {0} already exists in network bridge")]
    AlreadyJoined(String),
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
        self.map_err(|source| Error::Kernel { action: action(), source })
    }
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, action: impl FnOnce() -> String) -> Result<T> {
        self.map_err(|source| Error::Io { action: action(), source })
    }
}
