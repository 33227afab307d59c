//! The process that the namespaces belong to, and how an engine gets into them.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use network::publish::HostThread;
use runtime::monitor::adopt::Identity;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use sys::mount::{self, Depth};
use sys::namespace;
use sys::process::{self, Clone3, Fork};

use super::ids::Ids;
use crate::error::{Error, Result};
use crate::runtime_binary;

const NAMESPACES: u64 = namespace::USER | namespace::MOUNT | namespace::NETWORK;
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The address at which the program that is the way out answers for the host's resolver.
pub(super) const RESOLVER: &str = "10.0.2.3";

pub(super) struct Keeper {
    pid: i32,
    pidfd: OwnedFd,
}

impl Keeper {
    /// The one that an engine on this exec root has left, if it is alive.
    pub(super) fn of(exec_root: &Path) -> Option<Self> {
        let (pid, pidfd) = alive(&file(exec_root))?;
        Some(Self { pid, pidfd })
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    pub(super) fn start(exec_root: &Path, ids: &Ids, has_way_out: bool) -> Result<Self> {
        let fail = |what: &str| {
            let what = format!("cannot make a user namespace: {what}");
            move |error: io::Error| Error::system(what).because(error)
        };
        let resolver = has_way_out.then(|| write_resolv_conf(exec_root)).transpose();
        let resolver = resolver.map_err(fail("resolv.conf"))?;
        let program = runtime_binary::path()?;
        let (go, mut tell) = io::pipe().map_err(fail("pipe"))?;
        let (mut answer, say) = io::pipe().map_err(fail("pipe"))?;
        // The network is made by the one that is root in the user namespace, which then owns it.
        let flags = Clone3 { flags: NAMESPACES, cgroup: None };
        match process::fork(flags).map_err(fail("clone"))? {
            Fork::Child => {
                drop((tell, answer));
                let error = become_keeper(go, &program, resolver.as_deref());
                let _ = (&say).write_all(error.to_string().as_bytes());
                process::exit_now(1)
            }
            Fork::Parent(child) => {
                drop((go, say));
                let made = ids.map_into(child.pid).and_then(|()| {
                    let failed = fail("its first process");
                    // Before it may go on, and does so without us: whoever comes next knows of it, or it ends.
                    note(&file(exec_root), child.pid)
                        .and_then(|()| tell.write_all(b"g"))
                        .map_err(failed)?;
                    // Ends when it becomes the keeper's program, without a word unless that failed.
                    let mut words = String::new();
                    answer.read_to_string(&mut words).map_err(fail("its first process"))?;
                    match words.is_empty() {
                        true => Ok(()),
                        false => {
                            Err(Error::system(format!("cannot make a user namespace: {words}")))
                        }
                    }
                });
                let keeper = Self { pid: child.pid, pidfd: child.pidfd };
                made.inspect_err(|_| kill(&keeper.pidfd))?;
                Ok(keeper)
            }
        }
    }

    /// Moves this process into the namespaces: root there, and the user outside. One thread stays in the host's network:
    /// there is no way back.
    pub(super) fn join(&self) -> io::Result<HostThread> {
        namespace::join(self.pidfd.as_fd(), NAMESPACES & !namespace::NETWORK)?;
        let thread = HostThread::stay_here()?;
        namespace::join(self.pidfd.as_fd(), namespace::NETWORK)?;
        std::env::set_current_dir("/")?;
        Ok(thread)
    }

    /// The network namespace, for whoever is root in the user namespace.
    pub(super) fn network(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.pid))
    }
}

/// Ends it, and with it, once nothing else is in them, the namespaces.
pub(super) fn end(exec_root: &Path) {
    let file = file(exec_root);
    if let Some((_, pidfd)) = alive(&file) {
        kill(&pidfd);
    }
    let _ = fs::remove_file(file);
}

/// The process that a file names, if that very one is alive.
pub(super) fn alive(file: &Path) -> Option<(i32, OwnedFd)> {
    let identity = Identity::read_file(file).ok()?;
    let pidfd = pidfd_open(Pid::from_raw(identity.pid)?, PidfdFlags::empty()).ok()?;
    // Asked after the process is held: the number may have been another's before.
    identity.is_alive().ok()?.then_some((identity.pid, pidfd))
}

pub(super) fn note(file: &Path, pid: i32) -> io::Result<()> {
    fs::write(file, serde_json::to_vec(&Identity::of(pid)?)?)
}

pub(super) fn kill(pidfd: &OwnedFd) {
    // One that is gone already is as good.
    let _ = pidfd_send_signal(pidfd, Signal::KILL);
}

fn file(exec_root: &Path) -> PathBuf {
    exec_root.join("keeper.pid")
}

fn write_resolv_conf(exec_root: &Path) -> io::Result<PathBuf> {
    let host = fs::read_to_string(RESOLV_CONF).unwrap_or_default();
    let path = exec_root.join("resolv.conf");
    let mut text = format!("nameserver {RESOLVER}\n");
    for line in
        host.lines().filter(|line| line.starts_with("search") || line.starts_with("options"))
    {
        text += line;
        text += "\n";
    }
    fs::write(&path, text)?;
    Ok(path)
}

/// In the new process. Returns only if something failed.
fn become_keeper(mut go: impl Read, program: &Path, resolver: Option<&Path>) -> io::Error {
    let prepared = (|| {
        // Its maps are written from outside first; the end of the pipe without a word means that they are not.
        go.read_exact(&mut [0])?;
        mount::set_propagation(Path::new("/"), mount::SLAVE, Depth::Recursive)?;
        if let Some(resolver) = resolver {
            cover(Path::new(RESOLV_CONF), resolver)?;
        }
        sys::loopback::bring_up()?;
        let null = File::options().read(true).write(true).open("/dev/null")?;
        (0..3).try_for_each(|fd| process::dup_to(null.as_fd(), fd))?;
        process::cloexec_from(3)?;
        CString::new(program.as_os_str().as_bytes()).map_err(io::Error::from)
    })();
    match prepared {
        Ok(program) => {
            let words = [c"gantry-runtime", c"helper", c"keep"].map(CString::from);
            process::exec(&program, &words, &[])
        }
        Err(error) => error,
    }
}

/// Puts one file over another, in this mount namespace. What is not there need not be covered.
fn cover(place: &Path, file: &Path) -> io::Result<()> {
    let Ok(place) = File::open(place) else { return Ok(()) };
    let tree = mount::clone_tree(file, Depth::Single)?;
    mount::attach(tree.as_fd(), place.as_fd())
}
