//! A client's walk through a log: pulled chunk by chunk, so that a slow client costs one chunk of memory.

use std::io::{self, Read};
use std::os::fd::OwnedFd;

use bytes::Bytes;
use rustix::fs::inotify;
use tokio::io::unix::AsyncFd;
use tokio::sync::watch;

use super::entry::{self, Written};
use super::files::{Format, LogFile, Source};
use super::{Query, json, local};
use crate::readiness;

/// Read from the file in one go.
const READ: usize = 128 * 1024;

/// Yields chunks of the answer until the log is read, or, when following, until the container has ended.
pub struct Reader {
    source: Source,
    query: Query,
    decoder: Decoder,
    /// `None` while the monitor has written nothing.
    file: Option<LogFile>,
    /// Read but not decoded yet.
    pending: Vec<u8>,
    follow: Option<Follow>,
    done: bool,
}

enum Decoder {
    Json(json::Decoder),
    Local(local::Decoder),
}

/// What tells a follower that there is more, or that there will be no more.
struct Follow {
    changes: AsyncFd<OwnedFd>,
    /// Turns true once the exit record is written: the log is complete then.
    ended: watch::Receiver<bool>,
}

impl Reader {
    /// `ended` is only used when the query follows. The directory of the log must exist.
    pub fn open(source: Source, query: Query, ended: watch::Receiver<bool>) -> io::Result<Self> {
        let follow = query.follow.then(|| Follow::new(&source, ended)).transpose()?;
        let file = source.start(query.tail)?;
        let decoder = match source.format {
            Format::JsonFile => Decoder::Json(json::Decoder::default()),
            Format::Local => Decoder::Local(local::Decoder::default()),
        };
        Ok(Self { source, query, decoder, file, pending: Vec::new(), follow, done: false })
    }

    /// The next chunk; `None` at the end.
    pub async fn next(&mut self) -> io::Result<Option<Bytes>> {
        while !self.done {
            // Seen before reading, so that what was written before the end is read after it.
            let ended = self.follow.as_ref().is_none_or(|follow| *follow.ended.borrow());
            let mut out = Vec::new();
            let more = self.advance(&mut out)?;
            if !out.is_empty() {
                return Ok(Some(out.into()));
            }
            if more {
                continue;
            }
            match &mut self.follow {
                Some(follow) if !ended => follow.wait().await?,
                _ => self.done = true,
            }
        }
        Ok(None)
    }

    /// Reads once and decodes all that is whole. False when there is nothing more to read for now.
    fn advance(&mut self, out: &mut Vec<u8>) -> io::Result<bool> {
        let Some(file) = &mut self.file else {
            self.file = self.source.start(self.query.tail)?;
            return Ok(self.file.is_some());
        };
        file.rewind_if_truncated()?;
        if read_more(file, &mut self.pending)? {
            self.decode(out);
            return Ok(true);
        }
        let Some(next) = self.source.successor(file)? else { return Ok(false) };
        // Between the last read and the rotation more may have been written.
        if read_more(file, &mut self.pending)? {
            self.decode(out);
            return Ok(true);
        }
        // The monitor writes whole entries only: what is left over belongs to no entry.
        self.pending.clear();
        self.file = Some(next);
        Ok(true)
    }

    fn decode(&mut self, out: &mut Vec<u8>) {
        let mut start = 0;
        out.reserve(self.pending.len());
        while let Some(length) = self.source.entry_length(&self.pending[start..]) {
            let bytes = &self.pending[start..start + length];
            start += length;
            let entry = match &mut self.decoder {
                Decoder::Json(decoder) => decoder.decode(bytes),
                Decoder::Local(decoder) => decoder.decode(bytes),
            };
            let Some(entry) = entry else { continue };
            if entry::write(&entry, &self.query, self.source.tty, out) == Written::Past {
                self.done = true;
                break;
            }
        }
        self.pending.drain(..start);
    }
}

fn read_more(file: &mut LogFile, pending: &mut Vec<u8>) -> io::Result<bool> {
    let before = pending.len();
    pending.resize(before + READ, 0);
    let read = file.read(&mut pending[before..]);
    pending.truncate(before + *read.as_ref().unwrap_or(&0));
    read.map(|read| read > 0)
}

impl Follow {
    fn new(source: &Source, ended: watch::Receiver<bool>) -> io::Result<Self> {
        let changes =
            inotify::init(inotify::CreateFlags::CLOEXEC | inotify::CreateFlags::NONBLOCK)?;
        let directory = source.path.parent().ok_or(io::ErrorKind::InvalidInput)?;
        // The directory, not the file: the file may not be there yet, and rotation puts another in its place.
        let events = inotify::WatchFlags::MODIFY
            | inotify::WatchFlags::CREATE
            | inotify::WatchFlags::MOVED_TO;
        inotify::add_watch(&changes, directory, events)?;
        Ok(Self { changes: readiness::watch(changes)?, ended })
    }

    /// Until something changed in the directory, or the container has ended.
    async fn wait(&mut self) -> io::Result<()> {
        tokio::select! {
            ready = self.changes.readable_mut() => {
                let mut ready = ready?;
                drain(ready.get_inner());
                ready.clear_ready();
            }
            // A sender that is gone has nothing more to say: the container was removed.
            changed = self.ended.changed() => if changed.is_err() { self.ended = watch::channel(true).1 },
        }
        Ok(())
    }
}

/// Takes the events away: which they were does not matter.
fn drain(changes: &OwnedFd) {
    let mut buffer = [0; 4096];
    while matches!(rustix::io::read(changes, &mut buffer), Ok(read) if read > 0) {}
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::io::Write;
    use std::path::Path;

    use super::*;

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
