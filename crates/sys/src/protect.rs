//! CVE-2019-5736: a container must not be able to write to the program that starts it, which it
//! finds as `/proc/self/exe` if it execs that link or looks at a process that has just joined it.
//!
//! A program that deals with containers therefore runs from a copy that nobody can write to: a sealed memory
//! file, or a detached read-only mount that an earlier process has exec'd it through.

#[cfg(target_arch = "x86_64")]
pub mod entry;

use std::ffi::CString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;

use rustix::fs::{MemfdFlags, SealFlags, StatVfsMountFlags};

use crate::mount::{self, Attributes, Depth};
use crate::process;

/// Where the program of this process lies.
const SELF: &str = "/proc/self/exe";

/// Whether the program is already one that cannot be written to.
pub fn is_protected() -> io::Result<bool> {
    let program = File::open(SELF)?;
    Ok(is_sealed(program.as_fd()) || is_on_detached_read_only_mount(program.as_fd())?)
}

fn is_sealed(program: BorrowedFd<'_>) -> bool {
    let needed = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_get_seals(program).is_ok_and(|seals| seals.contains(needed))
}

/// A read-only mount in the mount table would not do: root in a container could reach the same file
/// elsewhere only by a path, but a process with `SYS_ADMIN` could remount it.
fn is_on_detached_read_only_mount(program: BorrowedFd<'_>) -> io::Result<bool> {
    let read_only = rustix::fs::fstatvfs(program)?.f_flag.contains(StatVfsMountFlags::RDONLY);
    Ok(read_only && !is_in_mount_table()?)
}

/// The link's text is an absolute path of this root where the mount is attached, and less where not.
fn is_in_mount_table() -> io::Result<bool> {
    let path = std::fs::read_link(SELF)?;
    let (here, there) = (rustix::fs::stat(SELF)?, rustix::fs::lstat(&path));
    let Ok(there) = there else { return Ok(false) };
    Ok((here.st_dev, here.st_ino) == (there.st_dev, there.st_ino))
}

/// A descriptor to exec this program by so that it is protected: through a detached read-only mount
/// where the caller may mount (it costs no memory), else from a sealed copy.
pub fn protected_self() -> io::Result<OwnedFd> {
    read_only_self().or_else(|_| sealed_self())
}

fn read_only_self() -> io::Result<OwnedFd> {
    let mount = mount::clone_tree(std::path::Path::new(SELF), Depth::Single)?;
    let change = Attributes { set: mount::RDONLY, ..Attributes::default() };
    mount::set_attributes(mount.as_fd(), change, Depth::Single)?;
    Ok(mount)
}

fn sealed_self() -> io::Result<OwnedFd> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    let mut copy = File::from(rustix::fs::memfd_create(c"gantry-runtime", flags)?);
    io::copy(&mut File::open(SELF)?, &mut copy)?;
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    rustix::fs::fcntl_add_seals(&copy, seals)?;
    Ok(copy.into())
}

/// The mount that [`entry`] has executed this program from, where it has; to be asked for once. The kernel waits for its
/// RCU when the last descriptor of a detached mount is closed, so there are better moments for that than the start.
pub fn inherited_mount() -> Option<OwnedFd> {
    let name = rustix::param::linux_execfn().to_str().ok()?;
    let number: i32 = name.strip_prefix("/dev/fd/")?.parse().ok()?;
    // Whoever runs a program by such a name may mean another file by that number now.
    let (here, there) = (rustix::fs::stat(SELF).ok()?, rustix::fs::stat(name).ok()?);
    let same = (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino);
    if same { crate::inherited::adopt(number).ok() } else { None }
}

/// Goes on from a protected program: returns at once if it is one, else execs it with the same arguments.
pub fn ensure_protected() -> io::Result<()> {
    if is_protected()? {
        return Ok(());
    }
    let program = protected_self()?;
    let args: Vec<CString> =
        std::env::args_os().filter_map(|a| CString::new(a.into_vec()).ok()).collect();
    let env: Vec<CString> = std::env::vars_os()
        .filter_map(|(name, value)| {
            let mut pair = name.into_vec();
            pair.push(b'=');
            pair.extend(value.into_vec());
            CString::new(pair).ok()
        })
        .collect();
    Err(process::exec_fd(program.as_fd(), &args, &env))
}
