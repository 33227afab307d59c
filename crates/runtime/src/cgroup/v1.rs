//! Cgroup v1: one directory in each hierarchy.
//!
//! A container is always put into the hierarchies that every container needs ([`ALWAYS`]), and into the
//! others only once a limit asks for them: each move costs, and a start makes all of them.

mod freezer;
mod resources;
mod stats;

pub(super) use resources::check_list;
pub(super) use stats::read_pids;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oci::runtime::Resources;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};

use super::layout::Mounts;
use super::{Error, OomEvents, Result, Stats, cpuset, devices, file};

/// Limits and accounts that every container has, and systemd's tree, so that no service is charged
/// with the container's processes.
const ALWAYS: [&str; 8] =
    ["cpu", "cpuacct", "memory", "devices", "freezer", "blkio", "pids", "name=systemd"];
const ON_DEMAND: [&str; 5] = ["cpuset", "hugetlb", "net_cls", "net_prio", "rdma"];

/// How long `delete` waits for processes that were killed.
const EXIT_TIMEOUT: Duration = Duration::from_secs(10);

/// How often `kill` looks for processes that were forked meanwhile.
const LOOKS: u32 = 10;

pub(super) struct Group {
    directories: Vec<Directory>,
}

struct Directory {
    mountpoint: PathBuf,
    path: PathBuf,
    controllers: &'static [String],
}

impl Directory {
    fn is_always_joined(&self) -> bool {
        self.controllers.iter().any(|c| ALWAYS.contains(&c.as_str()))
    }

    /// A cpuset as well, which shows the CPUs that a container has: a container sees the host's otherwise. One that was
    /// made without goes on without.
    fn is_always_made(&self) -> bool {
        self.is_always_joined() || self.has("cpuset")
    }

    fn has(&self, controller: &str) -> bool {
        self.controllers.iter().any(|c| c == controller)
    }
}

impl Group {
    pub(super) fn open(mounts: &'static Mounts, relative: &str) -> Self {
        let known = |c: &String| ALWAYS.contains(&c.as_str()) || ON_DEMAND.contains(&c.as_str());
        let directories = mounts.v1.iter().filter(|h| h.controllers.iter().any(known));
        Self {
            directories: directories
                .map(|h| Directory {
                    mountpoint: h.mountpoint.clone(),
                    path: h.mountpoint.join(relative),
                    controllers: &h.controllers,
                })
                .collect(),
        }
    }

    pub(super) fn create(&self, resources: &Resources) -> Result<()> {
        let wanted = resources::on_demand(resources);
        for directory in &self.directories {
            if directory.is_always_made() || wanted.iter().any(|c| directory.has(c)) {
                self.make(directory)?;
            }
        }
        devices::apply_v1(self.path_of("devices").ok(), resources)?;
        self.set(resources)
    }

    pub(super) fn update(&self, resources: &Resources) -> Result<()> {
        for controller in resources::on_demand(resources) {
            if let Some(directory) = self.directories.iter().find(|d| d.has(controller))
                && !directory.path.exists()
            {
                self.make(directory)?;
                self.pids()?.into_iter().try_for_each(|pid| join(&directory.path, pid))?;
            }
        }
        if !resources.devices.is_empty() {
            devices::apply_v1(self.path_of("devices").ok(), resources)?;
        }
        self.set(resources)
    }

    pub(super) fn add(&self, pid: i32) -> Result<()> {
        for directory in &self.directories {
            match join(&directory.path, pid) {
                Err(Error::Write { source, .. })
                    if file::is_absent(&source) && !directory.is_always_joined() => {}
                result => result?,
            }
        }
        Ok(())
    }

    pub(super) fn exists(&self) -> bool {
        self.directories.iter().any(|d| d.is_always_joined() && d.path.exists())
    }

    pub(super) fn pids(&self) -> Result<Vec<i32>> {
        // Any hierarchy holds all of them; this one every host has.
        let directory = self.path_of("devices").or_else(|_| self.path_of("pids"))?;
        file::pids_below(directory)
    }

    /// What is killed forks no more, so once a look finds nobody new it is done. Those that fork faster
    /// than they are found are frozen first. A frozen process dies when it is thawed.
    pub(super) fn kill(&self) -> Result<()> {
        let mut killed = self.kill_those_found();
        if matches!(killed, Ok(false)) {
            killed = self.freeze().and_then(|()| self.kill_those_found());
        }
        let thawed = self.thaw();
        match killed? {
            true => thawed,
            false => Err(Error::Timeout { path: self.path_of("freezer")?.into(), wanted: "empty" }),
        }
    }

    /// Whether the last look found nobody new.
    fn kill_those_found(&self) -> Result<bool> {
        let mut killed = std::collections::BTreeSet::new();
        for _ in 0..LOOKS {
            let before = killed.len();
            for pid in self.pids()? {
                if killed.insert(pid) {
                    kill(pid);
                }
            }
            if killed.len() == before {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn oom_kills(&self) -> Result<u64> {
        let mut kills = 0;
        file::for_each_directory(self.path_of("memory")?, &mut |directory| {
            if let Some(text) = file::read_if_present(&directory.join("memory.oom_control"))? {
                kills += file::value_of(&text, "oom_kill").unwrap_or(0);
            }
            Ok(())
        })?;
        Ok(kills)
    }

    pub(super) fn oom_events(&self) -> Result<OomEvents> {
        OomEvents::of_v1(self.path_of("memory")?)
    }

    pub(super) fn stats(&self) -> Result<Stats> {
        stats::read(self)
    }

    /// Goes on after a failure, and returns the first one.
    pub(super) fn delete(&self) -> Result<()> {
        let deadline = Instant::now() + EXIT_TIMEOUT;
        let mut result = Ok(());
        for directory in &self.directories {
            // Mostly there is nothing below it, and nobody in it.
            if fs::remove_dir(&directory.path).is_ok() {
                continue;
            }
            result = result.and(file::for_each_directory(&directory.path, &mut |path| {
                remove_directory(path, deadline)
            }));
        }
        result
    }

    /// The container's directory in the hierarchy of `controller`.
    fn path_of(&self, controller: &'static str) -> Result<&Path> {
        let directory = self.directories.iter().find(|d| d.has(controller));
        directory.map(|d| d.path.as_path()).ok_or(Error::NoController(controller))
    }

    fn make(&self, directory: &Directory) -> Result<()> {
        file::create_directories(&directory.path)?;
        if directory.has("cpuset") { inherit_cpuset(directory) } else { Ok(()) }
    }
}

fn join(directory: &Path, pid: i32) -> Result<()> {
    file::write(&directory.join("cgroup.procs"), pid)
}

fn kill(pid: i32) {
    if let Some(pid) = Pid::from_raw(pid) {
        // It may have exited since it was listed.
        let _ = kill_process(pid, Signal::KILL);
    }
}

/// A new v1 cpuset has neither CPUs nor memory, and takes no process: each on the way down inherits
/// what is not set.
fn inherit_cpuset(directory: &Directory) -> Result<()> {
    let Ok(below) = directory.path.strip_prefix(&directory.mountpoint) else { return Ok(()) };
    let mut parent = directory.mountpoint.clone();
    for component in below {
        let child = parent.join(component);
        for name in ["cpuset.cpus", "cpuset.mems"] {
            if file::read(&child.join(name))?.trim().is_empty() {
                file::write(&child.join(name), file::read(&parent.join(name))?.trim())?;
            }
        }
        parent = child;
    }
    Ok(())
}

/// EBUSY means that a process is still on its way out: its exit is waited for, then the directory is
/// tried again. v1 has nothing to watch for the moment between the exit and the release of the
/// directory, which takes microseconds, so a short pause bridges it.
fn remove_directory(path: &Path, deadline: Instant) -> Result<()> {
    loop {
        match fs::remove_dir(path) {
            Ok(()) => return Ok(()),
            Err(error) if file::is_absent(&error) => return Ok(()),
            Err(error)
                if error.raw_os_error() == Some(libc::EBUSY) && Instant::now() < deadline =>
            {
                wait_for_exit(&path.join("cgroup.procs"), deadline)?;
            }
            Err(source) => return Err(file::failed("remove", path, source)),
        }
    }
}

fn wait_for_exit(procs: &Path, deadline: Instant) -> Result<()> {
    let pids = file::read_if_present(procs)?.unwrap_or_default();
    let pids = pids.lines().filter_map(|line| Pid::from_raw(line.parse().ok()?));
    let mut exited = true;
    for fd in pids.filter_map(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()) {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = Timespec::try_from(left).ok();
        exited &= poll(&mut [PollFd::new(&fd, PollFlags::IN)], timeout.as_ref()) == Ok(1);
    }
    if exited {
        std::thread::sleep(Duration::from_micros(100));
    }
    Ok(())
}
