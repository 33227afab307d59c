//! `logs --grep`: only lines that match.

use api::stream::{HEAD, parse_head};
use regex_lite::Regex;

use crate::error::{Failure, Result};

/// Lets entries pass, as they are printed, that match; across any cut of the bytes.
pub(crate) struct Grep {
    pattern: Regex,
    /// Entries come in frames; otherwise they end with a newline.
    framed: bool,
    /// What no entry is whole of.
    buffer: Vec<u8>,
}

impl Grep {
    pub(crate) fn new(pattern: &str, framed: bool) -> Result<Self> {
        let pattern = Regex::new(pattern).map_err(|error| {
            Failure::new(format!("invalid argument {pattern:?} for \"--grep\" flag: {error}"))
        })?;
        Ok(Self { pattern, framed, buffer: Vec::new() })
    }

    /// The entries that `bytes` completes and that match.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<u8>> {
        self.buffer.extend_from_slice(bytes);
        let buffer = std::mem::take(&mut self.buffer);
        let (mut rest, mut out) = (&buffer[..], Vec::new());
        while let Some((length, head)) = self.entry(rest)? {
            let (entry, after) = rest.split_at(length);
            if self.matches(&entry[head..]) {
                out.extend_from_slice(entry);
            }
            rest = after;
        }
        self.buffer = rest.to_vec();
        Ok(out)
    }

    /// What is left at the end, if it matches: a terminal's last line may have no newline.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let rest = std::mem::take(&mut self.buffer);
        if !self.framed && self.matches(&rest) { rest } else { Vec::new() }
    }

    fn matches(&self, line: &[u8]) -> bool {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        self.pattern.is_match(&String::from_utf8_lossy(line))
    }

    /// The length of the first entry, its head's included; `None` while it is not whole.
    fn entry(&self, bytes: &[u8]) -> Result<Option<(usize, usize)>> {
        if !self.framed {
            let newline = bytes.iter().position(|&byte| byte == b'\n');
            return Ok(newline.map(|newline| (newline + 1, 0)));
        }
        let Some((start, after)) = bytes.split_first_chunk::<HEAD>() else { return Ok(None) };
        let (_, length) = parse_head(*start)
            .ok_or_else(|| Failure::new(format!("Unrecognized input header: {}", start[0])))?;
        let whole = after.len() >= length as usize;
        Ok(whole.then_some((HEAD + length as usize, HEAD)))
    }
}

#[cfg(test)]
mod tests {
    use api::stream::{Stream, head};

    use super::*;

    fn framed(lines: &[&str]) -> Vec<u8> {
        let frames = lines.iter().flat_map(|line| {
            [&head(Stream::Stderr, line.len() as u32)[..], line.as_bytes()].concat()
        });
        frames.collect()
    }

    #[test]
    fn matching_entries_pass_however_they_are_cut() {
        let all = framed(&["one\n", "two\n", "three\n", "two"]);
        for cut in 0..=all.len() {
            let mut grep = Grep::new("^t.o$", true).unwrap();
            let mut seen = grep.feed(&all[..cut]).unwrap();
            seen.extend(grep.feed(&all[cut..]).unwrap());
            assert_eq!(seen, framed(&["two\n", "two"]), "cut at {cut}");
        }
    }

    #[test]
    fn a_terminals_lines_are_told_apart_by_newlines() {
        let mut grep = Grep::new("two$", false).unwrap();
        assert_eq!(grep.feed(b"one\r\ntwo\r\nthr").unwrap(), b"two\r\n");
        assert_eq!(grep.feed(b"ee\r\n22 two").unwrap(), b"");
        assert_eq!(grep.finish(), b"22 two");
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        assert!(Grep::new("[", true).is_err());
    }
}
