//! Where a process that outlives the command which started it belongs: in no cgroup of that command.

use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use super::layout::{Layout, Mounts, Reach, mounts};
use super::{Error, Result, file};

/// What an engine's own directory is called, where it may not be at the root.
const NAME: &str = "gantry.engine";

/// Moves this process out of the cgroups that it was started in, so that their limits and their end are not its own:
/// to the root of each hierarchy, or, where a cgroup namespace begins below it, to a directory of its own. Goes on
/// after failures and returns them.
pub fn leave() -> Vec<Error> {
    let places = mounts().and_then(|mounts| {
        let now = file::read("/proc/self/cgroup".as_ref())?;
        Ok(destinations(mounts, &now))
    });
    match places {
        Ok(places) => places.into_iter().filter_map(|place| enter(place).err()).collect(),
        Err(error) => vec![error],
    }
}

/// An ordinary user's engine, before it has made its user namespace: where a cgroup was delegated to it, it goes below
/// that, with all that it will start, since a cgroup holds processes or hands controllers down.
pub fn enter_delegated() -> Result<()> {
    let Ok(mounts) = mounts() else { return Ok(()) };
    let writable = |path: &Path| access(path.join("cgroup.procs"), Access::WRITE_OK).is_ok();
    match delegated(mounts).filter(|path| mounts.layout() == Layout::V2 && writable(path)) {
        Some(path) => enter_own(&path),
        None => Ok(()),
    }
}

/// The directory of version 2 below which this process's containers belong, if its user may write there: the one that
/// the engine was started in, and has left for [`NAME`] below it.
pub(super) fn delegated(mounts: &Mounts) -> Option<PathBuf> {
    let now = file::read("/proc/self/cgroup".as_ref()).ok()?;
    let own = now.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let start = own.strip_suffix(NAME).map_or(own, |start| start.trim_end_matches('/'));
    Some(mounts.v2.as_ref()?.join(start))
}

fn enter(Destination { hierarchy, is_v2 }: Destination) -> Result<()> {
    // It is where it belongs already.
    if mounts().is_ok_and(|mounts| *mounts.reach() != Reach::Host) {
        return Ok(());
    }
    // Only the true root of a version 2 hierarchy may hold processes beside cgroups with controllers; it has no type.
    if is_v2 && hierarchy.join("cgroup.type").exists() {
        return enter_own(&hierarchy);
    }
    file::write(&hierarchy.join("cgroup.procs"), 0)
}

fn enter_own(parent: &Path) -> Result<()> {
    let own = parent.join(NAME);
    if let Err(source) = std::fs::create_dir(&own)
        && source.kind() != std::io::ErrorKind::AlreadyExists
    {
        return Err(Error::File { action: "create", path: own, source });
    }
    file::write(&own.join("cgroup.procs"), 0)
}

#[derive(Debug, PartialEq, Eq)]
struct Destination {
    hierarchy: PathBuf,
    is_v2: bool,
}

/// The hierarchies in which the process that `/proc/PID/cgroup` tells of is not at the root already: a move costs
/// milliseconds.
fn destinations(mounts: &Mounts, proc_cgroup: &str) -> Vec<Destination> {
    let below_root = proc_cgroup.lines().filter_map(|line| {
        let (_, rest) = line.split_once(':')?;
        rest.split_once(':').filter(|(_, path)| *path != "/")
    });
    below_root
        .filter_map(|(controllers, _)| {
            if controllers.is_empty() {
                return Some(Destination { hierarchy: mounts.v2.clone()?, is_v2: true });
            }
            let mounted = mounts.v1.iter().find(|h| h.controllers.join(",") == controllers)?;
            Some(Destination { hierarchy: mounted.mountpoint.clone(), is_v2: false })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::layout::Hierarchy;
    use super::*;

    #[test]
    fn only_hierarchies_with_a_path_are_left() {
        let v1 = |name: &str| Hierarchy {
            mountpoint: format!("/c/{name}").into(),
            controllers: name.split(',').map(str::to_owned).collect(),
        };
        let mounts =
            Mounts { v1: vec![v1("cpu,cpuacct"), v1("memory")], v2: Some("/c/unified".into()) };
        let at = |place: &str, is_v2| Destination { hierarchy: place.into(), is_v2 };
        let now = "4:memory:/\n3:cpu,cpuacct:/a\n2:pids:/not/mounted\n0::/user.slice/s:1";
        let expected = [at("/c/cpu,cpuacct", false), at("/c/unified", true)];
        assert_eq!(destinations(&mounts, now), expected);
        assert_eq!(destinations(&mounts, "4:memory:/\n0::/\n"), []);
    }
}
