//! Writes a directory tree as a tar. Everything is opened from its parent's descriptor without following links:
//! a running container may change the tree meanwhile.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};

use crate::tar::{Entry, Kind, Time, writer};
use crate::walk;

const MAX_XATTR: usize = 64 << 10;
const OPAQUE_XATTR: &str = "trusted.overlay.opaque";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Whiteouts and opaque directories in the notation of image layers.
    Layer,
    Plain,
}

/// An upper directory as the tar of an image layer.
pub(crate) fn write_layer(upper: &OwnedFd, out: &mut dyn Write) -> io::Result<()> {
    write(upper, Style::Layer, out)
}

pub(crate) fn write_plain(root: &OwnedFd, out: &mut dyn Write) -> io::Result<()> {
    write(root, Style::Plain, out)
}

fn write(root: &OwnedFd, style: Style, out: &mut dyn Write) -> io::Result<()> {
    let root = walk::open_directory(root.as_fd(), Path::new(""))?;
    let pending = below(&root, Path::new(""))?;
    let mut tree = Tree { root, style, out, links: HashMap::new(), pending, parent: None };
    while let Some(path) = tree.pending.pop() {
        match tree.member(&path) {
            // Removed while the tree was read.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            result => result?,
        }
    }
    writer::finish(tree.out)
}

struct Tree<'o> {
    root: OwnedFd,
    style: Style,
    out: &'o mut dyn Write,
    /// First path of each inode that has several names.
    links: HashMap<(u64, u64), PathBuf>,
    /// What is still to be written, the next one last.
    pending: Vec<PathBuf>,
    /// The directory of the last member: most members share it with the one before.
    parent: Option<(PathBuf, OwnedFd)>,
}

/// What a directory holds, in the order of [`Tree::pending`].
fn below(directory: &OwnedFd, path: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(walk::names(directory)?.into_iter().rev().map(|name| path.join(name)).collect())
}

impl Tree<'_> {
    fn member(&mut self, path: &Path) -> io::Result<()> {
        let (place, parent) = self.enter(path.parent().unwrap_or(Path::new("")))?;
        let result = self.write_member(&parent, path.file_name().unwrap_or_default(), path);
        self.parent = Some((place, parent));
        result
    }

    fn enter(&mut self, place: &Path) -> io::Result<(PathBuf, OwnedFd)> {
        match self.parent.take() {
            Some(parent) if parent.0 == place => Ok(parent),
            _ => Ok((place.to_owned(), walk::open_directory(self.root.as_fd(), place)?)),
        }
    }

    fn write_member(&mut self, parent: &OwnedFd, name: &OsStr, path: &Path) -> io::Result<()> {
        let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
        if self.style == Style::Layer && is_whiteout(&stat) {
            return self.whiteout(path);
        }
        let Some(kind) = kind(&stat) else { return Ok(()) };
        let mut entry = entry(kind, path, &stat);
        if kind != Kind::Directory && stat.st_nlink > 1 {
            let first =
                self.links.entry((stat.st_dev, stat.st_ino)).or_insert_with(|| path.to_owned());
            if first != path {
                (entry.kind, entry.size) = (Kind::HardLink, 0);
                entry.link = first.as_os_str().as_bytes().to_vec();
                return writer::write_header(self.out, &entry);
            }
        }
        match kind {
            Kind::File => self.file(parent, name, entry),
            Kind::Directory => self.directory(parent, name, path, entry),
            Kind::Symlink => {
                entry.link = rustix::fs::readlinkat(parent, name, Vec::new())?.into_bytes();
                writer::write_header(self.out, &entry)
            }
            _ => writer::write_header(self.out, &entry),
        }
    }

    fn file(&mut self, parent: &OwnedFd, name: &OsStr, mut entry: Entry) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(parent, name, flags, Mode::empty())?);
        // Of the file that is open, whatever the name meant before.
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::ErrorKind::NotFound.into());
        }
        entry.size = stat.st_size.cast_unsigned();
        entry.xattrs = xattrs(file.as_fd())?;
        writer::write_header(self.out, &entry)?;
        let copied = io::copy(&mut (&file).take(entry.size), self.out)?;
        // Shrunk meanwhile: the header has promised more.
        io::copy(&mut io::repeat(0).take(entry.size - copied), self.out)?;
        writer::pad(self.out, entry.size)
    }

    fn directory(
        &mut self,
        parent: &OwnedFd,
        name: &OsStr,
        path: &Path,
        mut entry: Entry,
    ) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(parent, name, flags, Mode::empty())?;
        entry.path.push(b'/');
        entry.xattrs = xattrs(directory.as_fd())?;
        writer::write_header(self.out, &entry)?;
        if self.style == Style::Layer && is_opaque(directory.as_fd()) {
            let marker =
                Entry { path: [&entry.path[..], b".wh..wh..opq"].concat(), ..writer::plain(0) };
            writer::write_header(self.out, &marker)?;
        }
        self.pending.extend(below(&directory, path)?);
        Ok(())
    }

    fn whiteout(&mut self, path: &Path) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default();
        let marker = path.with_file_name(OsString::from_vec([b".wh.", name.as_bytes()].concat()));
        let marker =
            Entry { path: marker.into_os_string().into_vec(), mode: 0, ..writer::plain(0) };
        writer::write_header(self.out, &marker)
    }
}

pub(super) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

pub(super) fn is_opaque(directory: std::os::fd::BorrowedFd<'_>) -> bool {
    let mut value = [0; 8];
    rustix::fs::fgetxattr(directory, OPAQUE_XATTR, &mut value)
        .is_ok_and(|length| &value[..length] == b"y")
}

/// Sockets have no form in a tar.
fn kind(stat: &Stat) -> Option<Kind> {
    Some(match FileType::from_raw_mode(stat.st_mode) {
        FileType::RegularFile => Kind::File,
        FileType::Directory => Kind::Directory,
        FileType::Symlink => Kind::Symlink,
        FileType::CharacterDevice => Kind::CharDevice,
        FileType::BlockDevice => Kind::BlockDevice,
        FileType::Fifo => Kind::Fifo,
        _ => return None,
    })
}

fn entry(kind: Kind, path: &Path, stat: &Stat) -> Entry {
    let device = match kind {
        Kind::CharDevice | Kind::BlockDevice => {
            (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev))
        }
        _ => (0, 0),
    };
    Entry {
        kind,
        path: path.as_os_str().as_bytes().to_vec(),
        mode: stat.st_mode & 0o7777,
        uid: stat.st_uid,
        gid: stat.st_gid,
        mtime: Time {
            seconds: stat.st_mtime,
            nanoseconds: u32::try_from(stat.st_mtime_nsec).unwrap_or(0),
        },
        device,
        ..writer::plain(0)
    }
}

/// What Docker keeps in tars: file capabilities, and what users set.
fn xattrs(file: std::os::fd::BorrowedFd<'_>) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut list = vec![0; MAX_XATTR];
    let length = match rustix::fs::flistxattr(file, &mut list[..]) {
        Err(rustix::io::Errno::OPNOTSUPP) => return Ok(Vec::new()),
        result => result?,
    };
    let names = list[..length].split(|byte| *byte == 0);
    let wanted = names.filter(|name| *name == b"security.capability" || name.starts_with(b"user."));
    let mut value = vec![0; MAX_XATTR];
    let mut xattrs = Vec::new();
    for name in wanted.filter(|name| !name.starts_with(b"user.overlay.")) {
        let length = rustix::fs::fgetxattr(file, OsStr::from_bytes(name), &mut value[..])?;
        xattrs.push((name.to_vec(), value[..length].to_vec()));
    }
    Ok(xattrs)
}
