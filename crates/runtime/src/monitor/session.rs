//! The stdio of one process, init or an exec, and the clients attached to it.
//!
//! Output goes to the log first and then to every client; it is not read while a client is a whole
//! buffer behind. Input of all clients is mixed in the order it comes, and taken from them only as
//! fast as the process reads it. The session of init is there before init, so that clients attached
//! early miss nothing.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll::EventFlags;
use sys::process::Exit;

use super::client::{Client, Input};
use super::launch::Stdio;
use super::log::{LogWriter, Stream};
use super::poll::{Poller, Source, Token};
use super::protocol::Streams;
use super::queue::Queue;
use crate::time::Timestamp;

/// What a pipe is asked to hold: fewer turns between the container and us.
const PIPE: usize = 1024 * 1024;

/// What happens when a client closes its side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtEndOfInput {
    /// The process's stdin ends too.
    CloseStdin,
    /// That client's session ends, as in Docker.
    EndClient,
}

enum Stdin {
    /// Clients' input waits for the process to be there.
    Expected,
    Open {
        source: Source,
        queue: Queue,
        closing: bool,
    },
    /// Input is read and thrown away.
    Closed,
}

pub(super) struct Session {
    pub(super) number: u32,
    /// None for init.
    pub(super) exec_id: Option<String>,
    pub(super) process: Option<Process>,
    pub(super) exit: Option<Exit>,
    tty: bool,
    at_end_of_input: AtEndOfInput,
    stdin: Stdin,
    stdout: Option<Source>,
    stderr: Option<Source>,
    /// For the size of the window.
    terminal: Option<OwnedFd>,
    clients: Vec<Client>,
    next_client: u32,
    pub(super) log: Option<LogWriter>,
    poller: Poller,
}

pub(super) struct Process {
    pub(super) pid: i32,
    pub(super) pidfd: OwnedFd,
}

impl Session {
    pub(super) fn new(
        poller: &Poller,
        number: u32,
        tty: bool,
        at_end_of_input: AtEndOfInput,
    ) -> Session {
        Session {
            number,
            exec_id: None,
            process: None,
            exit: None,
            tty,
            at_end_of_input,
            stdin: Stdin::Expected,
            stdout: None,
            stderr: None,
            terminal: None,
            clients: Vec::new(),
            next_client: 0,
            log: None,
            poller: poller.clone(),
        }
    }

    /// Adds a client, from the next output on.
    pub(super) fn attach(&mut self, socket: OwnedFd, streams: Streams) {
        let token = Token::Client(self.number, self.next_client);
        self.next_client += 1;
        self.clients.push(Client::new(&self.poller, token, socket, streams, self.tty));
    }

    /// Takes over our ends of the process's stdio.
    pub(super) fn connect(&mut self, stdio: Stdio) -> io::Result<()> {
        self.stdin = match stdio.stdin {
            None => Stdin::Closed,
            Some(fd) => {
                let source = self.source(fd, Token::Stdin(self.number))?;
                Stdin::Open { source, queue: Queue::default(), closing: false }
            }
        };
        for (fd, token) in
            [(stdio.stdout, Token::Stdout(self.number)), (stdio.stderr, Token::Stderr(self.number))]
        {
            let Some(fd) = fd else { continue };
            // Not all users may have such a large one; then it stays as it is.
            let _ = rustix::pipe::fcntl_setpipe_size(&fd, PIPE);
            let source = self.source(fd, token)?;
            *self.output(stream_of(token)) = Some(source);
        }
        self.terminal = stdio.terminal;
        Ok(())
    }

    fn source(&self, fd: OwnedFd, token: Token) -> io::Result<Source> {
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(Source::new(&self.poller, fd, token))
    }

    fn output(&mut self, stream: Stream) -> &mut Option<Source> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    pub(super) fn resize(&self, height: u16, width: u16) -> io::Result<()> {
        match &self.terminal {
            Some(terminal) => sys::pty::resize(terminal, height, width),
            // Nothing to resize, and nothing wrong, as with Docker.
            None => Ok(()),
        }
    }

    /// Reads once from an output and passes it on. Returns how much there was: None where nothing is
    /// to be had now, zero at the end.
    pub(super) fn read_output(&mut self, stream: Stream, scratch: &mut [u8]) -> Option<usize> {
        let source = self.output(stream).as_ref()?;
        let length = match rustix::io::read(source, &mut *scratch) {
            Ok(length) => length,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => return None,
            // A terminal says so when nobody has its other side open.
            Err(_) => 0,
        };
        if length == 0 {
            *self.output(stream) = None;
            return Some(0);
        }
        let bytes = &scratch[..length];
        if let Some(log) = &mut self.log {
            log.write(stream, bytes, Timestamp::now());
        }
        for client in &mut self.clients {
            client.send(stream, bytes);
        }
        Some(length)
    }

    /// After the process's end: takes what is left in its pipes, whatever the clients do. A process it
    /// left behind may write on; more than the pipes hold is not taken from it here.
    pub(super) fn drain(&mut self, scratch: &mut [u8]) {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let mut taken = 0;
            while taken <= PIPE {
                match self.read_output(stream, scratch) {
                    None | Some(0) => break,
                    Some(length) => taken += length,
                }
            }
        }
    }

    pub(super) fn has_output(&self) -> bool {
        self.stdout.is_some() || self.stderr.is_some()
    }

    /// Nothing more comes from the process: clients get what is theirs, and their end.
    pub(super) fn finish(&mut self) {
        (self.stdout, self.stderr, self.stdin) = (None, None, Stdin::Closed);
        self.clients.iter_mut().for_each(Client::end);
    }

    pub(super) fn has_clients(&self) -> bool {
        !self.clients.is_empty()
    }

    /// The process's stdin takes more, or nobody reads it.
    pub(super) fn on_stdin(&mut self, flags: EventFlags) {
        if flags.contains(EventFlags::ERR) || (!self.tty && flags.contains(EventFlags::HUP)) {
            self.stdin = Stdin::Closed;
        }
        self.flush_stdin();
    }

    fn flush_stdin(&mut self) {
        let Stdin::Open { source, queue, closing } = &mut self.stdin else { return };
        let result = queue.flush(|bytes| Ok(rustix::io::write(&*source, bytes)?));
        if result.is_err() || (*closing && queue.is_empty()) {
            self.stdin = Stdin::Closed;
        }
    }

    /// Something happened at a client's socket. Returns whether the client detached.
    pub(super) fn on_client(&mut self, number: u32, flags: EventFlags, scratch: &mut [u8]) -> bool {
        let Some(index) = self.clients.iter().position(|client| client.number == number) else {
            return false;
        };
        let client = &mut self.clients[index];
        if flags.intersects(EventFlags::HUP | EventFlags::ERR) {
            client.hang_up();
        }
        if flags.contains(EventFlags::OUT) {
            client.flush();
        }
        if flags.intersects(EventFlags::IN | EventFlags::HUP) && self.wants_input() {
            return self.take_input(index, scratch);
        }
        false
    }

    /// Whether clients are read: not while earlier input waits.
    fn wants_input(&self) -> bool {
        match &self.stdin {
            Stdin::Expected => false,
            Stdin::Open { queue, closing, .. } => queue.is_empty() && !closing,
            Stdin::Closed => true,
        }
    }

    /// One read from a client. Returns whether it detached.
    fn take_input(&mut self, index: usize, scratch: &mut [u8]) -> bool {
        match self.clients[index].read(scratch) {
            Input::None => {}
            Input::Bytes(bytes) => self.write_stdin(&bytes),
            Input::Detached(bytes) => {
                self.write_stdin(&bytes);
                self.clients[index].end();
                return true;
            }
            Input::Lost => self.clients[index].end(),
            Input::End if self.at_end_of_input == AtEndOfInput::EndClient => {
                self.clients[index].end();
            }
            Input::End => {
                if let Stdin::Open { closing, .. } = &mut self.stdin {
                    *closing = true;
                }
                self.flush_stdin();
            }
        }
        false
    }

    fn write_stdin(&mut self, bytes: &[u8]) {
        if let Stdin::Open { queue, .. } = &mut self.stdin {
            queue.push(bytes);
            self.flush_stdin();
        }
    }

    /// After any event: reads what dead clients left, lets go of finished ones, and waits for what
    /// can be done next.
    pub(super) fn update(&mut self, scratch: &mut [u8]) -> io::Result<()> {
        self.read_the_dead(scratch);
        let readable = self.wants_input();
        self.clients.iter_mut().for_each(|client| client.update(readable));
        while let Some(index) = self.clients.iter().position(Client::is_finished) {
            self.clients.swap_remove(index).close(scratch);
        }
        let clogged = self.clients.iter().any(Client::is_clogged);
        for output in [&mut self.stdout, &mut self.stderr].into_iter().flatten() {
            output.watch((!clogged).then_some(EventFlags::IN))?;
        }
        if let Stdin::Open { source, queue, .. } = &mut self.stdin {
            // A pipe nobody reads is an error that is always reported; a terminal's input has no end
            // of its own, and its output says when it is over.
            let idle = (!self.tty).then_some(EventFlags::empty());
            source.watch(if queue.is_empty() { idle } else { Some(EventFlags::OUT) })?;
        }
        Ok(())
    }

    /// A dead client's socket reports nothing but its death, so that its last words are fetched when
    /// there is room for them.
    fn read_the_dead(&mut self, scratch: &mut [u8]) {
        while self.wants_input() {
            let Some(index) = self.clients.iter().position(Client::has_input_of_the_dead) else {
                return;
            };
            self.take_input(index, scratch);
        }
    }

    /// Ends every client's stream, whatever it has not read.
    pub(super) fn close(self, scratch: &mut [u8]) {
        self.clients.into_iter().for_each(|client| client.close(scratch));
    }

    /// Frees what is only needed while much goes through.
    pub(super) fn release_buffers(&mut self) {
        if let Some(log) = &mut self.log {
            log.release_buffer();
        }
    }

    /// `group`: also to what it started.
    pub(super) fn signal(&self, signal: i32, group: bool) -> io::Result<()> {
        match &self.process {
            Some(process) if self.exit.is_none() => {
                if group {
                    // Not waited for yet, so that its number is nobody else's. Fails where it leads no group.
                    let _ = sys::signal::send_to_group(process.pid, signal);
                }
                sys::signal::send(process.pidfd.as_fd(), signal)
            }
            _ => Err(io::Error::from_raw_os_error(libc::ESRCH)),
        }
    }
}

fn stream_of(token: Token) -> Stream {
    if matches!(token, Token::Stderr(_)) { Stream::Stderr } else { Stream::Stdout }
}
