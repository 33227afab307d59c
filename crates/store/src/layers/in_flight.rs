//! Layers that are being unpacked right now, so that two loads of one image unpack each layer once: the second waits
//! and shares what the first has staged.
//!
//! A layer is known by the digest that its source claims. A claim may be a lie, so who shares checks what came of
//! it; and it may stall, so who waits goes on alone once nothing moves. Nobody holds one layer while he waits for
//! another, so two loads never wait for each other.

use std::collections::HashMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use oci::Digest;

use super::StagedLayer;

/// Without a byte for so long, whoever unpacks is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
pub(crate) struct InFlight {
    layers: Mutex<HashMap<Digest, Stage>>,
    changed: Condvar,
}

enum Stage {
    /// Bytes read so far.
    Unpacking(u64),
    Staged(Weak<StagedLayer>),
}

pub(crate) enum Turn<'f> {
    /// The caller unpacks it, and others may wait for him.
    Mine(Claim<'f>),
    Shared(Arc<StagedLayer>),
    /// The one who unpacks it stalls.
    Alone,
}

/// The right to unpack a layer; given back when dropped.
pub(crate) struct Claim<'f> {
    in_flight: &'f InFlight,
    digest: &'f Digest,
}

impl InFlight {
    pub(crate) fn turn<'f>(&'f self, digest: &'f Digest) -> Turn<'f> {
        let mut layers = self.lock();
        let mut seen = None;
        loop {
            let read = match layers.get(digest) {
                Some(Stage::Unpacking(read)) => *read,
                Some(Stage::Staged(staged)) if let Some(staged) = staged.upgrade() => {
                    return Turn::Shared(staged);
                }
                _ => break,
            };
            let waited = self.changed.wait_timeout(layers, PATIENCE);
            let (guard, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            layers = guard;
            if timeout.timed_out() && seen.replace(read) == Some(read) {
                return Turn::Alone;
            }
        }
        layers.retain(|_, stage| match stage {
            Stage::Unpacking(_) => true,
            Stage::Staged(staged) => staged.strong_count() > 0,
        });
        layers.insert(digest.clone(), Stage::Unpacking(0));
        Turn::Mine(Claim { in_flight: self, digest })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Digest, Stage>> {
        self.layers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Claim<'_> {
    /// Tells those who wait that something moves.
    pub(crate) fn advance(&self, read: u64) {
        self.in_flight.lock().insert(self.digest.clone(), Stage::Unpacking(read));
    }

    pub(crate) fn share(self, staged: &Arc<StagedLayer>) {
        let stage = Stage::Staged(Arc::downgrade(staged));
        self.in_flight.lock().insert(self.digest.clone(), stage);
    }
}

impl Drop for Claim<'_> {
    fn drop(&mut self) {
        let mut layers = self.in_flight.lock();
        if let Some(Stage::Unpacking(_)) = layers.get(self.digest) {
            layers.remove(self.digest);
        }
        self.in_flight.changed.notify_all();
    }
}
