//! The engine about itself: what it is, what its host can do, what it uses.

mod disk_usage;
pub mod host;
pub mod identity;
mod info;
mod limits;
mod usage;
mod version;

use std::sync::Arc;

use store::Store;

use crate::builds::Builds;
use crate::config::{Config, Live};
use crate::containers::Containers;
use crate::events::Events;
use crate::images::Images;
use crate::volumes::Volumes;

pub use disk_usage::Objects;
pub use usage::Usage;

/// What does not change while the engine runs.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    pub id: String,
    pub architecture: String,
    pub kernel: String,
    pub os: String,
    pub os_version: String,
    pub cpus: usize,
    /// In bytes.
    pub memory: u64,
}

pub struct System {
    pub(crate) config: Live,
    pub(crate) events: Events,
    pub(crate) images: Images,
    pub(crate) containers: Containers,
    pub(crate) volumes: Volumes,
    pub(crate) builds: Builds,
    pub(crate) store: Arc<Store>,
    /// Identifies this engine's data root.
    pub(crate) id: String,
}

impl System {
    /// The configuration as of now.
    pub fn config(&self) -> Arc<Config> {
        self.config.now()
    }

    pub fn facts(&self) -> Facts {
        let distribution = host::distribution();
        Facts {
            id: self.id.clone(),
            architecture: host::machine(),
            kernel: host::kernel(),
            os: distribution.name,
            os_version: distribution.version,
            cpus: host::cpus(),
            memory: host::memory(),
        }
    }

    /// Those that wrote to the database.
    pub fn transactions(&self) -> u64 {
        self.store.writes()
    }

    /// What gives up the memory that only speeds up the next request, for when nothing happens.
    pub fn rest(&self) -> impl Fn() + Send + use<> {
        let store = Arc::clone(&self.store);
        move || store.rest()
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
