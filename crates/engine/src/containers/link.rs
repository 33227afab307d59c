//! The engine's end of a monitor's socket.
//!
//! One task reads: replies go to whoever waits for their number, everything else to the container's task as
//! [`News`]. The last news of every link is [`News::Lost`].

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use runtime::monitor::protocol::{
    Command, Connection, Done, ErrorKind, Failure, Message, Outcome, Request,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot};

use crate::readiness;

/// What a monitor tells without being asked.
#[derive(Debug)]
pub enum News {
    Message(Message),
    /// The monitor is gone, or talks nonsense.
    Lost,
}

/// Boxed: a queue has room for many from its beginning.
type Sender = mpsc::UnboundedSender<Box<News>>;
/// What one monitor tells: late news of one before it come to nobody.
pub type Receiver = mpsc::UnboundedReceiver<Box<News>>;

#[derive(Clone)]
pub struct Link(Arc<Shared>);

struct Shared {
    connection: Connection,
    /// The same socket, for the kernel to tell when it can be used.
    ready: AsyncFd<OwnedFd>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    last_seq: u64,
    /// `None` once the monitor is gone.
    replies: Option<HashMap<u64, oneshot::Sender<Answer>>>,
}

/// With the descriptors that came with it.
type Answer = (Outcome, Vec<OwnedFd>);

impl Link {
    /// Reads from now on until the monitor is gone.
    pub fn start(connection: Connection) -> io::Result<(Self, Receiver)> {
        let socket: OwnedFd = connection.into();
        rustix::io::ioctl_fionbio(&socket, true)?;
        let ready = readiness::watch(socket.try_clone()?)?;
        let waiting = Mutex::new(Waiting { last_seq: 0, replies: Some(HashMap::new()) });
        let shared = Arc::new(Shared { connection: Connection::from(socket), ready, waiting });
        let (sender, news) = mpsc::unbounded_channel();
        tokio::spawn(read(Arc::clone(&shared), sender));
        Ok((Self(shared), news))
    }

    /// Sends a command and waits for its reply.
    pub async fn call(&self, command: Command, fds: &[BorrowedFd<'_>]) -> Result<Done, Failure> {
        let (seq, reply) = self.expect_reply()?;
        let request = Request { seq, command };
        self.send(&request, fds).await.map_err(|error| gone(&error.to_string()))?;
        answer(reply.await).map(|(done, _)| done)
    }

    /// Duplicates of sockets that the monitor holds, in the order of the names.
    pub async fn borrow(&self, names: Vec<String>) -> Result<Vec<OwnedFd>, Failure> {
        let wanted = names.len();
        let (seq, reply) = self.expect_reply()?;
        let request = Request { seq, command: Command::Lend { names } };
        self.send(&request, &[]).await.map_err(|error| gone(&error.to_string()))?;
        let (_, sockets) = answer(reply.await)?;
        match sockets.len() == wanted {
            true => Ok(sockets),
            false => Err(gone("it lent something else")),
        }
    }

    /// Sends a command whose reply nobody waits for. Commands are performed in the order they are sent in.
    pub async fn post(&self, command: Command, fds: &[BorrowedFd<'_>]) -> Result<(), Failure> {
        let (seq, _) = self.expect_reply()?;
        self.send(&Request { seq, command }, fds).await.map_err(|error| gone(&error.to_string()))
    }

    fn expect_reply(&self) -> Result<(u64, oneshot::Receiver<Answer>), Failure> {
        let mut waiting = self.0.waiting();
        waiting.last_seq += 1;
        let seq = waiting.last_seq;
        let (sender, receiver) = oneshot::channel();
        match &mut waiting.replies {
            Some(replies) => drop(replies.insert(seq, sender)),
            None => return Err(gone("it has ended")),
        }
        Ok((seq, receiver))
    }

    async fn send(&self, request: &Request, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
        let shared = &self.0;
        shared.ready.async_io(Interest::WRITABLE, |_| shared.connection.send(request, fds)).await
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.connection.as_fd()
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        // Each change is one insertion or removal: a panic elsewhere leaves nothing half-made.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn answer(&self, seq: u64, answer: Answer) {
        let waiter = self.waiting().replies.as_mut().and_then(|replies| replies.remove(&seq));
        if let Some(waiter) = waiter {
            // Whoever asked may have gone away.
            let _ = waiter.send(answer);
        }
    }
}

async fn read(shared: Arc<Shared>, news: Sender) {
    loop {
        let received =
            shared.ready.async_io(Interest::READABLE, |_| shared.connection.recv()).await;
        match received {
            Ok(Some((Message::Reply { seq, outcome }, fds))) => {
                shared.answer(seq, (outcome, fds));
            }
            Ok(Some((message, _))) => {
                if news.send(Box::new(News::Message(message))).is_err() {
                    return;
                }
            }
            Ok(None) => break,
            Err(error) => {
                tracing::warn!("a monitor's socket cannot be read: {error}");
                break;
            }
        }
    }
    shared.waiting().replies = None;
    // The container's task may have ended before its monitor.
    let _ = news.send(Box::new(News::Lost));
}

fn answer(
    reply: Result<Answer, oneshot::error::RecvError>,
) -> Result<(Done, Vec<OwnedFd>), Failure> {
    match reply {
        Ok((Outcome::Ok(done), fds)) => Ok((done, fds)),
        Ok((Outcome::Error(failure), _)) => Err(failure),
        Err(_) => Err(gone("it ended before it answered")),
    }
}

fn gone(why: &str) -> Failure {
    Failure { kind: ErrorKind::Gone, message: format!("the container's monitor is gone: {why}") }
}

#[cfg(test)]
mod tests {
    use runtime::monitor::protocol::{decode, encode};

    use super::*;

    fn answer(monitor: &OwnedFd) {
        let mut packet = vec![0; 4096];
        let length = rustix::net::recv(monitor, &mut packet[..], rustix::net::RecvFlags::empty());
        let request: Request = decode(&packet[..length.unwrap().0]).unwrap();
        let outcome = Outcome::Ok(Done { pid: Some(7) });
        for message in [Message::Oom, Message::Reply { seq: request.seq, outcome }] {
            let packet = encode(&message).unwrap();
            rustix::net::send(monitor, &packet, rustix::net::SendFlags::empty()).unwrap();
        }
    }

    #[tokio::test]
    async fn replies_find_their_caller_and_news_the_container() {
        let (connection, monitor) = Connection::pair().unwrap();
        let (link, mut news) = Link::start(connection).unwrap();
        let answering = tokio::task::spawn_blocking(move || {
            answer(&monitor);
            monitor
        });
        let done = link
            .call(Command::Signal { exec_id: None, signal: 1, group: false }, &[])
            .await
            .unwrap();
        assert_eq!(done.pid, Some(7));
        let first = news.recv().await.unwrap();
        assert!(matches!(*first, News::Message(Message::Oom)));
        drop(answering.await.unwrap());
        let last = news.recv().await.unwrap();
        assert!(matches!(*last, News::Lost));
        let late = link
            .call(Command::Signal { exec_id: None, signal: 1, group: false }, &[])
            .await
            .unwrap_err();
        assert_eq!(late.kind, ErrorKind::Gone);
    }
}
