//! One layer through four stages that overlap: read and hash as it came, inflate, hash the tar, unpack.
//!
//! ```text
//!   source ── hash blob ──► inflate ──┬──► hash diff
//!   (caller)                (thread)  └──► unpack
//! ```
//! A stage that fails drops its receiver; the ones before it notice and stop. The unpacker's error tells most.

use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use oci::Digest;
use sha2::{Digest as _, Sha256};

use super::extract::{Notation, extract};
use archive::Limits;
use archive::compression::{Compression, read_start};

pub(crate) const CHUNK: usize = 256 << 10;
pub(crate) const QUEUE: usize = 16;
const RATIO_FREE: u64 = 1 << 30;

pub(crate) type Chunk = Arc<Vec<u8>>;

/// What was found out about a layer by reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unpacked {
    pub(crate) diff_id: Digest,
    /// Of the bytes as they came.
    pub(crate) blob: Digest,
    pub(crate) tar_size: u64,
    /// Bytes of files that lie elsewhere.
    pub(crate) elsewhere: u64,
}

/// Unpacks what `source` holds into the directory `layer`. `progress` gets the bytes read so far.
pub(crate) fn unpack(
    source: &mut dyn Read,
    layer: &Path,
    limits: Limits,
    notation: Notation<'_>,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Unpacked> {
    let first = read_chunk(source)?;
    let compression = Compression::detect(&first);
    thread::scope(|scope| {
        let (to_hash, hash_input) = sync_channel::<Chunk>(QUEUE);
        let (to_unpack, unpack_input) = sync_channel::<Chunk>(QUEUE);
        let hasher = scope.spawn(move || hash(&hash_input));
        let unpacker =
            scope.spawn(move || extract(Chunks::new(unpack_input), layer, limits, notation));
        let outputs = Outputs { to_hash, to_unpack, limits, sent: 0 };
        let fed = match compression {
            Compression::None => feed(source, first, Plain(outputs), progress),
            _ => {
                let (to_inflate, input) = sync_channel::<Chunk>(QUEUE);
                let inflater = scope.spawn(move || inflate(compression, input, outputs));
                let fed =
                    feed(source, first, Compressed { to_inflate, hash: Sha256::new() }, progress);
                join(inflater).and(fed)
            }
        };
        let (diff_id, tar_size) = join_value(hasher);
        let elsewhere = join(unpacker)?;
        let blob = fed?.unwrap_or_else(|| diff_id.clone());
        Ok(Unpacked { blob, diff_id, tar_size, elsewhere })
    })
}

/// Where the caller's thread sends what it reads.
trait Stage {
    /// `false` when nobody listens any more.
    fn take(&mut self, chunk: Chunk) -> io::Result<bool>;
    fn digest(self) -> Option<Digest>;
}

struct Plain(Outputs);

struct Compressed {
    to_inflate: SyncSender<Chunk>,
    hash: Sha256,
}

impl Stage for Plain {
    fn take(&mut self, chunk: Chunk) -> io::Result<bool> {
        self.0.send(chunk, u64::MAX)
    }

    fn digest(self) -> Option<Digest> {
        None
    }
}

impl Stage for Compressed {
    fn take(&mut self, chunk: Chunk) -> io::Result<bool> {
        self.hash.update(chunk.as_slice());
        Ok(self.to_inflate.send(chunk).is_ok())
    }

    fn digest(self) -> Option<Digest> {
        Some(Digest::from_sha256(self.hash.finalize().into()))
    }
}

fn feed<S: Stage>(
    source: &mut dyn Read,
    first: Vec<u8>,
    mut stage: S,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Option<Digest>> {
    let mut chunk = first;
    let mut read = 0;
    while !chunk.is_empty() {
        read += chunk.len() as u64;
        if !stage.take(Arc::new(chunk))? {
            break;
        }
        progress(read);
        chunk = read_chunk(source)?;
    }
    Ok(stage.digest())
}

struct Outputs {
    to_hash: SyncSender<Chunk>,
    to_unpack: SyncSender<Chunk>,
    limits: Limits,
    sent: u64,
}

impl Outputs {
    /// Sends a chunk of the tar on, within the limits that a source of `read` bytes allows.
    fn send(&mut self, chunk: Chunk, read: u64) -> io::Result<bool> {
        self.sent += chunk.len() as u64;
        let ratio = RATIO_FREE.saturating_add(read.saturating_mul(self.limits.ratio));
        if self.sent > self.limits.layer.min(ratio) {
            let text =
                format!("layer is larger than the limit of {} bytes", self.limits.layer.min(ratio));
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(self.to_hash.send(chunk.clone()).is_ok() && self.to_unpack.send(chunk).is_ok())
    }
}

fn inflate(
    compression: Compression,
    input: Receiver<Chunk>,
    mut outputs: Outputs,
) -> io::Result<()> {
    let read = std::cell::Cell::new(0);
    let mut decoder = compression.reader(Counted { inner: Chunks::new(input), read: &read })?;
    loop {
        let chunk = read_chunk(&mut decoder)?;
        if chunk.is_empty() || !outputs.send(Arc::new(chunk), read.get())? {
            return Ok(());
        }
    }
}

pub(crate) fn hash(input: &Receiver<Chunk>) -> (Digest, u64) {
    let mut hash = Sha256::new();
    let mut size = 0;
    for chunk in input {
        hash.update(chunk.as_slice());
        size += chunk.len() as u64;
    }
    (Digest::from_sha256(hash.finalize().into()), size)
}

fn read_chunk(source: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut chunk = vec![0; CHUNK];
    let count = read_start(source, &mut chunk)?;
    chunk.truncate(count);
    Ok(chunk)
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, io::Result<T>>) -> io::Result<T> {
    join_value(thread)
}

fn join_value<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// The receiving end of a queue as a reader.
struct Chunks {
    input: Receiver<Chunk>,
    current: Chunk,
    at: usize,
}

impl Chunks {
    fn new(input: Receiver<Chunk>) -> Chunks {
        Chunks { input, current: Chunk::default(), at: 0 }
    }
}

impl Read for Chunks {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.at == self.current.len() {
            let Ok(next) = self.input.recv() else { return Ok(0) };
            (self.current, self.at) = (next, 0);
        }
        let count = buffer.len().min(self.current.len() - self.at);
        buffer[..count].copy_from_slice(&self.current[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

struct Counted<'c, R> {
    inner: R,
    read: &'c std::cell::Cell<u64>,
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}
