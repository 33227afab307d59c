//! Response bodies: a whole one, or one that is written while the client reads.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;

/// Chunks that may wait for a slow client before its writer has to.
const QUEUE: usize = 16;

pub enum Body {
    Whole(Option<Bytes>),
    Stream(mpsc::Receiver<io::Result<Bytes>>),
}

/// The writing end of a streamed body. Dropping it ends the body well; `fail` cuts it off, so that the client sees
/// that something is missing.
#[derive(Clone)]
pub struct BodyWriter(mpsc::Sender<io::Result<Bytes>>);

impl Body {
    pub fn empty() -> Self {
        Self::Whole(None)
    }

    pub fn stream() -> (BodyWriter, Self) {
        let (writer, reader) = mpsc::channel(QUEUE);
        (BodyWriter(writer), Self::Stream(reader))
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self::Whole(Some(bytes.into()))
    }
}

impl BodyWriter {
    /// Waits while the client is slow; `BrokenPipe` once it is gone.
    pub async fn send(&self, bytes: impl Into<Bytes>) -> io::Result<()> {
        self.0.send(Ok(bytes.into())).await.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    /// As `send`, on a blocking thread.
    pub fn send_blocking(&self, bytes: impl Into<Bytes>) -> io::Result<()> {
        self.0.blocking_send(Ok(bytes.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    pub async fn fail(self, error: io::Error) {
        // A client that is gone needs no telling.
        let _ = self.0.send(Err(error)).await;
    }

    pub fn fail_blocking(self, error: io::Error) {
        let _ = self.0.blocking_send(Err(error));
    }

    /// Completes when the client has gone away.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

/// For blocking threads that produce an archive; each write is one chunk, so wrap it in a `BufWriter`.
impl io::Write for BodyWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.send_blocking(Bytes::copy_from_slice(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let next = match self.get_mut() {
            Self::Whole(bytes) => bytes.take().map(Ok),
            Self::Stream(reader) => ready!(reader.poll_recv(cx)),
        };
        Poll::Ready(next.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().map_or(0, |bytes| bytes.len() as u64))
            }
            Self::Stream(_) => SizeHint::default(),
        }
    }
}
