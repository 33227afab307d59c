//! `/dev`: the devices every container has, those it was given, and the usual links.
//!
//! CVE-2025-62161, CVE-2026-41579, CVE-2026-47766: an image may ship `/dev` or a device as a link. Directories are
//! resolved inside the root, the last name is never followed, and what is found under a device's name must be it.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use oci::runtime::Device;
use rustix::fs::{AtFlags, FileType, Gid, Mode, OFlags, Uid};
use sys::mount::{self, Depth};

use crate::error::{Context, Error, Result};

/// How device nodes come to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nodes {
    Make,
    /// A user namespace may not make nodes: the host's are bound.
    Bind,
}

const LINKS: [(&str, &str); 5] = [
    ("/proc/self/fd", "/dev/fd"),
    ("/proc/self/fd/0", "/dev/stdin"),
    ("/proc/self/fd/1", "/dev/stdout"),
    ("/proc/self/fd/2", "/dev/stderr"),
    ("/proc/kcore", "/dev/core"),
];

fn default_devices() -> impl Iterator<Item = Device> {
    [
        ("null", 1, 3),
        ("zero", 1, 5),
        ("full", 1, 7),
        ("random", 1, 8),
        ("urandom", 1, 9),
        ("tty", 5, 0),
    ]
    .into_iter()
    .map(|(name, major, minor)| Device {
        path: Path::new("/dev").join(name),
        kind: "c".into(),
        major,
        minor,
        file_mode: Some(0o666),
        uid: None,
        gid: None,
    })
}

/// Makes the default devices and those of the configuration.
pub(crate) fn make_all(root: BorrowedFd<'_>, devices: &[Device], nodes: Nodes) -> Result<()> {
    let defaults = default_devices().filter(|one| devices.iter().all(|d| d.path != one.path));
    for device in defaults.chain(devices.iter().cloned()) {
        make(root, &device, nodes)
            .map_err(|error| error.within(format!("create device {}", device.path.display())))?;
    }
    Ok(())
}

fn make(root: BorrowedFd<'_>, device: &Device, nodes: Nodes) -> Result<()> {
    // A container's terminals are its own devpts's.
    if device.path == Path::new("/dev/ptmx") {
        return Ok(());
    }
    let (kind, number) = identity(device)?;
    let (directory, name) =
        sys::path::create_parent_in_root(root, &device.path).context(|| "create its directory")?;
    if nodes == Nodes::Bind {
        return bind(directory.as_fd(), name, device);
    }
    let mode = Mode::from_raw_mode(device.file_mode.unwrap_or(0o666) & 0o7777);
    match rustix::fs::mknodat(&directory, name, kind, mode, number) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST) => {
            let stat = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)
                .context(|| "stat")?;
            if FileType::from_raw_mode(stat.st_mode) != kind || stat.st_rdev != number {
                return Err(Error::other("something else is there already"));
            }
        }
        Err(rustix::io::Errno::PERM) => return bind(directory.as_fd(), name, device),
        Err(error) => return Err(error).context(|| "mknod"),
    }
    let (uid, gid) = (device.uid.unwrap_or(0), device.gid.unwrap_or(0));
    let owner = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
    if (uid, gid) != (0, 0) {
        rustix::fs::chownat(&directory, name, owner.0, owner.1, AtFlags::SYMLINK_NOFOLLOW)
            .context(|| "chown")?;
    }
    let node = open_node(directory.as_fd(), name)?;
    set_mode(node.as_fd(), mode)
}

/// The mode of a node as it is, whatever the umask: by its descriptor, because `fchmodat` follows links.
fn set_mode(node: BorrowedFd<'_>, mode: Mode) -> Result<()> {
    let stat = rustix::fs::fstat(node).context(|| "stat")?;
    if Mode::from_raw_mode(stat.st_mode) == mode {
        return Ok(());
    }
    rustix::fs::chmod(sys::path::by_descriptor(node), mode).context(|| "chmod")
}

fn open_node(directory: BorrowedFd<'_>, name: &std::ffi::OsStr) -> Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty()).context(|| "open")
}

fn identity(device: &Device) -> Result<(FileType, u64)> {
    let kind = match device.kind.as_str() {
        "c" | "u" => FileType::CharacterDevice,
        "b" => FileType::BlockDevice,
        "p" => return Ok((FileType::Fifo, 0)),
        other => return Err(Error::invalid(format!("unknown device type {other:?}"))),
    };
    let part = |number: i64| {
        u32::try_from(number).map_err(|_| Error::invalid(format!("invalid device number {number}")))
    };
    Ok((kind, rustix::fs::makedev(part(device.major)?, part(device.minor)?)))
}

/// Shows the host's node of the same path, which must be the device that is meant.
fn bind(directory: BorrowedFd<'_>, name: &std::ffi::OsStr, device: &Device) -> Result<()> {
    let tree = mount::clone_tree(&device.path, Depth::Single).context(|| "open the host's")?;
    let (kind, number) = identity(device)?;
    let stat = rustix::fs::fstat(&tree).context(|| "stat the host's")?;
    if FileType::from_raw_mode(stat.st_mode) != kind || stat.st_rdev != number {
        return Err(Error::other("the host has another device under that name"));
    }
    let flags = OFlags::CREATE | OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    match rustix::fs::openat(directory, name, flags | OFlags::EXCL, Mode::from_raw_mode(0o666)) {
        Ok(_) | Err(rustix::io::Errno::EXIST) => {}
        Err(error) => return Err(error).context(|| "create mount point"),
    }
    let target = open_node(directory, name)?;
    mount::attach(tree.as_fd(), target.as_fd()).context(|| "bind the host's")
}

/// Makes `/dev/fd`, `/dev/stdin` and so on, and `/dev/ptmx`. What an image already has is left.
pub(crate) fn make_links(root: BorrowedFd<'_>) -> Result<()> {
    let has_kcore = Path::new("/proc/kcore").exists();
    let ptmx = ("pts/ptmx", "/dev/ptmx");
    let links = LINKS.into_iter().filter(|(target, _)| has_kcore || *target != "/proc/kcore");
    for (target, link) in links.chain([ptmx]) {
        let (directory, name) = sys::path::create_parent_in_root(root, Path::new(link))
            .context(|| format!("create {link}"))?;
        match rustix::fs::symlinkat(target, &directory, name) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(error) => return Err(error).context(|| format!("symlink {target} {link}")),
        }
    }
    Ok(())
}
