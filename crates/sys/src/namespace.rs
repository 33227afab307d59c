//! Namespaces: joining, leaving, and the maps and offsets that must be written into them.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use crate::check;
use crate::process::{self, Clone3, Fork};

pub const CGROUP: u64 = libc::CLONE_NEWCGROUP as u64;
pub const IPC: u64 = libc::CLONE_NEWIPC as u64;
pub const MOUNT: u64 = libc::CLONE_NEWNS as u64;
pub const NETWORK: u64 = libc::CLONE_NEWNET as u64;
pub const PID: u64 = libc::CLONE_NEWPID as u64;
pub const TIME: u64 = 0x80;
pub const USER: u64 = libc::CLONE_NEWUSER as u64;
pub const UTS: u64 = libc::CLONE_NEWUTS as u64;

/// Moves the calling process out of its namespaces of the given kinds into new ones.
pub fn unshare(flags: u64) -> io::Result<()> {
    let namespaces = CGROUP | IPC | MOUNT | NETWORK | PID | TIME | USER | UTS;
    // SAFETY: without CLONE_FILES, which the mask removes, no descriptor becomes invalid.
    check(unsafe { libc::unshare((flags & namespaces) as i32) } as i64).map(drop)
}

/// Joins the namespace behind `fd` (of the given kind), or, for a pidfd, all kinds in `flags`.
pub fn join(fd: BorrowedFd<'_>, flags: u64) -> io::Result<()> {
    // SAFETY: changes attributes of the calling process only.
    check(unsafe { libc::setns(fd.as_raw_fd(), flags as i32) } as i64).map(drop)
}

/// Whether this process's user namespace is not the host's: its root is an ordinary user outside.
pub fn is_in_user_namespace() -> bool {
    fs::read_to_string("/proc/self/uid_map").is_ok_and(|map| !is_whole(&map))
}

/// The highest group id of those that are mapped from 0 on; the kernel's own bound where all are.
pub fn last_group() -> u32 {
    let map = fs::read_to_string("/proc/self/gid_map").unwrap_or_default();
    last_mapped(&map).min(i32::MAX.cast_unsigned())
}

fn last_mapped(map: &str) -> u32 {
    let mut next: u32 = 0;
    for line in map.lines() {
        let numbers: Vec<u32> = line.split_whitespace().filter_map(|n| n.parse().ok()).collect();
        let [inside, _, size] = numbers[..] else { break };
        if inside != next {
            break;
        }
        next = next.saturating_add(size);
    }
    next.saturating_sub(1)
}

/// Whether the map is that of the first user namespace: everybody, as themselves.
fn is_whole(map: &str) -> bool {
    map.split_whitespace().eq(["0", "0", "4294967295"])
}

/// One line of `/proc/<pid>/uid_map` or `gid_map`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdMap {
    pub inside: u32,
    pub outside: u32,
    pub size: u32,
}

/// The text of a map file.
pub fn map_text(maps: &[IdMap]) -> String {
    maps.iter().map(|m| format!("{} {} {}\n", m.inside, m.outside, m.size)).collect()
}

/// Writes both maps of a new user namespace, as its privileged creator.
pub fn write_id_maps(pid: i32, uids: &[IdMap], gids: &[IdMap]) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/gid_map"), map_text(gids))?;
    fs::write(format!("/proc/{pid}/uid_map"), map_text(uids))
}

/// A user namespace with the given maps and no process in it, for an idmapped mount.
pub fn user_namespace(uids: &[IdMap], gids: &[IdMap]) -> io::Result<OwnedFd> {
    let (ours, theirs) = std::io::pipe()?;
    match process::fork(Clone3 { flags: USER, cgroup: None })? {
        Fork::Child => {
            drop(theirs);
            // Lives until the parent has closed its end, which is also what its death does.
            let _ = io::Read::read(&mut &ours, &mut [0]);
            process::exit_now(0)
        }
        Fork::Parent(child) => {
            let namespace = write_id_maps(child.pid, uids, gids)
                .and_then(|()| fs::File::open(format!("/proc/{}/ns/user", child.pid)));
            drop(theirs);
            process::wait(child.pidfd.as_fd())?;
            namespace.map(OwnedFd::from)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hosts_user_namespace_is_told_by_its_map() {
        assert!(is_whole("         0          0 4294967295\n"));
        assert!(!is_whole("         0       1000          1\n         1     100000      65536\n"));
    }

    #[test]
    fn the_last_group_is_the_end_of_the_first_run() {
        assert_eq!(last_mapped("0 1000 1\n1 100000 65536\n70000 5 5\n"), 65_536);
        assert_eq!(last_mapped("0 0 4294967295\n"), u32::MAX - 1);
        assert_eq!(last_mapped(""), 0);
    }

    #[test]
    fn maps_are_one_line_each() {
        let maps = [
            IdMap { inside: 0, outside: 100_000, size: 1000 },
            IdMap { inside: 1000, outside: 1000, size: 1 },
        ];
        assert_eq!(map_text(&maps), "0 100000 1000\n1000 1000 1\n");
    }
}
