//! A client's walk through a log: pulled chunk by chunk, so that a slow client costs one chunk of memory.

use std::io;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::watch;

use super::Query;
use super::changes::Changes;
use super::entry::{self, Written};
use super::files::Source;
use super::walk::Walk;

/// Sent in one go: what is read in one go is longer than what is sent of it.
const CHUNK: usize = 256 << 10;
/// Buffers kept for the chunks to come.
const SPARE: usize = 4;

/// Yields chunks of the answer until the log is read, or, when following, until the container has ended.
pub struct Reader {
    tty: bool,
    query: Query,
    walk: Walk,
    follow: Option<Follow>,
    spare: Spare,
    done: bool,
}

type Spare = Arc<Mutex<Vec<Vec<u8>>>>;

/// What tells a follower that there is more, or that there will be no more.
struct Follow {
    changes: Changes,
    /// Turns true once the exit record is written: the log is complete then.
    ended: watch::Receiver<bool>,
}

impl Reader {
    /// `ended` is only used when the query follows. The directory of the log must exist.
    pub fn open(source: Source, query: Query, ended: watch::Receiver<bool>) -> io::Result<Self> {
        let changes = query.follow.then(|| Changes::watch(&source.path)).transpose()?;
        let follow = changes.map(|changes| Follow { changes, ended });
        let tty = source.tty;
        let walk = Walk::begin(source, query.tail)?;
        Ok(Self { tty, query, walk, follow, spare: Arc::default(), done: false })
    }

    /// The next chunk; `None` at the end.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.done {
            // Seen before reading, so that what was written before the end is read after it.
            let ended = self.follow.as_ref().is_none_or(|follow| *follow.ended.borrow());
            let more = self.walk.read()?;
            if let Some(chunk) = self.chunk() {
                return Ok(Some(chunk));
            }
            if more {
                continue;
            }
            self.done = ended;
            if let Some(follow) = self.follow.as_mut().filter(|_| !ended) {
                self.walk.rest();
                forget(&self.spare);
                follow.wait().await?;
            }
        }
        Ok(None)
    }

    /// What the client is to get of the entries that were read.
    fn chunk(&mut self) -> Option<Bytes> {
        let mut out = self.buffer();
        let (query, tty, done) = (&self.query, self.tty, &mut self.done);
        self.walk.entries(|entry| {
            *done = entry::write(entry, query, tty, &mut out) == Written::Past;
            if *done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        let chunk = Chunk { bytes: out, spare: Arc::clone(&self.spare) };
        (!chunk.bytes.is_empty()).then(|| Bytes::from_owner(chunk))
    }

    fn buffer(&self) -> Vec<u8> {
        let spare = self.spare.lock().ok().and_then(|mut spare| spare.pop());
        spare.unwrap_or_else(|| Vec::with_capacity(CHUNK))
    }
}

/// Gives memory back while nothing is expected.
fn forget(spare: &Spare) {
    if let Ok(mut spare) = spare.lock() {
        spare.clear();
    }
}

/// A chunk on its way to the client; its memory is used again: fresh memory costs more than what is done with it.
struct Chunk {
    bytes: Vec<u8>,
    spare: Spare,
}

impl AsRef<[u8]> for Chunk {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        if let Ok(mut spare) = self.spare.lock()
            && spare.len() < SPARE
        {
            spare.push(bytes);
        }
    }
}

impl Follow {
    /// Until something changed in the directory, or the container has ended.
    async fn wait(&mut self) -> io::Result<()> {
        tokio::select! {
            result = self.changes.wait() => result?,
            // A sender that is gone has nothing more to say: the container was removed.
            changed = self.ended.changed() => if changed.is_err() { self.ended = watch::channel(true).1 },
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;
    use std::path::Path;

    use super::*;
    use crate::logs::Format;

    fn line(n: usize) -> String {
        format!(
            "{{\"log\":\"{n}\\n\",\"stream\":\"stdout\",\"time\":\"2026-01-02T03:04:{:02}Z\"}}\n",
            n % 60
        )
    }

    fn lines(numbers: impl Iterator<Item = usize>) -> String {
        numbers.map(line).collect()
    }

    fn source(dir: &Path) -> Source {
        Source { path: dir.join("log"), format: Format::JsonFile, tty: true }
    }

    fn all() -> Query {
        Query { stdout: true, stderr: true, ..Query::default() }
    }

    async fn read(dir: &Path, query: Query) -> Vec<usize> {
        let mut reader = Reader::open(source(dir), query, watch::channel(true).1).unwrap();
        rest(&mut reader).await
    }

    async fn rest(reader: &mut Reader) -> Vec<usize> {
        let mut text = Vec::new();
        while let Some(chunk) = reader.next().await.unwrap() {
            text.extend(chunk);
        }
        String::from_utf8(text).unwrap().lines().map(|n| n.parse().unwrap()).collect()
    }

    /// Entries 0..30 over a compressed file, a rotated one and the current one.
    fn three_files(dir: &Path) {
        let mut gzip = flate2::write::GzEncoder::new(
            File::create(dir.join("log.2.gz")).unwrap(),
            Default::default(),
        );
        gzip.write_all(lines(0..10).as_bytes()).unwrap();
        gzip.finish().unwrap();
        fs::write(dir.join("log.1"), lines(10..20)).unwrap();
        fs::write(dir.join("log"), lines(20..30)).unwrap();
    }

    #[tokio::test]
    async fn rotated_files_read_as_one_log() {
        let dir = tempfile::tempdir().unwrap();
        three_files(dir.path());
        assert_eq!(read(dir.path(), all()).await, Vec::from_iter(0..30));
    }

    #[tokio::test]
    async fn tail_reaches_back_as_far_as_it_must() {
        let dir = tempfile::tempdir().unwrap();
        three_files(dir.path());
        for tail in [0, 1, 10, 11, 25, 30, 99] {
            let seen = read(dir.path(), Query { tail: Some(tail), ..all() }).await;
            let first = 30_usize.saturating_sub(tail as usize);
            assert_eq!(seen, Vec::from_iter(first..30), "tail {tail}");
        }
    }

    #[tokio::test]
    async fn until_ends_the_walk() {
        let dir = tempfile::tempdir().unwrap();
        three_files(dir.path());
        let until = super::super::Timestamp::parse(b"2026-01-02T03:04:12Z");
        let since = super::super::Timestamp::parse(b"2026-01-02T03:04:08Z");
        assert_eq!(read(dir.path(), Query { since, until, ..all() }).await, Vec::from_iter(8..=12));
    }

    #[tokio::test]
    async fn a_log_that_does_not_exist_is_empty() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(read(dir.path(), all()).await, Vec::<usize>::new());
    }

    #[tokio::test]
    async fn a_follower_misses_nothing_over_rotations_and_ends_with_the_container() {
        let dir = tempfile::tempdir().unwrap();
        let (ended, watch) = watch::channel(false);
        let mut reader =
            Reader::open(source(dir.path()), Query { follow: true, ..all() }, watch).unwrap();
        let path = dir.path().to_owned();
        let writer = std::thread::spawn(move || {
            for file in 0..20 {
                let mut log = File::create(path.join("log")).unwrap();
                for n in 0..50 {
                    log.write_all(line(file * 50 + n).as_bytes()).unwrap();
                }
                for age in (1..=file).rev() {
                    fs::rename(
                        path.join(format!("log.{age}")),
                        path.join(format!("log.{}", age + 1)),
                    )
                    .unwrap();
                }
                fs::rename(path.join("log"), path.join("log.1")).unwrap();
            }
            fs::write(path.join("log"), line(1000)).unwrap();
            ended.send(true).unwrap();
        });
        assert_eq!(rest(&mut reader).await, Vec::from_iter(0..=1000));
        writer.join().unwrap();
    }

    #[tokio::test]
    async fn a_torn_last_line_waits_for_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let whole = lines(0..2);
        let (first, second) = whole.split_at(whole.len() - 5);
        fs::write(dir.path().join("log"), first).unwrap();
        let (ended, watch) = watch::channel(false);
        let mut reader =
            Reader::open(source(dir.path()), Query { follow: true, ..all() }, watch).unwrap();
        assert_eq!(&reader.next().await.unwrap().unwrap()[..], b"0\n");
        let mut log = File::options().append(true).open(dir.path().join("log")).unwrap();
        log.write_all(second.as_bytes()).unwrap();
        ended.send(true).unwrap();
        assert_eq!(rest(&mut reader).await, [1]);
    }
}
