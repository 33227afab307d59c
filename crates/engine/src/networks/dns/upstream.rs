//! Asking other name servers what is no container's.
//!
//! The host's own servers are asked from the host's network, where its loopback and its routes are. Those that were
//! given by `--dns` are asked from the container's network, as Docker does.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustix::net::{AddressFamily, SocketFlags, SocketType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, UdpSocket};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::message::{HEADER, Transport, is_answer, is_failure};

/// How long one server may take while there is another to ask, and the last one.
const PATIENCE: Duration = Duration::from_secs(2);
const LAST_PATIENCE: Duration = Duration::from_secs(4);
/// Only so many servers are asked, as by the C library.
const MOST_SERVERS: usize = 3;
/// Questions of all containers that wait for an answer at once: each has a socket.
const MOST_AT_ONCE: usize = 1024;
/// Larger answers by UDP are fetched by TCP.
const LARGEST_DATAGRAM: usize = 4096;
/// The host's file is looked at again after so long.
const FRESH: Duration = Duration::from_secs(1);
const PORT: u16 = 53;

/// Whom a container's questions go to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Servers {
    /// Those that the host asks, as they are at the time.
    Host,
    Given(Vec<SocketAddr>),
}

impl Servers {
    /// `--dns`; the container's own server would ask itself.
    pub fn given(addresses: &[IpAddr]) -> Self {
        if addresses.is_empty() {
            return Self::Host;
        }
        let own = IpAddr::V4(network::dns::ADDRESS);
        let others = addresses.iter().filter(|ip| **ip != own);
        Self::Given(others.map(|ip| SocketAddr::new(*ip, PORT)).collect())
    }
}

/// Where a container's questions are asked from, and whom.
#[derive(Debug)]
pub struct Route {
    pub servers: Servers,
    /// The container's network.
    pub namespace: OwnedFd,
}

pub struct Upstream {
    permits: Semaphore,
    host: Mutex<Option<HostServers>>,
}

struct HostServers {
    looked: Instant,
    changed: Option<SystemTime>,
    servers: Vec<SocketAddr>,
}

impl Default for Upstream {
    fn default() -> Self {
        Self { permits: Semaphore::new(MOST_AT_ONCE), host: Mutex::default() }
    }
}

impl Upstream {
    /// The first server's answer that is no failure, else a failure that one of them answered; none if nobody did, or if
    /// too many ask.
    pub async fn ask(&self, query: &[u8], route: &Route, transport: Transport) -> Option<Vec<u8>> {
        let _permit = self.permits.try_acquire().ok()?;
        let (servers, from) = match &route.servers {
            Servers::Host => (self.host_servers(), None),
            Servers::Given(servers) => (servers.clone(), Some(&route.namespace)),
        };
        let count = servers.len().min(MOST_SERVERS);
        let mut failure = None;
        for (index, server) in servers.into_iter().take(count).enumerate() {
            let patience = if index + 1 == count { LAST_PATIENCE } else { PATIENCE };
            let asked = timeout(patience, ask_one(query, server, from, transport)).await;
            match asked {
                Ok(Ok(answer)) if is_failure(&answer) => failure = Some(answer),
                Ok(Ok(answer)) => return Some(answer),
                Ok(Err(error)) => tracing::debug!("{server} was not asked: {error}"),
                Err(_) => tracing::debug!("{server} did not answer"),
            }
        }
        failure
    }

    /// As the host's file has them; read again when it has changed.
    fn host_servers(&self) -> Vec<SocketAddr> {
        let mut host = self.host.lock().unwrap_or_else(PoisonError::into_inner);
        let known = host.as_ref().filter(|known| known.looked.elapsed() < FRESH);
        if let Some(known) = known {
            return known.servers.clone();
        }
        let changed = std::fs::metadata(network::files::HOST_RESOLV_CONF)
            .and_then(|metadata| metadata.modified())
            .ok();
        let kept = host.take().filter(|known| known.changed == changed);
        let servers = kept.map_or_else(read_host_servers, |known| known.servers);
        *host = Some(HostServers { looked: Instant::now(), changed, servers: servers.clone() });
        servers
    }
}

fn read_host_servers() -> Vec<SocketAddr> {
    let servers = network::files::own_host_servers();
    servers.into_iter().map(|ip| SocketAddr::new(ip, PORT)).collect()
}

async fn ask_one(
    query: &[u8],
    server: SocketAddr,
    from: Option<&OwnedFd>,
    transport: Transport,
) -> io::Result<Vec<u8>> {
    let id = random_id()?;
    let mut asked = query.to_vec();
    put_id(&mut asked, id);
    let question = Question { query: asked, id, server, from };
    let mut answer = match transport {
        Transport::Udp => question.by_udp().await?,
        Transport::Tcp => question.by_tcp().await?,
    };
    if let Some(original) = query.first_chunk() {
        put_id(&mut answer, *original);
    }
    Ok(answer)
}

/// One that is put to one server.
struct Question<'a> {
    query: Vec<u8>,
    id: [u8; 2],
    server: SocketAddr,
    /// None for the host's network.
    from: Option<&'a OwnedFd>,
}

impl Question<'_> {
    /// From a socket, and so a port, of its own. What is not the answer does not count.
    async fn by_udp(&self) -> io::Result<Vec<u8>> {
        let socket = UdpSocket::from_std(self.socket(SocketType::DGRAM).await?.into())?;
        socket.connect(self.server).await?;
        socket.send(&self.query).await?;
        loop {
            socket.readable().await?;
            match receive(&socket) {
                Ok(answer) if self.is_answered_by(&answer) => return Ok(answer),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }

    async fn by_tcp(&self) -> io::Result<Vec<u8>> {
        let socket = self.socket(SocketType::STREAM).await?;
        let mut stream = TcpSocket::from_std_stream(socket.into()).connect(self.server).await?;
        let length = u16::try_from(self.query.len()).map_err(io::Error::other)?;
        stream.write_all(&[&length.to_be_bytes(), &self.query[..]].concat()).await?;
        let length = usize::from(stream.read_u16().await?);
        if length < HEADER {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let mut answer = Vec::new();
        (&mut stream).take(length as u64).read_to_end(&mut answer).await?;
        match answer.len() == length && self.is_answered_by(&answer) {
            true => Ok(answer),
            false => Err(io::ErrorKind::InvalidData.into()),
        }
    }

    fn is_answered_by(&self, answer: &[u8]) -> bool {
        is_answer(answer, &self.query, self.id)
    }

    /// An unconnected one in the host's network, or in that of the container.
    async fn socket(&self, kind: SocketType) -> io::Result<OwnedFd> {
        let is_ipv4 = self.server.is_ipv4();
        let family = if is_ipv4 { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let open = move || Ok(rustix::net::socket_with(family, kind, flags, None)?);
        let Some(namespace) = self.from else { return open() };
        let namespace = namespace.try_clone()?;
        tokio::task::spawn_blocking(move || sys::netns::within(namespace.as_fd(), open))
            .await
            .map_err(io::Error::other)?
    }
}

/// The buffer is on the stack for a moment, and not in each of a thousand waiting tasks.
fn receive(socket: &UdpSocket) -> io::Result<Vec<u8>> {
    let mut buffer = [0; LARGEST_DATAGRAM + 1];
    let length = socket.try_recv(&mut buffer)?;
    Ok(buffer[..length].to_vec())
}

fn random_id() -> io::Result<[u8; 2]> {
    let mut id = [0; 2];
    rustix::rand::getrandom(&mut id, rustix::rand::GetRandomFlags::empty())?;
    Ok(id)
}

fn put_id(message: &mut [u8], id: [u8; 2]) {
    if let Some(place) = message.first_chunk_mut() {
        *place = id;
    }
}
