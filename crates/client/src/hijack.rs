//! A connection that stopped being HTTP: the raw stream of attach and exec.

use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::net::UnixStream;

use crate::error::{Error, Result};
use crate::stream::Stream;

/// What the container writes comes out of `reader`, what is written to `writer` is its stdin; shutting
/// the writer down closes its stdin and leaves the other direction open.
#[derive(Debug)]
pub struct Hijacked {
    /// Arrived together with the head of the answer; to be read first.
    pub buffered: Bytes,
    stream: Stream,
    /// Whether stdout and stderr come in frames (see `api::stream`).
    pub multiplexed: bool,
}

impl Hijacked {
    pub(crate) fn new(upgraded: Upgraded, multiplexed: bool) -> Result<Self> {
        let parts = upgraded
            .downcast::<TokioIo<Stream>>()
            .map_err(|_| Error::NotUpgraded("the connection it came on"))?;
        Ok(Self { buffered: parts.read_buf, stream: parts.io.into_inner(), multiplexed })
    }

    /// Both directions, to be used at the same time.
    pub fn split(self) -> (ReadHalf<impl AsyncRead>, WriteHalf<impl AsyncWrite>) {
        tokio::io::split(self.stream)
    }

    /// Whether the bytes pass through the engine, so that its death ends them, and not the container's. A plain socket
    /// is handed on by the engine.
    pub fn is_relayed(&self) -> bool {
        matches!(self.stream, Stream::Tls(_))
    }

    /// The socket itself where it is a plain unix one, to be read and written without a runtime.
    pub fn into_unix(self) -> std::result::Result<UnixStream, Self> {
        match self.stream {
            Stream::Unix(socket) => Ok(socket),
            stream => Err(Self { stream, ..self }),
        }
    }
}
