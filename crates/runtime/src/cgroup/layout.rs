//! Where the host has mounted its cgroup hierarchies, and what of them may be used: found out once, since nobody moves them.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use rustix::fs::{Access, access};

use super::{Error, Result, file, own};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Every controller in a hierarchy of version 1.
    V1,
    /// Controllers of version 1 beside a version 2 hierarchy. Containers use the former.
    Hybrid,
    V2,
}

/// The host's layout; V2 where none is mounted, as everything that follows then says.
pub fn layout() -> Layout {
    mounts().map_or(Layout::V2, Mounts::layout)
}

/// Whether limits can be had: not where an ordinary user's engine was given no cgroup of its own.
pub fn is_delegated() -> bool {
    !matches!(mounts().map(Mounts::reach), Ok(Reach::Nothing))
}

/// What of the hierarchies cgroups can be made in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Everything, as far as the mounts go: whoever may not write then hears so from the kernel.
    Host,
    /// Below this directory of version 2, which was delegated to the user.
    Below(PathBuf),
    Nothing,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mounts {
    pub(super) v1: Vec<Hierarchy>,
    pub(super) v2: Option<PathBuf>,
}

/// A version 1 hierarchy.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Hierarchy {
    pub(super) mountpoint: PathBuf,
    /// Its controllers, or `name=...` of one without.
    pub(super) controllers: Vec<String>,
}

impl Mounts {
    pub(super) fn layout(&self) -> Layout {
        let controllers =
            self.v1.iter().any(|h| h.controllers.iter().any(|c| !c.starts_with("name=")));
        match (controllers, &self.v2) {
            (true, None) => Layout::V1,
            (true, Some(_)) => Layout::Hybrid,
            (false, _) => Layout::V2,
        }
    }

    pub(super) fn reach(&self) -> &'static Reach {
        static REACH: OnceLock<Reach> = OnceLock::new();
        REACH.get_or_init(|| self.find_reach())
    }

    fn find_reach(&self) -> Reach {
        let root = match self.layout() {
            Layout::V2 => self.v2.as_deref(),
            Layout::V1 | Layout::Hybrid => {
                self.v1.iter().map(|h| h.mountpoint.as_path()).find(|m| m.ends_with("memory"))
            }
        };
        let writable = |path: &Path| access(path, Access::WRITE_OK).is_ok();
        if root.is_none_or(writable) || !sys::namespace::is_in_user_namespace() {
            return Reach::Host;
        }
        let delegated = match self.layout() {
            Layout::V2 => own::delegated(self),
            // A user who is given directories of version 1 could make the kernel run programs for it.
            Layout::V1 | Layout::Hybrid => None,
        };
        match delegated {
            Some(path) if writable(&path.join("cgroup.procs")) => Reach::Below(path),
            _ => Reach::Nothing,
        }
    }
}

pub(super) fn mounts() -> Result<&'static Mounts> {
    static MOUNTS: OnceLock<Mounts> = OnceLock::new();
    if let Some(mounts) = MOUNTS.get() {
        return Ok(mounts);
    }
    let mounts = parse(&file::read("/proc/self/mountinfo".as_ref())?);
    if mounts.v1.is_empty() && mounts.v2.is_none() {
        return Err(Error::NotMounted);
    }
    Ok(MOUNTS.get_or_init(|| mounts))
}

fn parse(mountinfo: &str) -> Mounts {
    let mut mounts = Mounts::default();
    for line in mountinfo.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let Some(mountpoint) = left.split(' ').nth(4) else { continue };
        let mut right = right.split(' ');
        let (kind, options) = (right.next(), right.nth(1).unwrap_or_default());
        match kind {
            Some("cgroup2") if mounts.v2.is_none() => mounts.v2 = Some(unescape(mountpoint)),
            Some("cgroup") => add_v1(&mut mounts.v1, unescape(mountpoint), options),
            _ => {}
        }
    }
    mounts
}

/// A hierarchy that is mounted twice counts once.
fn add_v1(hierarchies: &mut Vec<Hierarchy>, mountpoint: PathBuf, options: &str) {
    const NO_CONTROLLER: [&str; 7] =
        ["rw", "ro", "noprefix", "clone_children", "xattr", "cpuset_v2_mode", "favordynmods"];
    let controllers: Vec<String> = options
        .split(',')
        .filter(|option| !NO_CONTROLLER.contains(option) && !option.starts_with("release_agent="))
        .map(str::to_owned)
        .collect();
    if !controllers.is_empty() && !hierarchies.iter().any(|h| h.controllers == controllers) {
        hierarchies.push(Hierarchy { mountpoint, controllers });
    }
}

/// mountinfo writes blanks and backslashes of paths as `\ooo`.
fn unescape(text: &str) -> PathBuf {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        let digits = rest.get(at + 1..at + 4).and_then(|d| u8::from_str_radix(d, 8).ok());
        plain.push_str(&rest[..at]);
        plain.push(digits.map_or('\\', char::from));
        rest = &rest[at + if digits.is_some() { 4 } else { 1 }..];
    }
    plain.push_str(rest);
    plain.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HYBRID: &str = "\
31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:4 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
95 31 0:32 / /mnt/memory\\040again rw,relatime - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,release_agent=/x,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw,nsdelegate
";

    #[test]
    fn hybrid_with_controllers_mounted_together() {
        let mounts = parse(HYBRID);
        assert_eq!(mounts.layout(), Layout::Hybrid);
        assert_eq!(mounts.v1.len(), 3);
        assert_eq!(mounts.v1[0].controllers, ["cpu", "cpuacct"]);
        assert_eq!(mounts.v1[1].mountpoint, PathBuf::from("/sys/fs/cgroup/memory"));
        assert_eq!(mounts.v1[2].controllers, ["name=systemd"]);
        assert_eq!(mounts.v2, Some("/sys/fs/cgroup/unified".into()));
    }

    #[test]
    fn a_named_hierarchy_beside_version_2_changes_nothing() {
        let mounts = parse(
            "26 20 0:22 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n\
             90 20 0:70 / /run/gantry/tree rw - cgroup none rw,favordynmods,name=gantry\n",
        );
        assert_eq!(mounts.layout(), Layout::V2);
    }

    #[test]
    fn escapes() {
        assert_eq!(unescape(r"/a\040b\134c"), PathBuf::from(r"/a b\c"));
        assert_eq!(unescape(r"/a\9"), PathBuf::from(r"/a\9"));
    }
}
