//! The kernel's own part of starting a container: a process in namespaces of its own, an overlay as its root, /proc,
//! exec, and waiting for its end. Whatever an engine does comes on top.

use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use sys::mount::{self, Depth, FileSystem};
use sys::namespace;
use sys::overlay::Overlay;
use sys::process::{self, Clone3, Exit, Fork};

use super::report::Report;
use super::work::{Metric, Unit};
use crate::{Result, shell};

const ROUNDS: u32 = 50;
const METRIC: Metric = Metric {
    title: "kernel floor: clone, overlay, exec, wait",
    unit: Unit::Milliseconds,
    budget: None,
};

/// In a process of its own: only one that never had a second thread may clone itself.
pub(super) fn measure(root: &Path, report: &mut Report) -> Result {
    let output =
        shell::output(Command::new(super::own_path()?).args(["bench-agent", "floor"]).arg(root))?;
    for value in output.lines().filter_map(|line| line.parse().ok()) {
        report.note(&METRIC, "kernel", value);
    }
    Ok(())
}

/// Prints the milliseconds of each round.
pub(super) fn print(root: &Path) -> Result {
    let dir = tempfile::TempDir::with_prefix("gantry-floor-")
        .map_err(|e| format!("a temporary folder: {e}"))?;
    for round in 0..ROUNDS {
        let milliseconds = start_and_wait(root, &dir.path().join(round.to_string()));
        println!("{}", milliseconds.map_err(|e| format!("kernel floor: {e}"))?);
    }
    Ok(())
}

fn start_and_wait(root: &Path, dir: &Path) -> io::Result<f64> {
    let (upper, work) = (dir.join("upper"), dir.join("work"));
    fs::create_dir_all(&upper)?;
    fs::create_dir_all(&work)?;
    let overlay = Overlay {
        lower: vec![root.to_owned()],
        upper: Some(upper),
        work: Some(work),
        volatile: true,
    };
    let flags = namespace::MOUNT
        | namespace::PID
        | namespace::NETWORK
        | namespace::IPC
        | namespace::UTS
        | namespace::CGROUP;
    let started = Instant::now();
    match process::fork(Clone3 { flags, cgroup: None })? {
        Fork::Child => {
            let error = become_true(&overlay);
            eprintln!("kernel floor: {error}");
            process::exit_now(1)
        }
        Fork::Parent(child) => match process::wait(child.pidfd.as_fd())? {
            Exit::Code(0) => Ok(started.elapsed().as_secs_f64() * 1000.0),
            exit => Err(io::Error::other(format!("the container ended with {exit:?}"))),
        },
    }
}

/// Returns only if something failed.
fn become_true(overlay: &Overlay) -> io::Error {
    let prepare = || -> io::Result<(CString, CString)> {
        mount::set_propagation(Path::new("/"), mount::PRIVATE, Depth::Recursive)?;
        let root = overlay.mount()?;
        let place = fs::File::open("/mnt")?;
        mount::attach(root.as_fd(), place.as_fd())?;
        mount::pivot_root(&root)?;
        let proc = FileSystem::open("proc")?.mount(0)?;
        mount::attach(proc.as_fd(), fs::File::open("/proc")?.as_fd())?;
        Ok((CString::new("/bin/true")?, CString::new("PATH=/bin")?))
    };
    match prepare() {
        Ok((program, path)) => process::exec(&program, std::slice::from_ref(&program), &[path]),
        Err(error) => error,
    }
}
