//! The storage in a folder. What is visible is whole: files are written in `staging` or `uploads`, synced, and renamed
//! to their place. Work on files is done on threads that may block.

use std::fs::{self, File, FileTimes};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;

use super::layout::{self, Key};
use super::locks::Locks;
use super::names::UploadId;

/// Of a file that is read whole: a manifest and its media type are the largest.
const MAX_SMALL: u64 = (oci::manifest::MAX_BYTES + 1024) as u64;
/// What a folder says about itself; other layouts are refused.
const MARK: &str = "gantry-registry-1\n";

#[derive(Clone)]
pub(super) struct Directory {
    root: Arc<Path>,
    locks: Locks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    File,
    Folder,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Facts {
    pub(super) size: u64,
    pub(super) modified: SystemTime,
}

impl Directory {
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        for folder in ["blobs", layout::REPOSITORIES, "uploads", "staging"] {
            fs::create_dir_all(root.join(folder))?;
        }
        let mark = root.join("layout");
        match fs::read_to_string(&mark) {
            Ok(found) if found == MARK => {}
            Ok(_) => return Err(io::Error::other("the folder's layout is of another version")),
            Err(error) if error.kind() == ErrorKind::NotFound => fs::write(&mark, MARK)?,
            Err(error) => return Err(error),
        }
        Ok(Self { root: root.into(), locks: Locks::open(&root.join("lock"))? })
    }

    pub(super) fn locks(&self) -> &Locks {
        &self.locks
    }

    pub(super) fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    pub(super) fn open_file(&self, key: &Key) -> io::Result<Option<File>> {
        present(File::open(self.path(key)))
    }

    pub(super) fn read(&self, key: &Key) -> io::Result<Option<Bytes>> {
        let Some(file) = present(File::open(self.path(key)))? else { return Ok(None) };
        let mut bytes = Vec::new();
        file.take(MAX_SMALL + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > MAX_SMALL {
            return Err(io::Error::other(format!("{} is too large", key.as_str())));
        }
        Ok(Some(bytes.into()))
    }

    pub(super) fn facts(&self, key: &Key) -> io::Result<Option<Facts>> {
        let Some(metadata) = present(fs::metadata(self.path(key)))? else { return Ok(None) };
        Ok(Some(Facts { size: metadata.len(), modified: metadata.modified()? }))
    }

    /// The names one level below, sorted.
    pub(super) fn list(&self, key: &Key) -> io::Result<Vec<(String, Kind)>> {
        let Some(entries) = present(fs::read_dir(self.path(key)))? else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        for entry in entries {
            let entry = entry?;
            let kind = if entry.file_type()?.is_dir() { Kind::Folder } else { Kind::File };
            // A name that is no text is none of ours.
            found.extend(entry.file_name().into_string().ok().map(|name| (name, kind)));
        }
        found.sort();
        Ok(found)
    }

    /// A whole file in place of what was there, if anything: synced, and its name too, with all that was done before.
    pub(super) fn write(&self, key: &Key, parts: &[&[u8]]) -> io::Result<()> {
        let staged = self.path(&layout::staged(&UploadId::random()?));
        let written = File::create_new(&staged).and_then(|mut file| {
            parts.iter().try_for_each(|part| file.write_all(part))?;
            file.sync_data()
        });
        written.and_then(|()| self.place(&staged, key)).inspect_err(|_| {
            // What cannot be removed now is swept later.
            let _ = fs::remove_file(&staged);
        })
    }

    /// As `write`, of what need not outlive the machine.
    pub(super) fn write_unsynced(&self, key: &Key, bytes: &[u8]) -> io::Result<()> {
        let staged = self.path(&layout::staged(&UploadId::random()?));
        fs::write(&staged, bytes)?;
        fs::rename(staged, self.path(key))
    }

    /// Renames a file that is synced to its place.
    pub(super) fn place(&self, staged: &Path, key: &Key) -> io::Result<()> {
        let path = self.path(key);
        let folder = path.parent().unwrap_or(&self.root);
        if let Err(error) = fs::rename(staged, &path) {
            if error.kind() != ErrorKind::NotFound {
                return Err(error);
            }
            fs::create_dir_all(folder)?;
            fs::rename(staged, &path)?;
        }
        File::open(folder)?.sync_all()
    }

    /// An empty file, or the one that is there, with the present time.
    pub(super) fn touch(&self, key: &Key) -> io::Result<()> {
        let path = self.path(key);
        let make = || File::options().create(true).append(true).open(&path);
        let file = make().or_else(|error| {
            if error.kind() != ErrorKind::NotFound {
                return Err(error);
            }
            fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
            make()
        })?;
        file.set_times(FileTimes::new().set_modified(SystemTime::now()))
    }

    /// Gives what is there the present time, so that it is not taken for garbage; whether it is there.
    pub(super) fn renew(&self, key: &Key) -> io::Result<bool> {
        let opened = present(File::options().append(true).open(self.path(key)))?;
        let Some(file) = opened else { return Ok(false) };
        file.set_times(FileTimes::new().set_modified(SystemTime::now()))?;
        Ok(true)
    }

    /// Whether it was there.
    pub(super) fn remove(&self, key: &Key) -> io::Result<bool> {
        Ok(present(fs::remove_file(self.path(key)))?.is_some())
    }

    pub(super) fn remove_folder(&self, key: &Key) -> io::Result<bool> {
        Ok(present(fs::remove_dir_all(self.path(key)))?.is_some())
    }
}

/// `None` of what is not there, a folder on the way to it included.
fn present<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::names::{Repository, Tag};

    #[test]
    fn what_is_written_is_there_and_nothing_is_left_on_its_way() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Directory::open(folder.path()).unwrap();
        let name = Repository::parse("a/b").unwrap();
        let key = layout::tag(&name, &Tag::parse("v1").unwrap());
        assert!(directory.read(&key).unwrap().is_none());
        directory.write(&key, &[b"one", b"two"]).unwrap();
        assert_eq!(directory.read(&key).unwrap().unwrap(), "onetwo");
        assert!(directory.list(&layout::staging()).unwrap().is_empty());
        let tags = directory.list(&layout::tags(&name)).unwrap();
        assert_eq!(tags, [("v1".to_owned(), Kind::File)]);
        assert!(directory.remove(&key).unwrap() && !directory.remove(&key).unwrap());
    }

    #[test]
    fn a_folder_of_another_layout_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        drop(Directory::open(folder.path()).unwrap());
        assert!(Directory::open(folder.path()).is_ok());
        fs::write(folder.path().join("layout"), "gantry-registry-9\n").unwrap();
        assert!(Directory::open(folder.path()).is_err());
    }
}
