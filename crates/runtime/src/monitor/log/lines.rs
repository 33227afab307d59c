//! Cuts a stream into lines as Docker does: a line of more than [`LONGEST`] bytes is logged in
//! pieces, all with the time of the first.

use crate::time::Timestamp;

/// The longest piece, in bytes, the newline included.
pub const LONGEST: usize = 16 * 1024;

/// A line without its newline, or a part of one.
#[derive(Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    pub bytes: &'a [u8],
    /// A newline followed.
    pub ends_line: bool,
    /// Where it stands in a line of several pieces.
    pub part: Option<Part>,
    pub time: Timestamp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// From 1.
    pub ordinal: u32,
    /// When the first piece came, which all share.
    pub time: Timestamp,
}

#[derive(Default)]
pub struct Splitter {
    /// The beginning of a line, shorter than [`LONGEST`].
    pending: Vec<u8>,
    /// The last piece given out, if its line goes on.
    part: Option<Part>,
}

impl Splitter {
    /// Whether what comes next begins a line.
    pub fn is_between_lines(&self) -> bool {
        self.pending.is_empty() && self.part.is_none()
    }

    /// Takes bytes up to the end of a piece, and returns what is left of them.
    pub fn feed<'a>(
        &mut self,
        bytes: &'a [u8],
        now: Timestamp,
        emit: &mut impl FnMut(Piece<'_>),
    ) -> &'a [u8] {
        let room = LONGEST - self.pending.len();
        let window = &bytes[..room.min(bytes.len())];
        let newline = find_newline(window);
        let taken = newline.unwrap_or(window.len());
        if newline.is_none() && window.len() < room {
            self.pending.extend_from_slice(window);
            return &[];
        }
        if self.pending.is_empty() {
            self.give(&window[..taken], newline.is_some(), now, emit);
        } else {
            let mut line = std::mem::take(&mut self.pending);
            line.extend_from_slice(&window[..taken]);
            self.give(&line, newline.is_some(), now, emit);
            line.clear();
            self.pending = line;
        }
        &bytes[taken + usize::from(newline.is_some())..]
    }

    /// At the end of the stream, what is left is a piece without a newline.
    pub fn finish(&mut self, now: Timestamp, emit: &mut impl FnMut(Piece<'_>)) {
        let rest = std::mem::take(&mut self.pending);
        if !rest.is_empty() {
            self.give(&rest, false, now, emit);
        }
    }

    fn give(
        &mut self,
        bytes: &[u8],
        ends_line: bool,
        now: Timestamp,
        emit: &mut impl FnMut(Piece<'_>),
    ) {
        let part = match self.part {
            Some(last) => Some(Part { ordinal: last.ordinal + 1, ..last }),
            None if ends_line => None,
            None => Some(Part { ordinal: 1, time: now }),
        };
        self.part = part.filter(|_| !ends_line);
        emit(Piece { bytes, ends_line, part, time: part.map_or(now, |part| part.time) });
    }
}

/// Eight bytes at a time: a byte is zero after the exclusive or where it was a newline.
pub(super) fn find_newline(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::from_ne_bytes([0x01; 8]);
    const HIGH: u64 = u64::from_ne_bytes([0x80; 8]);
    let (words, tail) = bytes.as_chunks::<8>();
    for (index, word) in words.iter().enumerate() {
        let differs = u64::from_le_bytes(*word) ^ (ONES * u64::from(b'\n'));
        let zeros = differs.wrapping_sub(ONES) & !differs & HIGH;
        if zeros != 0 {
            return Some(index * 8 + zeros.trailing_zeros() as usize / 8);
        }
    }
    let found = tail.iter().position(|&byte| byte == b'\n')?;
    Some(words.len() * 8 + found)
}
