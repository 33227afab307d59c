//! Networks. Records are the store's, who is there is known to [`directory`], the kernel's part is crate `network`.
//!
//! What a container wants of a network is checked by [`endpoint`]; connecting one that exists is its own task's matter
//! (containers/networks.rs).

mod connect;
mod create;
mod directory;
mod disconnect;
pub mod dns;
pub mod endpoint;
mod inspect;
mod list;
mod prune;
pub mod record;
mod remove;
mod why;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use network::{Config, Driver, Identity, Network};
use store::Store;

use self::record::Record;
use crate::containers::Containers;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::system::identity;

pub use connect::asked;
pub use directory::Directory;
pub use list::FILTERS as LIST_FILTERS;
pub use prune::FILTERS as PRUNE_FILTERS;

pub struct Networks {
    network: Arc<Network>,
    store: Arc<Store>,
    events: Events,
    directory: Directory,
    containers: Containers,
    /// `--default-network-opt`: options that networks have unless they say otherwise, by driver.
    defaults: BTreeMap<String, BTreeMap<String, String>>,
}

impl Networks {
    pub fn new(
        network: Arc<Network>,
        store: Arc<Store>,
        events: Events,
        directory: Directory,
        containers: Containers,
        defaults: BTreeMap<String, BTreeMap<String, String>>,
    ) -> Self {
        Self { network, store, events, directory, containers, defaults }
    }
}

/// All that are recorded; one that does not read is an error, since it may be of a newer engine.
pub fn recorded(store: &Store) -> Result<Vec<Record>> {
    let read = |stored: store::Record| {
        serde_json::from_slice(&stored.document).map_err(|cause| {
            Error::system(format!("cannot read the record of network {}", stored.id)).because(cause)
        })
    };
    store.networks().all()?.into_iter().map(read).collect()
}

/// Those that every engine has, as old as the data root; `bridge` unless there is to be none.
pub fn builtin(network: &Network, identity: &Identity, data_root: &Path) -> Vec<Record> {
    let created = identity::made_at(data_root).unwrap_or(Timestamp::UNIX_EPOCH).to_string();
    let plain = |name, driver| Record::builtin(name, driver, identity, &created);
    let mut all = vec![plain("none", "null"), plain("host", "host")];
    if !network.has_default_network() {
        return all;
    }
    let mut bridge = plain("bridge", "bridge");
    bridge.options = default_options(network.default_network());
    bridge.made = Some(network.default_network().clone());
    bridge.ipv6 = network.default_network().pools.iter().any(|pool| !pool.subnet.is_ipv4());
    all.push(bridge);
    all
}

fn default_options(config: &Config) -> BTreeMap<String, String> {
    let Driver::Bridge(bridge) = &config.driver else { return BTreeMap::new() };
    [
        ("com.docker.network.bridge.default_bridge", "true".to_owned()),
        ("com.docker.network.bridge.enable_icc", bridge.icc.to_string()),
        ("com.docker.network.bridge.enable_ip_masquerade", bridge.masquerade.to_string()),
        ("com.docker.network.bridge.host_binding_ipv4", "0.0.0.0".to_owned()),
        ("com.docker.network.bridge.name", bridge.name.clone()),
        ("com.docker.network.driver.mtu", bridge.mtu.to_string()),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}
