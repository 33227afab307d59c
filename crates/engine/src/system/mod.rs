//! The engine about itself: what it is, what its host can do, what it uses.

mod disk_usage;
mod host;
pub mod identity;
mod info;
mod limits;
mod version;

use std::sync::{Arc, PoisonError, RwLock};

use crate::config::Config;
use crate::containers::Containers;
use crate::events::Events;
use crate::images::Images;

pub use disk_usage::Objects;

pub struct System {
    config: Arc<Config>,
    events: Events,
    images: Images,
    containers: Containers,
    /// Identifies this engine's data root.
    id: String,
    /// As of the last reload.
    labels: RwLock<Vec<String>>,
}

impl System {
    pub fn new(
        config: Arc<Config>,
        events: Events,
        images: Images,
        containers: Containers,
        id: String,
    ) -> Self {
        let labels = RwLock::new(config.labels.clone());
        Self { config, events, images, containers, id, labels }
    }

    pub fn labels(&self) -> Vec<String> {
        self.labels.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Takes over what may change while the engine runs, and reports it as Docker does.
    pub fn reload(&self, config: &Config) {
        *self.labels.write().unwrap_or_else(PoisonError::into_inner) = config.labels.clone();
        let labels = serde_json::to_string(&config.labels).unwrap_or_default();
        let name = host::name();
        let attributes = [("name", name.as_str()), ("labels", labels.as_str())];
        let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        self.events.publish(crate::events::Kind::Daemon, "reload", &self.id, attributes);
    }
}
