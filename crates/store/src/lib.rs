//! Images, layers, snapshots and records on disk.
//!
//! Content becomes visible in one order: staging, sync, rename, database row. What a crash leaves before the row is
//! removed at the next open. The API is synchronous: an asynchronous caller brings a blocking thread.

mod blobs;
pub mod builds;
mod database;
pub mod downloads;
pub mod error;
mod gc;
pub mod images;
mod layer_blobs;
mod layers;
mod leases;
mod maintenance;
mod quotas;
mod records;
mod root;
pub mod snapshots;
pub mod volumes;

use std::path::Path;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex};

pub use archive::Limits;
pub use error::{Error, Kind, Result};
pub use layer_blobs::LayerBlob;
pub use layers::parts::BaseLayer;
pub use layers::{Layer, StagedLayer};
pub use leases::Lease;
pub use records::{Record, Records};
pub use root::Staged;

use database::{Database, Durability};
use layers::in_flight::InFlight;
use maintenance::{Maintenance, Upkeep};
use quotas::Quotas;
use root::Root;

/// One data root. One process opens it at a time.
pub struct Store {
    maintenance: Maintenance,
    database: Arc<Database>,
    root: Arc<Root>,
    limits: Limits,
    /// The number of the next layer; held while one is made visible.
    next_layer: Arc<Mutex<u64>>,
    build_state: Arc<builds::State>,
    /// Held from a document's file to the rows that name it, and from the rows' end to the file's.
    documents: Mutex<()>,
    next_lease: AtomicU64,
    in_flight: InFlight,
    quotas: Quotas,
}

impl Store {
    pub fn open(data_root: &Path) -> Result<Store> {
        Store::open_with(data_root, Limits::default())
    }

    pub fn open_with(data_root: &Path, limits: Limits) -> Result<Store> {
        let root = Arc::new(Root::open(data_root)?);
        let database = Arc::new(Database::open(&root.path().join("gantry.db"))?);
        let (next_layer, build_state) = (Arc::default(), Arc::<builds::State>::default());
        let upkeep = Upkeep {
            root: Arc::clone(&root),
            database: Arc::clone(&database),
            next_layer: Arc::clone(&next_layer),
            builds: Arc::clone(&build_state),
        };
        let maintenance = Maintenance::start(upkeep)
            .map_err(|error| Error::io("start the store's upkeep", error))?;
        let store = Store {
            maintenance,
            database,
            root,
            limits,
            next_layer,
            build_state,
            documents: Mutex::default(),
            next_lease: AtomicU64::new(0),
            in_flight: InFlight::default(),
            quotas: Quotas::default(),
        };
        store.reconcile()?;
        Ok(store)
    }

    pub fn data_root(&self) -> &Path {
        self.root.path()
    }

    /// A folder on the store's file system for work in flight.
    pub fn stage(&self) -> Result<Staged> {
        self.root.stage()
    }

    /// Gives the file system back what is no longer used, soon and behind the caller's back: for prunes.
    pub fn compact(&self) {
        self.maintenance.wake_to_compact();
    }

    /// Transactions that wrote to the database since the store was opened.
    pub fn writes(&self) -> u64 {
        self.database.writes()
    }

    /// For when nothing happens for a while: gives up memory that only many readers at once need, and has what builds
    /// left to be synced.
    pub fn rest(&self) {
        self.database.rest();
        self.maintenance.wake_to_sync();
    }

    fn write<T>(
        &self,
        durability: Durability,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T>,
    ) -> Result<T> {
        let value = self.database.write(durability, work)?;
        if self.database.wants_checkpoint() {
            self.maintenance.wake();
        }
        Ok(value)
    }
}
