//! The build cache: what a step made, by the step's key, and the directories of cache mounts.
//!
//! A record names the layers of a result; they stay as long as it does, whatever becomes of images. Content is trusted
//! because it was made or hashed here: nothing that an image claims of itself makes a record (CVE-2024-24557).
//!
//! A record that a lease has got stays until the lease ends. That is known in memory alone: after the engine's death
//! nobody uses the cache. Uses are counted in memory, too, and written behind.

mod aliases;
mod limits;
mod mounts;
mod policy;
mod prune;
mod seal;
mod state;
mod usage;

use std::sync::Mutex;

use jiff::Timestamp;
use oci::Digest;
use rusqlite::{Connection, OptionalExtension, Row, Transaction};

pub use mounts::{CacheMount, MountRequest, Sharing};
pub use policy::{Policy, Rule};
pub use prune::{Pruned, Wanted};
pub(crate) use state::State;
pub use usage::Listed;

use crate::database::{Database, Durability};
use crate::error::{Error, Result};
use crate::leases::Lease;
use crate::maintenance::Maintenance;
use crate::root::Root;
use crate::{Store, layers};

/// The kind of most records.
pub const REGULAR: &str = "regular";
/// The kind of cache mounts.
pub const CACHE_MOUNT: &str = "exec.cachemount";

/// The build cache of a store.
#[derive(Clone, Copy)]
pub struct Builds<'s> {
    pub(crate) root: &'s Root,
    pub(crate) database: &'s Database,
    pub(crate) next_layer: &'s Mutex<u64>,
    pub(crate) state: &'s std::sync::Arc<State>,
    /// None on its own thread.
    pub(crate) maintenance: Option<&'s Maintenance>,
}

/// What came of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheRecord {
    pub key: Digest,
    /// Diff IDs of what lies below, bottom first.
    pub below: Vec<Digest>,
    /// The step's own layer, where it made one.
    pub layer: Option<Digest>,
    /// `regular`, `source.local`, ...: as BuildKit calls them.
    pub kind: String,
    pub description: String,
    pub created: Timestamp,
    /// How long the step took, in milliseconds: what it costs to do without the record.
    pub cost: u64,
    /// Keys of what the step was made from.
    pub parents: Vec<Digest>,
    /// What the key was made of, to tell later why another differs; opaque here.
    pub components: Vec<u8>,
}

impl CacheRecord {
    /// The whole result, bottom first.
    pub fn layers(&self) -> Vec<Digest> {
        self.below.iter().chain(&self.layer).cloned().collect()
    }
}

impl Store {
    pub fn builds(&self) -> Builds<'_> {
        Builds {
            root: &self.root,
            database: &self.database,
            next_layer: &self.next_layer,
            state: &self.build_state,
            maintenance: Some(&self.maintenance),
        }
    }
}

impl Builds<'_> {
    /// Keeps what a step made; its layers are held by the caller. An earlier record of that key is replaced; who has got
    /// that one keeps its layers.
    pub fn put(&self, record: &CacheRecord) -> Result<()> {
        let parents = encode(&record.parents)?;
        let pinned = self.state.replace_pinned(&record.key);
        self.database.write(Durability::ProcessDeath, |transaction| {
            if pinned {
                keep_layers_of(transaction, &record.key)?;
            }
            let key = record.key.as_str();
            transaction
                .prepare_cached("DELETE FROM build_records WHERE key = ?1")?
                .execute([key])?;
            let sql = "INSERT INTO build_records
                (key, kind, description, created, cost, has_layer, parents, components)
                VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
            transaction.prepare_cached(sql)?.execute((
                key,
                &record.kind,
                &record.description,
                nanoseconds(record.created),
                record.cost,
                record.layer.is_some(),
                parents,
                &record.components,
            ))?;
            insert_layers(transaction, &record.key, &record.layers())
        })?;
        self.state.note_growth();
        self.wake();
        Ok(())
    }

    /// What is known of a step. It is counted as used, and stays until the lease ends, its layers too.
    pub fn get(&self, key: &Digest, lease: &Lease<'_>) -> Result<Option<CacheRecord>> {
        // First: what is pinned is not pruned.
        lease.pin(key);
        let found = self.find(key)?;
        if found.is_some() {
            self.touch(key);
        }
        Ok(found)
    }

    /// As [`get`](Self::get), for a look alone.
    pub fn find(&self, key: &Digest) -> Result<Option<CacheRecord>> {
        self.database.read(|db| find(db, key))
    }

    /// Layers that steps of a description made, the newest first.
    pub fn made_by(&self, description: &str, most: usize) -> Result<Vec<Digest>> {
        let sql = "SELECT (SELECT diff_id FROM build_layers JOIN layers ON layer = number
                           WHERE record = key ORDER BY position DESC LIMIT 1)
                   FROM build_records WHERE description = ?1 AND has_layer
                   ORDER BY created DESC LIMIT ?2";
        self.database.read(|db| {
            let mut statement = db.prepare_cached(sql)?;
            let made = statement.query_map((description, most), |row| row.get::<_, String>(0))?;
            made.map(|text| digest(&text?)).collect()
        })
    }

    /// Counts a use.
    pub fn touch(&self, key: &Digest) {
        self.state.touch(key, now());
        self.wake();
    }

    /// At open: directories of cache mounts without a record go.
    pub(crate) fn reconcile(&self) -> Result<()> {
        let sql = "SELECT mount FROM build_records WHERE mount IS NOT NULL";
        let known: std::collections::HashSet<u64> = self.database.read(|db| {
            let mut statement = db.prepare(sql)?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
        })?;
        self.root.discard_unknown("build-cache", |name| {
            name.parse().is_ok_and(|number| known.contains(&number))
        })
    }

    /// On the maintenance thread: writes what was counted, and keeps the cache within its limits.
    pub(crate) fn keep_up(&self) -> Result<()> {
        self.flush()?;
        match self.state.take_growth() {
            true => self.keep_within_limits(now(), false),
            false => Ok(()),
        }
    }

    /// On the maintenance thread, when nothing else happens: sizes of what steps wrote to, and the limits again.
    pub(crate) fn look_around(&self) -> Result<()> {
        self.measure_mounts()?;
        self.keep_within_limits(now(), true)
    }

    /// Writes uses that are only known in memory.
    fn flush(&self) -> Result<()> {
        let touched = self.state.take_touched();
        if touched.is_empty() {
            return Ok(());
        }
        let sql = "UPDATE build_records
                   SET uses = uses + ?2, last_used = max(coalesce(last_used, 0), ?3), mount_size = NULL
                   WHERE key = ?1";
        self.database.write(Durability::ProcessDeath, |transaction| {
            let mut statement = transaction.prepare_cached(sql)?;
            for (key, uses) in &touched {
                statement.execute((key.as_str(), uses.count, nanoseconds(uses.last)))?;
            }
            Ok(())
        })
    }

    fn wake(&self) {
        if let Some(maintenance) = self.maintenance {
            maintenance.wake();
        }
    }
}

fn find(db: &Connection, key: &Digest) -> Result<Option<CacheRecord>> {
    let sql = "SELECT kind, description, created, cost, parents, components, has_layer
               FROM build_records WHERE key = ?1";
    let mut statement = db.prepare_cached(sql)?;
    let Some(read) = statement.query_row([key.as_str()], Columns::read).optional()? else {
        return Ok(None);
    };
    let sql = "SELECT diff_id FROM build_layers JOIN layers ON layer = number
               WHERE record = ?1 ORDER BY position";
    let mut statement = db.prepare_cached(sql)?;
    let layers = statement.query_map([key.as_str()], |row| row.get::<_, String>(0))?;
    let layers = layers.map(|text| digest(&text?)).collect::<Result<Vec<_>>>()?;
    read.record(key.clone(), layers).map(Some)
}

/// A row as it is stored.
struct Columns {
    kind: String,
    description: String,
    created: i64,
    cost: u64,
    parents: String,
    components: Vec<u8>,
    has_layer: bool,
}

impl Columns {
    /// The first seven columns, in the order of the fields.
    fn read(row: &Row<'_>) -> rusqlite::Result<Columns> {
        Ok(Columns {
            kind: row.get(0)?,
            description: row.get(1)?,
            created: row.get(2)?,
            cost: row.get(3)?,
            parents: row.get(4)?,
            components: row.get(5)?,
            has_layer: row.get(6)?,
        })
    }

    fn record(self, key: Digest, mut layers: Vec<Digest>) -> Result<CacheRecord> {
        let layer = if self.has_layer { layers.pop() } else { None };
        let parents = serde_json::from_str(&self.parents)
            .map_err(|error| Error::system(format!("build record {key}: {error}")))?;
        Ok(CacheRecord {
            key,
            below: layers,
            layer,
            kind: self.kind,
            description: self.description,
            created: timestamp(self.created),
            cost: self.cost,
            parents,
            components: self.components,
        })
    }
}

fn insert_layers(transaction: &Transaction<'_>, key: &Digest, layers: &[Digest]) -> Result<()> {
    let sql = "INSERT INTO build_layers (record, position, layer) VALUES (?1, ?2, ?3)";
    let mut statement = transaction.prepare_cached(sql)?;
    for (position, number) in layers::numbers(transaction, layers)?.into_iter().enumerate() {
        statement.execute((key.as_str(), position, number))?;
    }
    Ok(())
}

/// For those who have got the record that is about to go; see [`State::unpin`].
fn keep_layers_of(transaction: &Transaction<'_>, key: &Digest) -> Result<()> {
    let sql = "INSERT OR REPLACE INTO leases (owner, resource, expires)
               SELECT ?1, 'layer ' || diff_id, ?3 FROM build_layers JOIN layers ON layer = number
               WHERE record = ?2";
    let values = (replaced(key), key.as_str(), i64::MAX);
    transaction.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

/// The owner of the lease on what a record named that was replaced while it was in use.
pub(crate) fn replaced(key: &Digest) -> String {
    format!("replaced {key}")
}

fn encode(parents: &[Digest]) -> Result<String> {
    serde_json::to_string(parents).map_err(|error| Error::system(format!("build record: {error}")))
}

fn digest(text: &str) -> Result<Digest> {
    Digest::parse(text)
        .map_err(|error| Error::system(format!("metadata database: {text:?}: {error}")))
}

fn now() -> Timestamp {
    Timestamp::now()
}

/// As it is stored: enough for the years to 2262.
fn nanoseconds(time: Timestamp) -> i64 {
    i64::try_from(time.as_nanosecond()).unwrap_or(i64::MAX)
}

fn timestamp(nanoseconds: i64) -> Timestamp {
    Timestamp::from_nanosecond(i128::from(nanoseconds)).unwrap_or_default()
}
