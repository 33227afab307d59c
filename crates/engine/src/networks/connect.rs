//! POST /networks/{name}/connect.

use api::networks::{ConnectNetwork, EndpointSettings};

use super::{Networks, endpoint};
use crate::error::{Error, Result};

impl Networks {
    pub async fn connect(&self, wanted: &str, request: ConnectNetwork) -> Result<()> {
        if request.container.is_empty() {
            return Err(Error::invalid("invalid name or ID supplied: \"\""));
        }
        let handle = self.containers.find(&request.container)?;
        let network = self.directory.find(wanted)?;
        let settings = asked(request.endpoint_config.unwrap_or_default());
        if request.aliases_only {
            return self.containers.set_aliases(&handle, network, settings.aliases).await;
        }
        endpoint::check(Some(&network), &network.name, &settings)?;
        self.containers.connect(&handle, network, settings).await
    }
}

/// What is the client's to say; the rest of the document is the engine's.
pub fn asked(settings: EndpointSettings) -> EndpointSettings {
    EndpointSettings {
        ipam_config: settings.ipam_config,
        links: settings.links,
        aliases: settings.aliases,
        mac_address: settings.mac_address,
        driver_opts: settings.driver_opts,
        gw_priority: settings.gw_priority,
        ..EndpointSettings::default()
    }
}
