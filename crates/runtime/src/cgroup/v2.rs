//! Cgroup v2: one directory, whose controllers its ancestors hand down.

mod resources;
mod stats;

use std::fs::{self, File};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oci::runtime::Resources;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};

use super::{Error, OomEvents, Result, Stats, devices, file};

/// How long a change that was asked for (frozen, empty) is waited for.
const TIMEOUT: Duration = Duration::from_secs(10);

pub(super) struct Group {
    root: PathBuf,
    path: PathBuf,
    /// None until the cgroup exists.
    directory: Option<OwnedFd>,
}

impl Group {
    /// Below `root`, where the hierarchy is mounted or what of it is the user's begins.
    pub(super) fn open(root: PathBuf, relative: &str) -> Result<Self> {
        let mut group = Self { path: root.join(relative), root, directory: None };
        if group.exists() {
            group.directory = Some(open_directory(&group.path)?);
        }
        Ok(group)
    }

    pub(super) fn create(&mut self, resources: &Resources) -> Result<()> {
        file::create_directories(&self.path)?;
        self.enable_controllers()?;
        let directory = self.directory.insert(open_directory(&self.path)?);
        apply_devices(directory.as_fd(), &self.path, resources)?;
        resources::set(&self.path, resources).map_err(explain)
    }

    pub(super) fn directory(&self) -> Option<BorrowedFd<'_>> {
        self.directory.as_ref().map(AsFd::as_fd)
    }

    pub(super) fn add(&self, pid: i32) -> Result<()> {
        file::write(&self.path.join("cgroup.procs"), pid)
    }

    pub(super) fn update(&self, resources: &Resources) -> Result<()> {
        if let (Some(directory), false) = (self.directory(), resources.devices.is_empty()) {
            apply_devices(directory, &self.path, resources)?;
        }
        resources::set(&self.path, resources).map_err(explain)
    }

    pub(super) fn freeze(&self) -> Result<()> {
        file::write(&self.path.join("cgroup.freeze"), 1)?;
        self.wait_for("frozen", 1, "frozen", Instant::now() + TIMEOUT)
    }

    pub(super) fn thaw(&self) -> Result<()> {
        file::write(&self.path.join("cgroup.freeze"), 0)
    }

    pub(super) fn is_frozen(&self) -> Result<bool> {
        let wanted = file::read_number(&self.path.join("cgroup.freeze"))?;
        Ok(wanted == Some(1))
    }

    pub(super) fn exists(&self) -> bool {
        self.path.exists()
    }

    pub(super) fn stats(&self) -> Result<Stats> {
        stats::read(&self.path)
    }

    pub(super) fn pids(&self) -> Result<Vec<i32>> {
        file::pids_below(&self.path)
    }

    /// `cgroup.kill` is as old as the oldest kernel run on, 5.15.
    pub(super) fn kill(&self) -> Result<()> {
        match file::write(&self.path.join("cgroup.kill"), 1) {
            Err(Error::Write { source, .. }) if file::is_absent(&source) => Ok(()),
            result => result,
        }
    }

    /// memory.events counts those below as well.
    pub(super) fn oom_kills(&self) -> Result<u64> {
        let events = file::read(&self.path.join("memory.events"))?;
        Ok(file::value_of(&events, "oom_kill").unwrap_or(0))
    }

    pub(super) fn oom_events(&self) -> Result<OomEvents> {
        OomEvents::of_v2(&self.path)
    }

    /// EBUSY means that a process is still on its way out; cgroup.events tells when it is gone.
    pub(super) fn delete(&self) -> Result<()> {
        let deadline = Instant::now() + TIMEOUT;
        let mut removed = remove_tree(&self.path);
        while matches!(&removed, Err(Error::File { source, .. }) if is_busy(source)) {
            self.wait_for("populated", 0, "empty", deadline)?;
            removed = remove_tree(&self.path);
            if Instant::now() > deadline {
                break;
            }
        }
        removed
    }

    /// Hands down every controller from the root to the parent. One that an ancestor cannot hand down
    /// (it has processes of its own, or the controller is taken by v1) is missed only when a limit needs it.
    fn enable_controllers(&self) -> Result<()> {
        let Ok(below) = self.path.strip_prefix(&self.root) else { return Ok(()) };
        let mut ancestor = self.root.clone();
        for component in below {
            let offered = file::read(&ancestor.join("cgroup.controllers"))?;
            let control = ancestor.join("cgroup.subtree_control");
            let enabled = file::read(&control)?;
            let has = |c: &&str| enabled.split_whitespace().any(|e| e == *c);
            let missing: Vec<&str> = offered.split_whitespace().filter(|c| !has(c)).collect();
            let all = missing.iter().map(|c| format!("+{c}")).collect::<Vec<_>>().join(" ");
            if !missing.is_empty() && file::try_write(&control, &all).is_err() {
                for controller in missing {
                    let _ = file::try_write(&control, &format!("+{controller}"));
                }
            }
            ancestor.push(component);
        }
        Ok(())
    }

    /// The kernel announces changes of cgroup.events by POLLPRI.
    fn wait_for(
        &self,
        key: &str,
        value: u64,
        wanted: &'static str,
        deadline: Instant,
    ) -> Result<()> {
        let path = self.path.join("cgroup.events");
        let Some(mut events) = open_if_present(&path)? else { return Ok(()) };
        loop {
            if read_again(&mut events, &path)?
                .is_none_or(|t| file::value_of(&t, key) == Some(value))
            {
                return Ok(());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(left @ Timespec { .. }) = Timespec::try_from(left) else { continue };
            match poll(&mut [PollFd::new(&events, PollFlags::PRI)], Some(&left)) {
                Ok(0) => return Err(Error::Timeout { path: self.path.clone(), wanted }),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(file::failed("poll", &path, error.into())),
            }
        }
    }
}

/// A file that is not there stands for a controller that the parent does not hand down.
fn explain(error: Error) -> Error {
    const CONTROLLERS: [&str; 6] = ["cpu", "cpuset", "hugetlb", "io", "memory", "pids"];
    let path = match &error {
        Error::Write { path, source, .. } | Error::File { path, source, .. }
            if file::is_absent(source) =>
        {
            path
        }
        _ => return error,
    };
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let controller = name.split_once('.').map_or(name, |(controller, _)| controller);
    match CONTROLLERS.into_iter().find(|known| *known == controller) {
        Some(known) if sys::namespace::is_in_user_namespace() => Error::NotDelegated(known),
        Some(known) => Error::NoController(known),
        None => error,
    }
}

/// Only root of the host may attach the program that checks them; in a user namespace there are no devices but those
/// that the user may open anyway.
fn apply_devices(directory: BorrowedFd<'_>, path: &Path, resources: &Resources) -> Result<()> {
    match devices::apply_v2(directory, path, resources) {
        Err(Error::DeviceFilter { .. }) if sys::namespace::is_in_user_namespace() => Ok(()),
        result => result,
    }
}

fn open_directory(path: &Path) -> Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty())
        .map_err(|error| file::failed("open", path, error.into()))
}

fn open_if_present(path: &Path) -> Result<Option<File>> {
    match file::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(Error::File { source, .. }) if file::is_absent(&source) => Ok(None),
        Err(error) => Err(error),
    }
}

/// None once the cgroup is gone.
fn read_again(events: &mut File, path: &Path) -> Result<Option<String>> {
    use std::io::{Read, Seek};
    let mut text = String::new();
    match events.rewind().and_then(|()| events.read_to_string(&mut text)) {
        Ok(_) => Ok(Some(text)),
        Err(error) if file::is_absent(&error) => Ok(None),
        Err(source) => Err(file::failed("read", path, source)),
    }
}

fn remove_tree(path: &Path) -> Result<()> {
    file::for_each_directory(path, &mut |path| match fs::remove_dir(path) {
        Err(error) if !file::is_absent(&error) => Err(file::failed("remove", path, error)),
        _ => Ok(()),
    })
}

fn is_busy(error: &std::io::Error) -> bool {
    error.raw_os_error() == Some(libc::EBUSY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_a_missing_controller() {
        let write = |name: &str, error: i32| Error::Write {
            path: Path::new("/sys/fs/cgroup/x").join(name),
            value: "1".into(),
            source: std::io::Error::from_raw_os_error(error),
        };
        let absent = explain(write("memory.swap.max", libc::ENOENT));
        assert!(matches!(absent, Error::NoController("memory")), "{absent}");
        let other = explain(write("memory.max", libc::EINVAL));
        assert!(matches!(other, Error::Write { .. }), "{other}");
    }
}
