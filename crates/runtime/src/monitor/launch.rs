//! Making processes: stdio for them, and the runtime that starts them.

use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use rustix::pipe::PipeFlags;

use super::external::External;
use super::own::Own;
use super::protocol::Failure;
use super::session::Process;
use crate::cgroup::OomEvents;

/// Our ends.
#[derive(Default)]
pub(super) struct Stdio {
    pub(super) stdin: Option<OwnedFd>,
    pub(super) stdout: Option<OwnedFd>,
    pub(super) stderr: Option<OwnedFd>,
    pub(super) terminal: Option<OwnedFd>,
}

/// The process's ends.
pub(super) enum ChildStdio {
    Fds([OwnedFd; 3]),
    /// A terminal of `[height, width]`, made in the container.
    Pty(Option<[u16; 2]>),
}

/// Which of the three are connected to us; the others are `/dev/null`.
#[derive(Clone, Copy)]
pub(super) struct Wanted {
    pub(super) stdin: bool,
    pub(super) stdout: bool,
    pub(super) stderr: bool,
}

/// Pipes for what is wanted.
pub(super) fn pipes(wanted: Wanted) -> io::Result<(Stdio, ChildStdio)> {
    let (stdin, theirs_in) = match wanted.stdin {
        true => {
            rustix::pipe::pipe_with(PipeFlags::CLOEXEC).map(|(read, write)| (Some(write), read))?
        }
        false => (None, File::open("/dev/null")?.into()),
    };
    let (stdout, theirs_out) = output(wanted.stdout)?;
    let (stderr, theirs_err) = output(wanted.stderr)?;
    let ours = Stdio { stdin, stdout, stderr, terminal: None };
    Ok((ours, ChildStdio::Fds([theirs_in, theirs_out, theirs_err])))
}

fn output(wanted: bool) -> io::Result<(Option<OwnedFd>, OwnedFd)> {
    if !wanted {
        return Ok((None, File::options().write(true).open("/dev/null")?.into()));
    }
    let (read, write) = rustix::pipe::pipe_with(PipeFlags::CLOEXEC)?;
    Ok((Some(read), write))
}

/// A terminal's one descriptor in its three roles.
pub(super) fn terminal(master: OwnedFd, stdin: bool) -> io::Result<Stdio> {
    Ok(Stdio {
        stdin: if stdin { Some(master.try_clone()?) } else { None },
        stdout: Some(master.try_clone()?),
        stderr: None,
        terminal: Some(master),
    })
}

/// A process that runs.
pub(super) struct Launched {
    pub(super) process: Process,
    pub(super) pty_master: Option<OwnedFd>,
}

/// Who makes the container and the processes in it.
pub(super) enum Launcher {
    /// Boxed: it knows its cgroup in every hierarchy, the other only names.
    Own(Box<Own>),
    External(External),
}

impl Launcher {
    /// Creates and starts init. After a failure nothing of the container is left.
    pub(super) fn start(
        &mut self,
        stdio: ChildStdio,
        netns: Option<OwnedFd>,
    ) -> Result<Launched, Failure> {
        match self {
            Launcher::Own(own) => own.start(stdio, netns),
            Launcher::External(external) => external.start(stdio, netns),
        }
    }

    /// Starts another process in the container, described by `exec/<exec_id>.json`.
    pub(super) fn exec(&mut self, exec_id: &str, stdio: ChildStdio) -> Result<Launched, Failure> {
        match self {
            Launcher::Own(own) => own.exec(exec_id, stdio),
            Launcher::External(external) => external.exec(exec_id, stdio),
        }
    }

    /// What to watch for a lack of memory. An external runtime's cgroup is its own affair.
    pub(super) fn oom_events(&self) -> Option<OomEvents> {
        match self {
            Launcher::Own(own) => own.oom_events(),
            Launcher::External(_) => None,
        }
    }

    /// How many processes of the container the kernel has killed for want of memory.
    pub(super) fn oom_kills(&self) -> u64 {
        match self {
            Launcher::Own(own) => own.oom_kills(),
            Launcher::External(_) => 0,
        }
    }

    /// At init's end: ends what may outlive it.
    pub(super) fn end_others(&self) -> Result<(), Failure> {
        match self {
            Launcher::Own(own) => own.end_others(),
            // Its `delete --force` does.
            Launcher::External(_) => Ok(()),
        }
    }

    /// What the specification wants run once the container is no more, one that never ran included.
    pub(super) fn follow_end(&mut self) -> Result<(), Failure> {
        match self {
            Launcher::Own(own) => own.follow_end(),
            // Its `delete` has done so.
            Launcher::External(_) => Ok(()),
        }
    }

    /// After everything has ended.
    pub(super) fn clean_up(&mut self) -> Result<(), Failure> {
        match self {
            Launcher::Own(own) => own.clean_up(),
            Launcher::External(external) => external.delete(),
        }
    }
}
