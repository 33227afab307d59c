//! What a request carries; it can be sent again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::sync::mpsc;

const CHUNK: usize = 256 << 10;
const QUEUE: usize = 4;

#[derive(Clone)]
pub(crate) enum Content {
    Nothing,
    Bytes(Bytes),
    /// The bytes of a file from `from` up to `size`, and who is told how far they have gone.
    File {
        file: Arc<File>,
        from: u64,
        size: u64,
        told: Progress,
    },
}

/// Bytes that were handed to the connection.
#[derive(Clone, Default)]
pub struct Progress(Arc<AtomicU64>);

impl Progress {
    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A body on its way.
pub(crate) enum Sent {
    Whole(Option<Bytes>),
    File { chunks: mpsc::Receiver<io::Result<Bytes>>, left: u64, told: Progress },
}

impl Content {
    pub(crate) fn send(&self) -> (Sent, Progress) {
        match self {
            Self::Nothing => (Sent::Whole(None), Progress::default()),
            Self::Bytes(bytes) => (Sent::Whole(Some(bytes.clone())), Progress::default()),
            Self::File { file, from, size, told } => {
                told.0.store(*from, Ordering::Relaxed);
                let chunks = read(Arc::clone(file), *from, *size);
                let left = size.saturating_sub(*from);
                (Sent::File { chunks, left, told: told.clone() }, told.clone())
            }
        }
    }
}

fn read(file: Arc<File>, from: u64, size: u64) -> mpsc::Receiver<io::Result<Bytes>> {
    let (sender, chunks) = mpsc::channel(QUEUE);
    tokio::task::spawn_blocking(move || {
        let mut at = from;
        while at < size {
            let mut chunk = vec![0; CHUNK.min(usize::try_from(size - at).unwrap_or(CHUNK))];
            let read = file.read_exact_at(&mut chunk, at).map(|()| Bytes::from(chunk));
            at += CHUNK as u64;
            let failed = read.is_err();
            if sender.blocking_send(read).is_err() || failed {
                return;
            }
        }
    });
    chunks
}

impl Body for Sent {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let next = match self.get_mut() {
            Self::Whole(bytes) => bytes.take().map(Ok),
            Self::File { chunks, left, told } => {
                let chunk = ready!(chunks.poll_recv(cx));
                if let Some(Ok(bytes)) = &chunk {
                    *left = left.saturating_sub(bytes.len() as u64);
                    told.0.fetch_add(bytes.len() as u64, Ordering::Relaxed);
                }
                chunk
            }
        };
        Poll::Ready(next.map(|bytes| bytes.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(bytes) => bytes.is_none(),
            Self::File { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match self {
            Self::Whole(bytes) => bytes.as_ref().map_or(0, |bytes| bytes.len() as u64),
            Self::File { left, .. } => *left,
        })
    }
}
