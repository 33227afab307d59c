//! What engines ask for.

use std::io;
use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;

use super::adopt::Init;
use super::engines::Received;
use super::launch::{self, ChildStdio, Launched, Stdio, Wanted};
use super::protocol::{
    Command, Done, ErrorKind, ExitRecord, Failure, MAX_FDS, Message, Outcome, State, Streams,
};
use super::run::Monitor;
use super::session::{AtEndOfInput, Session};
use super::setup;
use crate::time::Timestamp;

type Reply = Result<Done, Failure>;

/// With a socket for each name, in their order.
type Lent = Result<Vec<OwnedFd>, Failure>;

impl Monitor {
    pub(super) fn on_engine(&mut self, number: u32, flags: EventFlags) -> io::Result<()> {
        if flags.contains(EventFlags::OUT) {
            self.engines.flush(number)?;
        }
        if !flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            return Ok(());
        }
        let Received::Request(request, fds) = self.engines.receive(number, &mut self.scratch)
        else {
            return Ok(());
        };
        // The engine was killed after it asked for the start. The next one may have looked already, and seen none.
        if matches!(request.command, Command::Start { .. }) && self.engines.is_gone(number) {
            return Ok(());
        }
        let (reply, lent) = match request.command {
            Command::Lend { names } => match self.lend(&names) {
                Ok(sockets) => (Ok(Done::default()), sockets),
                Err(failure) => (Err(failure), Vec::new()),
            },
            command => (self.perform(command, fds), Vec::new()),
        };
        let outcome = match reply {
            Ok(done) => Outcome::Ok(done),
            Err(failure) => Outcome::Error(shortened(failure)),
        };
        self.engines.send_with(number, &Message::Reply { seq: request.seq, outcome }, lent)
    }

    fn perform(&mut self, command: Command, mut fds: Vec<OwnedFd>) -> Reply {
        match command {
            Command::Start { console_size } => self.start(console_size, fds.pop()),
            Command::Attach(streams) => self.attach(streams, fds.pop()),
            Command::Exec { exec_id, streams, tty, console_size, detach } => {
                let client = if detach { None } else { fds.pop() };
                self.exec(exec_id, tty, console_size, client, streams)
            }
            Command::Hold { names } => self.hold(names, fds),
            // It is answered with sockets, see on_engine.
            Command::Lend { .. } => Err(invalid("lend has no plain answer")),
            Command::Release { names } => {
                self.held.retain(|(name, _)| !names.contains(name));
                Ok(Done::default())
            }
            Command::Resize { exec_id, height, width } => {
                let session = self.session(exec_id.as_deref())?;
                session.resize(height, width).map_err(|error| failure("resizing", error))?;
                Ok(Done::default())
            }
            Command::Signal { exec_id, signal, group } => {
                let session = self.session(exec_id.as_deref())?;
                session.signal(signal, group).map_err(|error| failure("signalling", error))?;
                Ok(Done::default())
            }
        }
    }

    fn hold(&mut self, names: Vec<String>, sockets: Vec<OwnedFd>) -> Reply {
        if names.len() != sockets.len() {
            return Err(invalid("hold needs one socket for each name"));
        }
        if matches!(self.state, State::Exited { .. }) {
            return Err(Failure {
                kind: ErrorKind::Gone,
                message: "the container has exited".into(),
            });
        }
        self.held.retain(|(name, _)| !names.contains(name));
        self.held.extend(names.into_iter().zip(sockets));
        Ok(Done::default())
    }

    fn lend(&self, names: &[String]) -> Lent {
        if names.len() > MAX_FDS {
            return Err(invalid("so many sockets are not lent at once"));
        }
        let lend = |name: &String| {
            let held = self.held.iter().find(|(held, _)| held == name);
            let (_, socket) = held.ok_or_else(|| Failure {
                kind: ErrorKind::NotFound,
                message: format!("no socket is held as {name}"),
            })?;
            socket.try_clone().map_err(|error| failure("lending a socket", error))
        };
        names.iter().map(lend).collect()
    }

    fn session(&self, exec_id: Option<&str>) -> Result<&Session, Failure> {
        let found = self.sessions.iter().find(|s| s.exec_id.as_deref() == exec_id);
        found.ok_or_else(|| Failure {
            kind: ErrorKind::NotFound,
            message: format!("no such exec: {}", exec_id.unwrap_or_default()),
        })
    }

    fn start(&mut self, size: Option<[u16; 2]>, netns: Option<OwnedFd>) -> Reply {
        if self.state != State::Created {
            return Err(invalid("the container was started before"));
        }
        match self.start_init(size, netns) {
            Ok(pid) => {
                self.state = State::Running { pid };
                let written =
                    Init::of(pid).and_then(|init| setup::identify(&self.directory, Some(init)));
                let written = written.and_then(|()| self.watch_memory());
                // The process may have ended already; its record is what counts then.
                if let Err(error) = written {
                    self.note(&format!("after the start: {error}"));
                }
                Ok(Done { pid: Some(pid) })
            }
            Err(failure) => {
                self.never_ran(&failure);
                Err(failure)
            }
        }
    }

    fn start_init(
        &mut self,
        size: Option<[u16; 2]>,
        netns: Option<OwnedFd>,
    ) -> Result<i32, Failure> {
        let stdin = self.config.open_stdin;
        let (ours, theirs) = if self.tty {
            (None, ChildStdio::Pty(size))
        } else {
            let wanted = Wanted { stdin, stdout: true, stderr: true };
            let (ours, theirs) =
                launch::pipes(wanted).map_err(|error| failure("making pipes", error))?;
            (Some(ours), theirs)
        };
        let launched = self.launcher.start(theirs, netns)?;
        self.connect(0, launched, ours, stdin)
    }

    fn exec(
        &mut self,
        exec_id: String,
        tty: bool,
        size: Option<[u16; 2]>,
        client: Option<OwnedFd>,
        streams: Streams,
    ) -> Reply {
        if !matches!(self.state, State::Running { .. }) {
            return Err(Failure {
                kind: ErrorKind::Gone,
                message: "the container is not running".into(),
            });
        }
        if !is_plain_name(&exec_id) || self.session(Some(&exec_id)).is_ok() {
            return Err(invalid("the exec's id is malformed, or taken"));
        }
        let stdin = streams.stdin && client.is_some();
        let (ours, theirs) = if tty {
            (None, ChildStdio::Pty(size))
        } else {
            let connected = client.is_some();
            let (stdout, stderr) = (connected && streams.stdout, connected && streams.stderr);
            let (ours, theirs) = launch::pipes(Wanted { stdin, stdout, stderr })
                .map_err(|error| failure("making pipes", error))?;
            (Some(ours), theirs)
        };
        let launched = self.launcher.exec(&exec_id, theirs)?;

        let end = if tty { AtEndOfInput::EndClient } else { AtEndOfInput::CloseStdin };
        let mut session = Session::new(&self.poller, self.next_session, tty, end);
        self.next_session += 1;
        session.exec_id = Some(exec_id);
        if let Some(client) = client {
            session.attach(client, streams);
        }
        self.sessions.push(session);
        let pid = self.connect(self.sessions.len() - 1, launched, ours, stdin)?;
        Ok(Done { pid: Some(pid) })
    }

    /// Joins a new process with its session.
    fn connect(
        &mut self,
        at: usize,
        launched: Launched,
        pipes: Option<Stdio>,
        stdin: bool,
    ) -> Result<i32, Failure> {
        let pid = launched.process.pid;
        self.sessions[at].process = Some(launched.process);
        let stdio = match launched.pty_master {
            Some(master) => launch::terminal(master, stdin),
            None => Ok(pipes.unwrap_or_default()),
        };
        stdio
            .and_then(|stdio| self.sessions[at].connect(stdio))
            .and_then(|()| self.update_session(at))
            .map_err(|error| failure("connecting stdio", error))?;
        Ok(pid)
    }

    fn attach(&mut self, streams: Streams, client: Option<OwnedFd>) -> Reply {
        let client = client.ok_or_else(|| invalid("attach needs the client's socket"))?;
        if matches!(self.state, State::Exited { .. }) {
            return Err(Failure {
                kind: ErrorKind::Gone,
                message: "the container has exited".into(),
            });
        }
        self.sessions[0].attach(client, streams);
        self.update_session(0).map_err(|error| failure("attaching", error))?;
        Ok(Done::default())
    }

    /// Ends a container that could not be started.
    fn never_ran(&mut self, failure: &Failure) {
        self.follow_end();
        let status = match failure.kind {
            ErrorKind::NotFound => 127,
            ErrorKind::Permission => 126,
            ErrorKind::Invalid | ErrorKind::Gone | ErrorKind::Other => 128,
        };
        let record = ExitRecord {
            status,
            signal: None,
            oom_killed: false,
            finished_at: Timestamp::now().rfc3339(),
            log_end: self.finish_log(),
            error: Some(shortened(failure.clone()).message),
        };
        self.sessions[0].finish();
        let ended = self.exited(record).and_then(|()| self.update_session(0));
        if let Err(error) = ended {
            self.note(&format!("ending after a failed start: {error}"));
        }
    }
}

/// A message may quote what a client sent, and a packet has an end.
fn shortened(mut failure: Failure) -> Failure {
    const LONGEST: usize = 4096;
    if failure.message.len() > LONGEST {
        let end = failure.message.floor_char_boundary(LONGEST);
        failure.message.truncate(end);
    }
    failure
}

/// Names of files are made of it.
fn is_plain_name(id: &str) -> bool {
    !id.is_empty()
        && id.len() <= 128
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

fn invalid(message: &str) -> Failure {
    Failure { kind: ErrorKind::Invalid, message: message.into() }
}

fn failure(doing: &str, error: io::Error) -> Failure {
    let kind = match error.raw_os_error() {
        Some(libc::ESRCH) => ErrorKind::Gone,
        Some(libc::EINVAL | libc::ENOTTY) => ErrorKind::Invalid,
        _ => ErrorKind::Other,
    };
    Failure { kind, message: format!("{doing}: {error}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_message_fits_a_packet() {
        let message = "\u{1}é".repeat(100_000);
        let failure = shortened(Failure { kind: ErrorKind::Other, message });
        let reply = Message::Reply { seq: 1, outcome: Outcome::Error(failure) };
        crate::monitor::protocol::encode(&reply).unwrap();
    }

    #[test]
    fn an_exec_id_cannot_name_another_file() {
        assert!(is_plain_name("0123abcdef") && is_plain_name("a_b-C"));
        for id in ["", "..", "a/b", "a\0", ".exit", "ä", &"x".repeat(129)] {
            assert!(!is_plain_name(id), "{id:?}");
        }
    }
}
