//! Bodies: an answer's, whole or out of a file while the client reads; a request's, which may not dawdle.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// Of a file: one piece is sent while the next one is read, whatever the client's speed.
const PIECE: usize = 256 << 10;
/// How long nothing of a request's body may come.
const PATIENCE: Duration = Duration::from_secs(60);
/// Of a body that is refused.
const MAX_DRAINED: usize = 256 << 10;
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);

pub(super) enum Body {
    Whole(Option<Bytes>),
    File(Part),
    /// Out of another storage.
    Remote {
        pieces: mpsc::Receiver<io::Result<Bytes>>,
        unsent: u64,
    },
}

/// What is still to be sent of a file.
pub(super) struct Part {
    file: Arc<File>,
    rest: Range<u64>,
    reading: Option<JoinHandle<io::Result<Bytes>>>,
    /// With the piece that is being read.
    unsent: u64,
}

impl Body {
    pub(super) fn empty() -> Self {
        Self::Whole(None)
    }

    pub(super) fn part(file: Arc<File>, range: Range<u64>) -> Self {
        if range.is_empty() {
            return Self::empty();
        }
        let unsent = range.end - range.start;
        Self::File(Part { file, rest: range, reading: None, unsent })
    }

    pub(super) fn remote(pieces: mpsc::Receiver<io::Result<Bytes>>, length: u64) -> Self {
        Self::Remote { pieces, unsent: length }
    }
}

impl<T: Into<Bytes>> From<T> for Body {
    fn from(bytes: T) -> Self {
        Self::Whole(Some(bytes.into()))
    }
}

impl Part {
    fn read_next(&mut self) {
        let left = self.rest.end - self.rest.start;
        if left == 0 {
            return;
        }
        let (file, at) = (Arc::clone(&self.file), self.rest.start);
        let length = usize::try_from(left).map_or(PIECE, |left| left.min(PIECE));
        self.rest.start += length as u64;
        self.reading = Some(tokio::task::spawn_blocking(move || {
            let mut piece = vec![0; length];
            file.read_exact_at(&mut piece, at)?;
            Ok(piece.into())
        }));
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.reading.is_none() {
            self.read_next();
        }
        let Some(reading) = &mut self.reading else { return Poll::Ready(None) };
        let piece = ready!(Pin::new(reading).poll(cx)).map_err(io::Error::other).flatten();
        self.reading = None;
        match &piece {
            Ok(piece) => {
                self.unsent -= piece.len() as u64;
                self.read_next();
            }
            // What follows would be out of place.
            Err(_) => self.rest.start = self.rest.end,
        }
        Poll::Ready(Some(piece))
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
            Self::File(part) => ready!(part.poll_piece(cx)),
            Self::Remote { pieces, unsent } => checked(ready!(pieces.poll_recv(cx)), unsent),
        };
        Poll::Ready(next.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::File(part) => part.unsent == 0,
            Self::Remote { unsent, .. } => *unsent == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Whole(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Self::File(part) => part.unsent,
            Self::Remote { unsent, .. } => *unsent,
        })
    }
}

/// What the storage sends is exactly what was promised, or an error.
fn checked(piece: Option<io::Result<Bytes>>, unsent: &mut u64) -> Option<io::Result<Bytes>> {
    let length = match &piece {
        None if *unsent > 0 => Some(u64::MAX),
        Some(Ok(piece)) => Some(piece.len() as u64),
        _ => None,
    };
    let Some(length) = length else { return piece };
    match unsent.checked_sub(length) {
        Some(left) => *unsent = left,
        None => return Some(Err(io::Error::other("the storage sent another length"))),
    }
    piece
}

/// A request's body.
pub(super) struct Received(Incoming);

/// Why there is no more of a body.
#[derive(Debug, thiserror::Error)]
pub(super) enum Cut {
    #[error("the body was cut off")]
    Gone,
    #[error("the body took too long")]
    Slow,
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
}

impl Received {
    pub(super) fn new(body: Incoming) -> Self {
        Self(body)
    }

    /// The next piece; `None` at its end.
    pub(super) async fn piece(&mut self) -> Result<Option<Bytes>, Cut> {
        loop {
            let frame =
                tokio::time::timeout(PATIENCE, self.0.frame()).await.map_err(|_| Cut::Slow)?;
            match frame {
                None => return Ok(None),
                Some(Err(_)) => return Err(Cut::Gone),
                // Trailers say nothing.
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
            }
        }
    }

    /// Takes a little that was sent for nothing, so that the connection can go on.
    pub(super) async fn drain(&mut self) {
        let little = async {
            let mut length = 0;
            while let Ok(Some(piece)) = self.piece().await
                && length < MAX_DRAINED
            {
                length += piece.len();
            }
        };
        // Who takes longer loses the connection.
        let _ = tokio::time::timeout(DRAIN_PATIENCE, little).await;
    }

    pub(super) async fn whole(&mut self, limit: usize) -> Result<Bytes, Cut> {
        let mut whole = Vec::new();
        while let Some(piece) = self.piece().await? {
            if whole.len() + piece.len() > limit {
                return Err(Cut::TooLarge(limit));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.into())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test]
    async fn a_part_of_a_file_is_exactly_that_part() {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> =
            (0..3 * PIECE + 17).map(|at| u8::try_from(at % 251).unwrap()).collect();
        file.write_all(&bytes).unwrap();
        let file = Arc::new(file);
        for range in [0..bytes.len(), 5..PIECE + 5, 2 * PIECE..bytes.len(), 7..8, 9..9] {
            let asked = range.start as u64..range.end as u64;
            let body = Body::part(Arc::clone(&file), asked);
            assert_eq!(body.size_hint().exact(), Some(range.len() as u64));
            assert_eq!(body.collect().await.unwrap().to_bytes(), bytes[range]);
        }
    }

    #[tokio::test]
    async fn a_file_that_is_shorter_than_it_was_cuts_the_answer_off() {
        let file = tempfile::tempfile().unwrap();
        file.set_len(10).unwrap();
        assert!(Body::part(Arc::new(file), 0..20).collect().await.is_err());
    }
}
