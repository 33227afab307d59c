//! Unpacks a layer's tar into a staging directory in the form overlayfs reads, and records its tar-split stream.
//!
//! Parents are resolved by descriptor inside the directory; the last name is never followed. What a later entry
//! replaces is moved to `kept/`, never written through: links made by the archive itself lead nowhere.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};

use super::split::{self, Displaced, Recorder};
use archive::reader::{Reader, Sink};
use archive::{Entry, Kind, Limits, header};

/// What names that begin with `.wh.` mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notation<'s> {
    /// Whiteouts and opaque directories, as in the layers of images.
    Layer,
    /// As `Layer`, of a layer over another: the files at these places are in that one.
    Over(&'s HashSet<PathBuf>),
    /// Themselves.
    Plain,
}

const WHITEOUT: &[u8] = b".wh.";
const OPAQUE: &[u8] = b".wh..wh..opq";
const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o755);

pub(crate) struct Extractor<'s> {
    layer: PathBuf,
    notation: Notation<'s>,
    root: OwnedFd,
    displaced: Vec<Displaced>,
    /// Directory times are set last: making children changes them.
    directory_times: Vec<(PathBuf, Timestamps)>,
    /// Payloads recorded so far.
    recorded: u64,
    /// Bytes of files that lie elsewhere.
    elsewhere: u64,
    parent: Option<Parent>,
    buffer: Vec<u8>,
}

/// The directory of the last entry: most entries share it with the one before.
struct Parent {
    written: PathBuf,
    /// Without symbolic links, relative to the root.
    canonical: PathBuf,
    fd: OwnedFd,
}

/// Unpacks `tar` to `layer/diff`. The bytes of files that lie elsewhere are the result.
pub(crate) fn extract(
    tar: impl Read,
    layer: &Path,
    limits: Limits,
    notation: Notation<'_>,
) -> io::Result<u64> {
    let diff = layer.join(split::DIFF);
    std::fs::create_dir(&diff)?;
    rustix::fs::chmod(&diff, DIRECTORY_MODE)?;
    let mut extractor = Extractor {
        layer: layer.to_owned(),
        notation,
        root: File::open(&diff)?.into(),
        displaced: Vec::new(),
        directory_times: Vec::new(),
        recorded: 0,
        elsewhere: 0,
        parent: None,
        buffer: vec![0; 128 << 10],
    };
    let mut reader = Reader::new(tar, Recorder::create(layer)?, limits);
    while let Some(entry) = reader.next_entry()? {
        extractor.apply(&mut reader, &entry).map_err(|error| naming(&entry, error))?;
    }
    reader.drain()?;
    let elsewhere = extractor.elsewhere;
    extractor.finish(reader)?;
    Ok(elsewhere)
}

fn naming(entry: &Entry, error: io::Error) -> io::Error {
    let path = String::from_utf8_lossy(&entry.path);
    io::Error::new(error.kind(), format!("{}: {error}", path.escape_debug()))
}

impl Extractor<'_> {
    fn apply<R: Read>(
        &mut self,
        reader: &mut Reader<R, Recorder>,
        entry: &Entry,
    ) -> io::Result<()> {
        let path = clean(&entry.path)?;
        let Some(name) = path.file_name().map(OsStr::to_owned) else {
            return self.apply_root(entry);
        };
        let parent = self.enter(path.parent().unwrap_or(Path::new("")))?;
        if self.notation != Notation::Plain && name.as_bytes().starts_with(WHITEOUT) {
            return self.apply_whiteout(parent, &name);
        }
        let place = parent.canonical.join(&name);
        if let Notation::Over(elsewhere) = self.notation
            && entry.kind == Kind::File
            && elsewhere.contains(&place)
        {
            self.parent = Some(parent);
            return self.pass_over(reader, entry, &place);
        }
        let existing = self.make_room(&parent, &name, &place, entry.kind)?;
        match entry.kind {
            Kind::File => self.write_file(reader, entry, &parent, &name, &place)?,
            Kind::Directory => self.make_directory(entry, &parent, &name, &place, existing)?,
            Kind::HardLink => self.link(entry, &parent, &name)?,
            Kind::Symlink => {
                let target = OsStr::from_bytes(&entry.link);
                rustix::fs::symlinkat(target, &parent.fd, &name)?;
                set_metadata_by_name(&parent.fd, &name, entry)?;
            }
            Kind::CharDevice | Kind::BlockDevice | Kind::Fifo => {
                match make_node(&parent.fd, &name, entry) {
                    // A user namespace has no devices: an image whose layers have some does without.
                    Err(error) if is_device_of_others(&error) => {}
                    result => {
                        result?;
                        set_metadata_by_name(&parent.fd, &name, entry)?;
                    }
                }
            }
        }
        self.parent = Some(parent);
        Ok(())
    }

    fn apply_root(&mut self, entry: &Entry) -> io::Result<()> {
        if entry.kind != Kind::Directory {
            return Err(header::invalid("the root is no directory"));
        }
        set_metadata(self.root.as_fd(), entry)?;
        self.directory_times.push((PathBuf::new(), timestamps(entry)));
        Ok(())
    }

    /// Opens the directory an entry lies in, made where the archive left it out.
    fn enter(&mut self, written: &Path) -> io::Result<Parent> {
        match self.parent.take() {
            Some(parent) if parent.written == written => Ok(parent),
            _ => {
                let fd =
                    sys::path::create_dir_all_in_root(self.root.as_fd(), written, DIRECTORY_MODE)?;
                let canonical = self.canonical(&fd)?;
                Ok(Parent { written: written.to_owned(), canonical, fd })
            }
        }
    }

    fn canonical(&self, fd: &OwnedFd) -> io::Result<PathBuf> {
        let path_of =
            |fd: &OwnedFd| std::fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd()));
        let path = path_of(fd)?;
        let inside = path.strip_prefix(path_of(&self.root)?);
        Ok(inside.map_err(|_| header::invalid("path outside of the layer"))?.to_owned())
    }

    fn apply_whiteout(&mut self, parent: Parent, name: &OsStr) -> io::Result<()> {
        if name.as_bytes() == OPAQUE {
            let directory = sys::path::by_descriptor(parent.fd.as_fd());
            let opaque = sys::overlay::opaque_attribute();
            rustix::fs::setxattr(&directory, opaque, b"y", XattrFlags::empty())?;
        } else if !name.as_bytes().starts_with(b".wh..wh.") {
            let hidden = OsStr::from_bytes(&name.as_bytes()[WHITEOUT.len()..]);
            if matches!(hidden.as_bytes(), b"" | b"." | b"..") {
                return Err(header::invalid("whiteout of a directory above"));
            }
            let place = parent.canonical.join(hidden);
            self.make_room(&parent, hidden, &place, Kind::CharDevice)?;
            let no_device = rustix::fs::makedev(0, 0);
            rustix::fs::mknodat(
                &parent.fd,
                hidden,
                FileType::CharacterDevice,
                Mode::empty(),
                no_device,
            )?;
        }
        self.parent = Some(parent);
        Ok(())
    }

    /// Moves away what lies at the place, but for a directory that stays one. Whether it stayed.
    fn make_room(
        &mut self,
        parent: &Parent,
        name: &OsStr,
        place: &Path,
        kind: Kind,
    ) -> io::Result<bool> {
        let stat = match rustix::fs::statat(&parent.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(rustix::io::Errno::NOENT) => return Ok(false),
            result => result?,
        };
        let is_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        if is_directory && kind == Kind::Directory {
            return Ok(true);
        }
        let kept = self.layer.join(split::KEPT);
        if self.displaced.is_empty() {
            std::fs::create_dir(&kept)?;
        }
        let number = self.displaced.len() as u64;
        rustix::fs::renameat(&parent.fd, name, rustix::fs::CWD, kept.join(number.to_string()))?;
        self.displaced.push(Displaced { at: self.recorded, path: place.to_owned(), kept: number });
        Ok(false)
    }

    fn write_file<R: Read>(
        &mut self,
        reader: &mut Reader<R, Recorder>,
        entry: &Entry,
        parent: &Parent,
        name: &OsStr,
        place: &Path,
    ) -> io::Result<()> {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(&parent.fd, name, flags, Mode::from_raw_mode(0o600))?;
        let mut file = File::from(fd);
        match &entry.sparse {
            None if entry.stored > 0 => {
                reader.sink().payload(place, entry.stored)?;
                self.recorded += 1;
                copy(reader, &mut self.buffer, &mut file)?;
            }
            None => {}
            Some(map) => self.write_sparse(reader, entry, map, &mut file)?,
        }
        set_metadata(file.as_fd(), entry)?;
        Ok(rustix::fs::futimens(&file, &timestamps(entry))?)
    }

    fn pass_over<R: Read>(
        &mut self,
        reader: &mut Reader<R, Recorder>,
        entry: &Entry,
        place: &Path,
    ) -> io::Result<()> {
        if entry.sparse.is_some() {
            return Err(header::invalid("a file that lies elsewhere is sparse here"));
        }
        if entry.stored > 0 {
            reader.sink().payload(place, entry.stored)?;
            self.recorded += 1;
            copy(reader, &mut self.buffer, &mut io::sink())?;
        }
        self.elsewhere += entry.size;
        Ok(())
    }

    /// The stored bytes of a sparse file are not its content: they are kept in the tar-split stream.
    fn write_sparse<R: Read>(
        &mut self,
        reader: &mut Reader<R, Recorder>,
        entry: &Entry,
        map: &archive::sparse::Map,
        file: &mut File,
    ) -> io::Result<()> {
        for (offset, length) in &map.regions {
            file.seek(SeekFrom::Start(*offset))?;
            let mut left = *length;
            while left > 0 {
                let wanted = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                let count = reader.read_payload(&mut self.buffer[..wanted])?;
                if count == 0 {
                    return Err(io::ErrorKind::UnexpectedEof.into());
                }
                file.write_all(&self.buffer[..count])?;
                reader.sink().framing(&self.buffer[..count])?;
                left -= count as u64;
            }
        }
        file.set_len(entry.size)
    }

    fn make_directory(
        &mut self,
        entry: &Entry,
        parent: &Parent,
        name: &OsStr,
        place: &Path,
        existing: bool,
    ) -> io::Result<()> {
        if !existing {
            rustix::fs::mkdirat(&parent.fd, name, DIRECTORY_MODE)?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(&parent.fd, name, flags, Mode::empty())?;
        set_metadata(directory.as_fd(), entry)?;
        self.directory_times.push((place.to_owned(), timestamps(entry)));
        Ok(())
    }

    fn link(&mut self, entry: &Entry, parent: &Parent, name: &OsStr) -> io::Result<()> {
        let target = clean(&entry.link)?;
        let target_name =
            target.file_name().ok_or_else(|| header::invalid("hard link to the root"))?;
        let directory = sys::path::open_in_root(
            self.root.as_fd(),
            target.parent().unwrap_or(Path::new("")),
            OFlags::PATH | OFlags::DIRECTORY,
            Mode::empty(),
        )?;
        Ok(rustix::fs::linkat(&directory, target_name, &parent.fd, name, AtFlags::empty())?)
    }

    fn finish<R: Read>(self, reader: Reader<R, Recorder>) -> io::Result<()> {
        for (path, times) in self.directory_times.iter().rev() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
            // Replaced by something else later in the archive: then its time is nobody's.
            if let Ok(directory) =
                sys::path::open_in_root(self.root.as_fd(), path, flags, Mode::empty())
            {
                rustix::fs::futimens(&directory, times)?;
            }
        }
        if !self.displaced.is_empty() {
            std::fs::write(
                self.layer.join(split::DISPLACED),
                serde_json::to_vec(&self.displaced)?,
            )?;
        }
        reader.into_sink().finish()
    }
}

/// The lexical path inside the root; one that climbs out is refused.
fn clean(written: &[u8]) -> io::Result<PathBuf> {
    let mut path = PathBuf::new();
    for component in Path::new(&OsString::from_vec(written.to_vec())).components() {
        match component {
            Component::Normal(name) if name.len() > 255 => {
                return Err(header::invalid("file name too long"));
            }
            Component::Normal(name) => path.push(name),
            Component::ParentDir if !path.pop() => {
                return Err(header::invalid("path outside of the layer"));
            }
            _ => {}
        }
    }
    Ok(path)
}

fn copy<R: Read>(
    reader: &mut Reader<R, Recorder>,
    buffer: &mut [u8],
    file: &mut impl Write,
) -> io::Result<()> {
    loop {
        match reader.read_payload(buffer)? {
            0 => return Ok(()),
            count => file.write_all(&buffer[..count])?,
        }
    }
}

fn make_node(parent: &OwnedFd, name: &OsStr, entry: &Entry) -> io::Result<()> {
    let kind = match entry.kind {
        Kind::CharDevice => FileType::CharacterDevice,
        Kind::BlockDevice => FileType::BlockDevice,
        _ => FileType::Fifo,
    };
    let device = match entry.kind {
        Kind::Fifo => 0,
        _ => rustix::fs::makedev(entry.device.0, entry.device.1),
    };
    Ok(rustix::fs::mknodat(parent, name, kind, Mode::empty(), device)?)
}

fn is_device_of_others(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::PermissionDenied && sys::namespace::is_in_user_namespace()
}

/// Owner first: a change of owner clears set-id bits and file capabilities.
fn set_metadata(fd: std::os::fd::BorrowedFd<'_>, entry: &Entry) -> io::Result<()> {
    rustix::fs::fchown(fd, Some(Uid::from_raw(entry.uid)), Some(Gid::from_raw(entry.gid)))?;
    rustix::fs::fchmod(fd, Mode::from_raw_mode(entry.mode))?;
    for (name, value) in wanted_xattrs(entry) {
        tolerate(rustix::fs::fsetxattr(fd, name, value, XattrFlags::empty()))?;
    }
    Ok(())
}

/// For what cannot be opened: the name is in a directory nobody else can change.
fn set_metadata_by_name(parent: &OwnedFd, name: &OsStr, entry: &Entry) -> io::Result<()> {
    let (uid, gid) = (Uid::from_raw(entry.uid), Gid::from_raw(entry.gid));
    rustix::fs::chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    if entry.kind != Kind::Symlink {
        rustix::fs::chmodat(parent, name, Mode::from_raw_mode(entry.mode), AtFlags::empty())?;
    }
    let path = Path::new(&sys::path::by_descriptor(parent.as_fd())).join(name);
    for (key, value) in wanted_xattrs(entry) {
        tolerate(rustix::fs::lsetxattr(&path, key, value, XattrFlags::empty()))?;
    }
    Ok(rustix::fs::utimensat(parent, name, &timestamps(entry), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Overlayfs's own attributes would let an image redirect directories: they are never taken from an archive.
fn wanted_xattrs(entry: &Entry) -> impl Iterator<Item = (&OsStr, &[u8])> {
    let is_overlay =
        |name: &[u8]| name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.");
    let wanted = entry.xattrs.iter().filter(move |(name, _)| !is_overlay(name));
    wanted.map(|(name, value)| (OsStr::from_bytes(name), value.as_slice()))
}

/// File systems without such attributes are no reason to refuse an image.
fn tolerate(result: rustix::io::Result<()>) -> io::Result<()> {
    match result {
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::PERM) => Ok(()),
        result => Ok(result?),
    }
}

fn timestamps(entry: &Entry) -> Timestamps {
    let time =
        Timespec { tv_sec: entry.mtime.seconds, tv_nsec: i64::from(entry.mtime.nanoseconds) };
    Timestamps { last_access: time, last_modification: time }
}
