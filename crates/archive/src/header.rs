//! The 512-byte header block.

use std::io;

use super::BLOCK;

pub struct Header<'b>(pub &'b [u8; BLOCK]);

/// Not a header at all, most often because it is no tar: Docker's words.
fn not_a_header() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "archive/tar: invalid tar header")
}

pub fn invalid(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("archive/tar: invalid tar header ({what})"))
}

impl Header<'_> {
    pub fn verify(&self) -> io::Result<()> {
        let block = self.0;
        let blanked = |at: usize| if (148..156).contains(&at) { b' ' } else { block[at] };
        let unsigned: u64 = (0..BLOCK).map(|at| u64::from(blanked(at))).sum();
        let signed: i64 = (0..BLOCK).map(|at| i64::from(blanked(at).cast_signed())).sum();
        let stored = self.number(148..156).map_err(|_| not_a_header())?;
        if stored == unsigned || i64::try_from(stored) == Ok(signed) {
            return Ok(());
        }
        Err(not_a_header())
    }

    pub fn type_flag(&self) -> u8 {
        self.0[156]
    }

    /// The name, with ustar's prefix.
    pub fn path(&self) -> Vec<u8> {
        let name = text(&self.0[0..100]);
        let prefix = if &self.0[257..263] == b"ustar\0" { text(&self.0[345..500]) } else { b"" };
        if prefix.is_empty() {
            return name.to_vec();
        }
        [prefix, b"/", name].concat()
    }

    pub fn link(&self) -> Vec<u8> {
        text(&self.0[157..257]).to_vec()
    }

    pub fn is_gnu(&self) -> bool {
        &self.0[257..265] == b"ustar  \0"
    }

    pub fn device(&self) -> io::Result<(u64, u64)> {
        if &self.0[257..262] != b"ustar" {
            return Ok((0, 0));
        }
        Ok((self.number(329..337)?, self.number(337..345)?))
    }

    /// Octal digits, or GNU's big-endian binary with the top bit set. Negative numbers only where a time is meant.
    pub fn number(&self, range: std::ops::Range<usize>) -> io::Result<u64> {
        u64::try_from(self.signed(range)?).map_err(|_| invalid("negative number"))
    }

    pub fn signed(&self, range: std::ops::Range<usize>) -> io::Result<i64> {
        number(&self.0[range])
    }
}

pub fn number(field: &[u8]) -> io::Result<i64> {
    if field.first().is_some_and(|byte| byte & 0x80 != 0) {
        return binary(field);
    }
    let digits = text(field);
    let digits = digits.trim_ascii();
    digits.iter().try_fold(0_i64, |value, digit| match digit {
        b'0'..=b'7' => value
            .checked_mul(8)
            .and_then(|value| value.checked_add(i64::from(digit - b'0')))
            .ok_or_else(|| invalid("number too large")),
        _ => Err(invalid("number")),
    })
}

fn binary(field: &[u8]) -> io::Result<i64> {
    let negative = field[0] & 0x40 != 0;
    let mut value: i128 = if negative { -1 } else { 0 };
    for (index, byte) in field.iter().enumerate() {
        let byte = if index == 0 && !negative { byte & 0x7f } else { *byte };
        value = (value << 8) | i128::from(byte);
    }
    i64::try_from(value).map_err(|_| invalid("number too large"))
}

pub fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    &field[..end]
}
