//! A container's published ports: taken while it starts, held by its monitor, given back with its network.

use network::publish::{Mapping, Published, Refused, Reservation, Target};
use network::{Interface, Network};
use runtime::monitor::protocol::{Command, Failure, MAX_FDS};
use std::os::fd::AsFd;

use super::actor::Actor;
use super::link::Link;
use super::ports;
use super::record::Record;
use super::{Containers, Shared};
use crate::error::{Error, Result};

/// Where the container is reached: the first address of each family, as its interfaces are in order.
pub fn target(interfaces: &[Interface]) -> Target {
    Target {
        ipv4: interfaces.iter().find_map(|interface| Some(interface.ipv4?.ip)),
        ipv6: interfaces.iter().find_map(|interface| Some(interface.ipv6?.ip)),
    }
}

/// Publishes all that the record asks for. In networks where nothing can be published Docker discards the wish, and so
/// do we.
pub fn publish(
    network: &Network,
    record: &Record,
    interfaces: &[Interface],
) -> Result<Published, Failed> {
    let wishes = ports::wishes(&record.config, &record.host_config).map_err(Failed::Wish)?;
    let target = target(interfaces);
    if wishes.is_empty() || target == Target::default() {
        return Ok(Published { mappings: Vec::new(), reservations: Vec::new() });
    }
    network.publish(&record.id, target, &wishes).map_err(Failed::Refused)
}

pub enum Failed {
    Wish(Error),
    Refused(Refused),
}

impl Shared {
    /// In Docker's words, with the name of the container that has the port.
    pub fn not_published(&self, name: &str, interfaces: &[Interface], failed: Failed) -> Error {
        let refused = match failed {
            Failed::Wish(error) => return error,
            Failed::Refused(refused) => refused,
        };
        let owner = match &refused {
            Refused::Allocated { container, .. } | Refused::Overlaps { container, .. } => {
                self.index.find(container).ok().map(|handle| handle.record().name.clone())
            }
            _ => None,
        };
        let by = owner.map_or_else(String::new, |name| format!(" by container {name}"));
        let endpoint = interfaces.first().map_or("", |interface| interface.endpoint_id.as_str());
        Error::system(format!(
            "driver failed programming external connectivity on endpoint {name} ({endpoint}): {refused}{by}"
        ))
    }
}

/// Gives the monitor the sockets that hold the container's ports.
pub async fn hold(link: &Link, reservations: &[Reservation]) -> Result<(), Failure> {
    for some in reservations.chunks(MAX_FDS) {
        let names = some.iter().map(|reservation| reservation.name.clone()).collect();
        let sockets: Vec<_> = some.iter().map(|reservation| reservation.socket.as_fd()).collect();
        link.post(Command::Hold { names }, &sockets).await?;
    }
    Ok(())
}

impl Actor {
    /// Takes its ports back; harmless without any. What fails must not keep it from ending.
    pub fn unpublish(&mut self) {
        let ports = std::mem::take(&mut self.record.state.ports);
        if ports.is_empty() {
            return;
        }
        if let Err(error) = self.shared.network.unpublish(&self.record.id, &ports) {
            tracing::warn!(container = self.record.id, "its ports are still published: {error}");
        }
    }
}

impl Containers {
    /// After a restart of the engine: the ports of those who live.
    pub fn recover_ports<'a>(&self, alive: impl Iterator<Item = &'a Record>) -> Result<()> {
        let ports = alive.filter(|record| !record.state.ports.is_empty()).map(|record| {
            let mappings: Vec<Mapping> = record.state.ports.clone();
            (record.id.clone(), target(&record.state.interfaces), mappings)
        });
        self.0.network.recover_ports(ports).map_err(|cause| {
            Error::system("cannot take over the containers' published ports").because(cause)
        })
    }
}
