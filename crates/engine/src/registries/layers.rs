//! Layers that are on their way here. Whoever wants one that is being fetched waits for it: of any number of pulls one
//! fetches it. Handles are kept until it is visible, so that who comes in between finds one or the other. It is fetched as long as somebody waits, and what has arrived of it stays for the next time.
//!
//! ```text
//!   server ──► Repository::blob ──► queue ──► Store::unpack (a blocking thread): file, hash, inflate, unpack
//! ```

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use bytes::Bytes;
use oci::{Descriptor, Digest};
use registry::client::{Error, Repository};
use store::{StagedLayer, Store};
use tokio::sync::{OwnedMutexGuard, Semaphore, mpsc, watch};
use tokio::task::AbortHandle;

/// Pieces that may wait for the unpacker before the server has to.
const QUEUE: usize = 4;

pub struct Layers {
    store: Arc<Store>,
    arriving: Mutex<HashMap<Digest, Slot>>,
    /// As many permits as may be fetched at once.
    turns: Arc<Semaphore>,
    most: Mutex<usize>,
}

#[derive(Default)]
struct Slot {
    layer: Weak<Arriving>,
    /// Held by whoever has the file of a blob open.
    file: Arc<tokio::sync::Mutex<()>>,
}

/// A layer on its way. Dropping the last handle ends it.
pub struct Arriving {
    state: watch::Receiver<State>,
    task: AbortHandle,
}

#[derive(Clone, Default)]
pub struct State {
    /// Its turn has come.
    pub begun: bool,
    /// Bytes of the blob, those of earlier tries included.
    pub read: u64,
    pub outcome: Option<Result<Came, Failure>>,
}

/// How a layer came.
#[derive(Clone)]
pub enum Came {
    Staged(Arc<StagedLayer>),
    /// Somebody else's pull made it visible before its turn came.
    WasHere,
}

/// Why a layer did not come.
#[derive(Debug, Clone)]
pub enum Failure {
    Registry(Error),
    Store(String),
}

impl Layers {
    pub fn new(store: Arc<Store>) -> Self {
        let turns = Arc::new(Semaphore::new(0));
        Self { store, arriving: Mutex::default(), turns, most: Mutex::new(0) }
    }

    /// The layer that a blob is, from `repository` unless it is being fetched already. `true` if it is from there.
    pub fn fetch(
        &self,
        repository: &Arc<Repository>,
        blob: &Descriptor,
        diff_id: &Digest,
        at_once: usize,
    ) -> (Arc<Arriving>, bool) {
        self.allow(at_once);
        let mut arriving = self.arriving.lock().unwrap_or_else(PoisonError::into_inner);
        arriving
            .retain(|_, slot| slot.layer.strong_count() > 0 || Arc::strong_count(&slot.file) > 1);
        let slot = arriving.entry(blob.digest.clone()).or_default();
        if let Some(layer) = slot.layer.upgrade().filter(|layer| !layer.has_failed()) {
            return (layer, false);
        }
        let (told, state) = watch::channel(State::default());
        let work = Work {
            store: Arc::clone(&self.store),
            repository: Arc::clone(repository),
            blob: blob.clone(),
            diff_id: diff_id.clone(),
            told: Arc::new(told),
        };
        let (turns, file) = (Arc::clone(&self.turns), Arc::clone(&slot.file));
        let task = tokio::spawn(async move {
            // It is never closed.
            let _turn = turns.acquire_owned().await;
            work.told.send_modify(|state| state.begun = true);
            let outcome = work.run(&file).await;
            work.told.send_modify(|state| state.outcome = Some(outcome));
        });
        let layer = Arc::new(Arriving { state, task: task.abort_handle() });
        slot.layer = Arc::downgrade(&layer);
        (layer, true)
    }

    /// Follows the option, which may change while the engine runs.
    fn allow(&self, at_once: usize) {
        let mut most = self.most.lock().unwrap_or_else(PoisonError::into_inner);
        if at_once > *most {
            self.turns.add_permits(at_once - *most);
            *most = at_once;
        } else {
            *most -= self.turns.forget_permits(*most - at_once);
        }
    }
}

impl Arriving {
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    fn has_failed(&self) -> bool {
        matches!(self.state.borrow().outcome, Some(Err(_)))
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Work {
    store: Arc<Store>,
    repository: Arc<Repository>,
    blob: Descriptor,
    diff_id: Digest,
    told: Arc<watch::Sender<State>>,
}

impl Work {
    async fn run(&self, file: &Arc<tokio::sync::Mutex<()>>) -> Result<Came, Failure> {
        let own = Arc::clone(file).lock_owned().await;
        // Whoever fetched it before let go of it only now.
        if self.store.layer(&self.diff_id)?.is_some() {
            return Ok(Came::WasHere);
        }
        // What has arrived of a file may have been spoiled since, by a power loss say; then it is fetched whole.
        let (resumed, result) = self.once(own).await;
        match result {
            Err(Failure::Store(why)) if resumed => {
                tracing::warn!("layer {}: what had arrived is of no use: {why}", self.blob.digest);
                self.once(Arc::clone(file).lock_owned().await).await.1
            }
            result => result,
        }
        .map(Came::Staged)
    }

    /// Whether a part of it was there, and what became of it.
    async fn once(&self, own: OwnedMutexGuard<()>) -> (bool, Result<Arc<StagedLayer>, Failure>) {
        let mut download = match self.store.download(&self.blob.digest) {
            Ok(download) => download,
            Err(error) => return (false, Err(error.into())),
        };
        if download.arrived() > self.blob.size
            && let Err(error) = download.restart()
        {
            return (false, Err(error.into()));
        }
        let from = download.arrived();
        let (sender, chunks) = mpsc::channel(QUEUE);
        let whole = Arc::new(AtomicBool::new(false));
        let mut rest = Rest { chunks, current: Bytes::new(), whole: Arc::clone(&whole) };
        let (store, told) = (Arc::clone(&self.store), Arc::clone(&self.told));
        let unpacked = tokio::task::spawn_blocking(move || {
            let _own = own;
            let mut progress = |read| told.send_modify(|state| state.read = read);
            store.unpack(download, &mut rest, &mut progress)
        });
        let fetched = self.repository.blob(&self.blob, from, &sender).await;
        whole.store(fetched.is_ok(), Ordering::Release);
        drop(sender);
        let unpacked = unpacked.await;
        let result = match (fetched, unpacked) {
            (Err(error), _) => Err(Failure::Registry(error)),
            (Ok(()), Ok(Ok(staged))) => Ok(staged),
            (Ok(()), Ok(Err(error))) => Err(error.into()),
            (Ok(()), Err(gone)) => Err(Failure::Store(gone.to_string())),
        };
        (from > 0, result)
    }
}

impl From<Failure> for crate::error::Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Registry(error) => super::Refused(error).into(),
            Failure::Store(why) => Self::system(why),
        }
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Self::Store(error.to_string())
    }
}

/// The bytes that come, for the unpacker's thread.
struct Rest {
    chunks: mpsc::Receiver<Bytes>,
    current: Bytes,
    /// Set before the end if it is one.
    whole: Arc<AtomicBool>,
}

impl Read for Rest {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = chunk,
                None if self.whole.load(Ordering::Acquire) => return Ok(0),
                None => return Err(io::ErrorKind::ConnectionAborted.into()),
            }
        }
        let length = buffer.len().min(self.current.len());
        buffer[..length].copy_from_slice(&self.current.split_to(length));
        Ok(length)
    }
}
