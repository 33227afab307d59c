//! The container's log: lines are cut out of its output, encoded, and appended to a file that is
//! rotated by size.
//!
//! What arrives in one read becomes one write. A file ends where an entry ends, whatever happens to
//! the disk; the log of a full disk has a gap, and the container does not wait for it.

pub mod json_file;
pub mod lines;
pub mod local;
pub mod rotate;

use std::io;

use lines::{Piece, Splitter};
use rotate::LogFile;

use super::config::{LogConfig, LogDriver};
use crate::time::Timestamp;

/// Written in one go; small enough to stay in the processor's cache between encoding and writing.
const BATCH: usize = 256 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    pub fn name(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// Turns pieces of lines into entries.
enum Encoder {
    JsonFile(json_file::Encoder),
    Local(local::Encoder),
}

impl Encoder {
    fn encode(&mut self, piece: &Piece<'_>, stream: Stream, out: &mut Vec<u8>) {
        match self {
            Encoder::JsonFile(encoder) => encoder.encode(piece, stream, out),
            Encoder::Local(encoder) => encoder.encode(piece, stream, out),
        }
    }

    /// How many of these bytes are whole entries.
    fn whole(&self, bytes: &[u8]) -> usize {
        match self {
            Encoder::JsonFile(_) => json_file::whole(bytes),
            Encoder::Local(_) => local::whole(bytes),
        }
    }
}

pub struct LogWriter {
    splitters: [Splitter; 2],
    output: Output,
}

struct Output {
    encoder: Encoder,
    file: LogFile,
    batch: Vec<u8>,
    /// Writing failed, and has not succeeded since.
    failing: bool,
    /// The first failure of a burst, until somebody is told.
    failure: Option<String>,
}

impl LogWriter {
    /// Opens the file, or returns None for the driver that writes none.
    pub fn open(config: &LogConfig) -> io::Result<Option<LogWriter>> {
        let encoder = match config.driver {
            LogDriver::JsonFile => Encoder::JsonFile(json_file::Encoder::new(&config.attrs)),
            LogDriver::Local => Encoder::Local(local::Encoder::default()),
            LogDriver::None => return Ok(None),
        };
        let file = LogFile::open(&config.path, config.max_size, config.max_file)?;
        let output = Output { encoder, file, batch: Vec::new(), failing: false, failure: None };
        Ok(Some(LogWriter { splitters: Default::default(), output }))
    }

    /// Logs what was read from `stream` at `now`. The beginning of a line waits for its end.
    pub fn write(&mut self, stream: Stream, mut bytes: &[u8], now: Timestamp) {
        let (splitter, output) = (&mut self.splitters[stream as usize], &mut self.output);
        while !bytes.is_empty() {
            if splitter.is_between_lines() {
                bytes = output.append_lines(bytes, stream, now);
            }
            bytes = splitter.feed(bytes, now, &mut |piece| output.append(&piece, stream));
        }
        output.flush();
    }

    /// Logs what waited for the end of its line, and returns the length of the file.
    pub fn finish(&mut self, now: Timestamp) -> u64 {
        let output = &mut self.output;
        for stream in [Stream::Stdout, Stream::Stderr] {
            self.splitters[stream as usize].finish(now, &mut |piece| output.append(&piece, stream));
        }
        output.flush();
        output.file.size()
    }

    /// What went wrong since this was last asked: once for each burst of failures.
    pub fn take_failure(&mut self) -> Option<String> {
        self.output.failure.take()
    }

    /// Frees the buffer, when nothing is expected soon.
    pub fn release_buffer(&mut self) {
        self.output.batch = Vec::new();
    }
}

impl Output {
    fn append(&mut self, piece: &Piece<'_>, stream: Stream) {
        self.make_room();
        self.encoder.encode(piece, stream, &mut self.batch);
    }

    /// Appends the whole lines at the beginning, where the format allows to do so at once, and returns the rest.
    fn append_lines<'a>(
        &mut self,
        mut bytes: &'a [u8],
        stream: Stream,
        now: Timestamp,
    ) -> &'a [u8] {
        while lines::find_newline(bytes).is_some() {
            let limit = self.make_room();
            let Encoder::JsonFile(encoder) = &mut self.encoder else { return bytes };
            let taken = encoder.encode_lines(bytes, stream, now, limit, &mut self.batch);
            bytes = &bytes[taken..];
            if self.batch.len() < limit {
                break;
            }
        }
        bytes
    }

    /// Makes room for an entry, and returns how many bytes there may be before the beginning of another one.
    fn make_room(&mut self) -> usize {
        if self.batch.len() >= BATCH {
            self.flush();
        }
        if self.file.room() <= self.batch.len() {
            self.flush();
            if let Err(error) = self.file.rotate() {
                self.fail("rotating", &error);
            }
        }
        if self.batch.capacity() == 0 {
            // An entry may pass the mark by its whole length: escapes are six bytes for one.
            self.batch.reserve_exact(BATCH + 8 * lines::LONGEST);
        }
        // A file that could not be rotated grows, by an entry at a time.
        self.file.room().clamp(1, BATCH)
    }

    fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let encoder = &self.encoder;
        match self.file.append(&self.batch, |bytes| encoder.whole(bytes)) {
            Ok(()) => self.failing = false,
            Err(error) => self.fail("writing", &error),
        }
        self.batch.clear();
    }

    fn fail(&mut self, doing: &str, error: &io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            self.failure = Some(format!("{doing} {}: {error}", self.file.path().display()));
        }
    }
}

#[cfg(test)]
mod tests;
