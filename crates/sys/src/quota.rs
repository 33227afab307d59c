//! Project quotas: what a directory and all below it may take of its file system, on ext4 and xfs that were mounted with
//! them. A directory belongs to a project and hands that down to what is made in it; the limit is the project's.

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use crate::check;

/// `FS_IOC_FSGETXATTR` and `FS_IOC_FSSETXATTR` (linux/fs.h).
const GET_ATTRIBUTES: libc::c_ulong = 0x801c_581f;
const SET_ATTRIBUTES: libc::c_ulong = 0x401c_5820;
const PROJECT_INHERIT: u32 = 0x200;
/// `QCMD(cmd, PRJQUOTA)` of linux/quota.h, with the commands of linux/dqblk_xfs.h, which ext4 knows as well.
const GET_QUOTA: libc::c_ulong = ('X' as libc::c_ulong) << 16 | 3 << 8 | 2;
const SET_LIMIT: libc::c_ulong = ('X' as libc::c_ulong) << 16 | 4 << 8 | 2;
const GET_STATE: libc::c_ulong = ('X' as libc::c_ulong) << 16 | 8 << 8 | 2;
const PROJECTS_ENFORCED: u16 = 1 << 5;
/// `FS_DQ_BSOFT | FS_DQ_BHARD`.
const BLOCK_LIMITS: u16 = 1 << 2 | 1 << 3;
const OF_A_PROJECT: i8 = 2;
/// Quotas are counted in these.
const BLOCK: u64 = 512;

/// `struct fsxattr` (linux/fs.h).
#[repr(C)]
#[derive(Default)]
struct Attributes {
    flags: u32,
    extent_size: u32,
    extents: u32,
    project: u32,
    cow_extent_size: u32,
    padding: [u8; 8],
}

/// `struct fs_disk_quota` (linux/dqblk_xfs.h).
#[repr(C)]
#[derive(Default)]
struct DiskQuota {
    version: i8,
    flags: i8,
    fields: u16,
    id: u32,
    block_hard_limit: u64,
    block_soft_limit: u64,
    inode_hard_limit: u64,
    inode_soft_limit: u64,
    blocks: u64,
    inodes: u64,
    rest: [u64; 7],
}

/// `struct fs_quota_statv` (linux/dqblk_xfs.h).
#[repr(C)]
#[derive(Default)]
struct State {
    version: i8,
    padding: u8,
    flags: u16,
    in_core: u32,
    rest: [u64; 19],
}

/// Whether the file system that `file` is on holds projects to their limits.
pub fn is_enforced(file: impl AsFd) -> io::Result<bool> {
    let mut state = State { version: 1, ..State::default() };
    match quotactl(file, GET_STATE, 0, (&raw mut state).cast()) {
        Ok(()) => Ok(state.flags & PROJECTS_ENFORCED != 0),
        // No quotas on, none in this file system, none in this kernel.
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::ENOSYS | libc::ENOTSUP | libc::ESRCH | libc::EINVAL | libc::ENOTTY)
            ) =>
        {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The project that a file belongs to; 0 is nobody's.
pub fn project(file: impl AsFd) -> io::Result<u32> {
    Ok(attributes(file.as_fd())?.project)
}

/// Puts an empty directory into a project, and with it what will be made there.
pub fn set_project(directory: impl AsFd, project: u32) -> io::Result<()> {
    let mut attributes = attributes(directory.as_fd())?;
    attributes.project = project;
    attributes.flags |= PROJECT_INHERIT;
    let file = directory.as_fd().as_raw_fd();
    // SAFETY: the request reads one fsxattr, which outlives the call.
    check(unsafe { libc::ioctl(file, SET_ATTRIBUTES as _, &raw const attributes) }.into()).map(drop)
}

fn attributes(file: impl AsFd) -> io::Result<Attributes> {
    let mut attributes = Attributes::default();
    let file = file.as_fd().as_raw_fd();
    // SAFETY: the request writes one fsxattr, which outlives the call.
    check(unsafe { libc::ioctl(file, GET_ATTRIBUTES as _, &raw mut attributes) }.into())?;
    Ok(attributes)
}

/// The files and directories of a project, on the file system that `file` is on.
pub fn inodes(file: impl AsFd, project: u32) -> io::Result<u64> {
    let mut quota = DiskQuota::default();
    match quotactl(file, GET_QUOTA, project, (&raw mut quota).cast()) {
        Ok(()) => Ok(quota.inodes),
        // Nobody has heard of it.
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(0),
        Err(error) => Err(error),
    }
}

/// What a project may take, in bytes.
pub fn limit(file: impl AsFd, project: u32, bytes: u64) -> io::Result<()> {
    let blocks = bytes.div_ceil(BLOCK);
    let mut quota = DiskQuota {
        version: 1,
        flags: OF_A_PROJECT,
        fields: BLOCK_LIMITS,
        id: project,
        block_hard_limit: blocks,
        block_soft_limit: blocks,
        ..DiskQuota::default()
    };
    quotactl(file, SET_LIMIT, project, (&raw mut quota).cast())
}

fn quotactl(
    file: impl AsFd,
    command: libc::c_ulong,
    project: u32,
    data: *mut libc::c_void,
) -> io::Result<()> {
    let file = file.as_fd().as_raw_fd();
    // SAFETY: each caller passes the structure that its command reads or writes, which outlives the call.
    check(unsafe { libc::syscall(libc::SYS_quotactl_fd, file, command, project, data) }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_structures_have_their_sizes() {
        assert_eq!(size_of::<Attributes>(), 28);
        assert_eq!(size_of::<DiskQuota>(), 112);
        assert_eq!(size_of::<State>(), 160);
    }

    #[test]
    fn a_file_system_without_projects_enforces_nothing() {
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        let directory = std::fs::File::open(memory.path()).unwrap();
        assert!(!is_enforced(&directory).unwrap());
    }
}
