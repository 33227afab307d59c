//! Volumes of the local driver. Records and content are the store's; who uses which is known to [`uses`]; what is
//! mounted for a volume with options is [`mounting`].
//!
//! Whatever changes a volume holds its name meanwhile, so that of two who do so at once one comes after the other: a
//! removal sees the use that a new container makes of the volume, or the container makes the volume anew.

mod clone;
mod create;
mod disk_usage;
mod export;
mod import;
mod inspect;
mod list;
mod mounting;
mod options;
mod prune;
mod remove;
mod rename;
mod resolve;
mod restore;
mod snapshot;
mod usage;
mod uses;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use store::Store;
use store::volumes::Volume;

use self::uses::Uses;
use crate::error::{Error, Result};
use crate::events::{self, Events};

pub use create::{Claimed, Wish};
pub use list::FILTERS as LIST_FILTERS;
pub use prune::{FILTERS as PRUNE_FILTERS, Prune};

pub const DRIVER: &str = "local";

/// A handle that is cheap to copy.
#[derive(Clone)]
pub struct Volumes(Arc<Shared>);

struct Shared {
    store: Arc<Store>,
    events: Events,
    uses: Uses,
}

impl Volumes {
    pub fn new(store: Arc<Store>, events: Events) -> Self {
        Self(Arc::new(Shared { store, events, uses: Uses::default() }))
    }

    fn records(&self) -> store::volumes::Volumes<'_> {
        self.0.store.volumes()
    }

    /// Where its content lies.
    pub fn path(&self, name: &str) -> PathBuf {
        self.records().data(name)
    }

    fn find(&self, name: &str) -> Result<Volume> {
        self.records().get(name)?.ok_or_else(|| no_such_volume(name))
    }

    /// As clients see it.
    fn shown(&self, volume: Volume) -> api::volumes::Volume {
        let created = jiff::Timestamp::from_second(volume.created).unwrap_or_default();
        api::volumes::Volume {
            created_at: created.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            driver: DRIVER.into(),
            mountpoint: self.records().data(&volume.name).to_string_lossy().into_owned(),
            labels: volume.labels,
            name: volume.name,
            options: volume.options,
            scope: "local".into(),
            usage_data: None,
        }
    }

    fn tell<const N: usize>(&self, action: &str, name: &str, more: [(&str, String); N]) {
        let mut attributes = BTreeMap::from([("driver".to_owned(), DRIVER.to_owned())]);
        attributes.extend(more.map(|(key, value)| (key.to_owned(), value)));
        self.0.events.publish(events::Kind::Volume, action, name, attributes);
    }

    /// Refuses what containers have, running or not.
    fn must_be_unused(&self, action: &str, name: &str) -> Result<()> {
        let users = self.0.uses.containers(name);
        if users.is_empty() {
            return Ok(());
        }
        Err(Error::conflict(format!("{action} {name}: volume is in use - [{}]", users.join(", "))))
    }
}

fn no_such_volume(name: &str) -> Error {
    let get = if name.is_empty() { "get".to_owned() } else { format!("get {name}") };
    Error::not_found(format!("{get}: no such volume"))
}
