//! Who a process is and what it may do: ids, groups, the five capability sets.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets};

use crate::check;

/// Sets the real, effective and saved user id of a single-threaded process.
pub fn set_uid(uid: u32) -> io::Result<()> {
    Ok(rustix::thread::set_thread_res_uid(id(uid)?, id(uid)?, id(uid)?)?)
}

/// Sets the real, effective and saved group id of a single-threaded process.
pub fn set_gid(gid: u32) -> io::Result<()> {
    let gid = || (gid != u32::MAX).then(|| rustix::process::Gid::from_raw(gid));
    let gid = gid().ok_or_else(|| io::Error::from_raw_os_error(libc::EINVAL))?;
    Ok(rustix::thread::set_thread_res_gid(gid, gid, gid)?)
}

/// The highest number means "unchanged" to the kernel, and would leave root as it is.
fn id(uid: u32) -> io::Result<rustix::process::Uid> {
    if uid == u32::MAX {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    Ok(rustix::process::Uid::from_raw(uid))
}

/// Sets the supplementary groups.
pub fn set_groups(groups: &[u32]) -> io::Result<()> {
    let groups: Vec<_> = groups.iter().map(|gid| rustix::process::Gid::from_raw(*gid)).collect();
    Ok(rustix::thread::set_thread_groups(&groups)?)
}

/// The highest capability this kernel knows.
pub fn last_capability() -> u32 {
    let known = |cap| {
        // SAFETY: passes numbers only.
        unsafe { libc::prctl(libc::PR_CAPBSET_READ, cap as libc::c_ulong, 0, 0, 0) >= 0 }
    };
    // What Linux 5.9 added last is where to look first; there are none without gaps below.
    const CHECKPOINT_RESTORE: u32 = 40;
    let older = || (0..CHECKPOINT_RESTORE).rev().find(|cap| known(*cap)).unwrap_or(0);
    let newer = (CHECKPOINT_RESTORE..63).take_while(|cap| known(*cap)).last();
    newer.unwrap_or_else(older)
}

/// Takes every capability out of the bounding set that is not in `keep`.
pub fn limit_bounding_set(keep: u64) -> io::Result<()> {
    for cap in (0..=last_capability()).filter(|cap| keep & 1 << cap == 0) {
        // SAFETY: passes numbers only.
        check(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, cap as libc::c_ulong, 0, 0, 0) } as i64)?;
    }
    Ok(())
}

/// The capabilities of the calling process, as bit sets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    pub effective: u64,
    pub permitted: u64,
    pub inheritable: u64,
}

pub fn capabilities() -> io::Result<Capabilities> {
    let sets = rustix::thread::capabilities(None)?;
    Ok(Capabilities {
        effective: sets.effective.bits(),
        permitted: sets.permitted.bits(),
        inheritable: sets.inheritable.bits(),
    })
}

pub fn set_capabilities(sets: Capabilities) -> io::Result<()> {
    let sets = CapabilitySets {
        effective: CapabilitySet::from_bits_retain(sets.effective),
        permitted: CapabilitySet::from_bits_retain(sets.permitted),
        inheritable: CapabilitySet::from_bits_retain(sets.inheritable),
    };
    Ok(rustix::thread::set_capabilities(None, sets)?)
}

/// Makes the ambient set exactly `set`.
pub fn set_ambient(set: u64) -> io::Result<()> {
    rustix::thread::clear_ambient_capability_set()?;
    for cap in (0..64).filter(|cap| set & 1 << cap != 0) {
        let (raise, cap) =
            (libc::PR_CAP_AMBIENT_RAISE as libc::c_ulong, libc::c_ulong::from(cap as u32));
        // SAFETY: passes numbers only.
        let result = unsafe { libc::prctl(libc::PR_CAP_AMBIENT, raise, cap, 0, 0) };
        check(result.into())?;
    }
    Ok(())
}

/// Keeps the permitted set over the next change of the user id.
pub fn keep_capabilities(keep: bool) -> io::Result<()> {
    Ok(rustix::thread::set_keep_capabilities(keep)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cve_2016_3697_the_id_that_means_unchanged_is_refused() {
        assert!(set_uid(u32::MAX).is_err());
        assert!(set_gid(u32::MAX).is_err());
    }

    #[test]
    fn this_kernel_knows_checkpoint_restore() {
        assert!(last_capability() >= 40);
    }
}
