//! The engine as its parts: one service for each noun, which holds only the handles it needs.

use std::sync::Arc;

use crate::config::Config;
use crate::containers::Containers;
use crate::error::{Error, Result};
use crate::events::Events;
use crate::runtime_binary::RuntimeBinary;
use crate::system::System;

pub struct Engine {
    pub config: Arc<Config>,
    pub events: Events,
    pub containers: Arc<Containers>,
    pub system: System,
}

impl Engine {
    /// Opens what lies in the roots, which the caller holds.
    pub fn open(config: Config, runtime: RuntimeBinary) -> Result<Self> {
        let config = Arc::new(config);
        let events = Events::open(&config.exec_root)
            .map_err(|error| Error::system("cannot keep events").because(error))?;
        let containers = Containers::open(Arc::clone(&config), events.clone(), Arc::new(runtime))?;
        let containers = Arc::new(containers);
        let system = System::open(Arc::clone(&config), events.clone(), Arc::clone(&containers))?;
        Ok(Self { config, events, containers, system })
    }
}
