//! What a build gives its client to keep.

use std::io::{self, Write};

use bytes::BytesMut;
use mux::{MAX_PAYLOAD, Stream};

/// For a thread that may wait: a slow client is waited for. Dropped before [`finish`](Self::finish), it is given up, and
/// the client knows.
pub struct Output {
    stream: Stream,
    buffer: BytesMut,
}

impl Output {
    pub(super) fn new(stream: Stream) -> Self {
        Self { stream, buffer: BytesMut::new() }
    }

    /// Waits until the client has stored all of it.
    pub fn finish(mut self) -> io::Result<()> {
        self.flush()?;
        let Stream { sender, mut receiver } = self.stream;
        sender.finish();
        match receiver.recv_blocking()? {
            None => Ok(()),
            Some(_) => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the client answered with more than an end",
            )),
        }
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(MAX_PAYLOAD - self.buffer.len());
        self.buffer.extend_from_slice(&bytes[..count]);
        if self.buffer.len() == MAX_PAYLOAD {
            self.flush()?;
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.stream.sender.send_blocking(self.buffer.split().freeze())
    }
}
