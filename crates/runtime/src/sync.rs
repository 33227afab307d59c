//! What a process being made and its maker tell each other, one packet per message.
//!
//! ```text
//! maker   Go ------------>                           its ids are mapped, where they are to be
//!         <------ Process [pidfd]                    a sherpa has made the process proper; then Go again
//!         Go ----------------->                      a container's first process is in its cgroup
//!         <------ Console [master]                   where a terminal was asked for
//!         <------ RunHooks; Go ->                    where the maker has hooks to run
//!         <------ Ready
//!         Start -------------->                      unless the container waits for `start`; may be sent ahead
//!         <------ Listener; Go ->                    where its filter asks an agent
//!         <------ Failed, or the end of the stream: the program runs
//! ```
//!
//! `Failed` may come instead of any other message, and is the last one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use sys::socket;

use crate::error::{Context, Error, ErrorKind, Result};

/// Longer messages of errors are cut.
const MESSAGE_MAX: usize = 16 * 1024;

#[derive(Debug)]
pub(crate) enum Message {
    Go,
    Process(OwnedFd),
    Console(OwnedFd),
    RunHooks,
    Ready,
    Start,
    /// The number of a seccomp listener among the descriptors of its sender, which waits for [`Message::Go`].
    Listener(i32),
    Failed(Error),
    /// The other end is gone: the program was executed, or the process died.
    End,
}

/// One end.
#[derive(Debug)]
pub(crate) struct Channel(OwnedFd);

impl Channel {
    pub(crate) fn pair() -> Result<(Channel, Channel)> {
        let (one, other) = socket::pair().context(|| "socketpair")?;
        Ok((Channel(one), Channel(other)))
    }

    pub(crate) fn new(socket: OwnedFd) -> Self {
        Channel(socket)
    }

    pub(crate) fn send(&self, message: &Message) -> Result<()> {
        let (bytes, fd): (Vec<u8>, Option<BorrowedFd<'_>>) = match message {
            Message::Go => (b"g".into(), None),
            Message::Process(pidfd) => (b"p".into(), Some(pidfd.as_fd())),
            Message::Console(master) => (b"c".into(), Some(master.as_fd())),
            Message::RunHooks => (b"h".into(), None),
            Message::Ready => (b"r".into(), None),
            Message::Start => (b"s".into(), None),
            Message::Failed(error) => (encode(error), None),
            // The one is said by `hand_over`, the other by closing.
            Message::Listener(_) | Message::End => return Ok(()),
        };
        socket::send(&self.0, &bytes, fd.as_slice())
            .context(|| "message to the container's process")
    }

    /// Names a seccomp listener to the maker, and waits until somebody has it. By `write` and `read` alone: the first must
    /// return before there is anybody to ask, and a filter that forbids the others is still one to run under.
    pub(crate) fn hand_over(&self, listener: i32) -> Result<()> {
        let what = || "hand over the seccomp listener";
        let [a, b, c, d] = listener.to_ne_bytes();
        rustix::io::write(&self.0, &[b'l', a, b, c, d]).context(what)?;
        let mut answer = [0; 1];
        match rustix::io::retry_on_intr(|| rustix::io::read(&self.0, &mut answer)).context(what)? {
            1 if answer == *b"g" => Ok(()),
            _ => Err(Error::other("the seccomp listener was not taken")),
        }
    }

    pub(crate) fn receive(&self) -> Result<Message> {
        let mut buffer = vec![0; MESSAGE_MAX];
        let received = match socket::receive(&self.0, &mut buffer) {
            // It ended without having read all that was said to it. That is told once, and before what it has
            // said itself.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {
                socket::receive(&self.0, &mut buffer)
            }
            result => result,
        };
        let (length, mut fds) = received.context(|| "message from the container's process")?;
        Ok(match (buffer[..length].first(), fds.pop()) {
            (None, _) => Message::End,
            (Some(b'g'), None) => Message::Go,
            (Some(b'p'), Some(pidfd)) => Message::Process(pidfd),
            (Some(b'c'), Some(master)) => Message::Console(master),
            (Some(b'h'), None) => Message::RunHooks,
            (Some(b'r'), None) => Message::Ready,
            (Some(b's'), None) => Message::Start,
            (Some(b'l'), None) if length == 5 => {
                Message::Listener(i32::from_ne_bytes(buffer[1..5].try_into().expect("four bytes")))
            }
            (Some(b'f'), None) => Message::Failed(decode(&buffer[1..length])),
            _ => return Err(Error::other("unknown message from the container's process")),
        })
    }

    /// Waits for the one message that may come now.
    pub(crate) fn expect_go(&self) -> Result<()> {
        match self.receive()? {
            Message::Go | Message::Start => Ok(()),
            Message::Failed(error) => Err(error),
            _ => Err(Error::other("whoever was creating the container is gone")),
        }
    }
}

fn encode(error: &Error) -> Vec<u8> {
    let kind = match error.kind {
        ErrorKind::NotFound => b'n',
        ErrorKind::Permission => b'p',
        ErrorKind::Invalid => b'i',
        ErrorKind::Other => b'o',
    };
    let length = error.message.len().min(MESSAGE_MAX - 2);
    [&[b'f', kind], &error.message.as_bytes()[..length]].concat()
}

fn decode(bytes: &[u8]) -> Error {
    let kind = match bytes.first() {
        Some(b'n') => ErrorKind::NotFound,
        Some(b'p') => ErrorKind::Permission,
        Some(b'i') => ErrorKind::Invalid,
        _ => ErrorKind::Other,
    };
    Error::new(kind, String::from_utf8_lossy(bytes.get(1..).unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_arrives_with_its_kind() {
        let (here, there) = Channel::pair().unwrap();
        let sent = Error::new(ErrorKind::NotFound, "exec: \"x\": not found");
        here.send(&Message::Failed(sent.clone())).unwrap();
        let Message::Failed(received) = there.receive().unwrap() else { panic!("another message") };
        assert_eq!(received, sent);
    }

    #[test]
    fn last_words_are_heard_of_a_peer_that_did_not_listen() {
        let (here, there) = Channel::pair().unwrap();
        here.send(&Message::Start).unwrap();
        there.send(&Message::Failed(Error::other("why"))).unwrap();
        drop(there);
        assert!(
            matches!(here.receive().unwrap(), Message::Failed(error) if error.message == "why")
        );
        assert!(matches!(here.receive().unwrap(), Message::End));
    }

    #[test]
    fn the_end_of_the_peer_is_a_message() {
        let (here, there) = Channel::pair().unwrap();
        drop(here);
        assert!(matches!(there.receive().unwrap(), Message::End));
    }
}
