//! The engines that are connected: the one that started the monitor and those that came later.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use rustix::event::epoll::EventFlags;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::SocketFlags;

use super::poll::{Poller, Source, Token};
use super::protocol::{self, MAX_PACKET, Message, Request};

/// An engine that does not read so many messages is as good as dead.
const WAITING: usize = 256;

struct Engine {
    number: u32,
    source: Source,
    waiting: VecDeque<Packet>,
}

/// A message, and the descriptors that go with it.
struct Packet {
    bytes: Vec<u8>,
    fds: Vec<OwnedFd>,
}

pub(super) struct Engines {
    poller: Poller,
    list: Vec<Engine>,
    next: u32,
}

/// What came from an engine.
pub(super) enum Received {
    Request(Request, Vec<OwnedFd>),
    /// Nothing (more) now, or the connection is over.
    Nothing,
}

impl Engines {
    pub(super) fn new(poller: &Poller) -> Engines {
        Engines { poller: poller.clone(), list: Vec::new(), next: 0 }
    }

    /// Begins to talk to an engine.
    pub(super) fn add(&mut self, socket: OwnedFd, hello: &Message) -> io::Result<()> {
        rustix::io::ioctl_fionbio(&socket, true)?;
        let number = self.next;
        self.next += 1;
        let mut source = Source::new(&self.poller, socket, Token::Engine(number));
        source.watch(Some(EventFlags::IN))?;
        self.list.push(Engine { number, source, waiting: VecDeque::new() });
        self.send(number, hello)
    }

    /// Takes a connection, if it comes from our own user or root.
    pub(super) fn accept(&mut self, listener: &Source, hello: &Message) -> io::Result<()> {
        let socket = match rustix::net::accept_with(listener, SocketFlags::CLOEXEC) {
            Ok(socket) => socket,
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::CONNABORTED) => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let uid = sys::socket::peer_uid(&socket)?;
        if uid != 0 && uid != rustix::process::geteuid().as_raw() {
            return Ok(());
        }
        self.add(socket, hello)
    }

    pub(super) fn broadcast(&mut self, message: &Message) -> io::Result<()> {
        let numbers: Vec<u32> = self.list.iter().map(|engine| engine.number).collect();
        numbers.into_iter().try_for_each(|number| self.send(number, message))
    }

    pub(super) fn send(&mut self, number: u32, message: &Message) -> io::Result<()> {
        self.send_with(number, message, Vec::new())
    }

    pub(super) fn send_with(
        &mut self,
        number: u32,
        message: &Message,
        fds: Vec<OwnedFd>,
    ) -> io::Result<()> {
        let packet = Packet { bytes: protocol::encode(message)?, fds };
        if let Some(engine) = self.list.iter_mut().find(|engine| engine.number == number) {
            engine.waiting.push_back(packet);
            self.flush(number)?;
        }
        Ok(())
    }

    /// Sends what waits. An engine that is gone or stuck is let go.
    pub(super) fn flush(&mut self, number: u32) -> io::Result<()> {
        let Some(index) = self.list.iter().position(|engine| engine.number == number) else {
            return Ok(());
        };
        let engine = &mut self.list[index];
        if !engine.send_waiting() || engine.waiting.len() > WAITING {
            self.list.swap_remove(index);
            return Ok(());
        }
        let mut flags = EventFlags::IN;
        flags.set(EventFlags::OUT, !engine.waiting.is_empty());
        engine.source.watch(Some(flags))
    }

    /// Takes one message, by way of `scratch`.
    pub(super) fn receive(&mut self, number: u32, scratch: &mut [u8]) -> Received {
        let Some(index) = self.list.iter().position(|engine| engine.number == number) else {
            return Received::Nothing;
        };
        let packet = &mut scratch[..MAX_PACKET];
        let received = sys::socket::receive(&self.list[index].source, packet);
        match received {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Received::Nothing,
            Ok((length @ 1.., fds)) => match protocol::decode(&packet[..length]) {
                Ok(request) => Received::Request(request, fds),
                Err(_) => self.remove(index),
            },
            // Gone, or nothing that speaks our protocol.
            Ok((0, _)) | Err(_) => self.remove(index),
        }
    }

    /// Whether it has hung up by now, whatever of it is still to be read.
    pub(super) fn is_gone(&self, number: u32) -> bool {
        let Some(engine) = self.list.iter().find(|engine| engine.number == number) else {
            return true;
        };
        let mut fds = [PollFd::from_borrowed_fd(engine.source.as_fd(), PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        rustix::event::poll(&mut fds, Some(&now)).is_ok()
            && fds[0].revents().contains(PollFlags::HUP)
    }

    fn remove(&mut self, index: usize) -> Received {
        self.list.swap_remove(index);
        Received::Nothing
    }

    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    pub(super) fn have_all_messages(&self) -> bool {
        self.list.iter().all(|engine| engine.waiting.is_empty())
    }
}

impl Engine {
    /// False when the engine is gone.
    fn send_waiting(&mut self) -> bool {
        while let Some(packet) = self.waiting.front() {
            let fds: Vec<_> = packet.fds.iter().map(AsFd::as_fd).collect();
            match sys::socket::send(self.source.as_fd(), &packet.bytes, &fds) {
                Ok(()) => drop(self.waiting.pop_front()),
                Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
            }
        }
        true
    }
}
