//! Work in flight holds leases on what it made but nothing refers to yet, and garbage collection honours them.
//!
//! A lease ends with its guard. One process owns the store, so leases found at open belong to the dead.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Store;
use crate::database::Durability;
use crate::error::Result;

const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

pub struct Lease<'s> {
    store: &'s Store,
    owner: String,
}

impl Store {
    pub fn lease(&self, purpose: &str) -> Lease<'_> {
        let number = self.next_lease.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Lease { store: self, owner: format!("{purpose} {number}") }
    }
}

impl Lease<'_> {
    pub(crate) fn hold(&self, resource: &str) -> Result<()> {
        self.hold_all(&[resource.to_owned()])
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
        // A lease that stays on after a failed write ends with its expiry.
        let _ = self.store.write(Durability::ProcessDeath, |transaction| {
            Ok(transaction
                .prepare_cached("DELETE FROM leases WHERE owner = ?1")?
                .execute([&self.owner])?)
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
