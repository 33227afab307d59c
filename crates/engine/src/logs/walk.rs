//! A walk through the entries of a log, over all its files.

use std::io::{self, Read};
use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::entry::Entry;
use super::files::{FileId, Format, LogFile, Source};
use super::{Timestamp, json, local};

/// Read from a file in one go.
const READ: usize = 256 << 10;
/// The monitor's entries are a tenth of this at the most: without the end of one in so many bytes, the file is damaged.
const LONGEST: usize = 1 << 20;

pub(super) struct Walk {
    source: Source,
    /// Where the walk begins: so many entries before the end.
    tail: Option<u64>,
    /// `None` while the monitor has written nothing.
    file: Option<LogFile>,
    buffer: Buffer,
    decoder: json::Decoder,
    /// Entries before this time are left out.
    from: Option<Timestamp>,
}

/// A place between two entries of a log, to be found again by another engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Position {
    file: FileId,
    offset: u64,
    /// The time of the entry before it, for when the file is gone.
    time: i64,
}

impl Walk {
    pub(super) fn begin(source: Source, tail: Option<u64>) -> io::Result<Self> {
        let file = source.start(tail)?;
        let (buffer, decoder) = (Buffer::default(), json::Decoder::default());
        Ok(Self { source, tail, file, buffer, decoder, from: None })
    }

    /// From a place, or from the beginning. Where the file is gone, the oldest one's entries since then are next.
    pub(super) fn resume(source: Source, place: Option<Position>) -> io::Result<Self> {
        let file = place.map(|place| source.at(place.file, place.offset)).transpose()?.flatten();
        let from = place.filter(|_| file.is_none()).map(|place| Timestamp(place.time));
        let mut walk = Self::begin(source, None)?;
        walk.from = from;
        if file.is_some() {
            walk.file = file;
        }
        Ok(walk)
    }

    /// Where the last entry ended, whose time this is.
    pub(super) fn position(&mut self, last: Timestamp) -> io::Result<Option<Position>> {
        let Some(file) = &mut self.file else { return Ok(None) };
        let unread = self.buffer.unread().len() as u64;
        let place = file.place()?;
        Ok(place.map(|(file, read)| Position {
            file,
            offset: read.saturating_sub(unread),
            time: last.0,
        }))
    }

    /// Reads on, in the next file where one is done. False when there is nothing more for now.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        let Some(file) = &mut self.file else {
            self.file = self.source.start(self.tail)?;
            return Ok(self.file.is_some());
        };
        file.rewind_if_truncated()?;
        if self.buffer.fill(file)? {
            return Ok(true);
        }
        let Some(next) = self.source.successor(file)? else { return Ok(false) };
        // Between the last read and the rotation more may have been written.
        if self.buffer.fill(file)? {
            return Ok(true);
        }
        // The monitor writes whole entries only: what is left over belongs to no entry.
        self.buffer = Buffer::default();
        self.file = Some(next);
        Ok(true)
    }

    /// Hands out the entries that were read, until there are no more or it breaks off. An entry that it breaks off at is
    /// taken.
    pub(super) fn entries(&mut self, mut take: impl FnMut(&Entry<'_>) -> ControlFlow<()>) {
        loop {
            let bytes = self.buffer.unread();
            let found = match self.source.format {
                Format::JsonFile => self.decoder.next(bytes),
                Format::Local => local::next(bytes),
            };
            let Some((length, entry)) = found else { break };
            let wanted = |entry: &Entry<'_>| self.from.is_none_or(|from| entry.time >= Some(from));
            let goes_on = entry.filter(wanted).is_none_or(|entry| take(&entry).is_continue());
            self.buffer.start += length;
            if !goes_on {
                break;
            }
        }
    }

    /// Gives memory back while nothing is expected.
    pub(super) fn rest(&mut self) {
        self.buffer.shrink();
    }
}

/// Bytes that were read from a file and are not decoded yet.
#[derive(Default)]
struct Buffer {
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

impl Buffer {
    fn unread(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Reads once. False at the end of the file.
    fn fill(&mut self, file: &mut LogFile) -> io::Result<bool> {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        if self.end > LONGEST {
            self.end = 0;
        }
        if self.bytes.len() < self.end + READ / 2 {
            self.bytes.resize(self.end + READ, 0);
        }
        let read = file.read(&mut self.bytes[self.end..])?;
        self.end += read;
        Ok(read > 0)
    }

    fn shrink(&mut self) {
        let bytes = self.unread().to_vec();
        *self = Self { start: 0, end: bytes.len(), bytes };
    }
}
