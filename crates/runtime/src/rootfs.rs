//! The container's root: attached where only the container sees it, and then made its whole world.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode};
use sys::mount::{self, Attributes, Depth, FileSystem};

use crate::error::{Context, Error, Result};

/// The propagation of the container's mounts, from `linux.rootfsPropagation`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Propagation {
    pub(crate) flag: u64,
    pub(crate) depth: Depth,
}

impl Propagation {
    pub(crate) fn parse(word: &str) -> Result<Self> {
        let (name, depth) = match word.strip_prefix('r') {
            Some(name) => (name, Depth::Recursive),
            None => (word, Depth::Single),
        };
        let flag = match name {
            "" => return Ok(Self { flag: mount::SLAVE, depth: Depth::Recursive }),
            "private" => mount::PRIVATE,
            "slave" => mount::SLAVE,
            "shared" => mount::SHARED,
            "unbindable" => mount::UNBINDABLE,
            _ => return Err(Error::invalid(format!("unknown rootfsPropagation {word:?}"))),
        };
        Ok(Self { flag, depth })
    }
}

/// Takes the calling process's mounts out of the host's sight, and attaches the root at `place`.
pub(crate) fn attach(root: &OwnedFd, place: &Path) -> Result<OwnedFd> {
    // Nothing done from here on may reach the host, and pivot_root refuses shared parents.
    mount::set_propagation(Path::new("/"), mount::SLAVE, Depth::Recursive)
        .context(|| "make the host's mounts slaves")?;
    let private = Attributes { propagation: mount::PRIVATE, ..Attributes::default() };
    mount::set_attributes(root.as_fd(), private, Depth::Single)
        .context(|| "make the root private")?;
    let target = std::fs::File::open(place).context(|| format!("open {}", place.display()))?;
    mount::attach(root.as_fd(), target.as_fd()).context(|| "attach the root")?;
    root.try_clone().context(|| "dup")
}

/// The directory of a path, as a mount of its own that is nowhere yet.
pub(crate) fn open_path(path: &Path) -> Result<OwnedFd> {
    mount::clone_tree(path, Depth::Recursive).context(|| format!("rootfs {}", path.display()))
}

/// Makes `root` the root of the calling process.
pub(crate) fn enter(root: BorrowedFd<'_>, no_pivot: bool, propagation: Propagation) -> Result<()> {
    if no_pivot {
        return move_over_root(root);
    }
    mount::pivot_root(root).context(|| "pivot_root")?;
    if propagation.flag == mount::SHARED || propagation.depth == Depth::Single {
        mount::set_propagation(Path::new("/"), propagation.flag, propagation.depth)
            .context(|| "propagation of the root")?;
    }
    Ok(())
}

/// For hosts whose root is an initramfs, which cannot be pivoted away from.
fn move_over_root(root: BorrowedFd<'_>) -> Result<()> {
    let old = std::fs::File::open("/").context(|| "open /")?;
    rustix::process::fchdir(root).context(|| "chdir")?;
    rustix::mount::mount_move(c".", c"/").context(|| "move the root over /")?;
    drop(old);
    rustix::process::chroot(c".").context(|| "chroot")?;
    rustix::process::chdir(c"/").context(|| "chdir /")
}

/// Makes the root mount read-only.
pub(crate) fn make_read_only(root: BorrowedFd<'_>) -> Result<()> {
    let change = Attributes { set: mount::RDONLY, ..Attributes::default() };
    mount::set_attributes(root, change, Depth::Single).context(|| "make the root read-only")
}

/// Makes paths read-only, where they exist.
pub(crate) fn protect(root: BorrowedFd<'_>, paths: &[PathBuf]) -> Result<()> {
    for path in paths {
        let Some(target) = locate(root, path)? else { continue };
        let what = || format!("make {} read-only", path.display());
        let tree = mount::clone_fd(target.as_fd(), Depth::Recursive).context(what)?;
        let change = Attributes { set: mount::RDONLY, ..Attributes::default() };
        mount::set_attributes(tree.as_fd(), change, Depth::Recursive).context(what)?;
        mount::attach(tree.as_fd(), target.as_fd()).context(what)?;
    }
    Ok(())
}

/// Hides paths, where they exist: a directory under an empty one, anything else under `/dev/null`.
///
/// CVE-2025-31133: the null device is the host's, and verified to be it.
pub(crate) fn mask(root: BorrowedFd<'_>, paths: &[PathBuf], null: BorrowedFd<'_>) -> Result<()> {
    let mut empty: Option<OwnedFd> = None;
    for path in paths {
        let Some(target) = locate(root, path)? else { continue };
        let what = || format!("mask {}", path.display());
        let stat = rustix::fs::fstat(&target).context(what)?;
        let directory = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
        let cover = match (&empty, directory) {
            (_, false) => mount::clone_fd(null, Depth::Single).context(what)?,
            // One superblock serves all: a mount can be copied once it is attached.
            (Some(empty), true) => mount::clone_fd(empty.as_fd(), Depth::Single).context(what)?,
            (None, true) => empty_directory().context(what)?,
        };
        mount::attach(cover.as_fd(), target.as_fd()).context(what)?;
        if directory && empty.is_none() {
            empty = Some(cover);
        }
    }
    Ok(())
}

fn empty_directory() -> std::io::Result<OwnedFd> {
    let tmpfs = FileSystem::open("tmpfs")?;
    tmpfs.set("size", "0k")?;
    tmpfs.set("mode", "755")?;
    tmpfs.mount(mount::RDONLY | mount::NOSUID | mount::NODEV | mount::NOEXEC)
}

fn locate(root: BorrowedFd<'_>, path: &Path) -> Result<Option<OwnedFd>> {
    match sys::path::locate_in_root(root, path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENOTDIR)) => {
            Ok(None)
        }
        Err(error) => Err(error).context(|| format!("open {}", path.display())),
    }
}

/// The host's null device, verified to be it.
pub(crate) fn host_null() -> Result<OwnedFd> {
    let flags =
        rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC | rustix::fs::OFlags::NOFOLLOW;
    let null = rustix::fs::open(c"/dev/null", flags, Mode::empty()).context(|| "open /dev/null")?;
    sys::path::verify_device(null.as_fd(), 1, 3).context(|| "/dev/null of the host")?;
    Ok(null)
}
