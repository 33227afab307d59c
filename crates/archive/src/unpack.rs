//! Unpacks an archive to a directory of a tree that others own and may change meanwhile.
//!
//! Every path is resolved below the tree's root by descriptor, links included; the last name is never followed, and
//! what lies there is replaced, never written through.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;

use crate::reader::{Forget, Reader};
use crate::{Entry, Kind, Limits, reason, sparse};

const DIRECTORY_MODE: Mode = Mode::from_raw_mode(0o755);
const BUFFER: usize = 256 << 10;

/// Where an archive goes.
#[derive(Clone, Copy)]
pub struct Target<'t> {
    /// `/` to all paths and links.
    pub root: BorrowedFd<'t>,
    /// In the root; it must be there.
    pub directory: &'t Path,
    /// What messages call that directory.
    pub shown: &'t Path,
}

/// Another beginning for the names in an archive.
#[derive(Debug, Clone, Default)]
pub struct Rename {
    pub from: Vec<u8>,
    pub to: Vec<u8>,
}

impl Rename {
    fn apply(&self, name: &mut Vec<u8>) {
        if name.starts_with(&self.from) {
            name.splice(..self.from.len(), self.to.iter().copied());
        }
    }
}

/// Who owns what is unpacked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Owner {
    /// As the archive says.
    Archived,
    /// This user and group.
    Fixed(u32, u32),
    /// Whoever unpacks. What gives others' rights away is then left out: set-id bits, file capabilities, devices.
    Caller,
}

#[derive(Debug, Clone)]
pub struct Options {
    pub owner: Owner,
    /// Whether a directory may give way to something else, and the reverse.
    pub replace_directories: bool,
    pub limits: Limits,
    pub rename: Option<Rename>,
}

/// Unpacks `tar` to its end. Errors are worded as Go words them.
pub fn unpack(tar: impl Read, target: Target<'_>, options: Options) -> io::Result<()> {
    let rename = options.rename.clone().unwrap_or_default();
    let mut reader = Reader::new(tar, Forget, options.limits);
    let mut unpacker = Unpacker {
        target,
        options,
        parent: None,
        directory_times: Vec::new(),
        buffer: vec![0; BUFFER],
    };
    while let Some(mut entry) = reader.next_entry()? {
        rename.apply(&mut entry.path);
        if entry.kind == Kind::HardLink {
            rename.apply(&mut entry.link);
        }
        unpacker.apply(&mut reader, &entry)?;
    }
    reader.drain()?;
    unpacker.finish()
}

struct Unpacker<'t> {
    target: Target<'t>,
    options: Options,
    /// The directory of the last entry: most entries share it with the one before.
    parent: Option<(PathBuf, OwnedFd)>,
    /// Set last: what is made in a directory changes its times.
    directory_times: Vec<(PathBuf, Timestamps)>,
    buffer: Vec<u8>,
}

impl Unpacker<'_> {
    fn apply<R: Read>(&mut self, reader: &mut Reader<R, Forget>, entry: &Entry) -> io::Result<()> {
        let Some(path) = clean(&entry.path) else {
            return Err(invalid(format!(
                "{:?} is outside of {:?}",
                lossy(&entry.path),
                self.target.shown
            )));
        };
        // The directory itself stays as it is.
        let Some(name) = path.file_name() else { return Ok(()) };
        let (place, parent) = self.enter(path.parent().unwrap_or(Path::new("")))?;
        let done = self.make(reader, entry, &parent, name, &path);
        self.parent = Some((place, parent));
        done
    }

    fn make<R: Read>(
        &mut self,
        reader: &mut Reader<R, Forget>,
        entry: &Entry,
        parent: &OwnedFd,
        name: &OsStr,
        path: &Path,
    ) -> io::Result<()> {
        let is_there = self.make_room(parent, name, path, entry.kind)?;
        match entry.kind {
            Kind::File => self.file(reader, entry, parent, name),
            Kind::Directory => self.directory(entry, parent, name, path, is_there),
            Kind::HardLink => self.link(entry, parent, name),
            Kind::Symlink => self.symlink(entry, parent, name),
            Kind::CharDevice | Kind::BlockDevice | Kind::Fifo => self.node(entry, parent, name),
        }
        .map_err(|error| self.named(verb(entry.kind), path, &error))
    }

    /// The directory an entry lies in, made where the archive left it out.
    fn enter(&mut self, path: &Path) -> io::Result<(PathBuf, OwnedFd)> {
        match self.parent.take() {
            Some(parent) if parent.0 == path => Ok(parent),
            _ => {
                let whole = self.target.directory.join(path);
                let made =
                    sys::path::create_dir_all_in_root(self.target.root, &whole, DIRECTORY_MODE);
                let directory = made.map_err(|error| self.named("mkdir", path, &error))?;
                if sys::path::is_kernel_interface(directory.as_fd())? {
                    let refused = io::Error::from(Errno::PERM);
                    return Err(self.named("open", path, &refused));
                }
                Ok((path.to_owned(), directory))
            }
        }
    }

    /// Takes away what lies at the place, but for a directory that stays one. Whether it stayed.
    fn make_room(
        &self,
        parent: &OwnedFd,
        name: &OsStr,
        path: &Path,
        kind: Kind,
    ) -> io::Result<bool> {
        let stat = match rustix::fs::statat(parent, name, AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => return Ok(false),
            result => result?,
        };
        let was_directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let becomes_directory = kind == Kind::Directory;
        let (place, target) = (self.shown(path), self.target.shown);
        match (was_directory, becomes_directory) {
            (true, true) => return Ok(true),
            (true, false) if !self.options.replace_directories => {
                return Err(invalid(format!(
                    "cannot overwrite directory {place:?} with non-directory {target:?}"
                )));
            }
            (false, true) if !self.options.replace_directories => {
                return Err(invalid(format!(
                    "cannot overwrite non-directory {place:?} with directory {target:?}"
                )));
            }
            (true, false) => {
                let inside = Path::new(&sys::path::by_descriptor(parent.as_fd())).join(name);
                sys::remove::tree(&inside)
            }
            (false, _) => rustix::fs::unlinkat(parent, name, AtFlags::empty()).map_err(Into::into),
        }
        .map_err(|error| self.named("unlinkat", path, &error))?;
        Ok(false)
    }

    fn file<R: Read>(
        &mut self,
        reader: &mut Reader<R, Forget>,
        entry: &Entry,
        parent: &OwnedFd,
        name: &OsStr,
    ) -> io::Result<()> {
        let flags =
            OFlags::CREATE | OFlags::EXCL | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let fd = rustix::fs::openat(parent, name, flags, Mode::from_raw_mode(0o600))?;
        let mut file = File::from(fd);
        match &entry.sparse {
            None => self.content(reader, entry.stored, &mut file)?,
            Some(map) => self.sparse(reader, entry, map, &mut file)?,
        }
        self.set_metadata(file.as_fd(), entry)?;
        Ok(rustix::fs::futimens(&file, &timestamps(entry))?)
    }

    fn content<R: Read>(
        &mut self,
        reader: &mut Reader<R, Forget>,
        mut left: u64,
        file: &mut File,
    ) -> io::Result<()> {
        while left > 0 {
            let wanted = self.buffer.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            let count = reader.read_payload(&mut self.buffer[..wanted])?;
            if count == 0 {
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "unexpected EOF"));
            }
            file.write_all(&self.buffer[..count])?;
            left -= count as u64;
        }
        Ok(())
    }

    fn sparse<R: Read>(
        &mut self,
        reader: &mut Reader<R, Forget>,
        entry: &Entry,
        map: &sparse::Map,
        file: &mut File,
    ) -> io::Result<()> {
        for (offset, length) in &map.regions {
            file.seek(SeekFrom::Start(*offset))?;
            self.content(reader, *length, file)?;
        }
        file.set_len(entry.size)
    }

    fn directory(
        &mut self,
        entry: &Entry,
        parent: &OwnedFd,
        name: &OsStr,
        path: &Path,
        is_there: bool,
    ) -> io::Result<()> {
        if !is_there {
            rustix::fs::mkdirat(parent, name, DIRECTORY_MODE)?;
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory = rustix::fs::openat(parent, name, flags, Mode::empty())?;
        self.set_metadata(directory.as_fd(), entry)?;
        self.directory_times.push((self.whole(path), timestamps(entry)));
        Ok(())
    }

    fn link(&self, entry: &Entry, parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
        let outside = || invalid(format!("invalid hardlink to {:?}", lossy(&entry.link)));
        let target = clean(&entry.link).ok_or_else(outside)?;
        let target_name = target.file_name().ok_or_else(outside)?;
        let directory = sys::path::open_in_root(
            self.target.root,
            &self.whole(target.parent().unwrap_or(Path::new(""))),
            OFlags::PATH | OFlags::DIRECTORY,
            Mode::empty(),
        )?;
        Ok(rustix::fs::linkat(&directory, target_name, parent, name, AtFlags::empty())?)
    }

    fn symlink(&self, entry: &Entry, parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
        rustix::fs::symlinkat(OsStr::from_bytes(&entry.link), parent, name)?;
        if let Some((uid, gid)) = self.owner(entry) {
            rustix::fs::chownat(parent, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
        }
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(rustix::fs::utimensat(parent, name, &timestamps(entry), flags)?)
    }

    fn node(&self, entry: &Entry, parent: &OwnedFd, name: &OsStr) -> io::Result<()> {
        let (kind, device) = match entry.kind {
            Kind::Fifo => (FileType::Fifo, 0),
            _ if self.options.owner == Owner::Caller => {
                return Err(io::Error::other("devices are not made outside of containers"));
            }
            Kind::CharDevice => (FileType::CharacterDevice, device(entry)),
            _ => (FileType::BlockDevice, device(entry)),
        };
        rustix::fs::mknodat(parent, name, kind, Mode::empty(), device)?;
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let node = rustix::fs::openat(parent, name, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&node)?;
        // A link put in its place meanwhile would have the change made where it leads.
        if FileType::from_raw_mode(stat.st_mode) != kind {
            return Err(io::ErrorKind::NotFound.into());
        }
        if let Some((uid, gid)) = self.owner(entry) {
            rustix::fs::chownat(&node, "", Some(uid), Some(gid), AtFlags::EMPTY_PATH)?;
        }
        rustix::fs::chmod(sys::path::by_descriptor(node.as_fd()), self.mode(entry))?;
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(rustix::fs::utimensat(parent, name, &timestamps(entry), flags)?)
    }

    /// Owner first: a change of owner clears set-id bits and file capabilities.
    fn set_metadata(&self, fd: BorrowedFd<'_>, entry: &Entry) -> io::Result<()> {
        if let Some((uid, gid)) = self.owner(entry) {
            rustix::fs::fchown(fd, Some(uid), Some(gid))?;
        }
        rustix::fs::fchmod(fd, self.mode(entry))?;
        for (name, value) in &entry.xattrs {
            if !self.keeps_attribute(name) {
                continue;
            }
            match rustix::fs::fsetxattr(fd, OsStr::from_bytes(name), value, XattrFlags::empty()) {
                // A file system without such attributes is no reason to refuse the file.
                Err(Errno::OPNOTSUPP | Errno::PERM) => {}
                result => result?,
            }
        }
        Ok(())
    }

    fn owner(&self, entry: &Entry) -> Option<(Uid, Gid)> {
        let (uid, gid) = match self.options.owner {
            Owner::Archived => (entry.uid, entry.gid),
            Owner::Fixed(uid, gid) => (uid, gid),
            Owner::Caller => return None,
        };
        Some((Uid::from_raw(uid), Gid::from_raw(gid)))
    }

    fn mode(&self, entry: &Entry) -> Mode {
        let kept = if self.options.owner == Owner::Caller { 0o1777 } else { 0o7777 };
        Mode::from_raw_mode(entry.mode & kept)
    }

    /// Overlayfs's own attributes would redirect directories of the container.
    fn keeps_attribute(&self, name: &[u8]) -> bool {
        let is_overlay =
            name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.");
        let of_user = self.options.owner != Owner::Caller || name.starts_with(b"user.");
        !is_overlay && of_user
    }

    fn shown(&self, path: &Path) -> PathBuf {
        self.target.shown.join(path)
    }

    fn whole(&self, path: &Path) -> PathBuf {
        self.target.directory.join(path)
    }

    fn named(&self, verb: &str, path: &Path, error: &io::Error) -> io::Error {
        // What is wrong with the archive itself is said in its reader's words.
        if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) {
            return io::Error::new(error.kind(), error.to_string());
        }
        let text = format!("{verb} {}: {}", self.shown(path).display(), reason(error));
        io::Error::new(error.kind(), text)
    }

    fn finish(self) -> io::Result<()> {
        for (path, times) in self.directory_times.iter().rev() {
            let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW;
            // Replaced by something else meanwhile: then its time is nobody's.
            if let Ok(directory) =
                sys::path::open_in_root(self.target.root, path, flags, Mode::empty())
            {
                rustix::fs::futimens(&directory, times)?;
            }
        }
        Ok(())
    }
}

fn verb(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "open",
        Kind::Directory => "mkdir",
        Kind::HardLink => "link",
        Kind::Symlink => "symlink",
        Kind::CharDevice | Kind::BlockDevice | Kind::Fifo => "mknod",
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The lexical path inside the directory; none for one that climbs out.
fn clean(written: &[u8]) -> Option<PathBuf> {
    let mut path = PathBuf::new();
    for component in Path::new(&OsString::from_vec(written.to_vec())).components() {
        match component {
            Component::Normal(name) => path.push(name),
            Component::ParentDir if !path.pop() => return None,
            _ => {}
        }
    }
    Some(path)
}

fn device(entry: &Entry) -> rustix::fs::Dev {
    rustix::fs::makedev(entry.device.0, entry.device.1)
}

fn timestamps(entry: &Entry) -> Timestamps {
    let time =
        Timespec { tv_sec: entry.mtime.seconds, tv_nsec: i64::from(entry.mtime.nanoseconds) };
    Timestamps { last_access: time, last_modification: time }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;
    use crate::{pack, writer};

    fn archive(entries: &[(Kind, &str, &str)]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, path, link_or_text) in entries {
            let text = if *kind == Kind::File { link_or_text.as_bytes() } else { b"" };
            let link = if *kind == Kind::File { "" } else { link_or_text };
            let entry = Entry {
                kind: *kind,
                path: path.as_bytes().to_vec(),
                link: link.as_bytes().to_vec(),
                mode: 0o4755,
                device: (1, 3),
                ..writer::plain(text.len() as u64)
            };
            writer::write_header(&mut bytes, &entry).unwrap();
            bytes.extend_from_slice(text);
            writer::pad(&mut bytes, text.len() as u64).unwrap();
        }
        writer::finish(&mut bytes).unwrap();
        bytes
    }

    fn unpack_to(root: &Path, directory: &str, tar: &[u8], owner: Owner) -> Result<(), String> {
        let root = File::open(root).unwrap();
        let target = Target {
            root: root.as_fd(),
            directory: Path::new(directory),
            shown: Path::new(directory),
        };
        let options =
            Options { owner, replace_directories: false, limits: Limits::default(), rename: None };
        unpack(tar, target, options).map_err(|error| error.to_string())
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::create_dir(from.path().join("d")).unwrap();
        fs::write(from.path().join("d/f"), "text").unwrap();
        fs::hard_link(from.path().join("d/f"), from.path().join("d/g")).unwrap();
        symlink("../../out", from.path().join("d/l")).unwrap();
        let directory = OwnedFd::from(File::open(from.path().join("d")).unwrap());
        let mut tar = Vec::new();
        pack::write_directory(directory.as_fd(), b"n", &mut tar).unwrap();
        unpack_to(to.path(), "", &tar, Owner::Archived).unwrap();
        assert_eq!(fs::read_to_string(to.path().join("n/g")).unwrap(), "text");
        assert_eq!(fs::read_link(to.path().join("n/l")).unwrap(), Path::new("../../out"));
        let ino = |name: &str| {
            std::os::unix::fs::MetadataExt::ino(&fs::metadata(to.path().join(name)).unwrap())
        };
        assert_eq!(ino("n/f"), ino("n/g"));
    }

    #[test]
    fn cve_2026_17106_nothing_is_written_through_a_link_of_the_archive() {
        let place = tempfile::tempdir().unwrap();
        let (root, outside) = (place.path().join("root"), place.path().join("outside"));
        fs::create_dir_all(root.join("to")).unwrap();
        fs::create_dir(&outside).unwrap();
        let absolute = outside.to_str().unwrap();
        for link in [absolute, "../../outside", "../../../../../../../../../../etc"] {
            let tar = archive(&[
                (Kind::Symlink, "link", link),
                (Kind::File, "link/evil", "x"),
                (Kind::HardLink, "hard", "link/evil"),
            ]);
            assert!(unpack_to(&root, "to", &tar, Owner::Caller).is_err(), "{link}");
            let tar = archive(&[(Kind::Symlink, "f", absolute), (Kind::File, "f", "x")]);
            unpack_to(&root, "to", &tar, Owner::Caller).unwrap();
            fs::remove_file(root.join("to/f")).unwrap();
            fs::remove_file(root.join("to/link")).unwrap();
        }
        let climbing = archive(&[(Kind::File, "../../outside/evil", "x")]);
        let said = unpack_to(&root, "to", &climbing, Owner::Caller).unwrap_err();
        assert_eq!(said, "\"../../outside/evil\" is outside of \"to\"");
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
        assert!(!Path::new("/etc/evil").exists());
    }

    #[test]
    fn rights_of_others_do_not_come_with_what_a_caller_unpacks() {
        let root = tempfile::tempdir().unwrap();
        let tar = archive(&[(Kind::File, "program", "x")]);
        unpack_to(root.path(), "", &tar, Owner::Caller).unwrap();
        let mode = || fs::metadata(root.path().join("program")).unwrap().permissions().mode();
        assert_eq!(mode() & 0o7777, 0o755);
        unpack_to(root.path(), "", &tar, Owner::Archived).unwrap();
        assert_eq!(mode() & 0o7777, 0o4755);
        let device = archive(&[(Kind::CharDevice, "null", "")]);
        let said = unpack_to(root.path(), "", &device, Owner::Caller).unwrap_err();
        assert_eq!(said, "mknod null: devices are not made outside of containers");
    }

    #[test]
    fn directories_and_files_replace_each_other_only_when_asked_to() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("to/sub")).unwrap();
        fs::write(root.path().join("to/sub/x"), "").unwrap();
        let file = archive(&[(Kind::File, "sub", "x")]);
        assert_eq!(
            unpack_to(root.path(), "/to", &file, Owner::Archived).unwrap_err(),
            "cannot overwrite directory \"/to/sub\" with non-directory \"/to\""
        );
        let fd = File::open(root.path()).unwrap();
        let target =
            Target { root: fd.as_fd(), directory: Path::new("/to"), shown: Path::new("/to") };
        let owner = Owner::Archived;
        let options =
            Options { owner, replace_directories: true, limits: Limits::default(), rename: None };
        unpack(file.as_slice(), target, options).unwrap();
        let directory = archive(&[(Kind::Directory, "sub", "")]);
        assert_eq!(
            unpack_to(root.path(), "/to", &directory, Owner::Archived).unwrap_err(),
            "cannot overwrite non-directory \"/to/sub\" with directory \"/to\""
        );
    }

    #[test]
    fn an_archive_that_ends_early_is_an_error() {
        let root = tempfile::tempdir().unwrap();
        let tar = archive(&[(Kind::File, "f", "some text")]);
        assert_eq!(
            unpack_to(root.path(), "", &tar[..515], Owner::Caller).unwrap_err(),
            "unexpected EOF"
        );
    }
}
