//! What may be mounted where procfs and sysfs are.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::{FileType, Mode, OFlags};
use sys::mount::{self, Depth, FileSystem};

use crate::error::{Context, Error, Result};

const PROC_MAGIC: u64 = 0x9fa0;
/// The inode of a procfs's root.
const PROC_ROOT_INODE: u64 = 1;

/// Files of procfs that tools like lxcfs replace.
const REPLACEABLE: [&str; 10] = [
    "/proc/cpuinfo",
    "/proc/diskstats",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/swaps",
    "/proc/uptime",
    "/proc/loadavg",
    "/proc/slabinfo",
    "/proc/sys/kernel/ns_last_pid",
    "/proc/sys/crypto/fips_enabled",
];

/// CVE-2019-16884, CVE-2019-19921, CVE-2023-27561, CVE-2023-28642: nothing but the files above goes over
/// `/proc` or into it, whether it is named so or a link leads there; a whole procfs may be bound to `/proc`.
pub(crate) fn refuse_inside_proc(
    destination: &Path,
    target: BorrowedFd<'_>,
    mounted: BorrowedFd<'_>,
) -> Result<()> {
    let named = destination.starts_with("/proc");
    let inside = sys::path::verify_filesystem(target, PROC_MAGIC).is_ok();
    if !named && !inside {
        return Ok(());
    }
    if REPLACEABLE.iter().any(|path| destination == Path::new(path)) {
        return Ok(());
    }
    let whole = destination == Path::new("/proc") && is_whole_procfs(mounted);
    if whole {
        return Ok(());
    }
    let path = destination.display();
    Err(Error::invalid(format!("\"{path}\" cannot be mounted because it is inside /proc")))
}

fn is_whole_procfs(mounted: BorrowedFd<'_>) -> bool {
    sys::path::verify_filesystem(mounted, PROC_MAGIC).is_ok()
        && rustix::fs::fstat(mounted).is_ok_and(|stat| stat.st_ino == PROC_ROOT_INODE)
}

/// The mount point of procfs or sysfs: a directory proper, no link in its path, made if missing.
pub(crate) fn ordinary_directory(root: BorrowedFd<'_>, destination: &Path) -> Result<OwnedFd> {
    let directory =
        sys::path::create_dir_all_in_root(root, destination, Mode::from_raw_mode(0o755))
            .context(|| "create mount point")?;
    let relative = destination.strip_prefix("/").unwrap_or(destination);
    let resolve = rustix::fs::ResolveFlags::IN_ROOT | rustix::fs::ResolveFlags::NO_SYMLINKS;
    let flags = OFlags::PATH | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let plain = rustix::fs::openat2(root, relative, flags, Mode::empty(), resolve);
    let stat = |fd: BorrowedFd<'_>| rustix::fs::fstat(fd).map(|s| (s.st_dev, s.st_ino, s.st_mode));
    let same = plain.ok().and_then(|plain| stat(plain.as_fd()).ok());
    match (stat(directory.as_fd()).ok(), same) {
        (Some(one), Some(other))
            if one == other && FileType::from_raw_mode(one.2) == FileType::Directory =>
        {
            Ok(directory)
        }
        _ => {
            let path = destination.display();
            Err(Error::invalid(format!(
                "filesystem \"{path}\" must be mounted on ordinary directory"
            )))
        }
    }
}

/// A procfs that no container has touched: CVE-2025-52881, writes to sysctls and labels go through it.
///
/// One that shows less than the host's is refused by the kernel to a user namespace; then it is the one that the caller
/// sees as `/proc`, without what is mounted inside.
pub(crate) fn private() -> Result<OwnedFd> {
    let fresh = FileSystem::open("proc").and_then(|system| system.mount(0));
    if let Ok(procfs) = fresh {
        return Ok(procfs);
    }
    let alone = mount::clone_tree(Path::new("/proc"), Depth::Single);
    let procfs = alone
        .or_else(|_| std::fs::File::open("/proc").map(OwnedFd::from))
        .context(|| "open /proc")?;
    if is_whole_procfs(procfs.as_fd()) {
        Ok(procfs)
    } else {
        Err(Error::other("/proc of the host is not a procfs"))
    }
}

/// Writes to a file of procfs, which must lie on it and be reached without any link.
pub(crate) fn write(procfs: BorrowedFd<'_>, path: &Path, value: &[u8]) -> std::io::Result<()> {
    use rustix::fs::ResolveFlags;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS | ResolveFlags::NO_XDEV;
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    let file = rustix::fs::openat2(procfs, path, flags, Mode::empty(), resolve)?;
    sys::path::verify_filesystem(file.as_fd(), PROC_MAGIC)?;
    rustix::io::write(&file, value)?;
    Ok(())
}
