//! Following a log across engines: the place in it by time stamps, so that nothing is lost or printed twice.
//!
//! Every entry is asked for with its time, which is taken off again unless somebody wants it. Several entries may have
//! the same time, so the place is a time and how many entries of it were printed.

use api::stream::{HEAD, head, parse_head};

use crate::error::{Failure, Result};

/// `2006-01-02T15:04:05.000000000Z` and a space before each line.
const TIME: usize = 30;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Place {
    time: String,
    entries: usize,
}

pub(crate) struct Resume {
    /// Whether times stay in what is printed.
    with_times: bool,
    /// What no frame is whole of.
    buffer: Vec<u8>,
    printed: Place,
    /// Entries that were printed before the connection was lost.
    skip: Place,
}

impl Resume {
    pub(crate) fn new(with_times: bool) -> Self {
        let (printed, skip) = (Place::default(), Place::default());
        Self { with_times, buffer: Vec::new(), printed, skip }
    }

    /// The time to go on from; `None` before the first entry. What is fed next is a new stream from there.
    pub(crate) fn reconnected(&mut self) -> Option<&str> {
        self.buffer.clear();
        self.skip.clone_from(&self.printed);
        (self.skip.entries > 0).then_some(self.skip.time.as_str())
    }

    /// The frames that `bytes` completes, as they are to be printed.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        self.buffer.extend_from_slice(bytes);
        let buffer = std::mem::take(&mut self.buffer);
        let mut rest = &buffer[..];
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
            let mut resume = Resume::new(false);
            let mut printed = text(&resume.feed(&whole[..cut]).unwrap());
            let since = resume.reconnected().unwrap_or_default().to_owned();
            printed.push_str(&text(&resume.feed(&log_since(&since)).unwrap()));
            assert_eq!(printed, "one\ntwo\ntwo\nthree\nfour\n", "cut at {cut}");
        }
    }

    #[test]
    fn times_stay_where_they_are_wanted() {
        let printed = text(&Resume::new(true).feed(&log_since("")).unwrap());
        assert_eq!(printed.lines().next().unwrap(), "2026-11-21T04:10:21.000000001Z one");
    }
}
