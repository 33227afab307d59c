//! One stream of frames into stdout and stderr.

use std::io::{self, Write};

use api::stream::{HEAD, Stream, parse_head};

use crate::error::{Failure, Result};

/// Takes frames apart, across any cut of the bytes that carry them. Neighbouring frames of one stream
/// are written together, since programs write lines and lines are short.
pub(crate) struct Demux {
    framed: bool,
    head: [u8; HEAD],
    head_filled: usize,
    stream: Stream,
    remaining: usize,
    pending: Vec<u8>,
    pending_stream: Stream,
}

impl Demux {
    /// `multiplexed`: whether there are frames at all.
    pub(crate) fn new(multiplexed: bool) -> Self {
        Self {
            framed: multiplexed,
            head: [0; HEAD],
            head_filled: 0,
            stream: Stream::Stdout,
            remaining: 0,
            pending: Vec::new(),
            pending_stream: Stream::Stdout,
        }
    }

    /// Writes what `bytes` completes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<()> {
        self.feed_to(bytes, &mut |stream, data| match stream {
            Stream::Stdin | Stream::Stdout => write_all(&mut io::stdout().lock(), data),
            Stream::Stderr | Stream::SystemError => write_all(&mut io::stderr().lock(), data),
        })
    }

    pub(crate) fn feed_to(
        &mut self,
        mut bytes: &[u8],
        write: &mut impl FnMut(Stream, &[u8]) -> Result<()>,
    ) -> Result<()> {
        if !self.framed {
            return if bytes.is_empty() { Ok(()) } else { write(Stream::Stdout, bytes) };
        }
        while !bytes.is_empty() {
            if self.remaining == 0 && !self.fill_head(&mut bytes)? {
                break;
            }
            let length = self.remaining.min(bytes.len());
            if self.pending_stream != self.stream {
                self.flush(write)?;
                self.pending_stream = self.stream;
            }
            self.pending.extend_from_slice(&bytes[..length]);
            self.remaining -= length;
            bytes = &bytes[length..];
        }
        self.flush(write)
    }

    /// Whether the head is complete.
    fn fill_head(&mut self, bytes: &mut &[u8]) -> Result<bool> {
        let take = (HEAD - self.head_filled).min(bytes.len());
        self.head[self.head_filled..self.head_filled + take].copy_from_slice(&bytes[..take]);
        self.head_filled += take;
        *bytes = &bytes[take..];
        if self.head_filled < HEAD {
            return Ok(false);
        }
        self.head_filled = 0;
        let (stream, length) = parse_head(self.head)
            .ok_or_else(|| Failure::new(format!("Unrecognized input header: {}", self.head[0])))?;
        self.stream = stream;
        self.remaining = length as usize;
        Ok(true)
    }

    fn flush(&mut self, write: &mut impl FnMut(Stream, &[u8]) -> Result<()>) -> Result<()> {
        if !self.pending.is_empty() {
            write(self.pending_stream, &self.pending)?;
            self.pending.clear();
        }
        Ok(())
    }
}

fn write_all(out: &mut impl Write, data: &[u8]) -> Result<()> {
    match out.write_all(data).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failure::silent(0)),
        result => Ok(result?),
    }
}

#[cfg(test)]
mod tests {
    use api::stream::head;

    use super::*;

    fn demux(chunks: &[&[u8]]) -> Vec<(Stream, String)> {
        let mut demux = Demux::new(true);
        let mut written = Vec::new();
        for chunk in chunks {
            let mut write = |stream, data: &[u8]| {
                written.push((stream, String::from_utf8_lossy(data).into_owned()));
                Ok(())
            };
            demux.feed_to(chunk, &mut write).unwrap();
        }
        written
    }

    #[test]
    fn frames_come_out_the_same_however_they_are_cut() {
        let mut bytes = Vec::new();
        for (stream, text) in
            [(Stream::Stdout, "one\n"), (Stream::Stdout, "two\n"), (Stream::Stderr, "bad\n")]
        {
            bytes.extend(head(stream, text.len() as u32));
            bytes.extend(text.as_bytes());
        }
        let whole = demux(&[&bytes]);
        assert_eq!(
            whole,
            [(Stream::Stdout, "one\ntwo\n".to_owned()), (Stream::Stderr, "bad\n".to_owned())]
        );
        for cut in 1..bytes.len() {
            let (a, b) = bytes.split_at(cut);
            let parts = demux(&[a, b]);
            let of = |wanted| {
                parts
                    .iter()
                    .filter(|(s, _)| *s == wanted)
                    .map(|(_, t)| t.as_str())
                    .collect::<String>()
            };
            assert_eq!(
                (of(Stream::Stdout).as_str(), of(Stream::Stderr).as_str()),
                ("one\ntwo\n", "bad\n")
            );
        }
    }

    #[test]
    fn a_stream_that_is_none_is_an_error() {
        let mut demux = Demux::new(true);
        assert!(demux.feed_to(b"HTTP/1.1 200", &mut |_, _| Ok(())).is_err());
    }
}
