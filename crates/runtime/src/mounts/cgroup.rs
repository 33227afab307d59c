//! The mount of kind `cgroup`: the unified hierarchy, or one directory per hierarchy on cgroup v1.

use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use sys::mount::{self, Attributes, Depth, FileSystem};

use super::{DIRECTORY, Prepared, Surroundings};
use crate::cgroup::{Layout, layout};
use crate::error::{Context, Result};

/// Where the host has its hierarchies, by convention and by every init system.
const HOST: &str = "/sys/fs/cgroup";

pub(super) fn mount(prepared: &Prepared, around: &Surroundings<'_>) -> Result<()> {
    if layout() == Layout::V2 {
        let mounted = unified(prepared, around)?;
        return attach(prepared, around.root, &prepared.destination, mounted.as_fd());
    }
    let parent = tmpfs(prepared)?;
    attach(prepared, around.root, &prepared.destination, parent.as_fd())?;
    for hierarchy in hierarchies()? {
        let Some(mounted) = hierarchy.mount(prepared, around)? else { continue };
        attach_below(prepared, parent.as_fd(), &hierarchy.name, mounted.as_fd())?;
        link_controllers(parent.as_fd(), &hierarchy)?;
    }
    let change = Attributes { set: prepared.options.attributes.set, ..Attributes::default() };
    mount::set_attributes(parent.as_fd(), change, Depth::Single).context(|| "mount_setattr")
}

/// The container's own view with a cgroup namespace of its own, else the host's.
fn unified(prepared: &Prepared, around: &Surroundings<'_>) -> Result<OwnedFd> {
    let attributes = prepared.options.attributes.set;
    let fresh = FileSystem::open("cgroup2").and_then(|system| system.mount(attributes));
    match fresh {
        Ok(mounted) if around.own_cgroup_namespace => Ok(mounted),
        // A user namespace may not mount it: the host's mount shows the same through the namespace.
        _ => bind(Path::new(HOST), attributes),
    }
}

fn bind(source: &Path, attributes: u64) -> Result<OwnedFd> {
    let what = || format!("bind {}", source.display());
    let tree = mount::clone_tree(source, Depth::Single).context(what)?;
    let change = Attributes { set: attributes, clear: 0, propagation: mount::PRIVATE };
    mount::set_attributes(tree.as_fd(), change, Depth::Single).context(what)?;
    Ok(tree)
}

fn tmpfs(prepared: &Prepared) -> Result<OwnedFd> {
    let system = FileSystem::open("tmpfs").context(|| "tmpfs")?;
    system.set("source", prepared.label()).context(|| "tmpfs")?;
    system.set("mode", "755").context(|| "tmpfs")?;
    let attributes = prepared.options.attributes.set & !mount::RDONLY;
    system.mount(attributes).context(|| "tmpfs")
}

fn attach(
    prepared: &Prepared,
    root: BorrowedFd<'_>,
    destination: &Path,
    mounted: BorrowedFd<'_>,
) -> Result<()> {
    let target = sys::path::create_dir_all_in_root(root, destination, DIRECTORY)
        .context(|| "create mount point")?;
    mount::attach(mounted, target.as_fd()).context(|| "move_mount")?;
    prepared.set_propagation(mounted)
}

/// In a tmpfs that nobody else has seen yet: what is made there is what is found there.
fn attach_below(
    prepared: &Prepared,
    parent: BorrowedFd<'_>,
    name: &str,
    mounted: BorrowedFd<'_>,
) -> Result<()> {
    let what = || format!("create mount point {name}");
    rustix::fs::mkdirat(parent, name, DIRECTORY).context(what)?;
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let target = rustix::fs::openat(parent, name, flags, Mode::empty()).context(what)?;
    mount::attach(mounted, target.as_fd()).context(|| "move_mount")?;
    prepared.set_propagation(mounted)
}

/// One hierarchy of cgroup v1 as `/proc/self/cgroup` tells it.
#[derive(Debug, PartialEq, Eq)]
struct Hierarchy {
    /// Its directory's name: the controllers, or a named hierarchy's name.
    name: String,
    /// What it is mounted with.
    options: Vec<String>,
    /// The cgroup of the calling process in it.
    path: PathBuf,
}

fn hierarchies() -> Result<Vec<Hierarchy>> {
    let text = fs::read_to_string("/proc/self/cgroup").context(|| "read /proc/self/cgroup")?;
    Ok(text.lines().filter_map(parse_line).collect())
}

fn parse_line(line: &str) -> Option<Hierarchy> {
    let (_, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    if controllers.is_empty() {
        return None;
    }
    let name = controllers.strip_prefix("name=").unwrap_or(controllers).to_owned();
    let options = controllers.split(',').map(str::to_owned).collect();
    Some(Hierarchy { name, options, path: PathBuf::from(path) })
}

impl Hierarchy {
    /// None where the host does not have it mounted, as for an engine's private hierarchy.
    fn mount(&self, prepared: &Prepared, around: &Surroundings<'_>) -> Result<Option<OwnedFd>> {
        let host = Path::new(HOST).join(&self.name);
        if !host.is_dir() {
            return Ok(None);
        }
        let attributes = prepared.options.attributes.set;
        if !around.own_cgroup_namespace {
            let inner = self.path.strip_prefix("/").unwrap_or(&self.path);
            return bind(&host.join(inner), attributes).map(Some);
        }
        let what = || format!("cgroup hierarchy {}", self.name);
        let system = FileSystem::open("cgroup").context(what)?;
        for option in &self.options {
            match option.split_once('=') {
                Some((key, value)) => system.set(key, value),
                None => system.set_flag(option),
            }
            .context(what)?;
        }
        system.mount(attributes).context(what).map(Some)
    }
}

/// `cpu` and `cpuacct` beside `cpu,cpuacct`, as programs look for them.
fn link_controllers(parent: BorrowedFd<'_>, hierarchy: &Hierarchy) -> Result<()> {
    if !hierarchy.name.contains(',') {
        return Ok(());
    }
    for controller in hierarchy.name.split(',') {
        rustix::fs::symlinkat(&hierarchy.name, parent, controller)
            .context(|| format!("link {controller}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hierarchies_are_read_as_the_kernel_writes_them() {
        let joined = parse_line("4:cpu,cpuacct:/a/b").unwrap();
        assert_eq!(joined.name, "cpu,cpuacct");
        assert_eq!(joined.options, ["cpu", "cpuacct"]);
        let named = parse_line("1:name=systemd:/").unwrap();
        assert_eq!(
            (named.name.as_str(), &named.options[..]),
            ("systemd", &["name=systemd".into()][..])
        );
        assert_eq!(parse_line("0::/unified"), None);
    }
}
