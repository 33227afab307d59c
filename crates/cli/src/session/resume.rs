//! Following a log across engines: the place in it by time stamps, so that nothing is lost or printed twice.
//!
//! Every entry is asked for with its time, which is taken off again unless somebody wants it. Several entries may have
//! the same time, so the place is a time and how many entries of it were printed.

use api::stream::{HEAD, head, parse_head};

use crate::error::{Failure, Result};

/// `2006-01-02T15:04:05.000000000Z` and a space before each line.
const TIME: usize = 30;
/// Of a line that is longer each piece of this length is an entry.
const LONGEST: usize = 16 * 1024;

/// How one entry is told from the next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entries {
    /// Each in a frame.
    Framed,
    /// A terminal's, one behind the other: each is a line, or a piece of one that is too long.
    Raw,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    time: String,
    entries: usize,
}

pub(crate) struct Resume {
    /// Whether times stay in what is printed.
    with_times: bool,
    entries: Entries,
    /// What no entry is whole of.
    buffer: Vec<u8>,
    printed: Place,
    /// Entries that were printed before the connection was lost.
    skip: Place,
}

impl Resume {
    pub(crate) fn new(with_times: bool, entries: Entries) -> Self {
        let (printed, skip) = (Place::default(), Place::default());
        Self { with_times, entries, buffer: Vec::new(), printed, skip }
    }

    /// The time to go on from; `None` before the first entry. What is fed next is a new stream from there.
    pub(crate) fn reconnected(&mut self) -> Option<&str> {
        self.buffer.clear();
        self.skip.clone_from(&self.printed);
        (self.skip.entries > 0).then_some(self.skip.time.as_str())
    }

    /// The entries that `bytes` completes, as they are to be printed.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        self.buffer.extend_from_slice(bytes);
        let buffer = std::mem::take(&mut self.buffer);
        match self.entries {
            Entries::Framed => self.feed_frames(&buffer),
            Entries::Raw => Ok(self.feed_lines(&buffer)),
        }
    }

    /// The end of the log: its last line need not be whole.
    pub(crate) fn finish(&mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.buffer);
        match self.entries {
            Entries::Framed => Vec::new(),
            Entries::Raw => self.entry(&rest).unwrap_or_default().to_vec(),
        }
    }

    fn feed_lines(&mut self, buffer: &[u8]) -> Vec<u8> {
        let mut rest = buffer;
        let mut out = Vec::with_capacity(rest.len());
        while let Some((entry, after)) = split_line(rest) {
            out.extend(self.entry(entry).unwrap_or_default());
            rest = after;
        }
        self.buffer = rest.to_vec();
        out
    }

    fn feed_frames(&mut self, buffer: &[u8]) -> Result<Vec<u8>> {
        let mut rest = buffer;
        let mut out = Vec::with_capacity(rest.len());
        while let Some((start, after)) = rest.split_first_chunk::<HEAD>() {
            let (stream, length) = parse_head(*start)
                .ok_or_else(|| Failure::new(format!("Unrecognized input header: {}", start[0])))?;
            let Some((entry, after)) = after.split_at_checked(length as usize) else { break };
            if let Some(text) = self.entry(entry) {
                out.extend(head(stream, text.len() as u32));
                out.extend(text);
            }
            rest = after;
        }
        self.buffer = rest.to_vec();
        Ok(out)
    }

    /// What is to be printed of an entry; `None` if it was.
    fn entry<'a>(&mut self, entry: &'a [u8]) -> Option<&'a [u8]> {
        let Some((time, text)) = entry.split_at_checked(TIME + 1) else { return Some(entry) };
        let time = String::from_utf8_lossy(&time[..TIME]);
        if self.skip.entries > 0 && self.skip.time == time {
            self.skip.entries -= 1;
            return None;
        }
        if self.printed.time != time {
            self.printed = Place { time: time.into_owned(), entries: 0 };
        }
        self.printed.entries += 1;
        Some(if self.with_times { entry } else { text })
    }
}

/// The first entry of a terminal's log, if it is whole.
fn split_line(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = bytes.get(TIME + 1..)?;
    let line = text.iter().take(LONGEST).position(|byte| *byte == b'\n');
    let length = line.map(|at| at + 1).or((text.len() >= LONGEST).then_some(LONGEST))?;
    Some(bytes.split_at(TIME + 1 + length))
}

#[cfg(test)]
mod tests {
    use api::stream::Stream;

    use super::*;
    use crate::session::Demux;

    const LOG: [(&str, &str); 5] = [
        ("2026-11-21T04:10:21.000000001Z", "one\n"),
        ("2026-11-21T04:10:21.000000002Z", "two\n"),
        ("2026-11-21T04:10:21.000000002Z", "two\n"),
        ("2026-11-21T04:10:21.000000002Z", "three\n"),
        ("2026-11-21T04:10:21.000000003Z", "four\n"),
    ];

    /// As an engine sends it.
    fn log_since(time: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (at, line) in LOG.iter().filter(|(at, _)| *at >= time) {
            let line = format!("{at} {line}");
            bytes.extend(head(Stream::Stdout, line.len() as u32));
            bytes.extend(line.as_bytes());
        }
        bytes
    }

    fn text(frames: &[u8]) -> String {
        let mut text = String::new();
        let mut write = |_, data: &[u8]| {
            text.push_str(&String::from_utf8_lossy(data));
            Ok(())
        };
        Demux::new(true).feed_to(frames, &mut write).unwrap();
        text
    }

    #[test]
    fn wherever_the_connection_is_lost_each_line_is_printed_once() {
        let whole = log_since("");
        for cut in 0..whole.len() {
            let mut resume = Resume::new(false, Entries::Framed);
            let mut printed = text(&resume.feed(&whole[..cut]).unwrap());
            let since = resume.reconnected().unwrap_or_default().to_owned();
            printed.push_str(&text(&resume.feed(&log_since(&since)).unwrap()));
            assert_eq!(printed, "one\ntwo\ntwo\nthree\nfour\n", "cut at {cut}");
        }
    }

    #[test]
    fn a_terminal_s_log_is_printed_once_too_long_lines_and_an_unfinished_one_included() {
        let long = "x".repeat(LONGEST);
        let log = [LOG[0].1, &long, &long, "y\n", &long, "\n", "\r\n", "no end"];
        let since = |time: &str| -> Vec<u8> {
            let all = log.iter().enumerate();
            let all = all.map(|(n, text)| (format!("2026-11-21T04:10:21.{:09}Z", n / 3), text));
            let all = all.filter(|(at, _)| at.as_str() >= time);
            all.map(|(at, text)| format!("{at} {text}")).collect::<String>().into_bytes()
        };
        let whole = since("");
        for cut in (0..whole.len()).step_by(911).chain(whole.len() - 50..whole.len()) {
            let mut resume = Resume::new(false, Entries::Raw);
            let mut printed = resume.feed(&whole[..cut]).unwrap();
            let place = resume.reconnected().unwrap_or_default().to_owned();
            printed.extend(resume.feed(&since(&place)).unwrap());
            printed.extend(resume.finish());
            assert!(printed == log.concat().into_bytes(), "cut at {cut}");
        }
    }

    #[test]
    fn times_stay_where_they_are_wanted() {
        let printed = text(&Resume::new(true, Entries::Framed).feed(&log_since("")).unwrap());
        assert_eq!(printed.lines().next().unwrap(), "2026-11-21T04:10:21.000000001Z one");
    }
}
