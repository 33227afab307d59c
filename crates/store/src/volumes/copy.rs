//! Copies of trees: a volume's first content out of an image, clones, snapshots.
//!
//! Either tree may belong to somebody hostile, so both are walked by descriptor, without recursion, and no link is
//! followed. Owners, modes, times, attributes, holes and hard links are kept; file content is shared where the file
//! system can (`FICLONE`). Devices and sockets are left out, as nothing that a volume should carry to the host. What
//! vanishes while the tree is read is left out, too.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, FileType, Gid, Mode, OFlags, SeekFrom, Stat, Timespec, Timestamps, Uid, XattrFlags,
};
use rustix::io::Errno;

use archive::walk;

const MAX_XATTR: usize = 64 << 10;

/// Copies what the directory `source` holds, and what it is itself, into the empty directory `target`.
pub fn tree(source: BorrowedFd<'_>, target: BorrowedFd<'_>) -> io::Result<()> {
    let mut copy = Copy { source, target, links: HashMap::new() };
    let mut pending = vec![PathBuf::new()];
    let mut made = Vec::new();
    while let Some(path) = pending.pop() {
        match copy.directory(&path) {
            Ok(below) => pending.extend(below),
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        }
        made.push(path);
    }
    // From below: what is made in a directory changes its times.
    for path in made.iter().rev() {
        if let Some(from) = present(walk::open_directory(source, path))? {
            let to = walk::open_directory(target, path)?;
            describe(from.as_fd(), to.as_fd(), &rustix::fs::fstat(&from)?)?;
        }
    }
    Ok(())
}

/// Whether the directory holds nothing.
pub fn is_empty(directory: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(walk::names(&walk::open_directory(directory, Path::new(""))?)?.is_empty())
}

struct Copy<'t> {
    source: BorrowedFd<'t>,
    target: BorrowedFd<'t>,
    /// First path of each inode that has several names.
    links: HashMap<(u64, u64), PathBuf>,
}

impl Copy<'_> {
    /// Copies the entries of one directory; directories among them are made, and returned.
    fn directory(&mut self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let from = walk::open_directory(self.source, path)?;
        let to = walk::open_directory(self.target, path)?;
        let mut below = Vec::new();
        for name in walk::names(&from)? {
            let path = path.join(&name);
            match self.entry(&from, &to, &name, &path) {
                Ok(true) => below.push(path),
                Ok(false) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(below)
    }

    /// Whether it is a directory, which is made and not yet filled.
    fn entry(
        &mut self,
        from: &OwnedFd,
        to: &OwnedFd,
        name: &OsString,
        path: &Path,
    ) -> io::Result<bool> {
        let stat = rustix::fs::statat(from, name, AtFlags::SYMLINK_NOFOLLOW)?;
        let kind = FileType::from_raw_mode(stat.st_mode);
        if kind == FileType::Directory {
            rustix::fs::mkdirat(to, name, Mode::RWXU)?;
            return Ok(true);
        }
        if stat.st_nlink > 1 && self.link(&stat, to, name)? {
            return Ok(false);
        }
        match kind {
            FileType::RegularFile => file(from, to, name)?,
            FileType::Symlink => symlink(from, to, name, &stat)?,
            FileType::Fifo => fifo(to, name, &stat)?,
            _ => return Ok(false),
        }
        if stat.st_nlink > 1 {
            self.links.insert((stat.st_dev, stat.st_ino), path.to_owned());
        }
        Ok(false)
    }

    /// Whether another name of it was copied before, which this one now is of, too.
    fn link(&self, stat: &Stat, to: &OwnedFd, name: &OsStr) -> io::Result<bool> {
        let Some(first) = self.links.get(&(stat.st_dev, stat.st_ino)) else { return Ok(false) };
        let parent = walk::open_directory(self.target, first.parent().unwrap_or(Path::new("")))?;
        let first = first.file_name().unwrap_or_default();
        rustix::fs::linkat(&parent, first, to, name, AtFlags::empty())?;
        Ok(true)
    }
}

fn file(from: &OwnedFd, to: &OwnedFd, name: &OsStr) -> io::Result<()> {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let source = rustix::fs::openat(from, name, flags | OFlags::RDONLY, Mode::empty())?;
    // Of the file that is open, whatever the name meant before.
    let stat = rustix::fs::fstat(&source)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::ErrorKind::NotFound.into());
    }
    let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let target = rustix::fs::openat(to, name, flags | new, Mode::RUSR | Mode::WUSR)?;
    if rustix::fs::ioctl_ficlone(&target, &source).is_err() {
        content(&source, &target, stat.st_size.cast_unsigned())?;
    }
    describe(source.as_fd(), target.as_fd(), &stat)
}

/// Region by region; holes stay holes.
fn content(source: &OwnedFd, target: &OwnedFd, size: u64) -> io::Result<()> {
    let mut at = 0;
    while at < size {
        let start = match rustix::fs::seek(source, SeekFrom::Data(at)) {
            Ok(start) => start,
            // Only a hole is left.
            Err(Errno::NXIO) => break,
            Err(Errno::INVAL) => at,
            Err(error) => return Err(error.into()),
        };
        let end = rustix::fs::seek(source, SeekFrom::Hole(start)).unwrap_or(size).min(size);
        region(source, target, start, end)?;
        at = end.max(start + 1);
    }
    Ok(rustix::fs::ftruncate(target, size)?)
}

fn region(source: &OwnedFd, target: &OwnedFd, start: u64, end: u64) -> io::Result<()> {
    let (mut from, mut to) = (start, start);
    while from < end {
        let length = usize::try_from(end - from).unwrap_or(usize::MAX);
        match rustix::fs::copy_file_range(source, Some(&mut from), target, Some(&mut to), length) {
            // Cut short meanwhile.
            Ok(0) => return Ok(()),
            Ok(_) | Err(Errno::INTR) => {}
            Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => {
                return by_hand(source, target, from, end);
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn by_hand(source: &OwnedFd, target: &OwnedFd, mut at: u64, end: u64) -> io::Result<()> {
    let mut buffer = vec![0; 128 << 10];
    while at < end {
        let wanted = usize::try_from(end - at).unwrap_or(usize::MAX).min(buffer.len());
        let count = rustix::io::pread(source, &mut buffer[..wanted], at)?;
        if count == 0 {
            return Ok(());
        }
        let mut written = 0;
        while written < count {
            let offset = at + written as u64;
            written += rustix::io::pwrite(target, &buffer[written..count], offset)?;
        }
        at += count as u64;
    }
    Ok(())
}

fn symlink(from: &OwnedFd, to: &OwnedFd, name: &OsStr, stat: &Stat) -> io::Result<()> {
    let link = rustix::fs::readlinkat(from, name, Vec::new())?;
    rustix::fs::symlinkat(link, to, name)?;
    own_by_name(to, name, stat)
}

fn fifo(to: &OwnedFd, name: &OsStr, stat: &Stat) -> io::Result<()> {
    rustix::fs::mknodat(to, name, FileType::Fifo, Mode::from_raw_mode(stat.st_mode), 0)?;
    own_by_name(to, name, stat)?;
    Ok(rustix::fs::chmodat(to, name, Mode::from_raw_mode(stat.st_mode), AtFlags::empty())?)
}

/// For what cannot be opened.
fn own_by_name(to: &OwnedFd, name: &OsStr, stat: &Stat) -> io::Result<()> {
    let (uid, gid) = owner(stat);
    rustix::fs::chownat(to, name, Some(uid), Some(gid), AtFlags::SYMLINK_NOFOLLOW)?;
    Ok(rustix::fs::utimensat(to, name, &times(stat), AtFlags::SYMLINK_NOFOLLOW)?)
}

/// Owner first: a change of it takes set-id bits and file capabilities away.
fn describe(from: BorrowedFd<'_>, to: BorrowedFd<'_>, stat: &Stat) -> io::Result<()> {
    let (uid, gid) = owner(stat);
    rustix::fs::fchown(to, Some(uid), Some(gid))?;
    rustix::fs::fchmod(to, Mode::from_raw_mode(stat.st_mode))?;
    attributes(from, to)?;
    Ok(rustix::fs::futimens(to, &times(stat))?)
}

/// Overlayfs's own would let a tree redirect directories. What the target's file system does not take is left out.
fn attributes(from: BorrowedFd<'_>, to: BorrowedFd<'_>) -> io::Result<()> {
    let mut list = vec![0; MAX_XATTR];
    let length = match rustix::fs::flistxattr(from, &mut list[..]) {
        Err(Errno::OPNOTSUPP) => return Ok(()),
        result => result?,
    };
    if length == 0 {
        return Ok(());
    }
    let mut value = vec![0; MAX_XATTR];
    let of_overlay =
        |name: &[u8]| name.starts_with(b"trusted.overlay.") || name.starts_with(b"user.overlay.");
    let names = list[..length].split(|byte| *byte == 0);
    for name in names.filter(|name| !name.is_empty() && !of_overlay(name)) {
        let name = OsStr::from_bytes(name);
        let length = rustix::fs::fgetxattr(from, name, &mut value[..])?;
        match rustix::fs::fsetxattr(to, name, &value[..length], XattrFlags::empty()) {
            Err(Errno::OPNOTSUPP | Errno::PERM | Errno::ACCESS) => {}
            result => result?,
        }
    }
    Ok(())
}

fn present<T>(result: rustix::io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(Errno::NOENT) => Ok(None),
        result => Ok(Some(result?)),
    }
}

fn owner(stat: &Stat) -> (Uid, Gid) {
    (Uid::from_raw(stat.st_uid), Gid::from_raw(stat.st_gid))
}

fn times(stat: &Stat) -> Timestamps {
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds as _ };
    Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec),
    }
}

/// The directory at `path` as a container with this root sees it; nothing there, or no directory, is `None`.
pub fn directory_inside(root: BorrowedFd<'_>, path: &Path) -> io::Result<Option<OwnedFd>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY;
    match sys::path::open_in_root(root, path, flags, Mode::empty()) {
        Ok(directory) => Ok(Some(directory)),
        Err(error)
            if matches!(
                error.raw_os_error().map(Errno::from_raw_os_error),
                Some(Errno::NOENT | Errno::NOTDIR | Errno::LOOP)
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn copied(from: &Path) -> tempfile::TempDir {
        let target = tempfile::tempdir().unwrap();
        let (from, to) = (File::open(from).unwrap(), File::open(target.path()).unwrap());
        tree(from.as_fd(), to.as_fd()).unwrap();
        target
    }

    #[test]
    fn owners_modes_attributes_links_and_holes_are_kept() {
        let source = tempfile::tempdir().unwrap();
        let path = |name: &str| source.path().join(name);
        fs::create_dir(path("sub")).unwrap();
        fs::write(path("sub/file"), "content").unwrap();
        fs::hard_link(path("sub/file"), path("other-name")).unwrap();
        symlink("/etc/passwd", path("link")).unwrap();
        let sparse = File::create(path("sparse")).unwrap();
        sparse.write_all_at(b"end", 64 << 20).unwrap();
        rustix::fs::fsetxattr(&sparse, "user.mine", b"yes", XattrFlags::empty()).unwrap();
        fs::set_permissions(source.path(), fs::Permissions::from_mode(0o1770)).unwrap();
        std::os::unix::fs::chown(source.path(), Some(70), Some(71)).unwrap();
        let copy = copied(source.path());
        let path = |name: &str| copy.path().join(name);
        assert_eq!(fs::read_to_string(path("sub/file")).unwrap(), "content");
        let inode = |name: &str| fs::metadata(path(name)).unwrap().ino();
        assert_eq!(inode("sub/file"), inode("other-name"));
        assert_eq!(fs::read_link(path("link")).unwrap(), Path::new("/etc/passwd"));
        let sparse = fs::metadata(path("sparse")).unwrap();
        assert_eq!(sparse.len(), (64 << 20) + 3);
        assert!(sparse.blocks() < 100, "{}", sparse.blocks());
        let mut value = [0; 8];
        let length = rustix::fs::getxattr(path("sparse"), "user.mine", &mut value).unwrap();
        assert_eq!(&value[..length], b"yes");
        let top = fs::metadata(copy.path()).unwrap();
        assert_eq!((top.uid(), top.gid(), top.mode() & 0o7777), (70, 71, 0o1770));
    }

    #[test]
    fn devices_and_sockets_are_left_out() {
        let source = tempfile::tempdir().unwrap();
        let directory = File::open(source.path()).unwrap();
        let null = rustix::fs::makedev(1, 3);
        let (device, pipe) = (FileType::CharacterDevice, FileType::Fifo);
        rustix::fs::mknodat(&directory, "null", device, Mode::RUSR, null).unwrap();
        rustix::fs::mknodat(&directory, "pipe", pipe, Mode::RUSR, 0).unwrap();
        let _socket = std::os::unix::net::UnixListener::bind(source.path().join("s")).unwrap();
        let copy = copied(source.path());
        let names: Vec<_> =
            fs::read_dir(copy.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(names, ["pipe"]);
    }

    #[test]
    fn cve_2018_15664_a_link_at_the_mount_point_does_not_lead_to_the_host() {
        let root = tempfile::tempdir().unwrap();
        symlink("/proc/self/root/etc", root.path().join("data")).unwrap();
        symlink("../../../../../etc", root.path().join("climb")).unwrap();
        let fd = File::open(root.path()).unwrap();
        for path in ["/data", "/climb", "/none"] {
            let found = directory_inside(fd.as_fd(), Path::new(path)).unwrap();
            assert!(found.is_none(), "{path}");
        }
    }
}
