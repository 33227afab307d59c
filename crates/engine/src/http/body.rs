//! Bodies: a response's, whole or written while the client reads; a request's, read on a blocking thread.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tokio::sync::mpsc;

use super::call::RequestBody;
use crate::error::Result;

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

impl Body {
    /// What is known of it before it is sent: nothing of one that is streamed.
    pub fn known(&self) -> Bytes {
        match self {
            Self::Whole(bytes) => bytes.clone().unwrap_or_default(),
            Self::Stream(_) => Bytes::new(),
        }
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

/// A request's body for a blocking thread. It ends with an error if the client goes away before its end.
pub struct BodyReader {
    chunks: mpsc::Receiver<Result<Bytes>>,
    current: Bytes,
}

impl BodyReader {
    pub fn new(mut body: RequestBody) -> Self {
        let (sender, chunks) = mpsc::channel(QUEUE);
        tokio::spawn(async move {
            while let Some(chunk) = body.chunk().await.transpose() {
                let failed = chunk.is_err();
                if sender.send(chunk).await.is_err() || failed {
                    return;
                }
            }
        });
        Self { chunks, current: Bytes::new() }
    }
}

impl io::Read for BodyReader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.chunks.blocking_recv() {
                Some(chunk) => self.current = chunk.map_err(io::Error::other)?,
                None => return Ok(0),
            }
        }
        let length = buffer.len().min(self.current.len());
        buffer[..length].copy_from_slice(&self.current.split_to(length));
        Ok(length)
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
