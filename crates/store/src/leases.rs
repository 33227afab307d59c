//! Work in flight holds leases on what it made but nothing refers to yet, and garbage collection honours them.
//!
//! A lease ends with its guard. One process owns the store, so leases found at open belong to the dead.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use oci::Digest;

use crate::Store;
use crate::builds;
use crate::database::Durability;
use crate::error::Result;

const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

pub struct Lease<'s> {
    store: Holder<'s>,
    owner: String,
    /// Records of the build cache that stay meanwhile.
    pins: Mutex<Vec<Digest>>,
}

enum Holder<'s> {
    Borrowed(&'s Store),
    Shared(Arc<Store>),
}

impl Deref for Holder<'_> {
    type Target = Store;

    fn deref(&self) -> &Store {
        match self {
            Holder::Borrowed(store) => store,
            Holder::Shared(store) => store,
        }
    }
}

impl Store {
    pub fn lease(&self, purpose: &str) -> Lease<'_> {
        self.new_lease(Holder::Borrowed(self), purpose)
    }

    /// A lease that is not bound to its maker's stack.
    pub fn shared_lease(self: &Arc<Self>, purpose: &str) -> Lease<'static> {
        self.new_lease(Holder::Shared(Arc::clone(self)), purpose)
    }

    fn new_lease<'s>(&self, store: Holder<'s>, purpose: &str) -> Lease<'s> {
        let number = self.next_lease.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Lease { store, owner: format!("{purpose} {number}"), pins: Mutex::default() }
    }
}

impl Lease<'_> {
    pub(crate) fn hold(&self, resource: &str) -> Result<()> {
        self.hold_all(&[resource.to_owned()])
    }

    /// Keeps a record of the build cache. It costs nothing but memory: the dead use no cache.
    pub(crate) fn pin(&self, key: &Digest) {
        self.store.build_state.pin(key);
        self.pins.lock().unwrap_or_else(PoisonError::into_inner).push(key.clone());
    }

    pub(crate) fn hold_all(&self, resources: &[String]) -> Result<()> {
        let sql = "INSERT OR REPLACE INTO leases (owner, resource, expires) VALUES (?1, ?2, ?3)";
        let expires = now() + LIFETIME.as_secs().cast_signed();
        self.store.write(Durability::ProcessDeath, |transaction| {
            let mut statement = transaction.prepare_cached(sql)?;
            for resource in resources {
                statement.execute((&self.owner, resource, expires))?;
            }
            Ok(())
        })
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        let pins = std::mem::take(self.pins.get_mut().unwrap_or_else(PoisonError::into_inner));
        let replaced = self.store.build_state.unpin(&pins);
        // A lease that stays on after a failed write ends with its expiry.
        let _ = self.store.write(Durability::ProcessDeath, |transaction| {
            let mut statement =
                transaction.prepare_cached("DELETE FROM leases WHERE owner = ?1")?;
            statement.execute([&self.owner])?;
            for key in &replaced {
                statement.execute([builds::replaced(key)])?;
            }
            Ok(())
        });
        // What came to nothing, and layers that turned out to be empty; else they go at the next removal.
        if self.store.has_unused_layers().unwrap_or(false) {
            let _ = self.store.collect_garbage();
        }
    }
}

pub(crate) fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs().cast_signed()
}
