//! One container's name server: a task that reads its sockets, answers what is known at once, and lets what is to be
//! asked elsewhere wait in tasks of its own. With it goes all that it has begun.
//!
//! Whatever a container sends, it has at most [`MOST_WAITING`] questions and [`MOST_CONNECTIONS`] connections, each with a
//! buffer of one query and for [`PATIENCE`] without a word.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use network::dns::Sockets;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Shared;
use super::message::{HEADER, MAX_QUERY, Query, Received, Transport};
use super::table::Manners;
use super::upstream::Route;

const MOST_WAITING: usize = 128;
const MOST_CONNECTIONS: usize = 32;
/// Datagrams that are read before others have their turn.
const AT_ONCE: usize = 32;
const PATIENCE: Duration = Duration::from_secs(10);
/// After a connection could not be accepted: the engine may be out of descriptors.
const RECOVERY: Duration = Duration::from_millis(200);

/// What the tasks of a container share.
pub struct Server {
    pub shared: Arc<Shared>,
    pub container: String,
    pub manners: Manners,
    pub route: Route,
}

impl Server {
    /// Serves until it is dropped.
    pub async fn run(self, sockets: Sockets) -> io::Result<()> {
        let udp = Arc::new(UdpSocket::from_std(sockets.udp.into())?);
        let tcp = TcpListener::from_std(sockets.tcp.into())?;
        let server = Arc::new(self);
        let (mut waiting, mut connections) = (JoinSet::new(), JoinSet::new());
        loop {
            tokio::select! {
                ready = udp.readable() => {
                    ready?;
                    server.read_some(&udp, &mut waiting);
                    // A flood is no reason to keep a thread from others.
                    tokio::task::yield_now().await;
                }
                accepted = tcp.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                    Ok((stream, _)) => drop(connections.spawn(Arc::clone(&server).converse(stream))),
                    Err(error) => {
                        tracing::debug!(container = server.container, "no connection: {error}");
                        sleep(RECOVERY).await;
                    }
                },
                Some(_) = waiting.join_next() => {}
                Some(_) = connections.join_next() => {}
            }
        }
    }

    fn read_some(self: &Arc<Self>, udp: &Arc<UdpSocket>, waiting: &mut JoinSet<()>) {
        let mut buffer = [0; MAX_QUERY + 1];
        for _ in 0..AT_ONCE {
            match udp.try_recv_from(&mut buffer) {
                Ok((length, client)) if length <= MAX_QUERY => {
                    self.on_datagram(&buffer[..length], client, udp, waiting);
                }
                // Too long to be a query.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                // Such as that a client is gone, which the kernel tells with the next packet.
                Err(_) => {}
            }
        }
    }

    fn on_datagram(
        self: &Arc<Self>,
        bytes: &[u8],
        client: SocketAddr,
        udp: &Arc<UdpSocket>,
        waiting: &mut JoinSet<()>,
    ) {
        let query = match Query::parse(bytes, Transport::Udp) {
            Received::Query(query) => query,
            Received::Refused(answer) => return send(udp, &answer, client),
            Received::Ignored => return,
        };
        if let Some(answer) = self.known(&query) {
            return send(udp, &answer, client);
        }
        if waiting.len() >= MOST_WAITING {
            return send(udp, &query.failure(), client);
        }
        let (server, udp, bytes) = (Arc::clone(self), Arc::clone(udp), bytes.to_vec());
        waiting.spawn(async move {
            let answer = server.asked_elsewhere(&query, &bytes, Transport::Udp).await;
            send(&udp, &answer, client);
        });
    }

    /// One question after the other.
    async fn converse(self: Arc<Self>, mut stream: TcpStream) {
        loop {
            let Ok(Ok(bytes)) = timeout(PATIENCE, read_query(&mut stream)).await else { return };
            let answer = match Query::parse(&bytes, Transport::Tcp) {
                Received::Query(query) => match self.known(&query) {
                    Some(answer) => answer,
                    None => self.asked_elsewhere(&query, &bytes, Transport::Tcp).await,
                },
                Received::Refused(answer) => answer,
                Received::Ignored => return,
            };
            let Ok(length) = u16::try_from(answer.len()) else { return };
            let framed = [&length.to_be_bytes(), &answer[..]].concat();
            match timeout(PATIENCE, stream.write_all(&framed)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return,
            }
        }
    }

    fn known(&self, query: &Query) -> Option<Vec<u8>> {
        let turn = self.shared.turn();
        let question = query.question();
        let meaning = self.shared.table().meaning(&self.container, &question, self.manners, turn);
        query.answer(&meaning)
    }

    async fn asked_elsewhere(&self, query: &Query, bytes: &[u8], transport: Transport) -> Vec<u8> {
        match self.shared.upstream.ask(bytes, &self.route, transport).await {
            Some(answer) if answer.len() <= usize::from(query.limit()) => answer,
            Some(_) => query.cut(),
            None => query.failure(),
        }
    }
}

/// A client that does not read loses its answer.
fn send(udp: &UdpSocket, answer: &[u8], client: SocketAddr) {
    if let Err(error) = udp.try_send_to(answer, client) {
        tracing::debug!("an answer is lost: {error}");
    }
}

/// Memory grows with what comes, not with what is announced.
async fn read_query(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let length = usize::from(stream.read_u16().await?);
    if !(HEADER..=MAX_QUERY).contains(&length) {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut bytes = Vec::new();
    stream.take(length as u64).read_to_end(&mut bytes).await?;
    match bytes.len() == length {
        true => Ok(bytes),
        false => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}
