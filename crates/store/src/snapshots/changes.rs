//! `diff`: what a container changed, read off its upper directory.
//!
//! A directory counts as changed if something below it did or its own owner or mode did; its time alone says nothing.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use sys::overlay::Overlay;

use super::{Snapshot, tree};
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
        let mut changes = Vec::new();
        compare(&self.open_upper()?, Some(&lower), Path::new("/"), &mut changes).map_err(failed)?;
        changes.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(changes)
    }
}

/// Compares one directory of the upper tree with the same one below, where there is one.
fn compare(
    upper: &OwnedFd,
    lower: Option<&OwnedFd>,
    path: &Path,
    changes: &mut Vec<Change>,
) -> io::Result<()> {
    let names = tree::names(upper)?;
    for name in &names {
        member(upper, lower, name, &path.join(name), changes)?;
    }
    let (Some(lower), true) = (lower, tree::is_opaque(upper.as_fd())) else { return Ok(()) };
    let hidden = tree::names(lower)?.into_iter().filter(|name| names.binary_search(name).is_err());
    changes.extend(hidden.map(|name| Change { path: path.join(name), kind: ChangeKind::Deleted }));
    Ok(())
}

fn member(
    upper: &OwnedFd,
    lower: Option<&OwnedFd>,
    name: &OsStr,
    path: &Path,
    changes: &mut Vec<Change>,
) -> io::Result<()> {
    let stat = rustix::fs::statat(upper, name, AtFlags::SYMLINK_NOFOLLOW)?;
    let below =
        lower.and_then(|lower| rustix::fs::statat(lower, name, AtFlags::SYMLINK_NOFOLLOW).ok());
    let mut tell = |kind| changes.push(Change { path: path.to_owned(), kind });
    if tree::is_whiteout(&stat) {
        if below.is_some() {
            tell(ChangeKind::Deleted);
        }
        return Ok(());
    }
    if !is_directory(&stat) {
        match below {
            None => tell(ChangeKind::Added),
            Some(below) if differs(&stat, &below) => tell(ChangeKind::Modified),
            Some(_) => {}
        }
        return Ok(());
    }
    let before = changes.len();
    let below_directory = match (&below, lower) {
        (Some(stat), Some(lower)) if is_directory(stat) => Some(open(lower, name)?),
        _ => None,
    };
    compare(&open(upper, name)?, below_directory.as_ref(), path, changes)?;
    let kind = match below {
        None => ChangeKind::Added,
        Some(below) if changes.len() > before || differs(&stat, &below) => ChangeKind::Modified,
        Some(_) => return Ok(()),
    };
    changes.push(Change { path: path.to_owned(), kind });
    Ok(())
}

fn open(parent: &OwnedFd, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
}

fn is_directory(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

fn differs(new: &Stat, old: &Stat) -> bool {
    let owner = |stat: &Stat| (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_rdev);
    let content = |stat: &Stat| (stat.st_mtime, stat.st_mtime_nsec, stat.st_size);
    owner(new) != owner(old) || (!is_directory(new) && content(new) != content(old))
}
