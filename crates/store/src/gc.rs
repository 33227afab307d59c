//! Garbage collection: what no image, snapshot or lease refers to. Rows go first, files after, the slow part of
//! that on the maintenance thread.

use std::collections::HashSet;
use std::fs;
use std::sync::{Mutex, PoisonError};

use rusqlite::Transaction;

use crate::Store;
use crate::database::{Database, Durability};
use crate::error::{Error, Result};
use crate::leases::now;
use crate::root::Root;
use crate::volumes::Rows;

const UNUSED_LAYERS: &str = "FROM layers WHERE number NOT IN (SELECT layer FROM image_layers)
        AND number NOT IN (SELECT layer FROM snapshot_layers)
        AND number NOT IN (SELECT layer FROM build_layers)
        AND number NOT IN (SELECT over FROM layers WHERE over IS NOT NULL)
        AND 'layer ' || diff_id NOT IN (SELECT resource FROM leases WHERE expires > ?1)";

impl Store {
    /// Removes what is unused.
    pub(crate) fn collect_garbage(&self) -> Result<()> {
        collect(&self.root, &self.database, &self.next_layer)?;
        self.maintenance.wake();
        Ok(())
    }

    pub(crate) fn has_unused_layers(&self) -> Result<bool> {
        let sql = format!("SELECT 1 {UNUSED_LAYERS}");
        self.database.read(|db| Ok(db.prepare_cached(&sql)?.exists([now()])?))
    }

    /// At open: leases of the dead end, directories without a row go, numbers continue after the highest.
    pub(crate) fn reconcile(&self) -> Result<()> {
        self.write(Durability::ProcessDeath, |db| Ok(db.execute("DELETE FROM leases", [])?))?;
        if matches!(self.rows(), Rows::MayBeLost) {
            self.write(Durability::ProcessDeath, drop_unsynced)?;
        }
        self.collect_garbage()?;
        let known: HashSet<u64> = self.database.read(|db| {
            let mut statement = db.prepare("SELECT number FROM layers")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
        })?;
        self.root.discard_unknown("layers", |name| {
            name.parse().is_ok_and(|number| known.contains(&number))
        })?;
        let blobs = self.known_blobs()?;
        self.root.discard_unknown("blobs/sha256", |name| blobs.contains(name))?;
        let containers: HashSet<String> = self.snapshots().all()?.into_iter().collect();
        self.root.discard_unknown("containers", |name| containers.contains(name))?;
        self.builds().reconcile()?;
        self.fill_in_listing()?;
        self.volumes().reconcile(self.rows())?;
        self.note_boot()?;
        let next = known.iter().max().map_or(1, |highest| highest + 1);
        *self.next_layer.lock().unwrap_or_else(PoisonError::into_inner) = next;
        self.root.empty_trash();
        Ok(())
    }

    /// Nothing that was committed in this run of the kernel is lost before its next one.
    fn rows(&self) -> Rows {
        let noted = fs::read_to_string(self.root.boot()).ok();
        match sys::process::boot_id() {
            Ok(now) if noted.as_ref() == Some(&now) => Rows::AllThere,
            _ => Rows::MayBeLost,
        }
    }

    /// After the rows were looked at. Not synced: what a power loss takes of it is of the past then.
    fn note_boot(&self) -> Result<()> {
        let noted = sys::process::boot_id().and_then(|now| fs::write(self.root.boot(), now));
        noted.map_err(|error| Error::io("note the kernel's run", error))
    }

    /// Hex parts of the digests that images and their roots name.
    pub(crate) fn known_blobs(&self) -> Result<HashSet<String>> {
        let sql = "SELECT id FROM images UNION SELECT root FROM roots
                   UNION SELECT manifest FROM roots WHERE manifest IS NOT NULL
                   UNION SELECT digest FROM layer_blobs
                   UNION SELECT digest FROM attached";
        self.database.read(|db| {
            let mut statement = db.prepare(sql)?;
            let digests = statement.query_map([], |row| row.get::<_, String>(0))?;
            Ok(digests
                .map(|digest| digest.map(|digest| digest.trim_start_matches("sha256:").to_owned()))
                .collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// Rows first, then what they named, out of sight.
pub(crate) fn collect(root: &Root, database: &Database, next_layer: &Mutex<u64>) -> Result<()> {
    // No layer becomes visible meanwhile: between a rename and its row one would look like a leftover.
    let _committing = next_layer.lock().unwrap_or_else(PoisonError::into_inner);
    let (layers, blobs) = database.write(Durability::PowerLoss, |transaction| {
        Ok((unused_layers(transaction)?, unused_blobs(transaction)?))
    })?;
    for digest in blobs {
        root.discard(&root.blobs().join(digest.trim_start_matches("sha256:")))?;
    }
    for number in layers {
        root.discard(&root.layer(number))?;
    }
    Ok(())
}

/// After the host went down: layers that were never synced may lack anything. No image has one; what does is a step that
/// was running, or the cache.
fn drop_unsynced(transaction: &Transaction<'_>) -> Result<()> {
    transaction.execute_batch(
        "CREATE TEMP TABLE lost AS SELECT number FROM layers
             WHERE synced = 0 AND number NOT IN
                 (SELECT part FROM layer_parts JOIN image_layers USING (layer));
         INSERT INTO lost SELECT number FROM layers
             WHERE over IN (SELECT number FROM lost) AND number NOT IN (SELECT number FROM lost);
         DELETE FROM build_records
             WHERE key IN (SELECT record FROM build_layers WHERE layer IN (SELECT number FROM lost));
         DELETE FROM containers
             WHERE id IN (SELECT container FROM snapshot_layers WHERE layer IN (SELECT number FROM lost));
         DELETE FROM snapshots
             WHERE container IN (SELECT container FROM snapshot_layers WHERE layer IN (SELECT number FROM lost));
         DELETE FROM layers WHERE number IN (SELECT number FROM lost);
         DROP TABLE lost;",
    )?;
    Ok(())
}

fn unused_layers(transaction: &Transaction<'_>) -> Result<Vec<u64>> {
    let sql = format!("DELETE {UNUSED_LAYERS} RETURNING number");
    let mut statement = transaction.prepare_cached(&sql)?;
    let mut all = Vec::new();
    // What others lay over is unused once they have gone.
    loop {
        let before = all.len();
        for number in statement.query_map([now()], |row| row.get::<_, u64>(0))? {
            all.push(number?);
        }
        if all.len() == before {
            return Ok(all);
        }
    }
}

/// Blobs of layers that are no longer here.
fn unused_blobs(transaction: &Transaction<'_>) -> Result<Vec<String>> {
    let sql = "DELETE FROM layer_blobs WHERE diff_id NOT IN (SELECT diff_id FROM layers)
               RETURNING digest";
    let mut statement = transaction.prepare_cached(sql)?;
    let digests = statement.query_map([], |row| row.get(0))?;
    Ok(digests.collect::<rusqlite::Result<_>>()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshots::Base;

    #[test]
    fn a_containers_directory_without_a_row_goes_at_the_next_open() {
        let root = tempfile::tempdir().unwrap();
        let container = |id: &str| crate::Record {
            id: id.to_owned(),
            name: id.to_owned(),
            document: Vec::new(),
        };
        let store = Store::open(root.path()).unwrap();
        store
            .snapshots()
            .make("whole", Base::Layers(&[]))
            .unwrap()
            .keep(&container("whole"), &[])
            .unwrap();
        drop(store.snapshots().make("given-up", Base::Layers(&[])).unwrap());
        assert!(!root.path().join("containers/given-up").exists());
        drop(store);
        // A crash between the directory and the row.
        let half_made = root.path().join("containers/halfmade");
        fs::create_dir_all(half_made.join("diff")).unwrap();
        let store = Store::open(root.path()).unwrap();
        assert!(!half_made.exists());
        assert_eq!(store.snapshots().all().unwrap(), ["whole"]);
        assert!(root.path().join("containers/whole/diff").exists());
    }
}
