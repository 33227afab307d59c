//! A new volume's first content: what the image has where the volume is mounted.
//!
//! The tree belongs to whoever made the image, so it is read by descriptor below the container's root and no link is
//! followed out of it; devices and sockets are left out, as nothing that a volume should carry to the host.

use std::ffi::{CStr, OsStr};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{
    AtFlags, CWD, Dir, FileType, Gid, Mode, OFlags, ResolveFlags, Stat, Timespec, Timestamps, Uid,
};
use rustix::io::Errno;

const DIRECTORY: OFlags =
    OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Copies the directory `path` of `root` into the directory `target`, owner and mode included. Nothing there, or no
/// directory, is nothing to copy.
pub fn copy(root: BorrowedFd<'_>, path: &Path, target: &Path) -> io::Result<()> {
    let inside = path.strip_prefix("/").unwrap_or(path);
    let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let source = match rustix::fs::openat2(root, inside, flags, Mode::empty(), resolve) {
        Err(Errno::NOENT | Errno::NOTDIR | Errno::LOOP) => return Ok(()),
        result => result?,
    };
    let target = rustix::fs::openat(CWD, target, DIRECTORY, Mode::empty())?;
    copy_tree(&source, &target)
}

/// Without recursion: how deeply directories are nested is for whoever made the image to say.
fn copy_tree(source: &OwnedFd, target: &OwnedFd) -> io::Result<()> {
    let mut pending = vec![PathBuf::new()];
    let mut made = Vec::new();
    while let Some(path) = pending.pop() {
        let (from, to) = (directory(source, &path)?, directory(target, &path)?);
        let mut entries = Dir::read_from(&from)?;
        while let Some(entry) = entries.read() {
            let entry = entry?;
            let name = entry.file_name();
            if name != c"." && name != c".." && copy_entry(&from, &to, name)? {
                pending.push(path.join(OsStr::from_bytes(name.to_bytes())));
            }
        }
        made.push(path);
    }
    // From below: what is made in a directory changes its times.
    for path in made.iter().rev() {
        finish_directory(&directory(source, path)?, &directory(target, path)?)?;
    }
    Ok(())
}

fn directory(root: &OwnedFd, path: &Path) -> io::Result<OwnedFd> {
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    Ok(rustix::fs::openat2(root, path, DIRECTORY, Mode::empty(), resolve)?)
}

fn finish_directory(source: &OwnedFd, target: &OwnedFd) -> io::Result<()> {
    let stat = rustix::fs::fstat(source)?;
    let (uid, gid) = owner(&stat);
    rustix::fs::fchown(target, Some(uid), Some(gid))?;
    rustix::fs::fchmod(target, Mode::from_raw_mode(stat.st_mode))?;
    Ok(rustix::fs::futimens(target, &times(&stat))?)
}

/// Whether it is a directory, which is made and not yet filled.
fn copy_entry(source: &OwnedFd, target: &OwnedFd, name: &CStr) -> io::Result<bool> {
    let stat = rustix::fs::statat(source, name, AtFlags::SYMLINK_NOFOLLOW)?;
    match FileType::from_raw_mode(stat.st_mode) {
        FileType::Directory => {
            rustix::fs::mkdirat(target, name, Mode::RWXU)?;
            return Ok(true);
        }
        FileType::RegularFile => copy_file(source, target, name, &stat)?,
        FileType::Symlink => {
            let link = rustix::fs::readlinkat(source, name, Vec::new())?;
            rustix::fs::symlinkat(link, target, name)?;
            let (uid, gid) = owner(&stat);
            let flags = AtFlags::SYMLINK_NOFOLLOW;
            rustix::fs::chownat(target, name, Some(uid), Some(gid), flags)?;
        }
        _ => {}
    }
    Ok(false)
}

fn copy_file(source: &OwnedFd, target: &OwnedFd, name: &CStr, stat: &Stat) -> io::Result<()> {
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let from = rustix::fs::openat(source, name, flags | OFlags::RDONLY, Mode::empty())?;
    let new = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL;
    let to = rustix::fs::openat(target, name, flags | new, Mode::RUSR | Mode::WUSR)?;
    let to = File::from(to);
    io::copy(&mut File::from(from), &mut &to)?;
    let (uid, gid) = owner(stat);
    // The owner first: a change of it takes the set-uid bit away.
    rustix::fs::fchown(to.as_fd(), Some(uid), Some(gid))?;
    rustix::fs::fchmod(to.as_fd(), Mode::from_raw_mode(stat.st_mode))?;
    Ok(rustix::fs::futimens(&to, &times(stat))?)
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

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    fn copied(root: &Path, path: &str) -> tempfile::TempDir {
        let target = tempfile::tempdir().unwrap();
        let root = File::open(root).unwrap();
        copy(root.as_fd(), Path::new(path), target.path()).unwrap();
        target
    }

    #[test]
    fn a_volume_starts_with_the_images_files_their_owners_and_modes() {
        let root = tempfile::tempdir().unwrap();
        let data = root.path().join("data");
        fs::create_dir_all(data.join("sub")).unwrap();
        fs::write(data.join("sub/file"), "content").unwrap();
        symlink("/etc/passwd", data.join("link")).unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(0o1770)).unwrap();
        std::os::unix::fs::chown(&data, Some(70), Some(71)).unwrap();
        let volume = copied(root.path(), "/data");
        assert_eq!(fs::read_to_string(volume.path().join("sub/file")).unwrap(), "content");
        let link = fs::read_link(volume.path().join("link")).unwrap();
        assert_eq!(link, Path::new("/etc/passwd"));
        let metadata = fs::metadata(volume.path()).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (70, 71));
        assert_eq!(metadata.mode() & 0o7777, 0o1770);
    }

    #[test]
    fn cve_2018_15664_a_link_at_the_mount_point_does_not_lead_to_the_host() {
        let root = tempfile::tempdir().unwrap();
        symlink("/proc/self/root/etc", root.path().join("data")).unwrap();
        symlink("../../../../../etc", root.path().join("climb")).unwrap();
        for path in ["/data", "/climb"] {
            let volume = copied(root.path(), path);
            assert_eq!(fs::read_dir(volume.path()).unwrap().count(), 0, "{path}");
        }
    }
}
