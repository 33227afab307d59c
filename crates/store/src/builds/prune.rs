//! `builder prune`, and what goes by itself.

use std::collections::HashSet;

use jiff::Timestamp;
use oci::Digest;

use super::aliases::drop_aliases;
use super::state::Pinned;
use super::usage::{self, Cache, Listed};
use super::{Builds, limits};
use crate::database::Durability;
use crate::error::{Error, Result};
use crate::gc;

/// Every condition that is given must hold.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// What images have and what serves the builder itself, too.
    pub all: bool,
    /// Nobody used it since.
    pub unused_since: Option<Timestamp>,
    /// Beginnings of keys, in hexadecimal.
    pub ids: Vec<String>,
    /// As `ids`, of what they were made from.
    pub parents: Vec<String>,
    pub kinds: Vec<String>,
    /// Parts of descriptions.
    pub descriptions: Vec<String>,
    pub in_use: Option<bool>,
    pub shared: Option<bool>,
    /// Bytes that may stay.
    pub keep: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    pub removed: Vec<Digest>,
    /// In bytes.
    pub reclaimed: u64,
}

impl Wanted {
    /// Whether a record fits, whatever may stay.
    pub fn matches(&self, listed: &Listed) -> bool {
        let record = &listed.record;
        let begins = |key: &Digest, all: &[String]| {
            all.iter().any(|start| key.hex().starts_with(start.trim_start_matches("sha256:")))
        };
        let is_one_of =
            |all: &[String], fits: &dyn Fn(&String) -> bool| all.is_empty() || all.iter().any(fits);
        let used = listed.last_used.unwrap_or(record.created);
        (self.all || !(listed.shared || ["internal", "frontend"].contains(&&*record.kind)))
            && self.unused_since.is_none_or(|since| used < since)
            && (self.ids.is_empty() || begins(&record.key, &self.ids))
            && (self.parents.is_empty()
                || record.parents.iter().any(|parent| begins(parent, &self.parents)))
            && is_one_of(&self.kinds, &|kind| *kind == record.kind)
            && is_one_of(&self.descriptions, &|part| record.description.contains(part.as_str()))
            && self.in_use.is_none_or(|in_use| in_use == listed.in_use)
            && self.shared.is_none_or(|shared| shared == listed.shared)
    }
}

impl Builds<'_> {
    /// Removes what is wanted and not in use; of that what is worth least where some may stay.
    pub fn prune(&self, wanted: &Wanted) -> Result<Pruned> {
        self.flush()?;
        self.measure_mounts()?;
        let pinned = self.state.pinned();
        let cache = self.database.read(usage::read)?;
        let listed = cache.listed(|key| pinned.contains(key));
        let matching: HashSet<&Digest> = listed
            .iter()
            .filter(|listed| !listed.in_use && wanted.matches(listed))
            .map(|listed| &listed.record.key)
            .collect();
        let chosen = match wanted.keep {
            0 => matching.into_iter().cloned().collect(),
            keep => limits::choose(&cache, keep, super::now(), |key| matching.contains(key)),
        };
        self.remove(&cache, chosen, pinned)
    }

    pub(super) fn default_limit(&self) -> Result<u64> {
        let stat = rustix::fs::statvfs(self.root.path())
            .map_err(|error| Error::io("size of the data root's file system", error))?;
        Ok(limits::default_limit(stat.f_blocks.saturating_mul(stat.f_frsize)))
    }

    /// Records first, then what nobody has any more.
    pub(super) fn remove(
        &self,
        cache: &Cache,
        chosen: Vec<Digest>,
        pinned: Pinned<'_>,
    ) -> Result<Pruned> {
        if chosen.is_empty() {
            return Ok(Pruned::default());
        }
        self.database.write(Durability::ProcessDeath, |transaction| {
            let sql = "DELETE FROM build_records WHERE key = ?1";
            let mut statement = transaction.prepare_cached(sql)?;
            chosen.iter().try_for_each(|key| {
                statement.execute([key.as_str()])?;
                drop_aliases(transaction, key.as_str())
            })
        })?;
        let gone: HashSet<&Digest> = chosen.iter().collect();
        let gone = || cache.records.iter().filter(|cached| gone.contains(&cached.record.key));
        let mut reclaimed = 0;
        for (number, size) in gone().filter_map(|cached| cached.mount) {
            self.root.discard(&self.root.cache_mount(number))?;
            reclaimed += size;
        }
        drop(pinned);
        gc::collect(self.root, self.database, self.next_layer)?;
        self.wake();
        let left: HashSet<u64> = self.database.read(usage::numbers)?;
        let layers: HashSet<u64> = gone().flat_map(|cached| cached.layers.clone()).collect();
        let freed = layers.difference(&left).filter_map(|number| cache.sizes.get(number));
        reclaimed += freed.sum::<u64>();
        Ok(Pruned { removed: chosen, reclaimed })
    }
}
