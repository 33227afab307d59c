//! Making a process in its cgroup and namespaces.
//!
//! Mostly one `clone3`. Some namespaces only take in children of whoever joins them (pid), or must be
//! prepared before anybody is inside (time), or must be joined with rights that the new user
//! namespace would take away. Then a sherpa goes ahead: it joins what is to be joined, makes the process proper as
//! its own sibling (`CLONE_PARENT`), and leaves.

use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use oci::runtime::TimeOffset;
use rustix::event::{PollFd, PollFlags, Timespec};
use sys::namespace::{self, IdMap};
use sys::process::{self, Child, Clone3, Fork};

use crate::cgroup::Cgroup;
use crate::error::{Context, Error, Result};
use crate::sync::{Channel, Message};
use crate::user;

/// The namespaces of a process.
#[derive(Debug, Default)]
pub(crate) struct Namespaces {
    /// `CLONE_NEW*` flags of those to make; cgroup and time excepted.
    pub(crate) new: u64,
    /// To join, the user namespace first: a namespace's or a process's descriptor, and the kinds.
    pub(crate) join: Vec<(OwnedFd, u64)>,
    /// A new time namespace with these offsets.
    pub(crate) time: Option<Vec<(String, TimeOffset)>>,
    pub(crate) uid_maps: Vec<IdMap>,
    pub(crate) gid_maps: Vec<IdMap>,
}

impl Namespaces {
    fn need_sherpa(&self) -> bool {
        let joined = self.join.iter().fold(0, |all, (_, kinds)| all | kinds);
        let new_user = self.new & namespace::USER != 0;
        self.time.is_some()
            || joined & (namespace::PID | namespace::USER) != 0
            || (new_user && joined != 0)
    }

    /// Those the process is born in.
    fn at_birth(&self) -> u64 {
        self.new & !self.made_inside()
    }

    /// Those left for the process to make: the network namespace, which takes the kernel longer than all else, so that its
    /// maker can go on; and with a new user namespace all that can belong to the root in there.
    pub(crate) fn made_inside(&self) -> u64 {
        match self.new & namespace::USER {
            0 => self.new & namespace::NETWORK,
            _ => self.new & !(namespace::USER | namespace::PID),
        }
    }

    fn join_all(&self) -> Result<()> {
        for (fd, kinds) in &self.join {
            namespace::join(fd.as_fd(), *kinds)
                .context(|| format!("join namespaces {kinds:#x} of the container"))?;
        }
        Ok(())
    }

    fn enter_time(&self) -> Result<()> {
        let Some(offsets) = &self.time else { return Ok(()) };
        namespace::unshare(namespace::TIME).context(|| "new time namespace")?;
        let lines: String = offsets
            .iter()
            .map(|(clock, offset)| format!("{clock} {} {}\n", offset.secs, offset.nanosecs))
            .collect();
        if lines.is_empty() {
            return Ok(());
        }
        fs::write("/proc/self/timens_offsets", lines).context(|| "offsets of the time namespace")
    }
}

/// What a process writes to join a cgroup itself.
const OWN_PID: i32 = 0;

/// A process that has been made and is killed if it is dropped.
#[derive(Debug)]
pub(crate) struct Spawned {
    child: Option<Child>,
    pub(crate) channel: Channel,
}

impl Spawned {
    pub(crate) fn pid(&self) -> i32 {
        self.child.as_ref().map_or(0, |child| child.pid)
    }

    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.child.as_ref().map(|child| child.pidfd.as_fd())
    }

    pub(crate) fn has_ended(&self) -> bool {
        let Some(child) = &self.child else { return true };
        let mut fds = [PollFd::new(&child.pidfd, PollFlags::IN)];
        rustix::event::poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 })) == Ok(1)
    }

    /// The error of a process whose end of the channel closed too early.
    pub(crate) fn died(&mut self) -> Error {
        let exit = self.child.take().map(|child| process::wait(child.pidfd));
        match exit {
            Some(Ok(exit)) => Error::other(format!("container init died unexpectedly: {exit:?}")),
            _ => Error::other("container init died unexpectedly"),
        }
    }

    /// Gives the process up to the caller.
    pub(crate) fn release(mut self) -> Child {
        self.child
            .take()
            .expect("only this, which consumes self, and `died`, which ends in an error, take it")
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        if let Some(child) = &self.child {
            // It is our child and not reaped yet: both can only fail if it has ended already.
            let _ = sys::signal::send(child.pidfd.as_fd(), libc::SIGKILL);
            let _ = process::wait(&child.pidfd);
        }
    }
}

/// Makes a process that runs `body`, which only returns if it fails.
///
/// Whoever calls this must have one thread; the copy of its memory goes on in `body`.
pub(crate) fn spawn(
    namespaces: &Namespaces,
    cgroup: Option<&mut Cgroup>,
    oom_score_adj: Option<i32>,
    body: impl FnOnce(&Channel) -> Error,
) -> Result<Spawned> {
    let sherpa = namespaces.need_sherpa();
    let (ours, theirs) = Channel::pair()?;
    let flags = if sherpa { 0 } else { namespaces.at_birth() };
    let target = cgroup.as_ref().and_then(|cgroup| cgroup.clone_target());
    // Its ids are mapped from outside.
    let waits = flags & namespace::USER != 0;
    let child = match fork(flags, target)? {
        Fork::Parent(child) => child,
        Fork::Child => {
            drop(ours);
            let joined = match cgroup {
                Some(cgroup) if target.is_none() => cgroup.add(OWN_PID).map_err(cgroup_error),
                _ => Ok(()),
            };
            let begun = joined.and_then(|()| if waits { theirs.expect_go() } else { Ok(()) });
            // While the host's procfs is still the one at /proc.
            let error = match begun.and_then(|()| set_oom_score(oom_score_adj)) {
                Err(error) => error,
                Ok(()) if sherpa => lead(namespaces, &theirs, body),
                Ok(()) => follow(namespaces, &theirs, body),
            };
            // Nobody is left to hear about a failure to report one.
            let _ = theirs.send(&Message::Failed(error));
            process::exit_now(1)
        }
    };
    drop(theirs);
    let mut spawned = Spawned { child: Some(child), channel: ours };
    if sherpa {
        follow_sherpa(&mut spawned)?;
    }
    if namespaces.new & namespace::USER != 0 {
        user::write_id_maps(spawned.pid(), &namespaces.uid_maps, &namespaces.gid_maps)?;
    }
    if sherpa || waits {
        spawned.channel.send(&Message::Go)?;
    }
    Ok(spawned)
}

pub(crate) fn cgroup_error(error: crate::cgroup::Error) -> Error {
    Error::other(format!("unable to apply cgroup configuration: {error}"))
}

fn fork(flags: u64, cgroup: Option<BorrowedFd<'_>>) -> Result<Fork> {
    process::fork(Clone3 { flags, cgroup }).context(|| "unable to start container process: clone")
}

/// The sherpa's part.
fn lead(namespaces: &Namespaces, channel: &Channel, body: impl FnOnce(&Channel) -> Error) -> Error {
    let made = (|| {
        namespaces.join_all()?;
        namespaces.enter_time()?;
        let flags = namespaces.at_birth() | libc::CLONE_PARENT as u64;
        fork(flags, None)
    })();
    match made {
        Err(error) => error,
        Ok(Fork::Child) => match channel.expect_go() {
            Ok(()) => body(channel),
            Err(error) => error,
        },
        Ok(Fork::Parent(child)) => match channel.send(&Message::Process(child.pidfd)) {
            Ok(()) => process::exit_now(0),
            Err(error) => error,
        },
    }
}

/// The part of a process that needs no sherpa.
fn follow(
    namespaces: &Namespaces,
    channel: &Channel,
    body: impl FnOnce(&Channel) -> Error,
) -> Error {
    match namespaces.join_all() {
        Ok(()) => body(channel),
        Err(error) => error,
    }
}

/// Puts the process proper in the place of the sherpa.
fn follow_sherpa(spawned: &mut Spawned) -> Result<()> {
    let pidfd = match spawned.channel.receive()? {
        Message::Process(pidfd) => pidfd,
        Message::Failed(error) => return Err(error),
        _ => return Err(spawned.died()),
    };
    let pid = pid_of(pidfd.as_fd()).context(|| "pid of the container's process")?;
    let sherpa = spawned.child.replace(Child { pid, pidfd });
    if let Some(sherpa) = sherpa {
        process::wait(sherpa.pidfd)
            .context(|| "wait for the process that joined the namespaces")?;
    }
    Ok(())
}

/// Writes the score of the calling process, unless it has it already: that may need no privilege.
fn set_oom_score(score: Option<i32>) -> Result<()> {
    let Some(score) = score else { return Ok(()) };
    let path = "/proc/self/oom_score_adj";
    let what = || format!("write {score} to {path}");
    if fs::read_to_string(path).context(what)?.trim().parse() == Ok(score) {
        return Ok(());
    }
    match fs::write(path, score.to_string()) {
        // Less than it was started with is not for root of a user namespace to have.
        Err(error)
            if error.kind() == io::ErrorKind::PermissionDenied
                && namespace::is_in_user_namespace() =>
        {
            Ok(())
        }
        result => result.context(what),
    }
}

/// The pid behind a pidfd, as this process numbers it.
fn pid_of(pidfd: BorrowedFd<'_>) -> io::Result<i32> {
    let info = fs::read_to_string(format!("/proc/self/fdinfo/{}", pidfd.as_raw_fd()))?;
    info.lines()
        .find_map(|line| line.strip_prefix("Pid:")?.trim().parse().ok())
        .filter(|pid| *pid > 0)
        .ok_or_else(|| io::Error::from_raw_os_error(libc::ESRCH))
}
