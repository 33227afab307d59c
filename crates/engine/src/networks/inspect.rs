//! GET /networks/{name}.

use api::networks::{EndpointResource, Network as Document};

use super::Networks;
use crate::error::Result;

impl Networks {
    /// The network and the containers on it that run.
    pub fn inspect(&self, wanted: &str) -> Result<Document> {
        let mut network = self.find(wanted)?;
        let running = self.containers.index().all().into_iter().map(|handle| handle.record());
        let attached = running.filter(|record| {
            record.state.pid != 0 && record.host_config.network_mode == network.name
        });
        network.containers = attached
            .map(|record| {
                let mut endpoint =
                    EndpointResource { name: record.name.clone(), ..EndpointResource::default() };
                if let Some(interface) = record.state.interface_on(&network.name) {
                    endpoint.endpoint_id.clone_from(&interface.endpoint_id);
                    endpoint.mac_address = interface.mac.to_string();
                    endpoint.ipv4_address =
                        interface.ipv4.map(|address| address.cidr()).unwrap_or_default();
                    endpoint.ipv6_address =
                        interface.ipv6.map(|address| address.cidr()).unwrap_or_default();
                }
                (record.id.clone(), endpoint)
            })
            .collect();
        Ok(network)
    }
}
