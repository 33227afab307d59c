//! One connection: what either side sends goes to the other, each direction with its own end.

use std::io;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_keepalive, set_tcp_nodelay, socket_error};
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType};

/// Read at once.
pub(super) const PIECE: usize = 64 * 1024;
/// Pieces of one connection before others get their turn.
const TURNS: u32 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Client,
    Server,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    GoesOn,
    Over,
}

/// What goes one way.
#[derive(Default)]
struct Flow {
    /// Read, and not yet taken by the other side.
    pending: Vec<u8>,
    /// No more comes.
    ended: bool,
    /// The other side knows that.
    passed_on: bool,
}

pub(super) struct Relay {
    client: OwnedFd,
    server: OwnedFd,
    is_connected: bool,
    /// From client to server.
    forth: Flow,
    back: Flow,
    watched: [Option<EventFlags>; 2],
}

impl Relay {
    /// Begins to connect.
    pub(super) fn begin(client: OwnedFd, target: SocketAddr) -> io::Result<Self> {
        let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let server = net::socket_with(family, SocketType::STREAM, flags, None)?;
        for socket in [&client, &server] {
            set_tcp_nodelay(socket, true)?;
            // A peer that vanished is noticed at last.
            set_socket_keepalive(socket, true)?;
        }
        let is_connected = match net::connect(&server, &target) {
            Err(Errno::INPROGRESS) => false,
            result => result.map(|()| true)?,
        };
        let (forth, back) = (Flow::default(), Flow::default());
        Ok(Self { client, server, is_connected, forth, back, watched: [None; 2] })
    }

    pub(super) fn watch(&self, poller: &OwnedFd, number: u64) -> io::Result<()> {
        let nothing = EventFlags::empty();
        epoll::add(poller, &self.client, EventData::new_u64(number), nothing)?;
        let wanted = self.wanted(End::Server);
        Ok(epoll::add(poller, &self.server, EventData::new_u64(number + 1), wanted)?)
    }

    /// Waits for what can be done next.
    pub(super) fn rewatch(&mut self, poller: &OwnedFd, number: u64) -> io::Result<()> {
        for (index, end) in [End::Client, End::Server].into_iter().enumerate() {
            let wanted = self.wanted(end);
            if self.watched[index] != Some(wanted) {
                let socket = if end == End::Client { &self.client } else { &self.server };
                let data = EventData::new_u64(number + index as u64);
                epoll::modify(poller, socket, data, wanted)?;
                self.watched[index] = Some(wanted);
            }
        }
        Ok(())
    }

    /// A side is read from only while the other one takes what it sends.
    fn wanted(&self, end: End) -> EventFlags {
        if !self.is_connected {
            return if end == End::Server { EventFlags::OUT } else { EventFlags::empty() };
        }
        let (from, to) = match end {
            End::Client => (&self.forth, &self.back),
            End::Server => (&self.back, &self.forth),
        };
        let mut wanted = EventFlags::empty();
        wanted.set(EventFlags::IN, !from.ended && from.pending.is_empty());
        wanted.set(EventFlags::OUT, !to.pending.is_empty());
        wanted
    }

    pub(super) fn on_event(&mut self, end: End, flags: EventFlags, scratch: &mut [u8]) -> State {
        if !self.is_connected {
            let failed = end == End::Client || !matches!(socket_error(&self.server), Ok(Ok(())));
            if failed {
                return State::Over;
            }
            self.is_connected = true;
        }
        if self.forth.pump(&self.client, &self.server, scratch).is_err()
            || self.back.pump(&self.server, &self.client, scratch).is_err()
        {
            return State::Over;
        }
        let is_over = self.forth.passed_on && self.back.passed_on;
        // Told of whatever is waited for. One that is shut both ways, and has been read to its end, takes nothing more.
        let from = if end == End::Client { &self.forth } else { &self.back };
        let is_broken =
            flags.contains(EventFlags::ERR) || (flags.contains(EventFlags::HUP) && from.ended);
        if is_over || is_broken { State::Over } else { State::GoesOn }
    }
}

impl Flow {
    fn pump(&mut self, from: &OwnedFd, to: &OwnedFd, scratch: &mut [u8]) -> Result<(), Errno> {
        if !self.pending.is_empty() {
            let sent = send(to, &self.pending)?;
            self.pending.drain(..sent);
        }
        for _ in 0..TURNS {
            if self.ended || !self.pending.is_empty() {
                break;
            }
            match net::recv(from, &mut *scratch, RecvFlags::empty()) {
                Ok((0, _)) => self.ended = true,
                Ok((len, _)) => {
                    let sent = send(to, &scratch[..len])?;
                    self.pending.extend_from_slice(&scratch[sent..len]);
                }
                Err(Errno::AGAIN) => break,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            }
        }
        if self.ended && self.pending.is_empty() && !self.passed_on {
            self.passed_on = true;
            net::shutdown(to, Shutdown::Write)?;
        }
        Ok(())
    }
}

/// As much as the other side takes now.
fn send(to: &OwnedFd, bytes: &[u8]) -> Result<usize, Errno> {
    match net::send(to, bytes, SendFlags::NOSIGNAL) {
        Err(Errno::AGAIN | Errno::INTR) => Ok(0),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::{TcpListener, TcpStream};

    use super::*;

    /// A relay between a client and a server, moved by hand.
    fn relay() -> (TcpStream, TcpStream, Relay) {
        let front = TcpListener::bind("127.0.0.1:0").unwrap();
        let back = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(front.local_addr().unwrap()).unwrap();
        let (accepted, _) = front.accept().unwrap();
        accepted.set_nonblocking(true).unwrap();
        let relay = Relay::begin(accepted.into(), back.local_addr().unwrap()).unwrap();
        let (server, _) = back.accept().unwrap();
        (client, server, relay)
    }

    fn turn(relay: &mut Relay) -> State {
        relay.on_event(End::Server, EventFlags::OUT, &mut vec![0; PIECE])
    }

    #[test]
    fn both_ways_with_their_own_ends() {
        let (mut client, mut server, mut relay) = relay();
        client.write_all(b"question").unwrap();
        client.shutdown(std::net::Shutdown::Write).unwrap();
        let mut text = String::new();
        while !relay.forth.passed_on {
            assert_eq!(turn(&mut relay), State::GoesOn);
        }
        server.read_to_string(&mut text).unwrap();
        assert_eq!(text, "question");
        server.write_all(b"answer").unwrap();
        drop(server);
        while turn(&mut relay) == State::GoesOn {}
        text.clear();
        client.read_to_string(&mut text).unwrap();
        assert_eq!(text, "answer");
    }

    #[test]
    fn a_side_that_does_not_read_holds_the_other_up() {
        let (mut client, mut server, mut relay) = relay();
        client.set_nonblocking(true).unwrap();
        let piece = vec![7; PIECE];
        let mut sent = 0;
        loop {
            match client.write(&piece) {
                Ok(len) => sent += len,
                Err(_) if !relay.forth.pending.is_empty() => break,
                Err(_) => assert_eq!(turn(&mut relay), State::GoesOn),
            }
            turn(&mut relay);
        }
        assert!(relay.forth.pending.len() <= PIECE, "no more is kept than was read at once");
        assert!(!relay.wanted(End::Client).contains(EventFlags::IN));
        let reader = std::thread::spawn(move || {
            let mut all = Vec::new();
            server.read_to_end(&mut all).unwrap();
            all.len()
        });
        drop(client);
        while !relay.forth.passed_on {
            turn(&mut relay);
        }
        assert_eq!(reader.join().unwrap(), sent);
    }
}
