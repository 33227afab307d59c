//! Trees of files that COPY takes from or puts upon: roots of layers, and files that were never on a disk.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use archive::walk;
use builder::context::{Entry, Kind, Listing};
use builder::copy::Tree;
use oci::Digest;
use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

/// A folder of the engine's: the root that layers make, mounted where nobody sees it, or something unpacked.
pub struct Folder {
    root: OwnedFd,
    /// Most look-ups are in the folder of the one before.
    last: RefCell<Option<(PathBuf, OwnedFd)>>,
}

impl Folder {
    pub fn new(root: OwnedFd) -> Self {
        Self { root, last: RefCell::new(None) }
    }

    pub fn root(&self) -> &OwnedFd {
        &self.root
    }

    pub fn open(&self, path: &Path) -> io::Result<File> {
        builder::context::open(self.root.as_fd(), path)
    }

    /// The digest of a file's content.
    pub fn hash(&self, path: &Path) -> io::Result<Digest> {
        let mut hash = Sha256::new();
        let mut file = self.open(path)?;
        let mut buffer = vec![0; 128 << 10];
        loop {
            match file.read(&mut buffer)? {
                0 => return Ok(Digest::from_sha256(hash.finalize().into())),
                count => hash.update(&buffer[..count]),
            }
        }
    }

    fn within<T>(
        &self,
        folder: &Path,
        look: impl FnOnce(&OwnedFd) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let mut last = self.last.borrow_mut();
        let opened = match last.take() {
            Some((path, opened)) if path == folder => opened,
            _ => match walk::open_directory(self.root.as_fd(), folder) {
                Ok(opened) => opened,
                Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(None),
                Err(error) => return Err(error.into()),
            },
        };
        let result = look(&opened);
        *last = Some((folder.to_owned(), opened));
        result.map(Some)
    }
}

impl Tree for Folder {
    fn entry(&self, path: &Path) -> io::Result<Option<Entry>> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(None);
        };
        let found = self.within(parent, |folder| {
            let stat = match rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT | Errno::NOTDIR) => return Ok(None),
                stat => stat?,
            };
            let kind = match FileType::from_raw_mode(stat.st_mode) {
                FileType::Directory => Kind::Directory,
                FileType::RegularFile => {
                    Kind::File { size: stat.st_size.cast_unsigned(), digest: None }
                }
                FileType::Symlink => {
                    let target = rustix::fs::readlinkat(folder, name, Vec::new())?;
                    Kind::Symlink { target: OsString::from_vec(target.into_bytes()).into() }
                }
                // What a layer without another below leaves of a file that it hides.
                FileType::CharacterDevice if stat.st_rdev == 0 => return Ok(None),
                other => Kind::Special { kind: other.as_raw_mode(), device: stat.st_rdev },
            };
            let xattrs = match kind {
                Kind::Directory | Kind::File { .. } => {
                    let flags =
                        OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
                    let opened = rustix::fs::openat(folder, name, flags, Mode::empty())?;
                    archive::pack::xattrs(opened.as_fd())?
                }
                _ => Vec::new(),
            };
            Ok(Some(entry(path, kind, &stat, xattrs)))
        })?;
        Ok(found.flatten())
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        Ok(self.within(folder, walk::names)?.unwrap_or_default())
    }
}

fn entry(path: &Path, kind: Kind, stat: &Stat, xattrs: Vec<(Vec<u8>, Vec<u8>)>) -> Entry {
    let text = |(name, value): (Vec<u8>, Vec<u8>)| (String::from_utf8_lossy(&name).into(), value);
    let nanoseconds = i64::try_from(stat.st_mtime_nsec).unwrap_or(0);
    Entry {
        path: path.to_owned(),
        kind,
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        modified: stat.st_mtime.saturating_mul(1_000_000_000).saturating_add(nanoseconds),
        xattrs: xattrs.into_iter().map(text).collect(),
    }
}

/// Files that stand in a Dockerfile, or were fetched for it.
pub struct Inline {
    pub listing: Listing,
    bytes: BTreeMap<PathBuf, Vec<u8>>,
}

impl Inline {
    pub fn new(files: &BTreeMap<String, String>) -> Self {
        let (mut listing, mut bytes) = (Listing::default(), BTreeMap::new());
        for (name, content) in files {
            let digest = Digest::from_sha256(Sha256::digest(content).into());
            let kind = Kind::File { size: content.len() as u64, digest: Some(digest) };
            listing.entries.push(Entry {
                path: name.into(),
                kind,
                mode: 0o644,
                uid: 0,
                gid: 0,
                modified: 0,
                xattrs: Vec::new(),
            });
            bytes.insert(name.into(), content.clone().into_bytes());
        }
        Self { listing, bytes }
    }

    pub fn bytes(&self, path: &Path) -> &[u8] {
        self.bytes.get(path).map(Vec::as_slice).unwrap_or_default()
    }
}
