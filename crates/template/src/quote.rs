//! Go's ways to quote and escape text.

use std::fmt::Write as _;

/// `strconv.Quote`.
pub(super) fn quote(text: &str) -> String {
    quoted(text, '"', printable)
}

/// `strconv.QuoteToASCII`.
pub(super) fn quote_ascii(text: &str) -> String {
    quoted(text, '"', |c| c.is_ascii() && printable(c))
}

/// A rune as `%q` shows it.
pub(super) fn quote_char(c: char) -> String {
    quoted(c.encode_utf8(&mut [0; 4]), '\'', printable)
}

/// `U+0061 'a'`.
pub(super) fn code_point(c: char) -> String {
    if printable(c) {
        format!("U+{:04X} '{c}'", u32::from(c))
    } else {
        format!("U+{:04X}", u32::from(c))
    }
}

fn quoted(text: &str, quote: char, plain: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            c if c == quote => out.extend(['\\', c]),
            c if plain(c) => out.push(c),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0c' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x0b' => out.push_str("\\v"),
            c => push_code(&mut out, c),
        }
    }
    out.push(quote);
    out
}

fn push_code(out: &mut String, c: char) {
    let code = u32::from(c);
    let written = match code {
        0..0x20 | 0x7f => write!(out, "\\x{code:02x}"),
        0..0x1_0000 => write!(out, "\\u{code:04x}"),
        _ => write!(out, "\\U{code:08x}"),
    };
    written.expect("a String takes everything");
}

fn printable(c: char) -> bool {
    c == ' ' || !(c.is_control() || c.is_whitespace())
}

/// `strconv.Unquote` of a token in double quotes; `None` where an escape means nothing.
pub(super) fn unquote(token: &str) -> Option<String> {
    let mut rest = token.strip_prefix('"')?.strip_suffix('"')?;
    let mut bytes = Vec::with_capacity(rest.len());
    while !rest.is_empty() {
        let (part, after) = unquote_char(rest, '"')?;
        match part {
            Part::Char(c) => bytes.extend(c.encode_utf8(&mut [0; 4]).bytes()),
            Part::Byte(byte) => bytes.push(byte),
        }
        rest = after;
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// The value of a character constant; `None` where it is not one character.
pub(super) fn unquote_rune(token: &str) -> Option<u32> {
    let (part, rest) = unquote_char(token.strip_prefix('\'')?.strip_suffix('\'')?, '\'')?;
    rest.is_empty().then_some(match part {
        Part::Char(c) => u32::from(c),
        Part::Byte(byte) => u32::from(byte),
    })
}

enum Part {
    Char(char),
    Byte(u8),
}

fn unquote_char(text: &str, quote: char) -> Option<(Part, &str)> {
    let mut chars = text.chars();
    let first = chars.next()?;
    if first != '\\' {
        return Some((Part::Char(first), chars.as_str()));
    }
    let escape = chars.next()?;
    let rest = chars.as_str();
    let plain = match escape {
        'a' => '\x07',
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        '\\' => '\\',
        c if c == quote => c,
        'x' => return coded(rest, 2, 16).map(|(code, rest)| (Part::Byte(code as u8), rest)),
        'u' => return unicode(rest, 4),
        'U' => return unicode(rest, 8),
        '0'..='7' => {
            let (code, rest) = coded(&text[1..], 3, 8)?;
            return Some((Part::Byte(u8::try_from(code).ok()?), rest));
        }
        _ => return None,
    };
    Some((Part::Char(plain), rest))
}

fn unicode(rest: &str, digits: usize) -> Option<(Part, &str)> {
    let (code, rest) = coded(rest, digits, 16)?;
    Some((Part::Char(char::from_u32(code)?), rest))
}

fn coded(rest: &str, digits: usize, radix: u32) -> Option<(u32, &str)> {
    let (code, rest) = rest.split_at_checked(digits)?;
    let valid = code.chars().all(|c| c.is_digit(radix));
    Some((u32::from_str_radix(code, radix).ok().filter(|_| valid)?, rest))
}

/// `template.HTMLEscapeString`.
pub(super) fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

/// `template.JSEscapeString`.
pub(super) fn js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' | '\'' | '"' => out.extend(['\\', c]),
            '<' | '>' | '&' | '=' => {
                write!(out, "\\u{:04X}", u32::from(c)).expect("a String takes everything");
            }
            c if printable(c) => out.push(c),
            c => write!(out, "\\u{:04X}", u32::from(c)).expect("a String takes everything"),
        }
    }
    out
}

/// `url.QueryEscape`.
pub(super) fn url(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b' ' => out.push('+'),
            b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            byte if byte.is_ascii_alphanumeric() => out.push(char::from(byte)),
            byte => write!(out, "%{byte:02X}").expect("a String takes everything"),
        }
    }
    out
}
