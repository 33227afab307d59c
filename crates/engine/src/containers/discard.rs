//! What is left of a start, or of a removal, that an engine was killed in the middle of: nobody was told that the
//! container runs, so it is not to.

use std::fs;
use std::io;
use std::path::Path;

use oci::runtime::Spec;
use runtime::cgroup::{Cgroup, Driver};
use runtime::hooks;
use runtime::monitor::adopt;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::shared_memory;
use crate::error::{Error, Result};
use crate::runtime_binary::RuntimeBinary;

/// How long a process may take to die of SIGKILL before that is an error.
const DEATH: Timespec = Timespec { tv_sec: 5, tv_nsec: 0 };

/// Ends what lives behind a container's directory under the exec root, and removes the directory. The monitor goes
/// first, so that it starts nothing more.
pub fn discard(driver: Driver, runtime: &RuntimeBinary, directory: &Path) -> Result<()> {
    let failed = |what: &str| {
        let text = format!("cannot {what} of {}", directory.display());
        move |cause: io::Error| Error::system(text).because(cause)
    };
    end_monitor(directory).map_err(failed("end the monitor"))?;
    end_what_runs(driver, directory).map_err(|cause| {
        Error::system(format!("cannot end what runs of {}", directory.display())).because(cause)
    })?;
    follow_end(runtime, directory);
    shared_memory::remove_with(directory).map_err(failed("remove what is left"))
}

/// Runs the hooks of the end, unless the monitor has come to that.
pub fn follow_end(runtime: &RuntimeBinary, directory: &Path) {
    if directory.join("exit.json").exists() {
        return;
    }
    if let Err(error) = hooks::follow_end(runtime.command(), directory) {
        tracing::warn!("after the end of {}: {error}", directory.display());
    }
}

fn end_monitor(directory: &Path) -> io::Result<()> {
    // One that has not written who it is yet has lost its engine, and ends by itself.
    let Ok(monitor) = adopt::Identity::read(directory) else { return Ok(()) };
    let Some(pid) = Pid::from_raw(monitor.pid) else { return Ok(()) };
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return Ok(()) };
    // Asked after the process is held: the number may have been another's before.
    if !monitor.is_alive()? {
        return Ok(());
    }
    pidfd_send_signal(&process, Signal::KILL)?;
    match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&DEATH))? {
        0 => Err(io::ErrorKind::TimedOut.into()),
        _ => Ok(()),
    }
}

fn end_what_runs(driver: Driver, directory: &Path) -> runtime::cgroup::Result<()> {
    let id = directory.file_name().unwrap_or_default().to_string_lossy();
    // Without a whole specification there was no start.
    let Some(path) = cgroup_path(directory) else { return Ok(()) };
    end_container(&Cgroup::open(driver, &path, &id)?, directory)
}

/// Ends what a monitor that is gone has left running, and removes its cgroup.
pub fn end_container(cgroup: &Cgroup, directory: &Path) -> runtime::cgroup::Result<()> {
    if cgroup.is_absent() {
        end_init(directory);
    }
    if !cgroup.exists() {
        return Ok(());
    }
    cgroup.kill()?;
    cgroup.delete()
}

/// Without a cgroup, its first process: the others of its pid namespace end with it.
fn end_init(directory: &Path) {
    let Ok(adopt::Identity { init: Some(init), .. }) = adopt::Identity::read(directory) else {
        return;
    };
    let Some(pid) = Pid::from_raw(init.pid) else { return };
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    // Asked after the process is held, as above.
    if adopt::Init::of(init.pid).is_ok_and(|now| now == init) {
        // It may end by itself meanwhile.
        let _ = pidfd_send_signal(&process, Signal::KILL);
    }
}

fn cgroup_path(directory: &Path) -> Option<String> {
    let text = fs::read(directory.join("config.json")).ok()?;
    let spec: Spec = serde_json::from_slice(&text).ok()?;
    Some(spec.linux?.cgroups_path)
}
