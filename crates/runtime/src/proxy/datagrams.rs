//! UDP: each client of each port has a socket towards the container, which tells its answers from others'.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{self, AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};
use sys::datagram::Local;

/// A client that is silent for so long is forgotten, as Docker's proxy does.
const IDLE: Duration = Duration::from_secs(90);
/// Clients at a time; one more takes the place of the one that has been silent for longest.
const MOST: usize = 4096;

/// Who sent, and to what.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Client {
    /// The number of the one that it came by.
    pub(super) socket: u64,
    pub(super) address: SocketAddr,
    /// Which of its addresses, where it has several.
    pub(super) reached: Option<Local>,
}

#[derive(Default)]
pub(super) struct Datagrams {
    sessions: HashMap<u64, Session>,
    numbers: HashMap<Client, u64>,
    swept: Option<Instant>,
}

struct Session {
    /// Connected to the container.
    socket: OwnedFd,
    client: Client,
    target: SocketAddr,
    used: Instant,
}

impl Datagrams {
    pub(super) fn has(&self, number: u64) -> bool {
        self.sessions.contains_key(&number)
    }

    /// How long nothing may happen before [`Self::expire`] is to be called.
    pub(super) fn patience(&self) -> Option<Duration> {
        (!self.sessions.is_empty()).then_some(IDLE / 3)
    }

    /// Sends a client's datagram on to where its port leads now; `watch` gives a new socket a number.
    pub(super) fn forward(
        &mut self,
        datagram: &[u8],
        client: Client,
        target: SocketAddr,
        watch: impl FnOnce(&OwnedFd) -> Result<u64, Errno>,
    ) {
        let known = self.numbers.get(&client).copied();
        let leads_elsewhere = |number| self.sessions[&number].target != target;
        if let Some(number) = known.filter(|number| leads_elsewhere(*number)) {
            self.forget(number);
        }
        if !self.numbers.contains_key(&client) {
            let Ok(socket) = connect(target) else { return };
            let Ok(number) = watch(&socket) else { return };
            self.make_room();
            self.sessions.insert(number, Session { socket, client, target, used: Instant::now() });
            self.numbers.insert(client, number);
        }
        let number = self.numbers[&client];
        let Some(session) = self.sessions.get_mut(&number) else { return };
        session.used = Instant::now();
        // Datagrams may be lost. Where nobody listens the container says so.
        let _ = net::send(&session.socket, datagram, SendFlags::NOSIGNAL);
    }

    /// What came back, and for whom.
    pub(super) fn receive(&mut self, number: u64, buffer: &mut [u8]) -> Option<(usize, Client)> {
        let session = self.sessions.get_mut(&number)?;
        match net::recv(&session.socket, buffer, RecvFlags::empty()) {
            Ok((len, _)) => {
                session.used = Instant::now();
                Some((len, session.client))
            }
            Err(Errno::AGAIN | Errno::INTR) => None,
            // The container is not there any more, or nobody listens in it.
            Err(_) => {
                self.forget(number);
                None
            }
        }
    }

    /// Forgets those who have been silent for too long; looks only now and then.
    pub(super) fn expire(&mut self, now: Instant) {
        if self.sessions.is_empty() || self.swept.is_some_and(|swept| now < swept + IDLE / 3) {
            return;
        }
        self.swept = Some(now);
        self.sessions.retain(|_, session| now < session.used + IDLE);
        self.numbers.retain(|_, number| self.sessions.contains_key(number));
    }

    fn make_room(&mut self) {
        if self.sessions.len() < MOST {
            return;
        }
        let oldest = self.sessions.iter().min_by_key(|(_, session)| session.used);
        if let Some(number) = oldest.map(|(number, _)| *number) {
            self.forget(number);
        }
    }

    pub(super) fn forget(&mut self, number: u64) {
        if let Some(session) = self.sessions.remove(&number) {
            self.numbers.remove(&session.client);
        }
    }
}

fn connect(target: SocketAddr) -> Result<OwnedFd, Errno> {
    let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = net::socket_with(family, SocketType::DGRAM, flags, None)?;
    net::connect(&socket, &target)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    fn client(socket: u64, address: SocketAddr) -> Client {
        Client { socket, address, reached: None }
    }

    #[test]
    fn clients_are_told_apart_and_forgotten_when_silent() {
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        let target = server.local_addr().unwrap();
        let mut datagrams = Datagrams::default();
        let mut numbers = 10..;
        let mut send = |datagrams: &mut Datagrams, from: &str, text: &[u8]| {
            let client = client(4, from.parse().unwrap());
            datagrams.forward(text, client, target, |_| Ok(numbers.next().unwrap()));
        };
        let receive = || {
            let mut buffer = [0; 16];
            let (len, from) = server.recv_from(&mut buffer).unwrap();
            (buffer[..len].to_vec(), from)
        };
        send(&mut datagrams, "192.0.2.1:1000", b"one");
        let (text, first) = receive();
        assert_eq!(text, b"one");
        send(&mut datagrams, "192.0.2.1:1000", b"two");
        assert_eq!(receive(), (b"two".to_vec(), first), "the same client");
        send(&mut datagrams, "192.0.2.2:1000", b"three");
        let (_, second) = receive();
        assert_ne!(first, second);
        assert!(datagrams.has(10) && datagrams.has(11));
        datagrams.expire(Instant::now() + IDLE);
        assert!(!datagrams.has(10) && datagrams.patience().is_none());
    }

    #[test]
    fn there_is_room_for_so_many_and_no_more() {
        let mut datagrams = Datagrams::default();
        let target = "127.0.0.1:9".parse().unwrap();
        for number in 0..3 {
            datagrams.forward(b"x", client(number, target), target, |_| Ok(number));
        }
        datagrams.forget(1);
        assert_eq!(datagrams.sessions.len(), datagrams.numbers.len());
        assert!(!datagrams.has(1) && datagrams.has(2));
        let elsewhere = "127.0.0.1:10".parse().unwrap();
        datagrams.forward(b"x", client(2, target), elsewhere, |_| Ok(7));
        assert!(!datagrams.has(2) && datagrams.has(7), "the port leads elsewhere now");
    }
}
