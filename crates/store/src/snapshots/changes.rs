//! What differs between a container and its image, read off the writable layer alone.

use std::collections::HashSet;
use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, Stat};

use super::walk::{Object, walk};

/// As the Engine API numbers them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChangeKind {
    Modified = 0,
    Added = 1,
    Deleted = 2,
}

/// One line of `docker diff`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub kind: ChangeKind,
    /// Absolute, in the container.
    pub path: PathBuf,
}

/// Everything in the writable layer `upper` that differs from the image's root `base`. A directory is listed when it
/// changed itself, or when something in it did.
pub(super) fn list(upper: BorrowedFd<'_>, base: Option<BorrowedFd<'_>>) -> io::Result<Vec<Change>> {
    let mut list = List::default();
    walk(upper, &mut |object| {
        if let Some(kind) = kind_of(object, base)? {
            list.add(kind, object.path);
        }
        Ok(())
    })?;
    Ok(list.changes)
}

/// Bytes of all files, hard links counted once.
pub(super) fn size(upper: BorrowedFd<'_>) -> io::Result<u64> {
    let (mut size, mut linked) = (0_u64, HashSet::new());
    walk(upper, &mut |object| {
        let stat = object.stat;
        let counts = object.kind().is_file()
            && (stat.st_nlink == 1 || linked.insert((stat.st_dev, stat.st_ino)));
        size = size.saturating_add(if counts { stat.st_size.cast_unsigned() } else { 0 });
        Ok(())
    })?;
    Ok(size)
}

#[derive(Default)]
struct List {
    changes: Vec<Change>,
    listed: HashSet<PathBuf>,
}

impl List {
    fn add(&mut self, kind: ChangeKind, path: &Path) {
        let parents: Vec<&Path> =
            path.ancestors().skip(1).filter(|p| !p.as_os_str().is_empty()).collect();
        for parent in parents.into_iter().rev() {
            self.push(ChangeKind::Modified, parent);
        }
        self.push(kind, path);
    }

    fn push(&mut self, kind: ChangeKind, path: &Path) {
        if self.listed.insert(path.to_owned()) {
            self.changes.push(Change { kind, path: Path::new("/").join(path) });
        }
    }
}

fn kind_of(object: &Object<'_>, base: Option<BorrowedFd<'_>>) -> io::Result<Option<ChangeKind>> {
    if object.is_whiteout() {
        return Ok(Some(ChangeKind::Deleted));
    }
    let below = match base {
        Some(base) => stat_below(base, object.path)?,
        None => None,
    };
    Ok(match below {
        None => Some(ChangeKind::Added),
        // Copied up as the parent of a change, perhaps, and no more.
        Some(below) if is_same_directory(object.stat, &below) => None,
        Some(_) => Some(ChangeKind::Modified),
    })
}

fn is_same_directory(upper: &Stat, below: &Stat) -> bool {
    let is_dir = |stat: &Stat| FileType::from_raw_mode(stat.st_mode).is_dir();
    let same =
        |stat: &Stat| (stat.st_mode, stat.st_uid, stat.st_gid, stat.st_mtime, stat.st_mtime_nsec);
    is_dir(upper) && is_dir(below) && same(upper) == same(below)
}

fn stat_below(base: BorrowedFd<'_>, path: &Path) -> io::Result<Option<Stat>> {
    match sys::path::open_in_root(base, path, OFlags::PATH | OFlags::NOFOLLOW, Mode::empty()) {
        Ok(place) => Ok(Some(rustix::fs::fstat(place)?)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(None)
        }
        Err(e) => Err(e),
    }
}
