//! What the verbs of `Printf` do, given their flags.

pub(super) mod number;

use std::fmt::Write as _;

use super::quote;

/// Between `%` and the verb. A width that was negative has become `minus`.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Flags {
    pub(super) sharp: bool,
    pub(super) zero: bool,
    pub(super) plus: bool,
    pub(super) minus: bool,
    pub(super) space: bool,
    pub(super) width: Option<i128>,
    pub(super) precision: Option<i128>,
}

impl Flags {
    pub(super) fn precision(&self) -> Option<usize> {
        self.precision.and_then(|precision| usize::try_from(precision).ok())
    }

    /// How many characters are missing to the width.
    fn room(&self, text: &str) -> usize {
        let width = self.width.and_then(|width| usize::try_from(width).ok()).unwrap_or(0);
        width.saturating_sub(text.chars().count())
    }

    pub(super) fn pad(&self, out: &mut String, text: &str) {
        let blanks = std::iter::repeat_n(' ', self.room(text));
        if self.minus {
            out.push_str(text);
            out.extend(blanks);
        } else {
            out.extend(blanks);
            out.push_str(text);
        }
    }

    /// With zeros between the sign and the digits where they are asked for.
    pub(super) fn pad_number(&self, out: &mut String, sign: &str, digits: &str) {
        if self.zero {
            let zeros = self.room(&format!("{sign}{digits}"));
            out.push_str(sign);
            out.extend(std::iter::repeat_n('0', zeros));
            out.push_str(digits);
        } else {
            self.pad(out, &format!("{sign}{digits}"));
        }
    }
}

/// `%s`, `%q`, `%x`, `%X`.
pub(super) fn text(out: &mut String, text: &str, verb: char, flags: Flags) {
    let cut = flags.precision().and_then(|most| text.char_indices().nth(most));
    let text = cut.map_or(text, |(at, _)| &text[..at]);
    let shown = match verb {
        'x' | 'X' => hex(text, verb, flags),
        'q' if flags.sharp
            && !text.contains(['`', '\x7f'])
            && !text.contains(|c: char| c < ' ' && c != '\t') =>
        {
            format!("`{text}`")
        }
        'q' if flags.plus => quote::quote_ascii(text),
        'q' => quote::quote(text),
        _ => text.to_owned(),
    };
    flags.pad(out, &shown);
}

fn hex(text: &str, verb: char, flags: Flags) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let prefix = if verb == 'x' { "0x" } else { "0X" };
    for (index, byte) in text.bytes().enumerate() {
        if flags.space && index > 0 {
            out.push(' ');
        }
        if flags.sharp && (flags.space || index == 0) {
            out.push_str(prefix);
        }
        let written =
            if verb == 'x' { write!(out, "{byte:02x}") } else { write!(out, "{byte:02X}") };
        written.expect("a String takes everything");
    }
    out
}
