//! Notices that our table was deleted, on kernels that cannot protect it.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::thread::{self, JoinHandle};

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use sys::netlink::{Message, Protocol, Socket};

use crate::error::{Context, Error, Result};
use crate::nft::find;

const GROUP_NFTABLES: u32 = 7;
const DELETED_TABLE: u16 = 10 << 8 | 2;
const TABLE_NAME: u16 = 1;

/// A thread that ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Watcher {
    stop: OwnedFd,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    /// A socket that hears of every change from now on.
    pub(crate) fn subscribe() -> Result<Socket> {
        let action = || "listen for changes of the firewall".to_owned();
        let socket = Socket::open(Protocol::Netfilter).context(action)?;
        socket.subscribe(GROUP_NFTABLES).context(action)?;
        Ok(socket)
    }

    /// Calls `restore` when somebody has deleted the table, and when so much happened that we cannot tell.
    pub(crate) fn start(
        mut socket: Socket,
        table: String,
        mut restore: impl FnMut() -> Result<()> + Send + 'static,
    ) -> Result<Self> {
        let action = || "watch the firewall".to_owned();
        let stop = eventfd(0, EventfdFlags::CLOEXEC).map_err(io::Error::from).context(action)?;
        let stopped = stop.try_clone().context(action)?;
        let watch = move || {
            while wait(&socket, &stopped) {
                let deleted = match socket.notifications() {
                    Ok(messages) => messages.iter().any(|message| is_deletion_of(&table, message)),
                    // The kernel dropped notifications: it may be gone.
                    Err(_) => true,
                };
                if deleted {
                    report(restore());
                }
            }
        };
        let thread = thread::Builder::new().name("firewall".into()).spawn(watch).context(action)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // An eventfd of our own takes this; without it the thread would only linger.
        let stopped = rustix::io::write(&self.stop, &1_u64.to_ne_bytes()).is_ok();
        if let Some(thread) = self.thread.take().filter(|_| stopped) {
            // A panic of the thread was printed by it.
            let _ = thread.join();
        }
    }
}

/// Whether there is something to read, as opposed to being told to stop.
fn wait(socket: &Socket, stop: &OwnedFd) -> bool {
    let mut fds =
        [PollFd::from_borrowed_fd(socket.as_fd(), PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
    loop {
        match poll(&mut fds, None) {
            Err(rustix::io::Errno::INTR) => {}
            result => return result.is_ok() && fds[1].revents().is_empty(),
        }
    }
}

fn is_deletion_of(table: &str, message: &Message) -> bool {
    let name = message.payload.get(4..).and_then(|attributes| find(attributes, TABLE_NAME));
    message.kind == DELETED_TABLE
        && name.is_some_and(|name| name.strip_suffix(b"\0") == Some(table.as_bytes()))
}

/// Nobody waits for the thread: what fails here goes to the engine's log.
fn report(result: Result<(), Error>) {
    if let Err(error) = result {
        tracing::warn!("{error}");
    }
}
