//! `diff`: what a container changed, read off its upper directory.
//!
//! A directory counts as changed if something below it did or its own owner or mode did; its time alone says nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use archive::{pack, walk};
use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;
use sys::overlay::Overlay;

use super::{MARK, Snapshot};
use crate::error::{Error, Result};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChangeKind {
    Modified,
    Added,
    Deleted,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Absolute inside the container.
    pub path: PathBuf,
    pub kind: ChangeKind,
}

impl Snapshot<'_> {
    /// Sorted by path.
    pub fn changes(&self) -> Result<Vec<Change>> {
        let failed = |error| Error::io(format!("changes of container {}", self.container), error);
        let lower =
            Overlay { lower: self.lower(), ..Overlay::default() }.mount().map_err(failed)?;
        let upper = self.open_upper()?;
        let stubs = stubs(&upper, &lower, &[MARK.into()]).map_err(failed)?;
        let mut comparison = Comparison { upper, lower, found: BTreeMap::new() };
        comparison.run().map_err(failed)?;
        comparison.found.retain(|path, _| !stubs.contains(path));
        comparison.mark_directories_above();
        let change = |(path, kind)| Change { path: Path::new("/").join(path), kind };
        Ok(comparison.found.into_iter().map(change).collect())
    }

    /// The changes as the tar of a layer.
    pub(crate) fn write_layer(&self, out: &mut dyn Write) -> Result<()> {
        let failed = |error| Error::io("read the container's changes", error);
        let lower =
            Overlay { lower: self.lower(), ..Overlay::default() }.mount().map_err(failed)?;
        let upper = self.open_upper()?;
        let stubs = stubs(&upper, &lower, &[MARK.into()]).map_err(failed)?;
        pack::write_layer(&upper, &stubs, out).map_err(failed)
    }
}

/// Where something is mounted in every container.
const PLACES: [&str; 6] = ["dev", "proc", "sys", "etc/hostname", "etc/hosts", "etc/resolv.conf"];

/// What is in the upper directory only to be mounted on, there or at `others`, relative to the root: Docker has it in a
/// layer of its own below, and so among no changes. The directories above go with it where nothing else is in them.
pub(crate) fn stubs(
    upper: &OwnedFd,
    lower: &OwnedFd,
    others: &[PathBuf],
) -> io::Result<BTreeSet<PathBuf>> {
    let mut stubs = BTreeSet::new();
    let places = || PLACES.map(Path::new).into_iter().chain(others.iter().map(PathBuf::as_path));
    for place in places() {
        if stat(lower, place).is_none() && is_empty(upper, place)? {
            stubs.insert(place.to_owned());
        }
    }
    for place in places() {
        for above in place.ancestors().skip(1).take_while(|path| !path.as_os_str().is_empty()) {
            if !is_made_for(upper, lower, above, &stubs)? {
                break;
            }
            stubs.insert(above.to_owned());
        }
    }
    Ok(stubs)
}

/// Whether a directory is in the upper tree only for what is to be mounted on in it.
fn is_made_for(
    upper: &OwnedFd,
    lower: &OwnedFd,
    path: &Path,
    stubs: &BTreeSet<PathBuf>,
) -> io::Result<bool> {
    let Some(is) = stat(upper, path).filter(is_directory) else { return Ok(false) };
    let directory = walk::open_directory(upper.as_fd(), path)?;
    let made = walk::names(&directory)?.iter().all(|name| stubs.contains(&path.join(name)));
    let unchanged = stat(lower, path).is_none_or(|was| !differs(&is, &was));
    Ok(made && unchanged && !pack::is_opaque(directory.as_fd()))
}

fn is_empty(root: &OwnedFd, path: &Path) -> io::Result<bool> {
    match stat(root, path) {
        None => Ok(false),
        Some(stat) if is_directory(&stat) => {
            Ok(walk::names(&walk::open_directory(root.as_fd(), path)?)?.is_empty())
        }
        Some(stat) => {
            let is_file = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
            Ok(is_file && stat.st_size == 0)
        }
    }
}

fn stat(root: &OwnedFd, path: &Path) -> Option<Stat> {
    let parent = walk::open_directory(root.as_fd(), path.parent()?).ok()?;
    rustix::fs::statat(&parent, path.file_name()?, AtFlags::SYMLINK_NOFOLLOW).ok()
}

struct Comparison {
    upper: OwnedFd,
    lower: OwnedFd,
    /// By path relative to the root.
    found: BTreeMap<PathBuf, ChangeKind>,
}

impl Comparison {
    fn run(&mut self) -> io::Result<()> {
        let mut pending = vec![PathBuf::new()];
        while let Some(path) = pending.pop() {
            match walk::open_directory(self.upper.as_fd(), &path) {
                // Removed while the tree was read.
                Err(Errno::NOENT | Errno::NOTDIR) => {}
                upper => pending.extend(self.directory(&upper?, &path)?),
            }
        }
        Ok(())
    }

    /// Compares one directory of the upper tree with the same one below, where there is one. Returns those in it.
    fn directory(&mut self, upper: &OwnedFd, path: &Path) -> io::Result<Vec<PathBuf>> {
        let lower = walk::open_directory(self.lower.as_fd(), path).ok();
        let names = walk::names(upper)?;
        let mut directories = Vec::new();
        for name in &names {
            let stat = match rustix::fs::statat(upper, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                result => result?,
            };
            let below = lower
                .as_ref()
                .and_then(|lower| rustix::fs::statat(lower, name, AtFlags::SYMLINK_NOFOLLOW).ok());
            if let Some(kind) = change(&stat, below.as_ref()) {
                self.found.insert(path.join(name), kind);
            }
            if is_directory(&stat) {
                directories.push(path.join(name));
            }
        }
        if let (Some(lower), true) = (lower, pack::is_opaque(upper.as_fd())) {
            let all = walk::names(&lower)?.into_iter();
            let hidden = all.filter(|name| names.binary_search(name).is_err());
            self.found.extend(hidden.map(|name| (path.join(name), ChangeKind::Deleted)));
        }
        Ok(directories)
    }

    fn mark_directories_above(&mut self) {
        let found: Vec<PathBuf> = self.found.keys().cloned().collect();
        for path in found {
            let above = path.ancestors().skip(1).take_while(|above| !above.as_os_str().is_empty());
            for above in above {
                if self.found.contains_key(above) {
                    break;
                }
                self.found.insert(above.to_owned(), ChangeKind::Modified);
            }
        }
    }
}

/// What became of one name.
fn change(stat: &Stat, below: Option<&Stat>) -> Option<ChangeKind> {
    match below {
        below if pack::is_whiteout(stat) => below.map(|_| ChangeKind::Deleted),
        None => Some(ChangeKind::Added),
        Some(below) => differs(stat, below).then_some(ChangeKind::Modified),
    }
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn differs(new: &Stat, old: &Stat) -> bool {
    let owner = |stat: &Stat| (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_rdev);
    let content = |stat: &Stat| (stat.st_mtime, stat.st_mtime_nsec, stat.st_size);
    owner(new) != owner(old) || (!is_directory(new) && content(new) != content(old))
}
