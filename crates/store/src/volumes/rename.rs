//! A volume's new name: the row first, with the old name noted, then the directory. Whatever a crash leaves undone
//! is done at the next open.

use std::fs;
use std::io::ErrorKind;

use super::Volumes;
use crate::database::Durability;
use crate::error::{Error, Result};
use crate::layers::sync_directory;

impl Volumes<'_> {
    /// A name that is taken is a `Conflict`.
    pub fn rename(&self, old: &str, new: &str) -> Result<()> {
        super::check_name(new)?;
        if self.get(new)?.is_none() {
            // What a removal left behind that a crash cut short.
            self.store.root.discard(&self.directory(new))?;
        }
        let sql = "UPDATE OR IGNORE volumes SET name = ?2, moving_from = ?1 WHERE name = ?1";
        let renamed = self.store.write(Durability::PowerLoss, |transaction| {
            Ok(transaction.prepare_cached(sql)?.execute((old, new))?)
        })?;
        match renamed {
            0 if self.get(old)?.is_none() => {
                Err(Error::not_found(format!("get {old}: no such volume")))
            }
            0 => Err(Error::conflict(format!("volume {new} already exists"))),
            _ => self.finish_rename(old, new),
        }
    }

    pub(super) fn finish_renames(&self) -> Result<()> {
        let unfinished: Vec<(String, String)> = self.store.database.read(|db| {
            let sql = "SELECT moving_from, name FROM volumes WHERE moving_from IS NOT NULL";
            let mut statement = db.prepare(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })?;
        unfinished.iter().try_for_each(|(old, new)| self.finish_rename(old, new))
    }

    fn finish_rename(&self, old: &str, new: &str) -> Result<()> {
        let (from, to) = (self.directory(old), self.directory(new));
        match fs::rename(&from, &to) {
            // Moved before the crash, or never made.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            result => {
                result.map_err(|error| Error::io(format!("rename {}", from.display()), error))?
            }
        }
        sync_directory(&self.parent())?;
        self.store.write(Durability::PowerLoss, |transaction| {
            let sql = "UPDATE volumes SET moving_from = NULL WHERE name = ?1";
            Ok(transaction.prepare_cached(sql)?.execute([new])?)
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use crate::Store;
    use crate::error::Kind;
    use crate::volumes::Volume;

    use super::*;

    fn store(root: &std::path::Path) -> Store {
        let store = Store::open(root).unwrap();
        for name in ["one", "two"] {
            let volume = Volume { name: name.into(), ..Volume::default() };
            store.volumes().create(&volume, None).unwrap();
            fs::write(store.volumes().data(name).join("who"), name).unwrap();
        }
        store
    }

    #[test]
    fn content_goes_along_and_taken_names_stay_taken() {
        let root = tempfile::tempdir().unwrap();
        let store = store(root.path());
        let volumes = store.volumes();
        assert_eq!(volumes.rename("one", "two").unwrap_err().kind(), Kind::Conflict);
        assert_eq!(volumes.rename("none", "x1").unwrap_err().kind(), Kind::NotFound);
        volumes.rename("one", "three").unwrap();
        assert_eq!(fs::read_to_string(volumes.data("three").join("who")).unwrap(), "one");
        assert_eq!(fs::read_to_string(volumes.data("two").join("who")).unwrap(), "two");
        assert!(volumes.get("one").unwrap().is_none());
    }

    #[test]
    fn a_rename_that_a_crash_cut_short_is_finished_at_the_next_open() {
        let root = tempfile::tempdir().unwrap();
        let store = store(root.path());
        store.volumes().rename("one", "three").unwrap();
        store
            .write(Durability::PowerLoss, |db| {
                Ok(db.execute("UPDATE volumes SET moving_from = 'one' WHERE name = 'three'", [])?)
            })
            .unwrap();
        fs::rename(root.path().join("volumes/three"), root.path().join("volumes/one")).unwrap();
        drop(store);
        let store = Store::open(root.path()).unwrap();
        let who = store.volumes().data("three").join("who");
        assert_eq!(fs::read_to_string(who).unwrap(), "one");
        assert!(!root.path().join("volumes/one").exists());
    }
}
