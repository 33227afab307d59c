//! The container's cgroup: its limits, its processes, what it used.
//!
//! A cgroup's life, as its users drive it:
//!
//! ```text
//! open -> create(resources) -> clone into clone_target(), or add(pid) where that is None
//!      -> stats, update, freeze, thaw, pids, kill, oom_kills, oom_events   (any process, at any time)
//!      -> delete once its processes are gone
//! ```
//!
//! `create` leaves limits in force before a process is inside, except with the systemd driver: systemd
//! makes a scope only around a process, so the limits wait for `add`.
//!
//! Files of a cgroup are reached by path: no link and no foreign file system can be put into cgroupfs,
//! and the path was checked when it was opened.

mod absent;
mod convert;
pub mod cpuset;
pub mod devices;
pub mod favordynmods;
mod file;
mod layout;
mod oom;
pub mod own;
mod path;
mod stats;
mod systemd;
mod v1;
mod v2;

use layout::Reach;
pub use layout::{Layout, is_delegated, layout};
pub use oom::OomEvents;
pub use path::{CgroupPath, MAX_PATH};
pub use stats::{Blkio, BlkioEntry, Cpu, Hugetlb, Memory, Pids, Stats};

use std::io;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use oci::runtime::Resources;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("invalid cgroup path {path:?}: {reason}")]
    InvalidPath { path: String, reason: &'static str },
    #[error("{action} {}: {source}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("write {value:?} to {}: {source}", path.display())]
    Write { path: PathBuf, value: String, source: io::Error },
    #[error("{what}: {reason}")]
    Invalid { what: &'static str, reason: String },
    #[error("the cgroup controller {0} is not available on this host")]
    NoController(&'static str),
    #[error(
        "the cgroup controller {0} is not delegated to this user: leave the limit away, or run the engine as a service of \
         the user's systemd with Delegate=yes on cgroup v2"
    )]
    NotDelegated(&'static str),
    #[error("no cgroup hierarchy is mounted on this host")]
    NotMounted,
    #[error("{} did not become {wanted} in time", path.display())]
    Timeout { path: PathBuf, wanted: &'static str },
    #[error("device rules of {}: {source}", path.display())]
    DeviceFilter { path: PathBuf, source: io::Error },
    #[error("systemd: {0}")]
    Systemd(String),
}

pub type Result<T> = std::result::Result<T, Error>;

/// Who makes the cgroup's directories.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driver {
    Cgroupfs,
    Systemd,
}

/// A handle on one cgroup, whether it exists yet or not. On cgroup v1 it stands for one directory
/// in each hierarchy.
pub struct Cgroup {
    path: CgroupPath,
    /// Limits waiting for the process around which systemd makes the scope.
    pending: Option<Resources>,
    group: Group,
}

enum Group {
    V1(v1::Group),
    V2(v2::Group),
    /// The user may make none.
    Absent,
}

impl Cgroup {
    /// `cgroups_path` is `linux.cgroupsPath` of the OCI specification; empty stands for
    /// `/gantry/<id>`, or a scope in `system.slice` with the systemd driver.
    pub fn open(driver: Driver, cgroups_path: &str, id: &str) -> Result<Self> {
        let path = CgroupPath::parse(driver, cgroups_path, id)?;
        let mounts = layout::mounts()?;
        let group = match (mounts.reach(), mounts.layout()) {
            (Reach::Nothing, _) => Group::Absent,
            (Reach::Below(base), _) => Group::V2(v2::Group::open(base.clone(), path.relative())?),
            (Reach::Host, Layout::V2) => {
                let root = mounts.v2.clone().ok_or(Error::NotMounted)?;
                Group::V2(v2::Group::open(root, path.relative())?)
            }
            (Reach::Host, Layout::V1 | Layout::Hybrid) => {
                Group::V1(v1::Group::open(mounts, path.relative()))
            }
        };
        Ok(Self { path, pending: None, group })
    }

    /// The path below the root of each hierarchy, without a leading slash.
    pub fn path(&self) -> &str {
        self.path.relative()
    }

    /// Whether the user may make none: the container then runs without.
    pub fn is_absent(&self) -> bool {
        matches!(self.group, Group::Absent)
    }

    /// Makes the cgroup and sets its limits.
    pub fn create(&mut self, resources: &Resources) -> Result<()> {
        if self.path.unit().is_some() {
            systemd::require()?;
            self.pending = Some(resources.clone());
            return Ok(());
        }
        self.apply_new(resources)
    }

    /// What `clone3(CLONE_INTO_CGROUP)` takes: present on cgroup v2 once the cgroup exists. Where it
    /// is None, the new process is brought in by [`Cgroup::add`].
    pub fn clone_target(&self) -> Option<BorrowedFd<'_>> {
        match &self.group {
            Group::V1(_) | Group::Absent => None,
            Group::V2(group) => group.directory(),
        }
    }

    /// Whether there will be a [`Cgroup::clone_target`] once it has been created.
    pub fn takes_newborns(&self) -> bool {
        matches!(self.group, Group::V2(_)) && self.path.unit().is_none()
    }

    /// Moves a process in, the calling one by zero. Meant for one that has not forked yet: its children are not moved.
    pub fn add(&mut self, pid: i32) -> Result<()> {
        if let (Some(unit), Some(resources)) = (self.path.unit(), self.pending.take()) {
            systemd::start_scope(unit, pid, &resources)?;
            self.apply_new(&resources)?;
        }
        match &self.group {
            Group::V1(group) => group.add(pid),
            Group::V2(group) => group.add(pid),
            Group::Absent => Ok(()),
        }
    }

    /// Changes those limits that `resources` names.
    pub fn update(&self, resources: &Resources) -> Result<()> {
        if let Some(unit) = self.path.unit() {
            systemd::update_scope(unit, resources)?;
        }
        match &self.group {
            Group::V1(group) => group.update(resources),
            Group::V2(group) => group.update(resources),
            Group::Absent => absent::refuse_limits(resources),
        }
    }

    /// Returns once every process stands still.
    pub fn freeze(&self) -> Result<()> {
        match &self.group {
            Group::V1(group) => group.freeze(),
            Group::V2(group) => group.freeze(),
            Group::Absent => Err(Error::NotDelegated("freezer")),
        }
    }

    pub fn thaw(&self) -> Result<()> {
        match &self.group {
            Group::V1(group) => group.thaw(),
            Group::V2(group) => group.thaw(),
            Group::Absent => Ok(()),
        }
    }

    pub fn is_frozen(&self) -> Result<bool> {
        match &self.group {
            Group::V1(group) => group.is_frozen(),
            Group::V2(group) => group.is_frozen(),
            Group::Absent => Ok(false),
        }
    }

    pub fn exists(&self) -> bool {
        match &self.group {
            Group::V1(group) => group.exists(),
            Group::V2(group) => group.exists(),
            Group::Absent => false,
        }
    }

    pub fn stats(&self) -> Result<Stats> {
        match &self.group {
            Group::V1(group) => group.stats(),
            Group::V2(group) => group.stats(),
            Group::Absent => Ok(Stats::default()),
        }
    }

    /// Every process in the cgroup and in those below it, as this process numbers them.
    pub fn pids(&self) -> Result<Vec<i32>> {
        match &self.group {
            Group::V1(group) => group.pids(),
            Group::V2(group) => group.pids(),
            Group::Absent => Err(Error::NotDelegated("pids")),
        }
    }

    /// Sends SIGKILL to every process, those that fork meanwhile and those that are frozen included.
    pub fn kill(&self) -> Result<()> {
        match &self.group {
            Group::V1(group) => group.kill(),
            Group::V2(group) => group.kill(),
            Group::Absent => Ok(()),
        }
    }

    /// How many processes the kernel has killed here for want of memory.
    pub fn oom_kills(&self) -> Result<u64> {
        match &self.group {
            Group::V1(group) => group.oom_kills(),
            Group::V2(group) => group.oom_kills(),
            Group::Absent => Ok(0),
        }
    }

    /// An fd that becomes readable when the cgroup may have run out of memory.
    pub fn oom_events(&self) -> Result<OomEvents> {
        match &self.group {
            Group::V1(group) => group.oom_events(),
            Group::V2(group) => group.oom_events(),
            Group::Absent => Err(Error::NotDelegated("memory")),
        }
    }

    /// Removes the cgroup and those below it, waiting for processes that are on their way out. One
    /// that is gone already is no error.
    pub fn delete(&self) -> Result<()> {
        if let Some(unit) = self.path.unit()
            && systemd::is_running()
        {
            // Fails where the scope went away with its last process.
            let _ = systemd::stop_scope(unit);
        }
        match &self.group {
            Group::V1(group) => group.delete(),
            Group::V2(group) => group.delete(),
            Group::Absent => Ok(()),
        }
    }

    fn apply_new(&mut self, resources: &Resources) -> Result<()> {
        match &mut self.group {
            Group::V1(group) => group.create(resources),
            Group::V2(group) => group.create(resources),
            Group::Absent => absent::refuse_limits(resources),
        }
    }
}

#[cfg(test)]
mod tests;
