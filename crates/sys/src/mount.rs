//! The mount interface by file descriptors: a mount is made detached, changed, and then moved to a
//! directory or file that was resolved safely. No path is looked up twice.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::fs::CWD;
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, MoveMountFlags, OpenTreeFlags};

use crate::check;

pub const RDONLY: u64 = 0x1;
pub const NOSUID: u64 = 0x2;
pub const NODEV: u64 = 0x4;
pub const NOEXEC: u64 = 0x8;
/// The field of the access time modes; relative is zero.
pub const ATIME: u64 = 0x70;
pub const NOATIME: u64 = 0x10;
pub const STRICTATIME: u64 = 0x20;
pub const NODIRATIME: u64 = 0x80;
pub const IDMAP: u64 = 0x10_0000;
pub const NOSYMFOLLOW: u64 = 0x20_0000;

pub const PRIVATE: u64 = libc::MS_PRIVATE;
pub const SLAVE: u64 = libc::MS_SLAVE;
pub const SHARED: u64 = libc::MS_SHARED;
pub const UNBINDABLE: u64 = libc::MS_UNBINDABLE;

/// How much of a mount tree an operation covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    Single,
    Recursive,
}

/// A change of a mount's attributes (`mount_setattr(2)`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes {
    pub set: u64,
    pub clear: u64,
    /// One of the propagation constants, or zero.
    pub propagation: u64,
}

impl Attributes {
    pub fn is_empty(&self) -> bool {
        *self == Attributes::default()
    }
}

/// A detached copy of the mount at `path` (a bind mount that is nowhere yet).
pub fn clone_tree(path: &Path, depth: Depth) -> io::Result<OwnedFd> {
    clone_tree_at(CWD, path, depth)
}

/// As [`clone_tree`], of what `fd` is open on.
pub fn clone_fd(fd: BorrowedFd<'_>, depth: Depth) -> io::Result<OwnedFd> {
    clone_tree_at(fd, Path::new(""), depth)
}

fn clone_tree_at(fd: BorrowedFd<'_>, path: &Path, depth: Depth) -> io::Result<OwnedFd> {
    let mut flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_EMPTY_PATH;
    if depth == Depth::Recursive {
        flags |= OpenTreeFlags::AT_RECURSIVE;
    }
    Ok(rustix::mount::open_tree(fd, path, flags)?)
}

/// Attaches a detached mount at an open directory or file.
pub fn attach(mount: BorrowedFd<'_>, target: BorrowedFd<'_>) -> io::Result<()> {
    let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH | MoveMountFlags::MOVE_MOUNT_T_EMPTY_PATH;
    Ok(rustix::mount::move_mount(mount, c"", target, c"", flags)?)
}

/// Changes the attributes of the mount that `mount` is the root of.
pub fn set_attributes(mount: BorrowedFd<'_>, change: Attributes, depth: Depth) -> io::Result<()> {
    set_attributes_with(mount, change, depth, None)
}

/// Maps the ids of a detached mount through a user namespace.
pub fn set_id_map(mount: BorrowedFd<'_>, userns: BorrowedFd<'_>, depth: Depth) -> io::Result<()> {
    let change = Attributes { set: IDMAP, ..Attributes::default() };
    set_attributes_with(mount, change, depth, Some(userns))
}

fn set_attributes_with(
    mount: BorrowedFd<'_>,
    change: Attributes,
    depth: Depth,
    userns: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    #[repr(C)]
    struct MountAttr {
        attr_set: u64,
        attr_clr: u64,
        propagation: u64,
        userns_fd: u64,
    }
    let attr = MountAttr {
        attr_set: change.set,
        attr_clr: change.clear,
        propagation: change.propagation,
        userns_fd: userns.map_or(0, |fd| fd.as_raw_fd() as u64),
    };
    let recursive = if depth == Depth::Recursive { libc::AT_RECURSIVE } else { 0 };
    // SAFETY: `attr` is the kernel's structure of the size that is passed, and outlives the call.
    check(unsafe {
        libc::syscall(
            libc::SYS_mount_setattr,
            mount.as_raw_fd(),
            c"".as_ptr(),
            libc::AT_EMPTY_PATH | recursive,
            &raw const attr,
            std::mem::size_of::<MountAttr>(),
        )
    })
    .map(drop)
}

/// A file system that is being configured.
pub struct FileSystem(OwnedFd);

impl FileSystem {
    pub fn open(kind: &str) -> io::Result<Self> {
        Ok(Self(rustix::mount::fsopen(kind, FsOpenFlags::FSOPEN_CLOEXEC)?))
    }

    pub fn set(&self, key: &str, value: &str) -> io::Result<()> {
        Ok(rustix::mount::fsconfig_set_string(&self.0, key, value)?)
    }

    pub fn set_bytes(&self, key: &str, value: &CStr) -> io::Result<()> {
        Ok(rustix::mount::fsconfig_set_string(&self.0, key, value)?)
    }

    pub fn set_flag(&self, key: &str) -> io::Result<()> {
        Ok(rustix::mount::fsconfig_set_flag(&self.0, key)?)
    }

    /// Makes the superblock and one detached mount of it.
    pub fn mount(&self, attributes: u64) -> io::Result<OwnedFd> {
        rustix::mount::fsconfig_create(&self.0).map_err(|error| self.explain(error.into()))?;
        let attributes = MountAttrFlags::from_bits_retain(attributes as u32);
        Ok(rustix::mount::fsmount(&self.0, FsMountFlags::FSMOUNT_CLOEXEC, attributes)?)
    }

    /// The kernel's own words about a refusal, where it has left any.
    fn explain(&self, error: io::Error) -> io::Error {
        let mut message = [0; 256];
        let Ok(length @ 3..) = rustix::io::read(&self.0, &mut message) else { return error };
        // Messages are prefixed with "e ", "w " or "i ".
        let text = String::from_utf8_lossy(&message[2..length]);
        io::Error::new(error.kind(), format!("{error}: {}", text.trim_end()))
    }
}

/// Changes the propagation of the mount at `path` in the calling process's mount namespace.
pub fn set_propagation(path: &Path, propagation: u64, depth: Depth) -> io::Result<()> {
    let recursive = if depth == Depth::Recursive { libc::MS_REC } else { 0 };
    let flags =
        rustix::mount::MountPropagationFlags::from_bits_retain((propagation | recursive) as u32);
    Ok(rustix::mount::mount_change(path, flags)?)
}

/// Detaches the mount at `path`, busy or not.
pub fn detach(path: &Path) -> io::Result<()> {
    Ok(rustix::mount::unmount(path, rustix::mount::UnmountFlags::DETACH)?)
}

/// Makes `new_root` the root and leaves nothing of the old one behind.
pub fn pivot_root(new_root: impl AsFd) -> io::Result<()> {
    rustix::process::fchdir(&new_root)?;
    // The old root is put over the new one, and is then what "." finds first.
    rustix::process::pivot_root(c".", c".")?;
    // What is unmounted below must not propagate to where the old root came from.
    set_propagation(Path::new("."), SLAVE, Depth::Recursive)?;
    detach(Path::new("."))?;
    rustix::process::chdir(c"/")?;
    Ok(())
}
