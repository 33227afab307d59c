//! A client attached to the stdio of init or of an exec: one socket, both ways.

use std::io::IoSlice;
use std::os::fd::OwnedFd;

use rustix::event::epoll::EventFlags;
use rustix::net::{RecvFlags, SendAncillaryBuffer, SendFlags, Shutdown};

use super::detach::Detach;
use super::log::Stream;
use super::poll::{Poller, Source, Token};
use super::protocol::Streams;
use super::queue::Queue;

/// A client that is this many bytes behind holds up the container's output.
const BUFFER: usize = 1024 * 1024;

pub(super) struct Client {
    pub(super) number: u32,
    source: Source,
    streams: Streams,
    queue: Queue,
    /// For a terminal: what is typed is searched for the detach keys.
    detach: Option<Detach>,
    /// More may come from the client.
    input_open: bool,
    /// Nobody receives any more. What was sent before may still be unread.
    hung_up: bool,
    /// The end of the output was reached: to be closed once everything is sent.
    closing: bool,
}

/// What reading from a client gave.
pub(super) enum Input {
    /// Nothing now.
    None,
    Bytes(Vec<u8>),
    /// The last bytes before the detach keys.
    Detached(Vec<u8>),
    /// The client closed its side.
    End,
    /// A relay's engine went away; that says nothing about the client's wishes.
    Lost,
}

impl Client {
    pub(super) fn new(
        poller: &Poller,
        token: Token,
        socket: OwnedFd,
        streams: Streams,
        tty: bool,
    ) -> Client {
        let Token::Client(_, number) = token else { unreachable!("a client's token") };
        // Fewer turns between us and a fast client; the default is what an ordinary user gets.
        let _ = rustix::net::sockopt::set_socket_send_buffer_size_force(&socket, BUFFER);
        Client {
            number,
            source: Source::new(poller, socket, token),
            detach: (tty && streams.stdin).then(|| Detach::new(streams.detach_keys.clone())),
            input_open: streams.stdin,
            streams,
            queue: Queue::default(),
            hung_up: false,
            closing: false,
        }
    }

    /// Sends output now if the socket takes it, and keeps the rest.
    pub(super) fn send(&mut self, stream: Stream, bytes: &[u8]) {
        let wanted = match stream {
            Stream::Stdout => self.streams.stdout,
            Stream::Stderr => self.streams.stderr,
        };
        if !wanted || self.hung_up || self.closing || bytes.is_empty() {
            return;
        }
        let header = header(stream, bytes.len());
        let header = if self.streams.multiplexed { &header[..] } else { &[] };
        let sent = if self.queue.is_empty() { self.send_now(header, bytes) } else { 0 };
        self.queue.push(&header[sent.min(header.len())..]);
        self.queue.push(&bytes[sent.saturating_sub(header.len())..]);
    }

    fn send_now(&mut self, header: &[u8], bytes: &[u8]) -> usize {
        let parts = [IoSlice::new(header), IoSlice::new(bytes)];
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        let mut no_control = SendAncillaryBuffer::default();
        match rustix::net::sendmsg(&self.source, &parts, &mut no_control, flags) {
            Ok(sent) => sent,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => 0,
            Err(_) => {
                self.hang_up();
                header.len() + bytes.len()
            }
        }
    }

    /// Sends what was kept.
    pub(super) fn flush(&mut self) {
        let (queue, source) = (&mut self.queue, &self.source);
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        if queue.flush(|bytes| Ok(rustix::net::send(source, bytes, flags)?)).is_err() {
            self.hang_up();
        }
    }

    /// Notes that nobody receives any more.
    pub(super) fn hang_up(&mut self) {
        self.hung_up = true;
        self.queue = Queue::default();
    }

    /// No more output is for this client.
    pub(super) fn end(&mut self) {
        self.closing = true;
        self.input_open = false;
    }

    pub(super) fn is_clogged(&self) -> bool {
        self.queue.len() >= BUFFER
    }

    pub(super) fn is_finished(&self) -> bool {
        (self.hung_up && !self.input_open) || (self.closing && self.queue.is_empty())
    }

    pub(super) fn has_input_of_the_dead(&self) -> bool {
        self.hung_up && self.input_open
    }

    /// Takes some input.
    pub(super) fn read(&mut self, scratch: &mut [u8]) -> Input {
        if !self.input_open {
            return Input::None;
        }
        let length = match rustix::net::recv(&self.source, &mut *scratch, RecvFlags::DONTWAIT) {
            Ok((length, _)) => length,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) if !self.hung_up => {
                return Input::None;
            }
            Err(_) => 0,
        };
        if length == 0 {
            self.input_open = false;
            return if self.streams.relayed && self.hung_up { Input::Lost } else { Input::End };
        }
        let typed = &scratch[..length];
        match self.detach.as_mut().map(|detach| detach.filter(typed)) {
            None => Input::Bytes(typed.to_vec()),
            Some((bytes, false)) => Input::Bytes(bytes),
            Some((bytes, true)) => Input::Detached(bytes),
        }
    }

    /// Waits for what can be done next. `readable`: input is wanted now. A descriptor that cannot be
    /// waited for is no client.
    pub(super) fn update(&mut self, readable: bool) {
        let mut flags = EventFlags::empty();
        flags.set(EventFlags::IN, readable && self.input_open);
        flags.set(EventFlags::OUT, !self.queue.is_empty());
        if self.source.watch((!self.hung_up).then_some(flags)).is_err() {
            self.hang_up();
            self.input_open = false;
        }
    }

    /// Ends the stream, also where another process holds the socket. Unread input is taken off first,
    /// because a socket closed on it would show the client an error instead of the end.
    pub(super) fn close(self, scratch: &mut [u8]) {
        // Each fails only where the client is gone, which is what is being done here.
        let _ = rustix::net::shutdown(&self.source, Shutdown::Write);
        while let Ok((1.., _)) = rustix::net::recv(&self.source, &mut *scratch, RecvFlags::DONTWAIT)
        {
        }
        let _ = rustix::net::shutdown(&self.source, Shutdown::Read);
    }
}

/// Docker's frame: the stream, three zeros, the length.
fn header(stream: Stream, length: usize) -> [u8; 8] {
    let number = match stream {
        Stream::Stdout => 1,
        Stream::Stderr => 2,
    };
    let [a, b, c, d] = (length as u32).to_be_bytes();
    [number, 0, 0, 0, a, b, c, d]
}
