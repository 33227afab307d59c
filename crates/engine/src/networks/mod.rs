//! Networks: so far the three that every engine has.

mod inspect;
mod list;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use api::networks::{Ipam, IpamConfig, Network as Document};
use jiff::Timestamp;
use network::{Identity, Network};

use crate::containers::Containers;
use crate::error::{Error, Kind, Result};
use crate::system::identity;

pub use list::FILTERS as LIST_FILTERS;

pub struct Networks {
    network: Arc<Network>,
    identity: Identity,
    containers: Containers,
    /// They are as old as the data root.
    created: String,
}

impl Networks {
    pub fn new(
        network: Arc<Network>,
        identity: Identity,
        containers: Containers,
        data_root: &Path,
    ) -> Self {
        let created = identity::made_at(data_root).unwrap_or(Timestamp::UNIX_EPOCH).to_string();
        Self { network, identity, containers, created }
    }

    /// They cannot be removed, and there are no others.
    pub fn remove(&self, wanted: &str) -> Result<()> {
        let name = self.find(wanted)?.name;
        let why = format!("{name} is a pre-defined network and cannot be removed");
        Err(Error::new(Kind::Forbidden, why))
    }

    /// By name, id, or the beginning of an id.
    fn find(&self, wanted: &str) -> Result<Document> {
        let mut all = self.all();
        let by_name = all.iter().position(|network| network.name == wanted || network.id == wanted);
        let by_prefix = || all.iter().position(|network| network.id.starts_with(wanted));
        let found = by_name.or_else(by_prefix);
        let found = found.ok_or_else(|| Error::not_found(format!("network {wanted} not found")))?;
        Ok(all.swap_remove(found))
    }

    fn all(&self) -> Vec<Document> {
        vec![self.plain("none", "null"), self.plain("host", "host"), self.bridge()]
    }

    fn plain(&self, name: &str, driver: &str) -> Document {
        Document {
            name: name.into(),
            id: self.identity.network_id(name),
            created: self.created.clone(),
            scope: "local".into(),
            driver: driver.into(),
            enable_ipv4: Some(true),
            ipam: Ipam { driver: "default".into(), ..Ipam::default() },
            ..Document::default()
        }
    }

    fn bridge(&self) -> Document {
        let bridge = self.network.bridge();
        let mut network = self.plain("bridge", "bridge");
        network.id.clone_from(&bridge.network_id);
        network.ipam.config = Some(vec![IpamConfig {
            subnet: bridge.subnet.to_string(),
            gateway: bridge.gateway.to_string(),
        }]);
        network.options = BTreeMap::from([
            ("com.docker.network.bridge.default_bridge".into(), "true".into()),
            ("com.docker.network.bridge.name".into(), bridge.name.clone()),
            ("com.docker.network.driver.mtu".into(), bridge.mtu.to_string()),
        ]);
        network
    }
}
