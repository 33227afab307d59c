//! The engine about itself: what it is, what its host can do, what it uses.

mod host;
mod identity;
mod info;
mod limits;
mod version;

use std::sync::{Arc, PoisonError, RwLock};

use crate::config::Config;
use crate::containers::Containers;
use crate::error::Result;
use crate::events::Events;

pub struct System {
    config: Arc<Config>,
    events: Events,
    containers: Arc<Containers>,
    /// Identifies this engine's data root.
    id: String,
    /// As of the last reload.
    labels: RwLock<Vec<String>>,
}

impl System {
    pub fn open(config: Arc<Config>, events: Events, containers: Arc<Containers>) -> Result<Self> {
        let id = identity::read_or_make(&config.data_root)?;
        let labels = RwLock::new(config.labels.clone());
        Ok(Self { config, events, containers, id, labels })
    }

    pub fn id(&self) -> &str {
        &self.id
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
