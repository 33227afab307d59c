//! Containers.

mod merge;
mod mounts;
mod name;
mod restart_policy;
mod signal;
mod spec;
mod state;
mod timestamp;
mod validate;
mod words;

use std::sync::Arc;

use network::Network;
use store::Store;
use store::images::Use;

use crate::config::Config;
use crate::error::Result;
use crate::events::Events;
use crate::runtime_binary::RuntimeBinary;

#[derive(Clone)]
pub struct Containers;

/// What the service is made of.
pub struct Parts {
    pub config: Arc<Config>,
    pub events: Events,
    pub runtime: Arc<RuntimeBinary>,
    pub network: Arc<Network>,
    pub disk: Disk,
    /// Eight digits that tell this engine's cgroups from another's.
    pub identity: String,
}

pub struct Disk(Arc<Store>);

impl Disk {
    pub fn new(store: Arc<Store>) -> Self {
        Self(store)
    }
}

impl Containers {
    pub async fn open(_: Parts) -> Result<Self> {
        Ok(Self)
    }

    /// Which containers were made from which images.
    pub fn image_uses(&self) -> Vec<Use> {
        Vec::new()
    }
}
