//! epoll with names for what is watched.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::rc::Rc;

use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};

/// What an event is about. Sessions and clients are numbered and numbers are never used twice, so
/// that an event of something already gone is recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Signals,
    Listener,
    Oom,
    Engine(u32),
    Stdin(u32),
    Stdout(u32),
    Stderr(u32),
    Client(u32, u32),
}

/// Sessions share the high word with the kind, clients have the low one.
const SESSION_BITS: u32 = 24;

impl Token {
    fn pack(self) -> u64 {
        let (kind, session, client) = match self {
            Token::Signals => (0, 0, 0),
            Token::Listener => (1, 0, 0),
            Token::Oom => (2, 0, 0),

            Token::Engine(engine) => (3, 0, engine),
            Token::Stdin(session) => (4, session, 0),
            Token::Stdout(session) => (5, session, 0),
            Token::Stderr(session) => (6, session, 0),
            Token::Client(session, client) => (7, session, client),
        };
        u64::from(kind << SESSION_BITS | session) << 32 | u64::from(client)
    }

    fn unpack(packed: u64) -> Token {
        let (high, client) = ((packed >> 32) as u32, packed as u32);
        let session = high & ((1 << SESSION_BITS) - 1);
        match high >> SESSION_BITS {
            0 => Token::Signals,
            1 => Token::Listener,
            2 => Token::Oom,

            3 => Token::Engine(client),
            4 => Token::Stdin(session),
            5 => Token::Stdout(session),
            6 => Token::Stderr(session),
            _ => Token::Client(session, client),
        }
    }
}

#[derive(Clone)]
pub(super) struct Poller(Rc<OwnedFd>);

impl Poller {
    pub(super) fn new() -> io::Result<Poller> {
        Ok(Poller(Rc::new(epoll::create(CreateFlags::CLOEXEC)?)))
    }

    /// Waits for events, at most `milliseconds` where given; a signal or the time may end it early.
    pub(super) fn wait(&self, milliseconds: Option<u64>) -> io::Result<Vec<(Token, EventFlags)>> {
        const NONE: Event = Event { flags: EventFlags::empty(), data: EventData::new_u64(0) };
        let timeout = milliseconds.map(|ms| rustix::event::Timespec {
            tv_sec: (ms / 1000) as i64,
            tv_nsec: (ms % 1000 * 1_000_000) as i64,
        });
        let mut events = [NONE; 16];
        let count = match epoll::wait(&*self.0, &mut events[..], timeout.as_ref()) {
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => 0,
            Err(error) => return Err(error.into()),
        };
        Ok(events[..count].iter().map(|e| (Token::unpack(e.data.u64()), e.flags)).collect())
    }
}

/// A descriptor and what is waited for on it. Ends its watch when it is dropped: closing would not
/// be enough where another process holds the same open file.
pub(super) struct Source {
    fd: OwnedFd,
    token: Token,
    poller: Poller,
    watched: Option<EventFlags>,
}

impl Source {
    pub(super) fn new(poller: &Poller, fd: OwnedFd, token: Token) -> Source {
        Source { fd, token, poller: poller.clone(), watched: None }
    }

    /// Waits for `flags` (hang-ups and errors are always reported), or with None for nothing.
    pub(super) fn watch(&mut self, flags: Option<EventFlags>) -> io::Result<()> {
        if flags == self.watched {
            return Ok(());
        }
        let data = EventData::new_u64(self.token.pack());
        match (self.watched, flags) {
            (_, None) => epoll::delete(&*self.poller.0, &self.fd)?,
            (None, Some(flags)) => epoll::add(&*self.poller.0, &self.fd, data, flags)?,
            (Some(_), Some(flags)) => epoll::modify(&*self.poller.0, &self.fd, data, flags)?,
        }
        self.watched = flags;
        Ok(())
    }
}

impl AsFd for Source {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        if self.watched.is_some() {
            // It fails only where the descriptor is not watched, which is what is wanted.
            let _ = epoll::delete(&*self.poller.0, &self.fd);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_survive_the_kernel() {
        let all = [
            Token::Signals,
            Token::Listener,
            Token::Oom,
            Token::Engine(u32::MAX),
            Token::Stdin(0),
            Token::Stdout(7),
            Token::Stderr((1 << SESSION_BITS) - 1),
            Token::Client(3, u32::MAX),
        ];
        for token in all {
            assert_eq!(Token::unpack(token.pack()), token);
        }
    }

    #[test]
    fn a_dropped_source_is_silent_though_its_file_lives_on() {
        let poller = Poller::new().unwrap();
        let (reader, writer) = rustix::pipe::pipe().unwrap();
        let other_owner = reader.try_clone().unwrap();
        let mut source = Source::new(&poller, reader, Token::Stdout(1));
        source.watch(Some(EventFlags::IN)).unwrap();
        rustix::io::write(&writer, b"x").unwrap();
        assert_eq!(poller.wait(Some(1000)).unwrap()[0].0, Token::Stdout(1));
        drop(source);
        assert!(poller.wait(Some(0)).unwrap().is_empty());
        drop(other_owner);
    }
}
