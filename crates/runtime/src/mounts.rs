//! The mounts of the configuration.
//!
//! Sources are opened where the runtime runs, before the container's process exists ([`prepare`]);
//! targets are resolved inside the root by descriptor and mounted on by descriptor ([`Prepared::mount`]), so that
//! nothing a container can rename, link or race changes what is mounted where.

mod cgroup;
mod copy_up;
pub(crate) mod options;
pub(crate) mod proc;

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci::runtime::{Linux, Mount};
use rustix::fs::{FileType, Mode, OFlags};
use sys::mount::{self, Attributes, Depth, FileSystem};
use sys::namespace;
use sys::overlay::Overlay;

use crate::error::{Context, Error, Result};
use crate::lsm;
use crate::user::id_maps;
use options::Options;

const DIRECTORY: Mode = Mode::from_raw_mode(0o755);
const FILE: Mode = Mode::from_raw_mode(0o644);

/// A mount whose source is open.
pub(crate) struct Prepared {
    destination: PathBuf,
    kind: String,
    source: String,
    options: Options,
    /// The detached tree of a bind mount.
    tree: Option<OwnedFd>,
}

/// What all mounts of a container have in common.
pub(crate) struct Surroundings<'a> {
    pub(crate) root: BorrowedFd<'a>,
    pub(crate) mount_label: &'a str,
    pub(crate) own_cgroup_namespace: bool,
}

/// Opens the sources.
pub(crate) fn prepare(bundle: &Path, mounts: &[Mount], linux: &Linux) -> Result<Vec<Prepared>> {
    mounts.iter().map(|mount| prepare_one(bundle, mount, linux)).collect()
}

fn prepare_one(bundle: &Path, mount: &Mount, linux: &Linux) -> Result<Prepared> {
    if sys::path::has_nul(&mount.destination) || mount.source.contains('\0') {
        return Err(Error::invalid(format!("mount {:?}: NUL in a path", mount.destination)));
    }
    let mut options = Options::parse(&mount.options);
    if mount.kind == "bind" && options.bind.is_none() {
        options.bind = Some(Depth::Recursive);
    }
    let tree = match options.bind {
        Some(depth) => Some(open_source(bundle, mount, &options, depth, linux)?),
        None => None,
    };
    let destination = Path::new("/").join(&mount.destination);
    Ok(Prepared {
        destination,
        kind: mount.kind.clone(),
        source: mount.source.clone(),
        options,
        tree,
    })
}

fn open_source(
    bundle: &Path,
    mount: &Mount,
    options: &Options,
    depth: Depth,
    linux: &Linux,
) -> Result<OwnedFd> {
    if !options.lower.is_empty() {
        return layered_source(mount, options);
    }
    let source = bundle.join(&mount.source);
    let tree = clone_source(&source, options.subpath.as_deref(), depth).context(|| {
        format!(
            "error mounting {:?} to rootfs at {:?}: stat {}",
            source.display().to_string(),
            mount.destination.display().to_string(),
            source.display()
        )
    })?;
    let mapped = !mount.uid_mappings.is_empty() || !mount.gid_mappings.is_empty();
    if let Some(depth) = options.idmap.or(mapped.then_some(Depth::Single)) {
        map_ids(&tree, mount, depth, linux)?;
    }
    Ok(tree)
}

/// Directories in place of a source, or a part of what they show together.
fn layered_source(mount: &Mount, options: &Options) -> Result<OwnedFd> {
    let overlay = Overlay {
        lower: options.lower.clone(),
        upper: options.upper.as_ref().map(|upper| upper.join("diff")),
        work: options.upper.as_ref().map(|upper| upper.join("work")),
        // It goes with its container.
        volatile: options.upper.is_some(),
    };
    let part = options.subpath.as_deref();
    part.map_or_else(|| overlay.mount(), |part| overlay.mount_part(part)).context(|| {
        let part = part.unwrap_or(Path::new("")).display();
        let destination = mount.destination.display();
        format!("error mounting {:?} to rootfs at \"{destination}\": stat /{part}", mount.source)
    })
}

/// What lies below a subpath belongs to containers: it is resolved inside the source, and what was opened is what is
/// mounted.
fn clone_source(source: &Path, subpath: Option<&Path>, depth: Depth) -> io::Result<OwnedFd> {
    let Some(subpath) = subpath else { return mount::clone_tree(source, depth) };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let top = rustix::fs::open(source, flags, Mode::empty())?;
    let inside = sys::path::locate_in_root(top.as_fd(), subpath)?;
    mount::clone_fd(inside.as_fd(), depth)
}

fn map_ids(tree: &OwnedFd, mount: &Mount, depth: Depth, linux: &Linux) -> Result<()> {
    let or_container =
        |own: &[_], container: &[_]| id_maps(if own.is_empty() { container } else { own });
    let uids = or_container(&mount.uid_mappings, &linux.uid_mappings);
    let gids = or_container(&mount.gid_mappings, &linux.gid_mappings);
    let what = || format!("idmapped mount {:?}", mount.destination.display().to_string());
    if uids.is_empty() || gids.is_empty() {
        return Err(Error::invalid(format!("{}: no id mappings given", what())));
    }
    let userns = namespace::user_namespace(&uids, &gids).context(what)?;
    mount::set_id_map(tree.as_fd(), userns.as_fd(), depth).context(what)
}

impl Prepared {
    /// Whether it shows the cgroup of who mounts it, or has that charged for what it copies.
    pub(crate) fn needs_cgroup(&self) -> bool {
        self.kind == "cgroup" || self.options.copy_up
    }

    /// Makes the mount inside the root. Returns it where it is to be read-only once all mounts are there: some may lie
    /// in it.
    pub(crate) fn mount(&self, around: &Surroundings<'_>) -> Result<Option<OwnedFd>> {
        self.mount_unnamed(around).map_err(|error| {
            let destination = self.destination.display();
            error
                .within(format!("error mounting {:?} to rootfs at \"{destination}\"", self.label()))
        })
    }

    /// The source, or the kind where a file system has none.
    fn label(&self) -> &str {
        if self.source.is_empty() { &self.kind } else { &self.source }
    }

    fn mount_unnamed(&self, around: &Surroundings<'_>) -> Result<Option<OwnedFd>> {
        if self.kind == "cgroup" && self.tree.is_none() {
            return cgroup::mount(self, around).map(|()| None);
        }
        let mounted = match &self.tree {
            Some(tree) => self.shape_tree(tree)?,
            None => match self.new_file_system(around)? {
                Some(mounted) => mounted,
                None => return Ok(None),
            },
        };
        let target = self.target(around.root, mounted.as_fd())?;
        if self.options.copy_up {
            copy_up::copy(target.as_fd(), mounted.as_fd())
                .context(|| "copy what the mount point holds")?;
        }
        mount::attach(mounted.as_fd(), target.as_fd()).context(|| "move_mount")?;
        self.set_propagation(mounted.as_fd())?;
        Ok(self.is_closed_later().then_some(mounted))
    }

    /// Nobody but the container has its tmpfs: mount points can be made there.
    fn is_closed_later(&self) -> bool {
        let is_read_only = self.options.attributes.set & mount::RDONLY != 0;
        self.kind == "tmpfs" && self.tree.is_none() && is_read_only
    }

    /// Applies the options to the detached tree of a bind mount.
    fn shape_tree(&self, tree: &OwnedFd) -> Result<OwnedFd> {
        let changes =
            [(self.options.attributes, Depth::Single), (self.options.recursive, Depth::Recursive)];
        for (change, depth) in changes.into_iter().filter(|(change, _)| !change.is_empty()) {
            mount::set_attributes(tree.as_fd(), change, depth).context(|| "mount_setattr")?;
        }
        tree.try_clone().context(|| "dup")
    }

    /// None for one that cannot be had, and that the container does without.
    fn new_file_system(&self, around: &Surroundings<'_>) -> Result<Option<OwnedFd>> {
        let what = || self.kind.clone();
        let system = FileSystem::open(&self.kind).context(what)?;
        system.set("source", self.label()).context(what)?;
        for word in &self.options.data {
            match word.split_once('=') {
                Some((key, value)) => system.set(key, value),
                None => system.set_flag(word),
            }
            .context(|| format!("option {word:?}"))?;
        }
        let labelled = !around.mount_label.is_empty() && lsm::selinux_is_enabled();
        if labelled && self.kind == "tmpfs" {
            system.set("context", around.mount_label).context(|| "label of the mount")?;
        }
        let later = if self.is_closed_later() { mount::RDONLY } else { 0 };
        let mounted = match system.mount(self.options.attributes.set & !later) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return self.hosts(error);
            }
            result => result.context(what)?,
        };
        if !self.options.recursive.is_empty() {
            mount::set_attributes(mounted.as_fd(), self.options.recursive, Depth::Single)
                .context(|| "mount_setattr")?;
        }
        Ok(Some(mounted))
    }

    /// Root of a user namespace cannot make these anew where the container shares the namespace they show with the host:
    /// it gets the host's own, if the host has it.
    fn hosts(&self, refusal: io::Error) -> Result<Option<OwnedFd>> {
        let place = match self.kind.as_str() {
            "proc" => Path::new("/proc"),
            "mqueue" => Path::new("/dev/mqueue"),
            _ => return Err(refusal).context(|| self.kind.clone()),
        };
        if !namespace::is_in_user_namespace() {
            return Err(refusal).context(|| self.kind.clone());
        }
        let tree = match mount::clone_tree(place, Depth::Recursive) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.context(|| self.kind.clone())?,
        };
        mount::set_attributes(tree.as_fd(), self.options.attributes, Depth::Single)
            .context(|| "mount_setattr")?;
        Ok(Some(tree))
    }

    /// The place to mount on, made where it is missing, of the same type as what goes there.
    fn target(&self, root: BorrowedFd<'_>, mounted: BorrowedFd<'_>) -> Result<OwnedFd> {
        if matches!(self.kind.as_str(), "proc" | "sysfs") && self.tree.is_none() {
            return proc::ordinary_directory(root, &self.destination);
        }
        let goes_there = is_directory(mounted)?;
        let target = if goes_there {
            sys::path::create_dir_all_in_root(root, &self.destination, DIRECTORY)
        } else {
            sys::path::create_file_in_root(root, &self.destination, FILE)
        }
        .context(|| "create mount point")?;
        // The kernel's word for a file on a directory is that an argument is invalid.
        if is_directory(target.as_fd())? != goes_there {
            return Err(io::Error::from(rustix::io::Errno::NOTDIR))
                .context(|| "create mount point");
        }
        proc::refuse_inside_proc(&self.destination, target.as_fd(), mounted)?;
        Ok(target)
    }

    fn set_propagation(&self, mounted: BorrowedFd<'_>) -> Result<()> {
        for (propagation, depth) in &self.options.propagation {
            let change = Attributes { propagation: *propagation, ..Attributes::default() };
            mount::set_attributes(mounted, change, *depth).context(|| "propagation")?;
        }
        Ok(())
    }

    /// Without a word about propagation, a bind mount follows that of the whole root.
    pub(crate) fn default_propagation(&mut self, propagation: u64) {
        if self.tree.is_some() && self.options.propagation.is_empty() {
            self.options.propagation.push((propagation, Depth::Recursive));
        }
    }
}

/// What [`Prepared::mount`] returned, once nothing is to be mounted in it any more.
pub(crate) fn close(mounted: BorrowedFd<'_>) -> Result<()> {
    let change = Attributes { set: mount::RDONLY, ..Attributes::default() };
    mount::set_attributes(mounted, change, Depth::Single).context(|| "make a tmpfs read-only")
}

fn is_directory(fd: BorrowedFd<'_>) -> Result<bool> {
    let stat = rustix::fs::fstat(fd).context(|| "stat")?;
    Ok(FileType::from_raw_mode(stat.st_mode) == FileType::Directory)
}

/// Opens a directory to read its entries.
fn open_directory(directory: BorrowedFd<'_>) -> rustix::io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
    rustix::fs::openat(directory, c".", flags, Mode::empty())
}
