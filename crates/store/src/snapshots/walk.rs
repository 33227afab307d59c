//! Walking a tree that a container may be changing meanwhile: by descriptors, never following a link, in an order that
//! depends on names alone.

use std::ffi::{CStr, CString, OsStr};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

/// One object of the tree.
pub(super) struct Object<'a> {
    /// Relative to the root.
    pub(super) path: &'a Path,
    pub(super) stat: &'a Stat,
    parent: BorrowedFd<'a>,
    name: &'a CStr,
}

/// Calls `visit` for everything below `root`, a directory before what it contains. What vanishes meanwhile is passed over.
pub(super) fn walk(
    root: BorrowedFd<'_>,
    visit: &mut dyn FnMut(&Object<'_>) -> io::Result<()>,
) -> io::Result<()> {
    // Names wait on a stack of our own, without descriptors: a tree may be deeper than a process may have of those.
    let mut pending = match Level::open(root, PathBuf::new())? {
        Some(level) => vec![level],
        None => return Ok(()),
    };
    while let Some(level) = pending.last_mut() {
        let Some(name) = level.names.pop() else {
            pending.pop();
            continue;
        };
        let Some(directory) = level.descriptor(root)? else {
            pending.pop();
            continue;
        };
        let Some(stat) = present(rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW))?
        else {
            continue;
        };
        let path = level.path.join(OsStr::from_bytes(name.to_bytes()));
        visit(&Object { path: &path, stat: &stat, parent: directory.as_fd(), name: &name })?;
        if FileType::from_raw_mode(stat.st_mode).is_dir() {
            level.directory = None;
            pending.extend(Level::open(root, path)?);
        } else {
            level.directory = Some(directory);
        }
    }
    Ok(())
}

/// A directory on the way and what is still to be visited in it, last name first.
struct Level {
    path: PathBuf,
    names: Vec<CString>,
    /// Closed while something below is visited.
    directory: Option<OwnedFd>,
}

impl Level {
    fn open(root: BorrowedFd<'_>, path: PathBuf) -> io::Result<Option<Self>> {
        let mut level = Self { path, names: Vec::new(), directory: None };
        let Some(directory) = level.descriptor(root)? else { return Ok(None) };
        for entry in Dir::read_from(&directory)? {
            let name = entry?.file_name().to_owned();
            if !matches!(name.to_bytes(), b"." | b"..") {
                level.names.push(name);
            }
        }
        level.names.sort_unstable_by(|a, b| b.cmp(a));
        level.directory = Some(directory);
        Ok(Some(level))
    }

    fn descriptor(&mut self, root: BorrowedFd<'_>) -> io::Result<Option<OwnedFd>> {
        if let Some(directory) = self.directory.take() {
            return Ok(Some(directory));
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
        match sys::path::open_in_root(root, &self.path, flags, Mode::empty()) {
            Ok(directory) => Ok(Some(directory)),
            Err(e) if is_gone(&e) => Ok(None),
            Err(e) => Err(e),
        }
    }
}

impl Object<'_> {
    pub(super) fn kind(&self) -> FileType {
        FileType::from_raw_mode(self.stat.st_mode)
    }

    /// A whiteout of an overlay: the name is removed from what lies below.
    pub(super) fn is_whiteout(&self) -> bool {
        self.kind() == FileType::CharacterDevice && self.stat.st_rdev == 0
    }

    /// Opens a regular file or a directory for reading; `None` if it has become something else.
    pub(super) fn open(&self) -> io::Result<Option<OwnedFd>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let Some(file) = present(rustix::fs::openat(self.parent, self.name, flags, Mode::empty()))?
        else {
            return Ok(None);
        };
        let stat = rustix::fs::fstat(&file)?;
        let same = (stat.st_dev, stat.st_ino) == (self.stat.st_dev, self.stat.st_ino);
        Ok(same.then_some(file))
    }

    /// Where a symbolic link points.
    pub(super) fn target(&self) -> io::Result<Vec<u8>> {
        Ok(rustix::fs::readlinkat(self.parent, self.name, Vec::new())?.into_bytes())
    }
}

fn present<T>(result: rustix::io::Result<T>) -> io::Result<Option<T>> {
    match result.map_err(io::Error::from) {
        Ok(value) => Ok(Some(value)),
        Err(e) if is_gone(&e) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Removed, or replaced by something of another kind, since its name was read.
fn is_gone(error: &io::Error) -> bool {
    matches!(
        Errno::from_io_error(error),
        Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP | Errno::NXIO)
    )
}
