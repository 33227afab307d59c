//! What is known of the build cache in memory alone.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use oci::Digest;

use super::mounts::Group;
use super::policy::Policy;

#[derive(Default)]
pub(crate) struct State {
    pins: Mutex<HashMap<Digest, Pin>>,
    touched: Mutex<HashMap<Digest, Uses>>,
    /// Set once something was added.
    grown: AtomicBool,
    policy: Mutex<Policy>,
    /// Held while a cache mount is made.
    pub(super) making: Mutex<()>,
    /// Cache mounts in use, by what their ids stand for.
    pub(super) mounts: Mutex<HashMap<Digest, Group>>,
}

#[derive(Default)]
struct Pin {
    leases: usize,
    /// What was got is not what the record names now.
    replaced: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Uses {
    pub(super) count: u64,
    pub(super) last: Timestamp,
}

impl State {
    pub(crate) fn pin(&self, key: &Digest) {
        lock(&self.pins).entry(key.clone()).or_default().leases += 1;
    }

    /// Those whose replaced layers nobody has any more.
    pub(crate) fn unpin(&self, keys: &[Digest]) -> Vec<Digest> {
        let mut pins = lock(&self.pins);
        let mut free = Vec::new();
        for key in keys {
            let Some(pin) = pins.get_mut(key) else { continue };
            pin.leases -= 1;
            if pin.leases == 0 {
                free.extend(pin.replaced.then(|| key.clone()));
                pins.remove(key);
            }
        }
        free
    }

    /// Whether somebody has got the record that is about to be replaced.
    pub(super) fn replace_pinned(&self, key: &Digest) -> bool {
        let mut pins = lock(&self.pins);
        let pin = pins.get_mut(key);
        pin.map(|pin| pin.replaced = true).is_some()
    }

    /// Records that somebody uses; none more while the guard lives.
    pub(super) fn pinned(&self) -> Pinned<'_> {
        let _making = lock(&self.making);
        let mounts = lock(&self.mounts).values().flat_map(Group::in_use).collect();
        Pinned { _making, pins: lock(&self.pins), mounts }
    }

    pub(super) fn touch(&self, key: &Digest, now: Timestamp) {
        let mut touched = lock(&self.touched);
        let uses = touched.entry(key.clone()).or_insert(Uses { count: 0, last: now });
        uses.count += 1;
        uses.last = uses.last.max(now);
    }

    pub(super) fn take_touched(&self) -> BTreeMap<Digest, Uses> {
        std::mem::take(&mut *lock(&self.touched)).into_iter().collect()
    }

    pub(super) fn note_growth(&self) {
        self.grown.store(true, Ordering::Relaxed);
    }

    pub(super) fn take_growth(&self) -> bool {
        self.grown.swap(false, Ordering::Relaxed)
    }

    pub(super) fn policy(&self) -> Policy {
        lock(&self.policy).clone()
    }

    pub(super) fn set_policy(&self, policy: Policy) {
        *lock(&self.policy) = policy;
        self.note_growth();
    }
}

pub(super) struct Pinned<'p> {
    _making: MutexGuard<'p, ()>,
    pins: MutexGuard<'p, HashMap<Digest, Pin>>,
    mounts: HashSet<Digest>,
}

impl Pinned<'_> {
    pub(super) fn contains(&self, key: &Digest) -> bool {
        self.pins.contains_key(key) || self.mounts.contains(key)
    }
}

/// What a panic interrupted is a count at worst.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
