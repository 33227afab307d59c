//! The engine about itself: what it is, what its host can do, what it uses.

mod disk_usage;
mod host;
pub mod identity;
mod info;
mod limits;
mod version;

use std::sync::Arc;

use crate::config::{Config, Live};
use crate::containers::Containers;
use crate::events::Events;
use crate::images::Images;

pub use disk_usage::Objects;

pub struct System {
    config: Live,
    events: Events,
    images: Images,
    containers: Containers,
    /// Identifies this engine's data root.
    id: String,
}

impl System {
    pub fn new(
        config: Live,
        events: Events,
        images: Images,
        containers: Containers,
        id: String,
    ) -> Self {
        Self { config, events, images, containers, id }
    }

    /// The configuration as of now.
    pub fn config(&self) -> Arc<Config> {
        self.config.now()
    }

    /// Takes over what may change while the engine runs, and reports it as Docker does.
    pub fn reload(&self, new: &Config) {
        let config = self.config.reload(new);
        if *config != *new {
            tracing::warn!("some of what changed in the configuration takes a restart");
        }
        let mut attributes = config.reload_attributes(self.default_cgroupns_mode(&config));
        attributes.insert("name".to_owned(), host::name());
        self.events.publish(crate::events::Kind::Daemon, "reload", &self.id, attributes);
    }

    fn default_cgroupns_mode<'a>(&self, config: &'a Config) -> &'a str {
        match (config.default_cgroupns_mode.as_str(), limits::probe().version) {
            ("", 2) => "private",
            ("", _) => "host",
            (mode, _) => mode,
        }
    }
}
