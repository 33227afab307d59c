//! The monitor's loop.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use oci::runtime::Spec;
use rustix::event::epoll::EventFlags;
use rustix::process::WaitOptions;
use sys::process::Exit;

use super::config::Config;
use super::engines::Engines;
use super::external::External;
use super::files::{Errors, read_json, record, write_atomically};
use super::launch::Launcher;
use super::log::{LogWriter, Stream};
use super::own::Own;
use super::poll::{Poller, Source, Token};
use super::protocol::{ExitRecord, Hello, Message, State, VERSION, wait_to_begin};
use super::session::{AtEndOfInput, Session};
use super::setup;
use crate::cgroup::OomEvents;
use crate::time::Timestamp;

/// Read at once from a pipe or a client.
const SCRATCH: usize = 256 * 1024;
/// After so long without anything to do, buffers are given back.
const IDLE: Duration = Duration::from_secs(1);
/// How long processes that a dead one left behind may go on writing to its stdio.
const LINGER: Duration = Duration::from_millis(500);
/// How long clients and engines may take to read the last output once init is gone.
const FAREWELL: Duration = Duration::from_secs(5);

/// Runs the monitor of the container whose directory this is, until that is over.
pub fn run(directory: &Path) -> io::Result<()> {
    // Run through a descriptor, it would be called by the number of that.
    rustix::thread::set_name(c"gantry-runtime")?;
    // An engine that ends before that has left nothing that would be anybody's.
    if !wait_to_begin(rustix::stdio::stdin())? {
        return Ok(());
    }
    let directory = std::fs::canonicalize(directory)?;
    let errors = Errors::new(&directory);
    let result = Monitor::new(directory, &errors).and_then(|mut monitor| monitor.run());
    if let Err(error) = &result {
        errors.note(&format!("the monitor ends: {error}"));
    }
    result
}

pub(super) struct Monitor {
    pub(super) directory: PathBuf,
    pub(super) config: Config,
    pub(super) tty: bool,
    pub(super) poller: Poller,
    pub(super) engines: Engines,
    /// Init's is the first, and always there.
    pub(super) sessions: Vec<Session>,
    pub(super) next_session: u32,
    pub(super) launcher: Launcher,
    pub(super) state: State,
    /// Tells of a lack of memory, and how many kills were told of.
    oom: Option<(Source, OomEvents, u64)>,
    errors: Errors,
    signals: Source,
    listener: Source,
    pub(super) scratch: Vec<u8>,
    /// Sockets that keep others from the container's published ports, and those of its name server, by name. We do not read
    /// from them.
    pub(super) held: Vec<(String, OwnedFd)>,
    /// Sessions whose process is gone while somebody still holds their pipes.
    lingering: Vec<(u32, Instant)>,
    /// When we end, whoever may still be reading.
    end: Option<Instant>,
}

impl Monitor {
    fn new(directory: PathBuf, errors: &Errors) -> io::Result<Monitor> {
        let engine = setup::detach(errors)?;
        let config: Config = read_json(&directory.join("monitor.json"))?;
        let spec: Spec = read_json(&directory.join("config.json"))?;
        let tty = spec.process.as_ref().is_some_and(|process| process.terminal);
        let poller = Poller::new()?;
        let end = if config.stdin_once && !tty {
            AtEndOfInput::CloseStdin
        } else {
            AtEndOfInput::EndClient
        };
        let mut init = Session::new(&poller, 0, tty, end);
        init.log = LogWriter::open(&config.log)?;
        let mut monitor = Monitor {
            launcher: launcher(&config, &directory, spec),
            signals: setup::signals(&poller)?,
            listener: setup::listen(&poller, &directory)?,
            engines: Engines::new(&poller),
            errors: Errors::new(&directory),
            sessions: vec![init],
            next_session: 1,
            state: State::Created,
            scratch: Vec::new(),
            held: Vec::new(),
            oom: None,
            lingering: Vec::new(),
            end: None,
            directory,
            config,
            tty,
            poller,
        };
        setup::identify(&monitor.directory, None)?;
        let hello = monitor.hello();
        monitor.engines.add(engine, &hello)?;
        Ok(monitor)
    }

    fn hello(&self) -> Message {
        Message::Hello(Hello {
            version: VERSION,
            monitor_version: env!("CARGO_PKG_VERSION").into(),
            id: self.config.id.clone(),
            state: self.state.clone(),
        })
    }

    fn run(&mut self) -> io::Result<()> {
        while !self.is_over() {
            let events = self.poller.wait(self.timeout())?;
            if events.is_empty() {
                self.on_time()?;
            } else if self.scratch.is_empty() {
                // Not resized: fresh zeros cost no memory before they are used.
                self.scratch = vec![0; SCRATCH];
            }
            for (token, flags) in events {
                self.dispatch(token, flags)?;
            }
        }
        for session in std::mem::take(&mut self.sessions) {
            session.close(&mut self.scratch);
        }
        Ok(())
    }

    fn dispatch(&mut self, token: Token, flags: EventFlags) -> io::Result<()> {
        match token {
            Token::Signals => {
                setup::take_signals(&self.signals)?;
                self.reap()?;
            }
            Token::Listener => {
                let hello = self.hello();
                if let Err(error) = self.engines.accept(&self.listener, &hello) {
                    self.errors.note(&format!("an engine could not connect: {error}"));
                }
            }
            Token::Oom => {
                self.on_oom()?;
            }
            Token::Engine(number) => self.on_engine(number, flags)?,
            Token::Stdin(session) => self.on_session(session, |s, _| {
                s.on_stdin(flags);
                false
            })?,
            Token::Stdout(session) => self.on_output(session, Stream::Stdout)?,
            Token::Stderr(session) => self.on_output(session, Stream::Stderr)?,
            Token::Client(session, client) => {
                self.on_session(session, |s, scratch| s.on_client(client, flags, scratch))?;
            }
        }
        Ok(())
    }

    /// Lets a session handle its event, and tells of a client that detached.
    fn on_session(
        &mut self,
        number: u32,
        handle: impl FnOnce(&mut Session, &mut [u8]) -> bool,
    ) -> io::Result<()> {
        let Some(session) = self.sessions.iter_mut().find(|s| s.number == number) else {
            return Ok(());
        };
        let detached = handle(session, &mut self.scratch);
        session.update(&mut self.scratch)?;
        if detached {
            let exec_id = session.exec_id.clone();
            self.engines.broadcast(&Message::Detached { exec_id })?;
        }
        self.report_log_failure()
    }

    fn on_output(&mut self, number: u32, stream: Stream) -> io::Result<()> {
        self.on_session(number, |session, scratch| {
            session.read_output(stream, scratch);
            false
        })?;
        self.finish_drained()
    }

    /// From now on, a lack of memory is told of.
    pub(super) fn watch_memory(&mut self) -> io::Result<()> {
        let Some(events) = self.launcher.oom_events() else { return Ok(()) };
        let fd = events.as_fd().try_clone_to_owned()?;
        let mut source = Source::new(&self.poller, fd, Token::Oom);
        source.watch(Some(EventFlags::IN))?;
        self.oom = Some((source, events, 0));
        Ok(())
    }

    /// Something happened to the cgroup's memory; kills are told of. Returns how many there were.
    fn on_oom(&mut self) -> io::Result<u64> {
        let kills = self.launcher.oom_kills();
        let Some((_, events, told)) = &mut self.oom else { return Ok(kills) };
        events.drain();
        if std::mem::replace(told, kills) < kills {
            self.engines.broadcast(&Message::Oom)?;
        }
        Ok(kills)
    }

    fn report_log_failure(&mut self) -> io::Result<()> {
        let log = self.sessions[0].log.as_mut();
        let Some(message) = log.and_then(LogWriter::take_failure) else { return Ok(()) };
        self.errors.note(&message);
        self.engines.broadcast(&Message::LogError { message })
    }

    /// Takes the status of every child that ended: init, execs, and orphans of the container.
    fn reap(&mut self) -> io::Result<()> {
        loop {
            let (pid, status) = match rustix::process::wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => (pid.as_raw_nonzero().get(), status),
                Ok(None) | Err(rustix::io::Errno::CHILD) => return Ok(()),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let exit = match (status.exit_status(), status.terminating_signal()) {
                (Some(code), _) => Exit::Code(code),
                (None, Some(signal)) => Exit::Signal(signal),
                (None, None) => continue,
            };
            let of_it = |s: &&mut Session| s.process.as_ref().is_some_and(|p| p.pid == pid);
            if let Some(session) = self.sessions.iter_mut().find(of_it) {
                session.exit = Some(exit);
                if session.exec_id.is_none()
                    && let Err(failure) = self.launcher.end_others()
                {
                    self.errors.note(&failure.message);
                }
                session.drain(&mut self.scratch);
                session.update(&mut self.scratch)?;
                self.lingering.push((session.number, Instant::now() + LINGER));
            }
            self.report_log_failure()?;
            self.finish_drained()?;
        }
    }

    /// Ends the sessions whose process is gone and whose pipes are empty, or were held too long.
    fn finish_drained(&mut self) -> io::Result<()> {
        let now = Instant::now();
        let mut index = 0;
        while let Some(&(number, until)) = self.lingering.get(index) {
            let session = self.sessions.iter().position(|s| s.number == number);
            let holds = session.is_some_and(|at| self.sessions[at].has_output());
            if holds && now < until {
                index += 1;
                continue;
            }
            self.lingering.swap_remove(index);
            if let Some(at) = session {
                self.finish_session(at)?;
            }
        }
        Ok(())
    }

    fn finish_session(&mut self, at: usize) -> io::Result<()> {
        let Some(exit) = self.sessions[at].exit else { return Ok(()) };
        match self.sessions[at].exec_id.clone() {
            None => self.finish_init(exit)?,
            Some(exec_id) => {
                let record = record(exit, false, 0);
                let path = self.directory.join("exec").join(format!("{exec_id}.exit.json"));
                self.write_record(&path, &record);
                self.engines.broadcast(&Message::ExecExited { exec_id, record })?;
            }
        }
        let session = &mut self.sessions[at];
        session.finish();
        session.update(&mut self.scratch)
    }

    fn finish_init(&mut self, exit: Exit) -> io::Result<()> {
        // A kill that ended init is told of before the end.
        let oom_killed = self.on_oom()? > 0;
        self.oom = None;
        if let Err(failure) = self.launcher.clean_up() {
            self.errors.note(&format!("cleaning up: {failure}"));
        }
        self.follow_end();
        let log_end = self.finish_log();
        self.report_log_failure()?;
        self.exited(record(exit, oom_killed, log_end))
    }

    pub(super) fn follow_end(&mut self) {
        if let Err(failure) = self.launcher.follow_end() {
            self.errors.note(&failure.message);
        }
    }

    pub(super) fn finish_log(&mut self) -> u64 {
        self.sessions[0].log.as_mut().map_or(0, |log| log.finish(Timestamp::now()))
    }

    /// The container is over: the record first, then the news. Its ports are free before anybody hears of it, since it
    /// may be started again at once.
    pub(super) fn exited(&mut self, record: ExitRecord) -> io::Result<()> {
        self.held.clear();
        self.write_record(&self.directory.join("exit.json"), &record);
        self.state = State::Exited { record: record.clone() };
        self.end = Some(Instant::now() + FAREWELL);
        if record.error.is_none() {
            self.engines.broadcast(&Message::Exited { record })?;
        }
        Ok(())
    }

    /// An engine that cannot read the record still gets the event.
    fn write_record(&self, path: &Path, record: &ExitRecord) {
        if let Err(error) = write_atomically(path, record) {
            self.errors.note(&format!("writing {}: {error}", path.display()));
        }
    }

    /// Ended sessions are kept until their clients have everything, except init's.
    fn forget_ended_execs(&mut self) {
        let lingering = &self.lingering;
        self.sessions.retain(|s| {
            let ended = s.exit.is_some() && !lingering.iter().any(|(n, _)| *n == s.number);
            s.exec_id.is_none() || !ended || s.has_clients()
        });
    }

    fn is_over(&mut self) -> bool {
        self.forget_ended_execs();
        // An engine that died before it started the container has promised nobody anything, and no
        // other knows what this one was for.
        if self.state == State::Created && self.engines.is_empty() {
            return true;
        }
        self.end.is_some_and(|end| {
            let served = self.sessions.iter().all(|s| !s.has_clients());
            Instant::now() >= end
                || (served && self.lingering.is_empty() && self.engines.have_all_messages())
        })
    }

    /// Milliseconds until something has to be done without an event.
    fn timeout(&self) -> Option<u64> {
        let now = Instant::now();
        let deadlines = self.lingering.iter().map(|(_, until)| *until).chain(self.end);
        let wait = deadlines.min().map(|deadline| deadline.saturating_duration_since(now));
        let busy = (!self.scratch.is_empty()).then_some(IDLE);
        // Rounded up, or we would wake up just before the time and find nothing to do.
        wait.into_iter().chain(busy).min().map(|wait| wait.as_millis() as u64 + 1)
    }

    fn on_time(&mut self) -> io::Result<()> {
        self.finish_drained()?;
        if !self.scratch.is_empty() && self.end.is_none() {
            self.scratch = Vec::new();
            self.sessions.iter_mut().for_each(Session::release_buffers);
            sys::allocator::trim();
            sys::program::release_pages();
        }
        Ok(())
    }

    pub(super) fn note(&self, message: &str) {
        self.errors.note(message);
    }

    pub(super) fn update_session(&mut self, at: usize) -> io::Result<()> {
        self.sessions[at].update(&mut self.scratch)
    }
}

fn launcher(config: &Config, directory: &Path, spec: Spec) -> Launcher {
    match &config.runtime {
        Some(runtime) => Launcher::External(External::new(config, runtime.clone(), directory)),
        None => Launcher::Own(Box::new(Own::new(config, directory, spec))),
    }
}
