//! One connection to a log server, of whatever kind.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use dial::{Trust, connect, resolve};
use rustix::net::{RecvFlags, recv};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::{TcpStream, UdpSocket, UnixDatagram, UnixStream};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;

use super::address::Address;
use super::{Packet, fluentd};

/// How long a server may take to answer a connection, to take a batch, or to say that it has it.
const PATIENCE: Duration = Duration::from_secs(10);
/// Answers are a few bytes each; what is longer is none.
const LONGEST_ANSWER: usize = 64 << 10;

/// A server, and whom to believe to be it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) address: Address,
    pub(super) trust: Trust,
}

impl Target {
    pub(super) fn plain(address: Address) -> Self {
        Self { address, trust: Trust::default() }
    }
}

pub(super) enum Connection {
    Tcp(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
    Udp(UdpSocket),
    Unix(UnixStream),
    Unixgram(UnixDatagram),
}

impl Connection {
    pub(super) async fn open(target: &Target) -> io::Result<Self> {
        patiently(Self::open_now(target)).await
    }

    async fn open_now(target: &Target) -> io::Result<Self> {
        match &target.address {
            Address::Tcp(host, port) => connect(host, *port).await.map(Self::Tcp),
            Address::Tls(host, port) => {
                let connector = target.trust.connector().map_err(io::Error::other)?;
                let name = ServerName::try_from(host.clone()).map_err(io::Error::other)?;
                let stream = connect(host, *port).await?;
                Ok(Self::Tls(Box::new(connector.connect(name, stream).await?)))
            }
            Address::Udp(host, port) => {
                let server = resolve(host, *port).await?[0];
                let any: IpAddr =
                    if server.is_ipv4() { [0, 0, 0, 0].into() } else { [0_u16; 8].into() };
                let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
                socket.connect(server).await?;
                Ok(Self::Udp(socket))
            }
            Address::Unix(path) => match UnixStream::connect(path).await {
                // A server of datagrams, as most local ones are.
                Err(error)
                    if error.raw_os_error()
                        == Some(rustix::io::Errno::PROTOTYPE.raw_os_error()) =>
                {
                    datagrams(path)
                }
                stream => stream.map(Self::Unix),
            },
            Address::Unixgram(path) => datagrams(path),
        }
    }

    /// Sends the packets, and waits for the receipts of those that have some.
    pub(super) async fn send(&mut self, packets: &[Packet]) -> io::Result<()> {
        patiently(self.send_now(packets)).await
    }

    async fn send_now(&mut self, packets: &[Packet]) -> io::Result<()> {
        match self {
            Self::Udp(socket) => {
                for packet in packets {
                    // Nobody there: that is what a datagram may meet, and nobody would say so to a sender elsewhere.
                    match socket.send(&packet.bytes).await {
                        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
                        result => drop(result?),
                    }
                }
                return Ok(());
            }
            Self::Unixgram(socket) => {
                for packet in packets {
                    socket.send(&packet.bytes).await?;
                }
                return Ok(());
            }
            Self::Tcp(_) | Self::Tls(_) | Self::Unix(_) => {}
        }
        let bytes: Vec<u8> = packets.iter().flat_map(|packet| &packet.bytes).copied().collect();
        self.write(&bytes).await?;
        self.take_receipts(packets.iter().filter_map(|packet| packet.receipt.as_deref())).await
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.write_all(bytes).await,
            Self::Tls(stream) => {
                stream.write_all(bytes).await?;
                stream.flush().await
            }
            Self::Unix(stream) => stream.write_all(bytes).await,
            Self::Udp(_) | Self::Unixgram(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    async fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer).await,
            Self::Tls(stream) => stream.read(buffer).await,
            Self::Unix(stream) => stream.read(buffer).await,
            Self::Udp(_) | Self::Unixgram(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }

    /// Servers answer in the order in which they were asked.
    async fn take_receipts(&mut self, wanted: impl Iterator<Item = &str>) -> io::Result<()> {
        let mut answer = Vec::new();
        for id in wanted {
            let length = loop {
                if let Some((receipt, length)) = fluentd::receipt(&answer) {
                    if receipt != id {
                        return Err(io::Error::other("the server acknowledges what was not sent"));
                    }
                    break length;
                }
                if answer.len() > LONGEST_ANSWER {
                    return Err(io::Error::other("the server's answer is no acknowledgement"));
                }
                let mut buffer = [0; 4096];
                match self.read(&mut buffer).await? {
                    0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                    read => answer.extend_from_slice(&buffer[..read]),
                }
            };
            answer.drain(..length);
        }
        Ok(())
    }

    /// Whether what was sent may still be lost with the connection: streams without receipts.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self, Self::Tcp(_) | Self::Tls(_) | Self::Unix(_))
    }

    /// Whether the server, as far as its kernel, has everything.
    pub(super) fn has_everything(&self) -> bool {
        sys::socket::unsent(self.fd()).is_ok_and(|bytes| bytes == 0)
    }

    /// Whether the server has closed the connection.
    pub(super) fn is_closed(&mut self) -> bool {
        if let Self::Tls(stream) = self {
            return is_ended(stream);
        }
        let mut byte = [0];
        match recv(self.fd(), &mut byte, RecvFlags::PEEK | RecvFlags::DONTWAIT) {
            Ok((read, _)) => read == 0 && self.is_stream(),
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => false,
            Err(_) => self.is_stream(),
        }
    }

    fn fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Tcp(stream) => stream.as_fd(),
            Self::Tls(stream) => stream.get_ref().0.as_fd(),
            Self::Udp(socket) => socket.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            Self::Unixgram(socket) => socket.as_fd(),
        }
    }

    /// An orderly end, so that the last bytes are not lost in it.
    pub(super) async fn close(mut self) {
        // The server has everything by now; it may have gone before us.
        let _ = match &mut self {
            Self::Tcp(stream) => stream.shutdown().await,
            Self::Tls(stream) => stream.shutdown().await,
            Self::Unix(stream) => stream.shutdown().await,
            Self::Udp(_) | Self::Unixgram(_) => Ok(()),
        };
    }
}

/// Takes what there is to read: with TLS 1.3 a server sends tickets unasked, and says after the handshake, in an alert,
/// that it refuses the client. Whoever only looked for the end of the socket would take lines for arrived that never were.
fn is_ended(stream: &mut TlsStream<TcpStream>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    let mut bytes = [0; 1024];
    loop {
        let mut buffer = ReadBuf::new(&mut bytes);
        match Pin::new(&mut *stream).poll_read(&mut context, &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
            Poll::Ready(_) => return true,
        }
    }
}

fn datagrams(path: &std::path::Path) -> io::Result<Connection> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(path)?;
    Ok(Connection::Unixgram(socket))
}

async fn patiently<T>(work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(PATIENCE, work).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}
