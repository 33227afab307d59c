//! Gantry's own runtime, in this process.

use std::fmt::Display;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci::runtime::{
    ConsoleSize, Linux, NamespaceKind, Process as Description, Spec, State, Status, VERSION,
};

use super::config::{CgroupDriver, Config, Rootfs};
use super::files::read_json;
use super::launch::{ChildStdio, Launched};
use super::protocol::{ErrorKind, Failure};
use super::session::Process;
use crate::cgroup::{Cgroup, Driver, OomEvents};
use crate::container::{self, CreateOptions, Stdio};
use crate::error::{self, Context, Error};
use crate::hooks::Followers;
use crate::process::{self, ExecOptions};
use crate::seccomp::Filter;

pub(super) struct Own {
    id: String,
    bundle: PathBuf,
    rootfs: Rootfs,
    driver: Driver,
    /// What to make, until it is made: it is large, and the monitor small.
    spec: Option<Spec>,
    container: Option<Container>,
    /// Boxed: hardly any container has some.
    followers: Option<Box<Followers>>,
}

/// What is needed once it runs.
struct Container {
    cgroup: Cgroup,
    init_pid: i32,
    init_pidfd: OwnedFd,
    filter: Option<Filter>,
    /// Others may outlive init in it.
    shares_pids: bool,
}

impl Container {
    fn end(&self) -> Result<(), Error> {
        self.cgroup.kill()?;
        sys::process::wait(&self.init_pidfd).context(|| "wait for its end")?;
        Ok(self.cgroup.delete()?)
    }
}

impl Own {
    pub(super) fn new(config: &Config, bundle: &Path, spec: Spec) -> Own {
        Own {
            id: config.id.clone(),
            bundle: bundle.to_owned(),
            rootfs: config.rootfs.clone(),
            driver: match config.cgroup_driver {
                CgroupDriver::Cgroupfs => Driver::Cgroupfs,
                CgroupDriver::Systemd => Driver::Systemd,
            },
            spec: Some(spec),
            container: None,
            followers: None,
        }
    }

    pub(super) fn start(
        &mut self,
        stdio: ChildStdio,
        netns: Option<OwnedFd>,
    ) -> Result<Launched, Failure> {
        let started_before = || failed("the container", &"it was started before");
        let mut spec = self.spec.take().ok_or_else(started_before)?;
        if let (ChildStdio::Pty(size), Some(process)) = (&stdio, &mut spec.process) {
            set_size(process, *size);
        }
        let state = || self.state(&spec);
        self.followers = Followers::of(spec.hooks.as_ref(), state).map(Box::new);
        let nothing = Linux::default();
        let linux = spec.linux.as_ref().unwrap_or(&nothing);
        let mut cgroup = Cgroup::open(self.driver, &linux.cgroups_path, &self.id)
            .map_err(|error| failed("the container's cgroup", &error))?;
        let init = match self.create(&spec, stdio, netns, &mut cgroup) {
            Ok(init) => init,
            Err(failure) => {
                // What made it fail is worth more than that this fails too.
                let _ = cgroup.delete();
                return Err(failure);
            }
        };
        let init_pidfd = init.pidfd.try_clone().map_err(|error| failed("pidfd", &error))?;
        let shares_pids = !linux.has_new(NamespaceKind::Pid);
        self.container = Some(Container {
            cgroup,
            init_pid: init.pid,
            init_pidfd,
            filter: init.filter,
            shares_pids,
        });
        self.follow_start(init.pid)?;
        let process = Process { pid: init.pid, pidfd: init.pidfd };
        Ok(Launched { process, pty_master: init.pty_master })
    }

    /// What its hooks are told.
    fn state(&self, spec: &Spec) -> State {
        State {
            version: VERSION.to_owned(),
            id: self.id.clone(),
            status: Status::Creating,
            pid: 0,
            bundle: self.bundle.clone(),
            annotations: spec.annotations.clone(),
        }
    }

    /// Runs the hooks that follow a start. One that fails ends the container.
    fn follow_start(&mut self, pid: i32) -> Result<(), Failure> {
        let Some(followers) = &self.followers else { return Ok(()) };
        followers.started(pid).map_err(|error| {
            if let Some(container) = self.container.take() {
                // Why it is ended is worth more than what remains of it.
                let _ = container.end();
            }
            Failure::from(error)
        })
    }

    fn create(
        &self,
        spec: &Spec,
        stdio: ChildStdio,
        netns: Option<OwnedFd>,
        cgroup: &mut Cgroup,
    ) -> Result<container::Init, Failure> {
        let options = CreateOptions {
            id: &self.id,
            bundle: &self.bundle,
            spec,
            rootfs: match &self.rootfs {
                Rootfs::Path(path) => container::Rootfs::Path(path.clone()),
                Rootfs::Overlay(overlay) => container::Rootfs::Overlay(overlay.description()),
            },
            stdio: into_stdio(stdio),
            netns,
            cgroup,
            preserve_fds: 0,
            no_pivot: false,
            new_keyring: true,
        };
        container::run(options, |_| Ok(())).map(|(init, ())| init).map_err(Failure::from)
    }

    pub(super) fn exec(&mut self, exec_id: &str, stdio: ChildStdio) -> Result<Launched, Failure> {
        let container = self.container.as_mut().ok_or_else(|| Failure {
            kind: ErrorKind::Gone,
            message: "the container is not running".into(),
        })?;
        let path = self.bundle.join("exec").join(format!("{exec_id}.json"));
        let mut description: Description =
            read_json(&path).map_err(|error| failed("the exec's description", &error))?;
        description.terminal = matches!(stdio, ChildStdio::Pty(_));
        if let ChildStdio::Pty(size) = stdio {
            set_size(&mut description, size);
        }
        let exec = process::exec(ExecOptions {
            init_pid: container.init_pid,
            init_pidfd: container.init_pidfd.as_fd(),
            process: &description,
            stdio: into_stdio(stdio),
            cgroup: Some(&mut container.cgroup),
            filter: container.filter.as_ref(),
            preserve_fds: 0,
        })?;
        let process = Process { pid: exec.pid, pidfd: exec.pidfd };
        Ok(Launched { process, pty_master: exec.pty_master })
    }

    /// Becomes readable when the container may have run out of memory.
    pub(super) fn oom_events(&self) -> Option<OomEvents> {
        self.container.as_ref().and_then(|container| container.cgroup.oom_events().ok())
    }

    pub(super) fn oom_kills(&self) -> u64 {
        self.container.as_ref().and_then(|container| container.cgroup.oom_kills().ok()).unwrap_or(0)
    }

    /// Where processes are not bound to init's life by a namespace, they are ended here.
    pub(super) fn end_others(&self) -> Result<(), Failure> {
        match &self.container {
            Some(container) if container.shares_pids => {
                container.cgroup.kill().map_err(|error| failed("ending its processes", &error))
            }
            _ => Ok(()),
        }
    }

    /// Runs the hooks that follow the end, or a start that failed.
    pub(super) fn follow_end(&mut self) -> Result<(), Failure> {
        let Some(followers) = self.followers.take() else { return Ok(()) };
        followers.stopped().map_err(Failure::from)
    }

    pub(super) fn clean_up(&mut self) -> Result<(), Failure> {
        match self.container.take() {
            Some(container) => {
                container.cgroup.delete().map_err(|error| failed("its cgroup", &error))
            }
            None => Ok(()),
        }
    }
}

fn set_size(process: &mut Description, size: Option<[u16; 2]>) {
    if let Some([height, width]) = size {
        process.console_size = Some(ConsoleSize { height, width });
    }
}

fn into_stdio(stdio: ChildStdio) -> Stdio {
    match stdio {
        ChildStdio::Fds(fds) => Stdio::Fds(fds),
        ChildStdio::Pty(_) => Stdio::Pty,
    }
}

fn failed(what: &str, error: &dyn Display) -> Failure {
    Failure { kind: ErrorKind::Other, message: format!("{what}: {error}") }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let kind = match error.kind {
            error::ErrorKind::NotFound => ErrorKind::NotFound,
            error::ErrorKind::Permission => ErrorKind::Permission,
            error::ErrorKind::Invalid => ErrorKind::Invalid,
            error::ErrorKind::Other => ErrorKind::Other,
        };
        Failure { kind, message: error.message }
    }
}
