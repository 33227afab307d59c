//! Bodies in both directions.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::{Frame, Incoming};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::mpsc;

use crate::error::{Error, Result};

const CHUNK: usize = 64 * 1024;

/// What a request carries.
pub enum Upload {
    Bytes(Option<Bytes>),
    /// Sent chunked, as it is read.
    Reader(Pin<Box<dyn AsyncRead + Send>>),
    /// Sent as they come; an error cuts the request off.
    Chunks(mpsc::Receiver<std::io::Result<Bytes>>),
}

impl Upload {
    pub fn reader(reader: impl AsyncRead + Send + 'static) -> Self {
        Self::Reader(Box::pin(reader))
    }

    pub(crate) fn empty() -> Self {
        Self::Bytes(None)
    }
}

impl hyper::body::Body for Upload {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        let reader = match self.get_mut() {
            Self::Bytes(bytes) => return Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            Self::Reader(reader) => reader,
            Self::Chunks(chunks) => {
                return chunks.poll_recv(cx).map(|next| next.map(|chunk| chunk.map(Frame::data)));
            }
        };
        let mut chunk = BytesMut::zeroed(CHUNK);
        let mut buffer = ReadBuf::new(&mut chunk);
        if let Err(error) = ready!(reader.as_mut().poll_read(cx, &mut buffer)) {
            return Poll::Ready(Some(Err(error)));
        }
        let read = buffer.filled().len();
        chunk.truncate(read);
        Poll::Ready((read > 0).then(|| Ok(Frame::data(chunk.freeze()))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Bytes(None))
    }

    fn size_hint(&self) -> hyper::body::SizeHint {
        match self {
            Self::Bytes(bytes) => {
                hyper::body::SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64)
            }
            Self::Reader(_) | Self::Chunks(_) => hyper::body::SizeHint::default(),
        }
    }
}

/// An answer that arrives piece by piece.
#[derive(Debug)]
pub struct Body {
    pub(crate) incoming: Incoming,
    pub(crate) content_type: String,
    /// The `X-Docker-Container-Path-Stat` header, where there is one.
    pub(crate) path_stat: String,
}

impl Body {
    /// The next piece; `None` at the end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        while let Some(frame) = self.incoming.frame().await {
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    /// Reads all of it.
    pub async fn bytes(self) -> Result<Bytes> {
        Ok(self.incoming.collect().await?.to_bytes())
    }

    /// The engine's `Content-Type`, which tells multiplexed from raw streams.
    #[must_use]
    pub fn content_type(&self) -> &str {
        &self.content_type
    }

    /// Reads it as JSON documents one after another.
    #[must_use]
    pub fn json_lines<T: DeserializeOwned>(self) -> JsonLines<T> {
        JsonLines { body: self, buffer: BytesMut::new(), ended: false, kind: PhantomData }
    }
}

/// A stream of JSON documents, separated by white space or by nothing.
#[derive(Debug)]
pub struct JsonLines<T> {
    body: Body,
    buffer: BytesMut,
    ended: bool,
    kind: PhantomData<T>,
}

impl<T: DeserializeOwned> JsonLines<T> {
    /// The next document; `None` at the end of the stream.
    pub async fn next(&mut self) -> Result<Option<T>> {
        loop {
            if let Some(value) = self.take_buffered()? {
                return Ok(Some(value));
            }
            match self.body.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None if self.ended || self.buffer.iter().all(u8::is_ascii_whitespace) => {
                    return Ok(None);
                }
                None => {
                    self.ended = true;
                    return Ok(Some(serde_json::from_slice(&self.buffer)?));
                }
            }
        }
    }

    /// One complete document out of the buffer, if there is one.
    fn take_buffered(&mut self) -> Result<Option<T>> {
        let mut documents = serde_json::Deserializer::from_slice(&self.buffer).into_iter::<T>();
        let value = match documents.next() {
            None => return Ok(None),
            Some(Err(error)) if error.is_eof() => return Ok(None),
            Some(Err(error)) => return Err(Error::Json(error)),
            Some(Ok(value)) => value,
        };
        let used = documents.byte_offset();
        drop(self.buffer.split_to(used));
        Ok(Some(value))
    }
}
