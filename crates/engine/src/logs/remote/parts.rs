//! Which messages are pieces of one line: an entry without a newline goes on in the next one of its stream.

use super::Part;
use crate::logs::Timestamp;
use crate::logs::entry::Stream;

/// The lines that are not at their end, by stream.
#[derive(Default)]
pub(super) struct Parts([Option<Part>; 2]);

impl Parts {
    /// To be asked of each entry in order. A line's id comes of its first piece, so that it is the same when it is sent
    /// once more.
    pub(super) fn of(&mut self, stream: Stream, time: Timestamp, ends: bool) -> Option<Part> {
        let open = &mut self.0[usize::from(stream == Stream::Stderr)];
        let part = match open.take() {
            Some(before) => Part { ordinal: before.ordinal + 1, last: ends, ..before },
            None if ends => return None,
            None => Part { id: format!("{:064x}", time.0), ordinal: 1, last: false },
        };
        if !ends {
            *open = Some(part.clone());
        }
        Some(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_counted_for_each_stream() {
        let mut parts = Parts::default();
        let mut of = |stream, time, ends| {
            let part = parts.of(stream, Timestamp(time), ends)?;
            Some((part.id.trim_start_matches('0').to_owned(), part.ordinal, part.last))
        };
        let piece = |id: &str, ordinal, last| Some((id.to_owned(), ordinal, last));
        assert_eq!(of(Stream::Stdout, 1, true), None);
        assert_eq!(of(Stream::Stdout, 2, false), piece("2", 1, false));
        assert_eq!(of(Stream::Stderr, 3, false), piece("3", 1, false));
        assert_eq!(of(Stream::Stdout, 4, false), piece("2", 2, false));
        assert_eq!(of(Stream::Stdout, 5, true), piece("2", 3, true));
        assert_eq!(of(Stream::Stdout, 6, true), None);
        assert_eq!(of(Stream::Stderr, 7, true), piece("3", 2, true));
    }
}
