//! `attach`: a client's socket goes to the monitor, which owns it from then on. A client that attaches before the
//! start waits here, and is handed over first, so that it misses nothing.

use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use runtime::monitor::protocol::{Command, Streams};
use tokio::sync::oneshot;

use super::Containers;
use super::actor::Actor;
use super::link::Link;
use super::request::{Client, Request};
use super::state::{Action, is_up, may};
use crate::error::Result;

/// How long a start waits for the socket of a client whose response head is on its way.
const HAND_OVER: Duration = Duration::from_secs(2);

/// What a client's bytes come and go through.
pub struct ClientSocket {
    pub socket: UnixStream,
    /// The other end is not the client's but this engine's, which passes on what comes: its death is not the client's.
    pub relayed: bool,
}

impl Containers {
    /// Announces a client. Its socket is sent into what is returned, once the response head is out.
    pub async fn attach(
        &self,
        wanted: &str,
        streams: Streams,
    ) -> Result<oneshot::Sender<ClientSocket>> {
        let handle = self.find(wanted)?;
        let (sender, socket) = oneshot::channel();
        let client = Client { socket, streams };
        handle.ask(|reply| Request::Attach { client, reply }).await?;
        Ok(sender)
    }
}

impl Actor {
    pub fn attach(&mut self, client: Client) -> Result<()> {
        may(Action::Attach, self.record.subject())?;
        self.tell("attach", []);
        match &self.run {
            Some(run) => drop(tokio::spawn(hand_over_later(run.link.clone(), client))),
            // It is about to be started by whoever attaches; one that has ended has nothing to say, and dropping
            // the client ends its stream.
            None if !is_up(self.status()) => self.early_clients.push(client),
            None => {}
        }
        Ok(())
    }

    /// Gives the clients that came before the start to the monitor.
    pub async fn hand_over_early_clients(&mut self, link: &Link) {
        for client in std::mem::take(&mut self.early_clients) {
            // A client that went away before the start, or does not read its response head, is left out.
            if let Ok(Ok(socket)) = tokio::time::timeout(HAND_OVER, client.socket).await {
                hand_over(link, &socket, client.streams).await;
            }
        }
    }

    pub fn detached(&self, exec: Option<String>) {
        match exec {
            None => self.tell("detach", []),
            Some(id) => self.tell("exec_detach", [("execID", id)]),
        }
    }
}

async fn hand_over_later(link: Link, client: Client) {
    if let Ok(socket) = client.socket.await {
        hand_over(&link, &socket, client.streams).await;
    }
}

/// A failure means that the container has ended: the client's stream ends with the socket.
async fn hand_over(link: &Link, client: &ClientSocket, streams: Streams) {
    let streams = Streams { relayed: client.relayed, ..streams };
    if let Err(failure) = link.post(Command::Attach(streams), &[client.socket.as_fd()]).await {
        tracing::debug!("a client is not attached: {failure}");
    }
}
