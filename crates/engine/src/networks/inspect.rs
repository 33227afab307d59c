//! GET /networks/{name}.

use std::sync::Arc;

use api::networks::{EndpointResource, Network as Document};

use super::Networks;
use super::record::Record;
use crate::containers::record::Record as Container;
use crate::error::{Error, Result};

impl Networks {
    /// The network and the containers on it that run. `scope` is empty where any will do.
    pub fn inspect(&self, wanted: &str, scope: &str) -> Result<Document> {
        let record = self.directory.find(wanted)?;
        if !scope.is_empty() && scope != record.scope {
            return Err(Error::not_found(format!("network {wanted} not found")));
        }
        let mut document = record.document();
        let members = self.members(&record).into_iter();
        document.containers =
            members.map(|member| (member.id.clone(), endpoint(&record, &member))).collect();
        Ok(document)
    }

    /// The containers on it that run.
    pub(super) fn members(&self, network: &Record) -> Vec<Arc<Container>> {
        let all = self.containers.index().all().into_iter().map(|handle| handle.record());
        let is_member = |container: &Arc<Container>| match network.made {
            Some(_) => container.state.interface_on(&network.id).is_some(),
            None => {
                network.is_host()
                    && container.state.pid > 0
                    && container.host_config.network_mode == "host"
            }
        };
        all.filter(is_member).collect()
    }
}

fn endpoint(network: &Record, container: &Container) -> EndpointResource {
    let name = container.name.clone();
    let Some(interface) = container.state.interface_on(&network.id) else {
        return EndpointResource { name, ..EndpointResource::default() };
    };
    EndpointResource {
        name,
        endpoint_id: interface.endpoint_id.clone(),
        mac_address: interface.mac.to_string(),
        ipv4_address: interface.ipv4.map(|address| address.cidr()).unwrap_or_default(),
        ipv6_address: interface.ipv6.map(|address| address.cidr()).unwrap_or_default(),
    }
}
