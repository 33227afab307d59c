//! Work nobody waits for, on one thread: database checkpoints and the deletion of what was discarded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::database::Database;
use crate::root::Root;

/// Without another byte.
pub(crate) const DOWNLOADS_KEPT: Duration = Duration::from_secs(3 * 24 * 60 * 60);

pub(crate) struct Maintenance {
    requests: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    compact: Arc<AtomicBool>,
}

impl Maintenance {
    pub(crate) fn start(root: Arc<Root>, database: Arc<Database>) -> std::io::Result<Maintenance> {
        let (requests, wakeups) = mpsc::sync_channel(1);
        let compact = Arc::new(AtomicBool::new(false));
        let wanted = Arc::clone(&compact);
        let work = move || {
            while wakeups.recv().is_ok() {
                root.empty_trash();
                root.forget_downloads(DOWNLOADS_KEPT);
                if wanted.swap(false, Ordering::Relaxed) {
                    // A database that is in use stays as large as it is until the next prune.
                    let _ = database.compact();
                }
                if database.wants_checkpoint() {
                    // The log stays and is tried again with the next request.
                    let _ = database.checkpoint();
                }
            }
        };
        let thread = std::thread::Builder::new().name("store-upkeep".into()).spawn(work)?;
        Ok(Maintenance { requests: Some(requests), thread: Some(thread), compact })
    }

    /// As [`wake`](Self::wake), for when much has gone.
    pub(crate) fn wake_to_compact(&self) {
        self.compact.store(true, Ordering::Relaxed);
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
