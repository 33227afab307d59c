//! Volumes: a row each, and `volumes/<name>/_data`.
//!
//! The row is the truth. It is written first for a volume that begins empty, whose directory is made again where a
//! crash left it out; last for one that begins with content, which is staged, synced and renamed before, and for one
//! that a container is made with and nobody named: that is the container's own transaction, which does not wait for
//! the disk. A removal takes the row, then the directory. So at open a directory without a row is a leftover, unless
//! the host was restarted since the last open: a power loss may have taken the rows of anonymous volumes, whose content
//! somebody may want. They are given rows again.
//!
//! The caller sees to it that one name is changed by one thread at a time.

pub mod copy;
mod rename;

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, DirBuilder, File};
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rusqlite::{OptionalExtension, Transaction};
use rustix::fs::{CWD, RenameFlags};
use serde::{Deserialize, Serialize};

use crate::Store;
use crate::database::Durability;
use crate::error::{Error, Result};
use crate::layers::extract::Notation;
use crate::layers::{disk_size, pipeline, split, sync, sync_directory};
use crate::root::Staged;

const DATA: &str = "_data";
/// Marks volumes that nobody named, as Docker marks them.
pub const ANONYMOUS: &str = "com.docker.volume.anonymous";

#[derive(Clone, Copy)]
pub struct Volumes<'s> {
    store: &'s Store,
}

/// What is known of a volume beside its content. `None` and an empty map are told apart by clients.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Volume {
    #[serde(skip)]
    pub name: String,
    /// Unix seconds.
    pub created: i64,
    pub labels: Option<BTreeMap<String, String>>,
    /// Of the local driver.
    pub options: Option<BTreeMap<String, String>>,
}

/// What a reconciliation may trust in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rows {
    AllThere,
    MayBeLost,
}

/// Content that is being made and that nobody sees.
pub struct StagedVolume {
    staged: Staged,
}

impl Store {
    pub fn volumes(&self) -> Volumes<'_> {
        Volumes { store: self }
    }
}

impl Volumes<'_> {
    /// Sorted by name.
    pub fn all(&self) -> Result<Vec<Volume>> {
        let rows = self.store.database.read(|db| {
            let mut statement =
                db.prepare_cached("SELECT name, document FROM volumes ORDER BY name")?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            Ok(rows.collect::<rusqlite::Result<Vec<(String, Vec<u8>)>>>()?)
        })?;
        rows.into_iter().map(|(name, document)| read(name, &document)).collect()
    }

    pub fn get(&self, name: &str) -> Result<Option<Volume>> {
        let sql = "SELECT document FROM volumes WHERE name = ?1";
        let document: Option<Vec<u8>> = self.store.database.read(|db| {
            Ok(db.prepare_cached(sql)?.query_row([name], |row| row.get(0)).optional()?)
        })?;
        document.map(|document| read(name.to_owned(), &document)).transpose()
    }

    /// A new volume, empty unless content was staged for it.
    pub fn create(&self, volume: &Volume, content: Option<StagedVolume>) -> Result<()> {
        check_name(&volume.name)?;
        let directory = self.directory(&volume.name);
        if self.get(&volume.name)?.is_some() {
            return Err(Error::conflict(format!("volume {} already exists", volume.name)));
        }
        // What a removal left behind that a crash cut short.
        self.store.root.discard(&directory)?;
        match content {
            None => {
                self.insert(volume)?;
                self.ensure(&volume.name).map(drop)
            }
            Some(content) => {
                sync(content.staged.path())?;
                content.staged.rename(&directory)?;
                sync_directory(&self.parent())?;
                self.insert(volume).inspect_err(|_| {
                    // Without its row it is discarded at the next open, if not now.
                    let _ = self.store.root.discard(&directory);
                })
            }
        }
    }

    fn insert(&self, volume: &Volume) -> Result<()> {
        self.store.write(Durability::PowerLoss, |transaction| insert(transaction, volume))
    }

    /// Whether there was one. Its directory is out of sight afterwards; deleting it goes on behind.
    pub fn remove(&self, name: &str) -> Result<bool> {
        check_name(name)?;
        let removed =
            self.store.write(Durability::PowerLoss, |transaction| delete(transaction, name))?;
        self.discard(name)?;
        Ok(removed)
    }

    /// Takes the directory of one that has no row out of sight.
    pub fn discard(&self, name: &str) -> Result<()> {
        check_name(name)?;
        self.store.root.discard(&self.directory(name))?;
        self.store.maintenance.wake();
        Ok(())
    }

    /// Where its content lies; made where a power loss has left it out.
    pub fn ensure(&self, name: &str) -> Result<PathBuf> {
        let data = self.data(name);
        if !data.is_dir() {
            make_data(&self.directory(name))?;
        }
        Ok(data)
    }

    /// What it may hold at most, in bytes. It was empty when it was limited first.
    pub fn limit(&self, name: &str, bytes: u64) -> Result<()> {
        self.store.confine(&[&self.data(name)], bytes)
    }

    /// As `limit`, of content that is empty yet.
    pub fn limit_staged(&self, content: &StagedVolume, bytes: u64) -> Result<()> {
        self.store.confine(&[&content.data()], bytes)
    }

    pub fn data(&self, name: &str) -> PathBuf {
        self.directory(name).join(DATA)
    }

    /// An empty content, to be filled.
    pub fn stage(&self) -> Result<StagedVolume> {
        let staged = self.store.root.stage()?;
        make_data(staged.path())?;
        Ok(StagedVolume { staged })
    }

    /// Puts staged content in the place of an empty one, in one step. Not synced: a container's first start need not
    /// wait for the disk.
    pub fn fill(&self, name: &str, content: StagedVolume) -> Result<()> {
        let data = self.ensure(name)?;
        fs::rename(content.data(), &data)
            .map_err(|error| Error::io(format!("fill {}", data.display()), error))
    }

    /// Puts staged content in the place of the volume's, in one step. What was there is deleted.
    pub fn replace(&self, name: &str, content: StagedVolume) -> Result<()> {
        let data = self.ensure(name)?;
        sync(content.staged.path())?;
        let staged = content.staged.path().join(DATA);
        rustix::fs::renameat_with(CWD, &staged, CWD, &data, RenameFlags::EXCHANGE)
            .map_err(|error| Error::io(format!("replace {}", data.display()), error))?;
        sync_directory(&self.directory(name))?;
        self.store.root.discard(content.staged.path())?;
        self.store.maintenance.wake();
        Ok(())
    }

    /// Bytes of its files, each once.
    pub fn size(&self, name: &str) -> Result<u64> {
        disk_size(&self.data(name)).map_err(|error| Error::io(format!("size of {name}"), error))
    }

    /// As a tar: owner and mode of the top included.
    pub fn export(&self, name: &str, out: &mut dyn Write) -> Result<()> {
        let failed = |error| Error::io(format!("export of volume {name}"), error);
        let data = File::open(self.ensure(name)?).map_err(failed)?;
        archive::pack::write_directory(data.as_fd(), b".", out).map_err(failed)
    }

    /// Unpacks a tar, compressed or not, that may come from anybody.
    pub fn import(&self, source: &mut dyn Read) -> Result<StagedVolume> {
        let staged = self.store.root.stage()?;
        let limits = self.store.limits;
        pipeline::unpack(source, staged.path(), limits, Notation::Plain, &mut |_| {})?;
        let unpacked = staged.path().join(split::DIFF);
        fs::rename(unpacked, staged.path().join(DATA))
            .map_err(|error| Error::io("import volume", error))?;
        split::forget(staged.path()).map_err(|error| Error::io("import volume", error))?;
        Ok(StagedVolume { staged })
    }

    fn parent(&self) -> PathBuf {
        self.store.root.path().join("volumes")
    }

    fn directory(&self, name: &str) -> PathBuf {
        self.parent().join(name)
    }

    /// At open; see the module's doc.
    pub(crate) fn reconcile(&self, rows: Rows) -> Result<()> {
        self.finish_renames()?;
        let known: HashSet<String> = self.all()?.into_iter().map(|volume| volume.name).collect();
        let parent = self.parent();
        let entries = fs::read_dir(&parent)
            .map_err(|error| Error::io(parent.display().to_string(), error))?;
        for entry in entries.flatten() {
            match entry.file_name().to_str() {
                Some(name) if known.contains(name) => {}
                Some(name)
                    if rows == Rows::MayBeLost
                        && is_anonymous_name(name)
                        && entry.path().join(DATA).is_dir() =>
                {
                    self.insert(&Volume {
                        name: name.to_owned(),
                        created: crate::leases::now(),
                        labels: Some([(ANONYMOUS.to_owned(), String::new())].into()),
                        options: None,
                    })?;
                }
                _ => self.store.root.discard(&entry.path())?,
            }
        }
        Ok(())
    }
}

pub(crate) fn insert(transaction: &Transaction<'_>, volume: &Volume) -> Result<()> {
    let sql = "INSERT OR IGNORE INTO volumes (name, document) VALUES (?1, ?2)";
    match transaction.prepare_cached(sql)?.execute((&volume.name, write(volume)?))? {
        0 => Err(Error::conflict(format!("volume {} already exists", volume.name))),
        _ => Ok(()),
    }
}

/// Whether there was one.
pub(crate) fn delete(transaction: &Transaction<'_>, name: &str) -> Result<bool> {
    let sql = "DELETE FROM volumes WHERE name = ?1";
    Ok(transaction.prepare_cached(sql)?.execute([name])? > 0)
}

impl StagedVolume {
    pub fn data(&self) -> PathBuf {
        self.staged.path().join(DATA)
    }
}

/// 64 hexadecimal digits.
fn is_anonymous_name(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Names become directories.
fn check_name(name: &str) -> Result<()> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
    let first = name.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric);
    if first && name.len() <= 255 && name.bytes().all(plain) {
        return Ok(());
    }
    Err(Error::invalid(format!("invalid volume name {name:?}")))
}

/// What containers see is `_data`; the directories above are closed to all but the engine.
fn make_data(directory: &Path) -> Result<()> {
    let data = directory.join(DATA);
    let made = DirBuilder::new().recursive(true).mode(0o755).create(&data);
    made.map_err(|error| Error::io(format!("create {}", data.display()), error))
}

fn read(name: String, document: &[u8]) -> Result<Volume> {
    let volume: Volume = serde_json::from_slice(document)
        .map_err(|error| Error::system(format!("record of volume {name}: {error}")))?;
    Ok(Volume { name, ..volume })
}

fn write(volume: &Volume) -> Result<Vec<u8>> {
    serde_json::to_vec(volume)
        .map_err(|error| Error::system(format!("record of volume {}: {error}", volume.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    fn volume(name: &str) -> Volume {
        let labels = Some([("k".to_owned(), "v".to_owned())].into());
        Volume { name: name.into(), created: 7, labels, options: None }
    }

    #[test]
    fn volumes_are_there_after_the_store_is_opened_again() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        store.volumes().create(&volume("data"), None).unwrap();
        fs::write(store.volumes().data("data").join("file"), "content").unwrap();
        let again = store.volumes().create(&volume("data"), None);
        assert_eq!(again.unwrap_err().kind(), Kind::Conflict);
        drop(store);
        let store = Store::open(root.path()).unwrap();
        assert_eq!(store.volumes().all().unwrap(), [volume("data")]);
        assert!(store.volumes().data("data").join("file").exists());
        assert!(store.volumes().remove("data").unwrap());
        assert!(!store.volumes().remove("data").unwrap());
        assert!(!root.path().join("volumes/data").exists());
    }

    #[test]
    fn a_directory_without_a_row_goes_unless_a_power_loss_may_have_taken_the_row() {
        let root = tempfile::tempdir().unwrap();
        drop(Store::open(root.path()).unwrap());
        let anonymous = "a".repeat(64);
        let left = || {
            for name in ["half", &anonymous, ".making-x"] {
                fs::create_dir_all(root.path().join("volumes").join(name).join(DATA)).unwrap();
            }
            let store = Store::open(root.path()).unwrap();
            let volumes = store.volumes().all().unwrap();
            let names: Vec<_> = volumes.into_iter().map(|volume| volume.name).collect();
            let entries = fs::read_dir(root.path().join("volumes")).unwrap().flatten();
            let directories: Vec<_> = entries.map(|entry| entry.file_name()).collect();
            assert_eq!(directories, names.iter().map(std::ffi::OsString::from).collect::<Vec<_>>());
            names
        };
        assert_eq!(left(), Vec::<String>::new());
        fs::write(root.path().join("last-boot"), "another").unwrap();
        assert_eq!(left(), std::slice::from_ref(&anonymous));
        assert_eq!(left(), [anonymous], "a row that is there stays");
    }

    #[test]
    fn a_directory_that_power_loss_took_is_made_again() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        store.volumes().create(&volume("data"), None).unwrap();
        fs::remove_dir_all(root.path().join("volumes/data")).unwrap();
        assert!(store.volumes().ensure("data").unwrap().is_dir());
    }

    #[test]
    fn content_is_replaced_as_a_whole() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let volumes = store.volumes();
        volumes.create(&volume("data"), None).unwrap();
        fs::write(volumes.data("data").join("old"), "").unwrap();
        let staged = volumes.stage().unwrap();
        fs::write(staged.data().join("new"), "").unwrap();
        volumes.replace("data", staged).unwrap();
        assert!(volumes.data("data").join("new").exists());
        assert!(!volumes.data("data").join("old").exists());
    }

    #[test]
    fn what_is_exported_is_imported_with_names_that_mean_whiteouts_elsewhere() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let volumes = store.volumes();
        volumes.create(&volume("data"), None).unwrap();
        let data = volumes.data("data");
        fs::write(data.join(".wh.file"), "plain").unwrap();
        fs::hard_link(data.join(".wh.file"), data.join("second")).unwrap();
        rustix::fs::chmod(&data, 0o1770.into()).unwrap();
        let mut tar = Vec::new();
        volumes.export("data", &mut tar).unwrap();
        let staged = volumes.import(&mut tar.as_slice()).unwrap();
        volumes.create(&volume("copy"), Some(staged)).unwrap();
        let copy = volumes.data("copy");
        assert_eq!(fs::read_to_string(copy.join(".wh.file")).unwrap(), "plain");
        use std::os::unix::fs::MetadataExt;
        assert_eq!(fs::metadata(copy.join("second")).unwrap().nlink(), 2);
        assert_eq!(fs::metadata(&copy).unwrap().mode() & 0o7777, 0o1770);
        let entries = fs::read_dir(copy.parent().unwrap()).unwrap().count();
        assert_eq!(entries, 1);
    }

    #[test]
    fn a_name_that_is_a_path_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        for name in ["", ".", "..", "../x", "a/b", "/etc", "-a", "a\0b"] {
            assert!(store.volumes().create(&volume(name), None).is_err(), "{name:?}");
            assert!(store.volumes().remove(name).is_err(), "{name:?}");
        }
    }
}
