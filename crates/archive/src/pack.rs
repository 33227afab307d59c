//! Writes a directory tree as a tar. Everything is opened from its parent's descriptor without following links:
//! a running container may change the tree meanwhile.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat, Timespec, Timestamps};

use crate::{Entry, Kind, Time, walk, writer};

const MAX_XATTR: usize = 64 << 10;
const BUFFER: usize = 256 << 10;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// Whiteouts and opaque directories in the notation of image layers.
    Layer,
    /// As `Layer`, and the directory becomes what the tar would be unpacked to.
    Seal,
    Plain,
}

impl Style {
    fn is_layer(self) -> bool {
        self != Style::Plain
    }
}

/// Takes a tar as it is written, and hears where a file's content begins.
pub trait Sink: Write {
    /// The next `size` bytes are the content of the file at `path`, relative to the root.
    fn payload(&mut self, path: &Path, size: u64) -> io::Result<()>;
}

/// For whom content is as good as headers.
struct Unmarked<'w>(&'w mut dyn Write);

impl Write for Unmarked<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl Sink for Unmarked<'_> {
    fn payload(&mut self, _: &Path, _: u64) -> io::Result<()> {
        Ok(())
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    pub members: u64,
    /// Bytes of the files, each inode once; directories count nothing.
    pub size: u64,
}

/// An upper directory as the tar of an image layer, without some of its paths. Names that would be read as whiteouts are
/// left out, too.
pub fn write_layer(
    upper: &OwnedFd,
    left_out: &BTreeSet<PathBuf>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let out = &mut Unmarked(out);
    let mut tree = Tree::new(upper.as_fd(), Style::Layer, None, out)?;
    tree.left_out = Some(left_out);
    tree.write_below().map(drop)
}

/// As [`write_layer`] of an upper directory that nobody writes to any more, which becomes a layer itself: what the tar
/// does not say (sockets, attributes of the kernel's overlay) is taken out of it. The root's own attributes are not told.
pub fn seal_layer(upper: &OwnedFd, out: &mut dyn Sink) -> io::Result<Written> {
    Tree::new(upper.as_fd(), Style::Seal, None, out)?.write_below()
}

/// What lies below a directory.
pub fn write_plain(root: &OwnedFd, out: &mut dyn Write) -> io::Result<()> {
    let out = &mut Unmarked(out);
    Tree::new(root.as_fd(), Style::Plain, None, out)?.write_below().map(drop)
}

/// One of several things that an archive of its own has.
pub enum Part<'p> {
    /// What lies below a directory, under the name `shown`; under no name where that is empty.
    Tree {
        directory: BorrowedFd<'p>,
        shown: &'p str,
    },
    File {
        path: &'p str,
        content: &'p [u8],
    },
}

/// One archive of all.
pub fn write_parts(parts: &[Part<'_>], out: &mut dyn Write) -> io::Result<()> {
    let out = &mut Unmarked(out);
    for part in parts {
        match part {
            Part::File { path, content } => {
                let size = content.len() as u64;
                let entry = Entry { path: path.as_bytes().to_vec(), ..writer::plain(size) };
                writer::write_header(out, &entry)?;
                out.write_all(content)?;
                writer::pad(out, size)?;
            }
            Part::Tree { directory, shown: "" } => {
                Tree::new(*directory, Style::Plain, None, out)?.write_members()?;
            }
            Part::Tree { directory, shown } => {
                named_tree(*directory, shown.as_bytes(), out)?.write_members()?;
            }
        }
    }
    writer::finish(out)
}

/// A directory and what lies below it, under the name `shown`.
pub fn write_directory(
    directory: BorrowedFd<'_>,
    shown: &[u8],
    out: &mut dyn Write,
) -> io::Result<()> {
    named_tree(directory, shown, &mut Unmarked(out))?.write_below().map(drop)
}

/// Its own entry is written; what is below comes next.
fn named_tree<'o>(
    directory: BorrowedFd<'_>,
    shown: &[u8],
    out: &'o mut dyn Sink,
) -> io::Result<Tree<'o>> {
    let mut tree = Tree::new(directory, Style::Plain, Some(shown.to_owned()), out)?;
    let stat = rustix::fs::fstat(&tree.root)?;
    let mut entry = tree.entry(Kind::Directory, [shown, b"/"].concat(), &stat);
    entry.xattrs = xattrs(tree.root.as_fd())?;
    writer::write_header(tree.out, &entry)?;
    if sys::path::is_kernel_interface(tree.root.as_fd())? {
        tree.pending.clear();
    }
    Ok(tree)
}

/// Anything but a directory, under the name `shown`. A link is not followed.
pub fn write_file(
    parent: &OwnedFd,
    name: &OsStr,
    shown: &[u8],
    out: &mut dyn Write,
) -> io::Result<()> {
    let out = &mut Unmarked(out);
    let mut tree = Tree::new(parent.as_fd(), Style::Plain, None, out)?;
    tree.pending.clear();
    let stat = rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match kind(&stat) {
        // It has become one since it was looked at.
        Some(Kind::Directory) => return Err(io::ErrorKind::IsADirectory.into()),
        Some(kind) => {
            let entry = tree.entry(kind, shown.to_owned(), &stat);
            tree.write_leaf(parent, Path::new(name), entry)?;
        }
        None => return Err(io::Error::other("archive/tar: sockets not supported")),
    }
    tree.write_below().map(drop)
}

struct Tree<'o> {
    root: OwnedFd,
    /// The file system it lies on.
    device: u64,
    style: Style,
    /// What members' paths begin with.
    shown: Option<Vec<u8>>,
    out: &'o mut dyn Sink,
    written: Written,
    left_out: Option<&'o BTreeSet<PathBuf>>,
    /// First path of each inode that has several names.
    links: HashMap<(u64, u64), PathBuf>,
    /// What is still to be written, the next one last.
    pending: Vec<PathBuf>,
    /// The directory of the last member: most members share it with the one before.
    parent: Option<(PathBuf, OwnedFd)>,
    buffer: Vec<u8>,
}

/// What a directory holds, in the order of [`Tree::pending`].
fn below(directory: &OwnedFd, path: &Path) -> io::Result<Vec<PathBuf>> {
    Ok(walk::names(directory)?.into_iter().rev().map(|name| path.join(name)).collect())
}

impl<'o> Tree<'o> {
    fn new(
        root: BorrowedFd<'_>,
        style: Style,
        shown: Option<Vec<u8>>,
        out: &'o mut dyn Sink,
    ) -> io::Result<Self> {
        let root = walk::open_directory(root, Path::new(""))?;
        let pending = below(&root, Path::new(""))?;
        let device = rustix::fs::fstat(&root)?.st_dev;
        let links = HashMap::new();
        let buffer = Vec::new();
        let (left_out, parent) = (None, None);
        let written = Written::default();
        Ok(Self {
            root,
            device,
            style,
            shown,
            out,
            written,
            left_out,
            links,
            pending,
            parent,
            buffer,
        })
    }

    fn write_below(mut self) -> io::Result<Written> {
        self.write_members()?;
        writer::finish(self.out)?;
        Ok(self.written)
    }

    fn write_members(&mut self) -> io::Result<()> {
        while let Some(path) = self.pending.pop() {
            if self.left_out.is_some_and(|left_out| left_out.contains(&path)) {
                continue;
            }
            match self.member(&path) {
                // Removed while the tree was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                result => result?,
            }
        }
        Ok(())
    }

    /// A member's path in the archive.
    fn shown(&self, path: &Path) -> Vec<u8> {
        let path = path.as_os_str().as_bytes();
        match &self.shown {
            Some(shown) => [shown, &b"/"[..], path].concat(),
            None => path.to_vec(),
        }
    }

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
        let kind = match kind(&stat) {
            // Unpacked, the name would hide another.
            Some(_) if self.style.is_layer() && name.as_bytes().starts_with(b".wh.") => None,
            kind => kind,
        };
        let Some(kind) = kind else {
            return match self.style {
                Style::Seal => take_out(parent, name),
                Style::Layer | Style::Plain => Ok(()),
            };
        };
        self.written.members += 1;
        if self.style == Style::Seal {
            strip(&below_descriptor(parent, name), kind)?;
        }
        if self.style.is_layer() && is_whiteout(&stat) {
            return self.whiteout(path);
        }
        let mut entry = self.entry(kind, self.shown(path), &stat);
        if kind == Kind::Directory {
            return self.directory(parent, name, path, &stat, entry);
        }
        if stat.st_nlink > 1 {
            let first =
                self.links.entry((stat.st_dev, stat.st_ino)).or_insert_with(|| path.to_owned());
            if first != path {
                let first = first.clone();
                (entry.kind, entry.size) = (Kind::HardLink, 0);
                entry.link = self.shown(&first);
                return writer::write_header(self.out, &entry);
            }
        }
        self.written.size += stat.st_size.cast_unsigned();
        self.write_leaf(parent, path, entry)
    }

    /// In whole seconds but for layers, as Docker has it: that is half as much to send of a small file.
    fn entry(&self, kind: Kind, path: Vec<u8>, stat: &Stat) -> Entry {
        let mut entry = entry(kind, path, stat);
        if self.style == Style::Plain {
            entry.mtime.nanoseconds = 0;
        }
        entry
    }

    fn write_leaf(&mut self, parent: &OwnedFd, path: &Path, mut entry: Entry) -> io::Result<()> {
        match entry.kind {
            Kind::File => self.file(parent, path, entry),
            Kind::Symlink => {
                let name = path.file_name().unwrap_or_default();
                entry.link = rustix::fs::readlinkat(parent, name, Vec::new())?.into_bytes();
                writer::write_header(self.out, &entry)
            }
            _ => writer::write_header(self.out, &entry),
        }
    }

    fn file(&mut self, parent: &OwnedFd, path: &Path, mut entry: Entry) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let name = path.file_name().unwrap_or_default();
        let file = File::from(rustix::fs::openat(parent, name, flags, Mode::empty())?);
        // Of the file that is open, whatever the name meant before.
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::ErrorKind::NotFound.into());
        }
        entry.size = stat.st_size.cast_unsigned();
        entry.xattrs = xattrs(file.as_fd())?;
        writer::write_header(self.out, &entry)?;
        if entry.size > 0 {
            self.out.payload(path, entry.size)?;
        }
        let copied = self.content(&mut (&file).take(entry.size))?;
        // Shrunk meanwhile: the header has promised more.
        self.content(&mut io::repeat(0).take(entry.size - copied))?;
        writer::pad(self.out, entry.size)
    }

    fn content(&mut self, file: &mut dyn Read) -> io::Result<u64> {
        self.buffer.resize(BUFFER, 0);
        let mut copied = 0;
        loop {
            match file.read(&mut self.buffer) {
                Ok(0) => return Ok(copied),
                Ok(count) => {
                    self.out.write_all(&self.buffer[..count])?;
                    copied += count as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn directory(
        &mut self,
        parent: &OwnedFd,
        name: &OsStr,
        path: &Path,
        stat: &Stat,
        mut entry: Entry,
    ) -> io::Result<()> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(parent, name, flags, Mode::empty())?;
        entry.path.push(b'/');
        entry.xattrs = xattrs(directory.as_fd())?;
        writer::write_header(self.out, &entry)?;
        if self.style.is_layer() && is_opaque(directory.as_fd()) {
            let marker =
                Entry { path: [&entry.path[..], b".wh..wh..opq"].concat(), ..writer::plain(0) };
            writer::write_header(self.out, &marker)?;
        }
        // A process's or a device's files have no content that could be kept.
        if stat.st_dev == self.device || !sys::path::is_kernel_interface(directory.as_fd())? {
            self.pending.extend(below(&directory, path)?);
        }
        Ok(())
    }

    fn whiteout(&mut self, path: &Path) -> io::Result<()> {
        let name = path.file_name().unwrap_or_default();
        let marker = path.with_file_name(OsString::from_vec([b".wh.", name.as_bytes()].concat()));
        let marker = Entry { path: self.shown(&marker), mode: 0, ..writer::plain(0) };
        writer::write_header(self.out, &marker)
    }
}

/// Removes what no layer holds; that it was ever there shows in no time.
fn take_out(parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let stat = rustix::fs::fstat(parent)?;
    match rustix::fs::unlinkat(parent, name, AtFlags::empty()) {
        Err(rustix::io::Errno::ISDIR) => {
            sys::remove::tree(&below_descriptor(parent, name))?;
        }
        result => result?,
    }
    restore_times(parent.as_fd(), &stat)
}

fn below_descriptor(parent: &OwnedFd, name: &OsStr) -> PathBuf {
    Path::new(&sys::path::by_descriptor(parent.as_fd())).join(name)
}

/// Gives a directory back the times that it had before something in it was removed.
pub fn restore_times(directory: BorrowedFd<'_>, stat: &Stat) -> io::Result<()> {
    let time = |seconds, nanoseconds: u64| Timespec {
        tv_sec: seconds,
        tv_nsec: i64::try_from(nanoseconds).unwrap_or(0),
    };
    let times = Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    };
    Ok(rustix::fs::futimens(directory, &times)?)
}

/// Takes the attributes away that a tar does not carry. Labels of the host's own security module stay.
pub fn strip(path: &Path, kind: Kind) -> io::Result<()> {
    let names = xattr_names(|list| rustix::fs::llistxattr(path, list))?;
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let name_text = OsStr::from_bytes(name);
        let is_kept = match name {
            _ if name == sys::overlay::opaque_attribute().as_bytes() => {
                kind == Kind::Directory && is_yes(path, name_text)
            }
            _ if name.starts_with(b"user.") => !name.starts_with(b"user.overlay."),
            b"security.capability" => matches!(kind, Kind::File | Kind::Directory),
            _ => LABELS.iter().any(|label| name.starts_with(label)),
        };
        if !is_kept {
            rustix::fs::lremovexattr(path, name_text)?;
        }
    }
    Ok(())
}

/// Attributes that security modules of the host give by themselves.
const LABELS: [&[u8]; 4] =
    [b"security.selinux", b"security.SMACK64", b"security.ima", b"security.evm"];

fn is_yes(path: &Path, attribute: &OsStr) -> bool {
    let mut value = [0; 8];
    rustix::fs::lgetxattr(path, attribute, &mut value).is_ok_and(|length| &value[..length] == b"y")
}

pub fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

pub fn is_opaque(directory: BorrowedFd<'_>) -> bool {
    let mut value = [0; 8];
    rustix::fs::fgetxattr(directory, sys::overlay::opaque_attribute(), &mut value)
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

fn entry(kind: Kind, path: Vec<u8>, stat: &Stat) -> Entry {
    let device = match kind {
        Kind::CharDevice | Kind::BlockDevice => {
            (rustix::fs::major(stat.st_rdev), rustix::fs::minor(stat.st_rdev))
        }
        _ => (0, 0),
    };
    Entry {
        kind,
        path,
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
pub fn xattrs(file: BorrowedFd<'_>) -> io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    let names = xattr_names(|list| rustix::fs::flistxattr(file, list))?;
    let names = names.split(|byte| *byte == 0);
    let wanted = names.filter(|name| *name == b"security.capability" || name.starts_with(b"user."));
    let mut xattrs = Vec::new();
    for name in wanted.filter(|name| !name.starts_with(b"user.overlay.")) {
        let mut value = vec![0; MAX_XATTR];
        let length = rustix::fs::fgetxattr(file, OsStr::from_bytes(name), &mut value[..])?;
        value.truncate(length);
        xattrs.push((name.to_vec(), value));
    }
    Ok(xattrs)
}

/// Names with a NUL behind each. Few files have some, and very few many.
fn xattr_names(list: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> io::Result<Vec<u8>> {
    let mut few = [0; 256];
    match list(&mut few) {
        Ok(length) => Ok(few[..length].to_vec()),
        Err(rustix::io::Errno::OPNOTSUPP) => Ok(Vec::new()),
        Err(rustix::io::Errno::RANGE) => {
            let mut many = vec![0; MAX_XATTR];
            let length = list(&mut many)?;
            many.truncate(length);
            Ok(many)
        }
        Err(error) => Err(error.into()),
    }
}
