//! What the cache holds, and what it takes: each byte once.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use oci::Digest;
use rusqlite::Connection;

use super::{Builds, CacheRecord, Columns, digest, timestamp};
use crate::database::Durability;
use crate::error::Result;
use crate::layers::disk_size;

/// A record and what it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    pub record: CacheRecord,
    pub last_used: Option<Timestamp>,
    pub uses: u64,
    /// Bytes that the cache has on its account. What images have, too, is on theirs; a layer that several records name
    /// is its maker's, else the oldest's of them.
    pub size: u64,
    /// A build has got it, or a step a mount of it.
    pub in_use: bool,
    /// An image has its layer, too.
    pub shared: bool,
}

impl Builds<'_> {
    /// The oldest first.
    pub fn all(&self) -> Result<Vec<Listed>> {
        self.flush()?;
        self.measure_mounts()?;
        let cache = self.database.read(read)?;
        let pinned = self.state.pinned();
        Ok(cache.listed(|key| pinned.contains(key)))
    }

    /// Bytes that the cache has on its account.
    pub fn size(&self) -> Result<u64> {
        let layers = "SELECT coalesce(sum(own), 0) FROM layers
            WHERE number IN (SELECT part FROM layer_parts JOIN build_layers USING (layer))
            AND number NOT IN (SELECT part FROM layer_parts JOIN image_layers USING (layer))";
        let mounts = "SELECT coalesce(sum(mount_size), 0) FROM build_records";
        self.database.read(|db| {
            let size = |sql| db.prepare_cached(sql)?.query_row([], |row| row.get::<_, u64>(0));
            Ok(size(layers)? + size(mounts)?)
        })
    }

    /// Looks at the mounts whose size is not known; those in use change all the time, and are looked at each time.
    pub(super) fn measure_mounts(&self) -> Result<()> {
        let sql = "SELECT key, mount FROM build_records
                   WHERE mount IS NOT NULL AND mount_size IS NULL";
        let unknown: Vec<(String, u64)> = self.database.read(|db| {
            let mut statement = db.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })?;
        if unknown.is_empty() {
            return Ok(());
        }
        let size = |number| disk_size(&self.root.cache_mount(number)).unwrap_or(0);
        let sizes: Vec<_> = unknown.iter().map(|(key, number)| (key, size(*number))).collect();
        let sql = "UPDATE build_records SET mount_size = ?2 WHERE key = ?1";
        self.database.write(Durability::ProcessDeath, |transaction| {
            let mut statement = transaction.prepare_cached(sql)?;
            for size in &sizes {
                statement.execute(*size)?;
            }
            Ok(())
        })
    }
}

/// All records, and all that is to be known to tell what they take.
pub(super) struct Cache {
    /// The oldest first.
    pub(super) records: Vec<Cached>,
    /// Of all layers that records name, and of what those lie over, by number.
    pub(super) sizes: HashMap<u64, u64>,
    /// Numbers of those that images have, too.
    pub(super) in_images: HashSet<u64>,
}

pub(super) struct Cached {
    pub(super) record: CacheRecord,
    pub(super) last_used: Option<Timestamp>,
    pub(super) uses: u64,
    /// Bottom first, each upon what it lies over.
    pub(super) layers: Vec<u64>,
    /// Number and size of a cache mount.
    pub(super) mount: Option<(u64, u64)>,
}

impl Cached {
    pub(super) fn own_layer(&self) -> Option<u64> {
        self.record.layer.as_ref().and(self.layers.last().copied())
    }

    /// Since when nobody used it.
    pub(super) fn idle_since(&self) -> Timestamp {
        self.last_used.unwrap_or(self.record.created)
    }
}

impl Cache {
    pub(super) fn listed(&self, in_use: impl Fn(&Digest) -> bool) -> Vec<Listed> {
        let records = self.records.iter().zip(self.accounts());
        let listed = records.map(|(cached, size)| Listed {
            size,
            in_use: in_use(&cached.record.key),
            shared: cached.own_layer().is_some_and(|layer| self.in_images.contains(&layer)),
            last_used: cached.last_used,
            uses: cached.uses,
            record: cached.record.clone(),
        });
        listed.collect()
    }

    /// Bytes on each record's account, in the order of the records.
    pub(super) fn accounts(&self) -> Vec<u64> {
        let made: HashSet<u64> = self.records.iter().filter_map(Cached::own_layer).collect();
        let mut counted = self.in_images.clone();
        let account = |cached: &Cached| {
            let own = cached.own_layer();
            let layers = cached.layers.iter().filter(|layer| {
                (own == Some(**layer) || !made.contains(layer)) && counted.insert(**layer)
            });
            let layers: u64 = layers.filter_map(|layer| self.sizes.get(layer)).sum();
            layers + cached.mount.map_or(0, |(_, size)| size)
        };
        self.records.iter().map(account).collect()
    }
}

pub(super) fn read(db: &Connection) -> Result<Cache> {
    let (mut layers, sizes) = read_layers(db)?;
    let sql = "SELECT kind, description, created, cost, parents, components, has_layer,
                      key, last_used, uses, mount, mount_size
               FROM build_records ORDER BY created, key";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut records = Vec::new();
    while let Some(row) = rows.next()? {
        let key: String = row.get(7)?;
        let of_record = layers.remove(&key).unwrap_or_default();
        let (parts, digests): (Vec<_>, Vec<Digest>) = of_record.into_iter().unzip();
        let mount: Option<u64> = row.get(10)?;
        let size: Option<u64> = row.get(11)?;
        records.push(Cached {
            record: Columns::read(row)?.record(digest(&key)?, digests)?,
            last_used: row.get::<_, Option<i64>>(8)?.map(timestamp),
            uses: row.get(9)?,
            layers: parts.into_iter().flatten().flatten().collect(),
            mount: mount.map(|number| (number, size.unwrap_or(0))),
        });
    }
    let sql = "SELECT DISTINCT part FROM layer_parts JOIN image_layers USING (layer)";
    let mut statement = db.prepare_cached(sql)?;
    let in_images = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    Ok(Cache { records, sizes, in_images })
}

/// What a layer lies over, and the layer.
type Parts = [Option<u64>; 2];
type LayersByRecord = BTreeMap<String, Vec<(Parts, Digest)>>;

/// Parts and diff IDs by record, and sizes by number.
fn read_layers(db: &Connection) -> Result<(LayersByRecord, HashMap<u64, u64>)> {
    let sql = "SELECT record, number, diff_id, over FROM build_layers
               JOIN layers ON layer = number ORDER BY record, position";
    let mut statement = db.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut layers = LayersByRecord::new();
    while let Some(row) = rows.next()? {
        let diff_id = digest(&row.get::<_, String>(2)?)?;
        layers.entry(row.get(0)?).or_default().push(([row.get(3)?, row.get(1)?], diff_id));
    }
    let sql = "SELECT number, own FROM layers
               WHERE number IN (SELECT part FROM layer_parts JOIN build_layers USING (layer))";
    let mut statement = db.prepare_cached(sql)?;
    let sizes = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok((layers, sizes.collect::<rusqlite::Result<_>>()?))
}

/// How many records there are.
pub(super) fn count(db: &Connection) -> Result<usize> {
    let sql = "SELECT count(*) FROM build_records";
    Ok(db.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// Of all layers that are here.
pub(super) fn numbers(db: &Connection) -> Result<HashSet<u64>> {
    let mut statement = db.prepare_cached("SELECT number FROM layers")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}
