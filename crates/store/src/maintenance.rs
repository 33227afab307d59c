//! Work nobody waits for, on one thread: database checkpoints, the deletion of what was discarded, the build cache's
//! limits.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::builds::{self, Builds};
use crate::database::{Database, Durability};
use crate::error::Result;
use crate::layers;
use crate::root::Root;

/// Without another byte.
pub(crate) const DOWNLOADS_KEPT: Duration = Duration::from_secs(3 * 24 * 60 * 60);

pub(crate) struct Maintenance {
    requests: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    wanted: Arc<Wanted>,
}

/// What is only done when it is asked for.
#[derive(Default)]
struct Wanted {
    compact: AtomicBool,
    sync: AtomicBool,
}

/// What the thread works on.
pub(crate) struct Upkeep {
    pub(crate) root: Arc<Root>,
    pub(crate) database: Arc<Database>,
    pub(crate) next_layer: Arc<Mutex<u64>>,
    pub(crate) builds: Arc<builds::State>,
}

impl Upkeep {
    /// What fails stays as it is, and is tried again with the next request.
    fn round(&self, wanted: &Wanted) {
        // First: what it removes goes in the same round.
        let _ = self.builds().keep_up();
        self.root.empty_trash();
        self.root.forget_downloads(DOWNLOADS_KEPT);
        if wanted.sync.swap(false, Ordering::Relaxed) {
            let _ = self.sync_layers();
            let _ = self.builds().look_around();
        }
        if wanted.compact.swap(false, Ordering::Relaxed) {
            // A database that is in use stays as large as it is until the next prune.
            let _ = self.database.compact();
        }
        if self.database.wants_checkpoint() {
            let _ = self.database.checkpoint();
        }
        // What was cut off the log is no longer its own.
        self.database.reserve();
    }

    fn builds(&self) -> Builds<'_> {
        Builds {
            root: &self.root,
            database: &self.database,
            next_layer: &self.next_layer,
            state: &self.builds,
            maintenance: None,
        }
    }

    /// So that the next start of the host finds the cache. Nobody is told that it does, hence without a sync of the rows.
    fn sync_layers(&self) -> Result<()> {
        let unsynced = self.database.read(layers::unsynced)?;
        if unsynced.is_empty() {
            return Ok(());
        }
        layers::sync(self.root.path())?;
        self.database.write(Durability::ProcessDeath, |transaction| {
            layers::mark_synced(transaction, &unsynced)
        })
    }
}

impl Maintenance {
    pub(crate) fn start(upkeep: Upkeep) -> std::io::Result<Maintenance> {
        let (requests, wakeups) = mpsc::sync_channel(1);
        let wanted = Arc::<Wanted>::default();
        let asked = Arc::clone(&wanted);
        let work = move || {
            while wakeups.recv().is_ok() {
                upkeep.round(&asked);
            }
        };
        let thread = std::thread::Builder::new().name("store-upkeep".into()).spawn(work)?;
        Ok(Maintenance { requests: Some(requests), thread: Some(thread), wanted })
    }

    /// As [`wake`](Self::wake), for when much has gone.
    pub(crate) fn wake_to_compact(&self) {
        self.wanted.compact.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// As [`wake`](Self::wake), and syncs layers that were left for later.
    pub(crate) fn wake_to_sync(&self) {
        self.wanted.sync.store(true, Ordering::Relaxed);
        self.wake();
    }

    /// One request that is waiting stands for all that come meanwhile.
    pub(crate) fn wake(&self) {
        if let Some(requests) = &self.requests {
            let _ = requests.try_send(());
        }
    }
}

impl Drop for Maintenance {
    fn drop(&mut self) {
        self.requests = None;
        if let Some(thread) = self.thread.take() {
            // A panic there has been reported; there is nothing left to do with it.
            let _ = thread.join();
        }
    }
}
