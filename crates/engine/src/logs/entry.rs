//! One log entry, and how a client receives it.

use super::{Query, Timestamp};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Stream {
    #[default]
    Stdout,
    Stderr,
}

/// An entry as decoded, in the reader's buffers.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry<'a> {
    pub(super) stream: Stream,
    pub(super) time: Option<Timestamp>,
    pub(super) line: &'a [u8],
    /// A newline follows; otherwise `line` ends with its own, or is a piece of a line.
    pub(super) newline: bool,
    /// `key=value,...`, encoded as in a URL; empty for most.
    pub(super) attributes: &'a str,
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Yes,
    LeftOut,
    /// Later than the time asked for: nothing after it is wanted either.
    Past,
}

/// Appends an entry in the form that the client reads: Docker's stream header for containers without a terminal.
pub(super) fn write(entry: &Entry<'_>, query: &Query, tty: bool, out: &mut Vec<u8>) -> Written {
    if query.until.is_some_and(|until| entry.time.is_some_and(|time| time > until)) {
        return Written::Past;
    }
    let wanted = match entry.stream {
        Stream::Stdout => query.stdout,
        Stream::Stderr => query.stderr,
    };
    let early = query.since.is_some_and(|since| entry.time.is_some_and(|time| time < since));
    if !wanted || early {
        return Written::LeftOut;
    }
    let start = out.len();
    if !tty {
        let number = match entry.stream {
            Stream::Stdout => 1,
            Stream::Stderr => 2,
        };
        out.extend_from_slice(&[number, 0, 0, 0, 0, 0, 0, 0]);
    }
    if query.timestamps {
        out.extend(entry.time.unwrap_or(Timestamp(0)).to_fixed().as_bytes());
        out.push(b' ');
    }
    if query.details {
        out.extend(entry.attributes.as_bytes());
        out.push(b' ');
    }
    out.extend_from_slice(entry.line);
    if entry.newline {
        out.push(b'\n');
    }
    if !tty {
        let length = (out.len() - start - 8) as u32;
        out[start + 4..start + 8].copy_from_slice(&length.to_be_bytes());
    }
    Written::Yes
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENTRY: Entry<'static> = Entry {
        stream: Stream::Stderr,
        time: Some(Timestamp(5)),
        line: b"hi",
        newline: true,
        attributes: "a=b",
    };

    fn written(query: &Query, tty: bool) -> (Written, Vec<u8>) {
        let mut out = Vec::new();
        (write(&ENTRY, query, tty, &mut out), out)
    }

    #[test]
    fn the_header_tells_stream_and_length() {
        let query = Query { stderr: true, ..Query::default() };
        assert_eq!(written(&query, false), (Written::Yes, b"\x02\0\0\0\0\0\0\x03hi\n".to_vec()));
        assert_eq!(written(&query, true), (Written::Yes, b"hi\n".to_vec()));
    }

    #[test]
    fn details_and_timestamps_come_before_the_line() {
        let query = Query { stderr: true, timestamps: true, details: true, ..Query::default() };
        let (_, out) = written(&query, true);
        assert_eq!(out, b"1970-01-01T00:00:00.000000005Z a=b hi\n");
    }

    #[test]
    fn other_streams_and_times_are_left_out() {
        let other = Query { stdout: true, ..Query::default() };
        assert_eq!(written(&other, true), (Written::LeftOut, vec![]));
        let early = Query { stderr: true, since: Some(Timestamp(6)), ..Query::default() };
        assert_eq!(written(&early, true), (Written::LeftOut, vec![]));
        let late = Query { stderr: true, until: Some(Timestamp(4)), ..Query::default() };
        assert_eq!(written(&late, true), (Written::Past, vec![]));
    }
}
