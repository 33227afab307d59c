//! Trees as YAML text, laid out and quoted as Docker Compose does it: two spaces, lists within their key, double quotes
//! where a text would be read as something else, single quotes where its characters ask for them.

use super::{Ordered, Value, number, scalar};

/// The text of a document; empty for an empty mapping.
pub(crate) fn emit(tree: &Ordered) -> String {
    let mut out = String::new();
    match tree {
        Ordered::Map(entries) if !entries.is_empty() => mapping(&mut out, entries, 0),
        Ordered::List(items) if !items.is_empty() => sequence(&mut out, items, 0),
        single => {
            inline(&mut out, single, 0);
            out.push('\n');
        }
    }
    out
}

fn mapping(out: &mut String, entries: &[(String, Ordered)], indent: usize) {
    for (at, (key, value)) in entries.iter().enumerate() {
        // The first key of an item stands behind the item's dash.
        if at > 0 || !out.ends_with("- ") {
            push_indent(out, indent);
        }
        out.push_str(&quoted(key));
        out.push(':');
        match value {
            Ordered::Map(inner) if !inner.is_empty() => {
                out.push('\n');
                mapping(out, inner, indent + 2);
            }
            Ordered::List(items) if !items.is_empty() => {
                out.push('\n');
                sequence(out, items, indent + 2);
            }
            single => {
                out.push(' ');
                inline(out, single, indent + 2);
                out.push('\n');
            }
        }
    }
}

fn sequence(out: &mut String, items: &[Ordered], indent: usize) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 || !out.ends_with("- ") {
            push_indent(out, indent);
        }
        out.push_str("- ");
        match item {
            Ordered::Map(inner) if !inner.is_empty() => mapping(out, inner, indent + 2),
            Ordered::List(inner) if !inner.is_empty() => sequence(out, inner, indent + 2),
            single => {
                inline(out, single, indent + 2);
                out.push('\n');
            }
        }
    }
}

fn push_indent(out: &mut String, indent: usize) {
    out.extend(std::iter::repeat_n(' ', indent));
}

fn inline(out: &mut String, value: &Ordered, indent: usize) {
    match value {
        Ordered::Null => out.push_str("null"),
        Ordered::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Ordered::Int(value) => out.push_str(&value.to_string()),
        Ordered::Float(value) => out.push_str(&float(*value)),
        Ordered::Text(text) if text.contains('\n') && may_be_block(text) => {
            block(out, text, indent)
        }
        Ordered::Text(text) => out.push_str(&quoted(text)),
        Ordered::List(_) => out.push_str("[]"),
        Ordered::Map(_) => out.push_str("{}"),
    }
}

fn float(value: f64) -> String {
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    number::go_float(value)
}

fn may_be_block(text: &str) -> bool {
    !text.ends_with(' ') && !text.chars().any(is_special)
}

/// `|`, with how many line breaks there are at the end, and how far it is indented where the text itself begins so.
fn block(out: &mut String, text: &str, indent: usize) {
    out.push('|');
    if text.starts_with([' ', '\n']) {
        out.push('2');
    }
    let body = text.strip_suffix('\n');
    match body {
        None => out.push('-'),
        Some(body) if body.is_empty() || body.ends_with('\n') => out.push('+'),
        Some(_) => {}
    }
    for line in body.unwrap_or(text).split('\n') {
        out.push('\n');
        if !line.is_empty() {
            push_indent(out, indent);
            out.push_str(line);
        }
    }
}

/// A text on one line, in quotes where it needs them.
fn quoted(text: &str) -> String {
    if text.contains(['\n', '\t']) || text.chars().any(is_special) || means_something_else(text) {
        return double_quoted(text);
    }
    if has_indicators(text) || text.starts_with(' ') || text.ends_with(' ') {
        return format!("'{}'", text.replace('\'', "''"));
    }
    text.to_owned()
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\x1b' => out.push_str("\\e"),
            '\u{85}' => out.push_str("\\N"),
            '\u{a0}' => out.push_str("\\_"),
            '\u{2028}' => out.push_str("\\L"),
            '\u{2029}' => out.push_str("\\P"),
            c if is_special(c) && (c as u32) < 0x100 => {
                out.push_str(&format!("\\x{:02X}", c as u32))
            }
            c if is_special(c) => out.push_str(&format!("\\u{:04X}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// What is not printable in YAML.
fn is_special(c: char) -> bool {
    !matches!(c, '\t' | '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
        || c == '\u{feff}'
}

/// Whether a reader of YAML 1.1 or 1.2 takes it for something that is no text.
fn means_something_else(text: &str) -> bool {
    !matches!(scalar::resolve(text), Value::Text(_))
        || is_old_bool(text)
        || is_base_60(text)
        || is_timestamp(text)
}

fn is_old_bool(text: &str) -> bool {
    matches!(
        text,
        "y" | "Y"
            | "yes"
            | "Yes"
            | "YES"
            | "on"
            | "On"
            | "ON"
            | "n"
            | "N"
            | "no"
            | "No"
            | "NO"
            | "off"
            | "Off"
            | "OFF"
    )
}

/// `[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?`: 80:80 is a number of YAML 1.1.
fn is_base_60(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let whole = digits.split_once('.').map_or(digits, |(whole, fraction)| {
        if fraction.chars().all(|c| c.is_ascii_digit() || c == '_') { whole } else { "" }
    });
    let mut parts = whole.split(':');
    let first = parts.next().unwrap_or_default();
    let rest: Vec<&str> = parts.collect();
    first.starts_with(|c: char| c.is_ascii_digit())
        && first.chars().all(|c| c.is_ascii_digit() || c == '_')
        && !rest.is_empty()
        && rest.iter().all(|part| is_sixtieth(part))
}

fn is_sixtieth(part: &str) -> bool {
    match part.as_bytes() {
        [one] => one.is_ascii_digit(),
        [b'0'..=b'5', one] => one.is_ascii_digit(),
        _ => false,
    }
}

/// `2001-01-01` and what may follow it.
fn is_timestamp(text: &str) -> bool {
    let date = text.get(..10).unwrap_or(text);
    let mut parts = date.split('-');
    let numbers: Vec<&str> = parts.by_ref().collect();
    let [year, month, day] = numbers[..] else { return false };
    let is_number = |part: &str, most: u32| {
        part.bytes().all(|b| b.is_ascii_digit())
            && part.parse().is_ok_and(|n: u32| (1..=most).contains(&n))
    };
    let rest = &text[date.len()..];
    year.len() == 4
        && year.bytes().all(|b| b.is_ascii_digit())
        && is_number(month, 12)
        && is_number(day, 31)
        && (rest.is_empty() || rest.starts_with(['T', 't', ' ']) && rest.contains(':'))
}

/// Characters that mean something in a plain text outside of brackets.
fn has_indicators(text: &str) -> bool {
    if text.starts_with("---") || text.starts_with("...") {
        return true;
    }
    let chars: Vec<char> = text.chars().collect();
    let blank_at = |at: usize| chars.get(at).is_none_or(|c| matches!(c, ' ' | '\t'));
    chars.iter().enumerate().any(|(at, c)| match c {
        '#' => at == 0 || blank_at(at - 1),
        ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@'
        | '`' => at == 0,
        '?' | '-' if at == 0 => blank_at(1),
        ':' => blank_at(at + 1),
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        emit(&Ordered::Text(text.to_owned())).trim_end().to_owned()
    }

    #[test]
    fn texts_are_quoted_where_they_would_be_read_as_something_else() {
        for plain in
            ["a", "a b", "8000-8001", "/a:/b", "a#b", "1.2.3", "$$HOME", "key:x", "-a", "1s"]
        {
            assert_eq!(text(plain), plain);
        }
        for double in
            ["", "1", "true", "yes", "n", "1.5", "20:20", "0x1", "null", "2001-01-01", "~"]
        {
            assert_eq!(text(double), format!("\"{double}\""));
        }
        for single in ["a: b", "#a", "[a]", "*", "- a", " a", "a ", "@x", "x:"] {
            assert_eq!(text(single), format!("'{single}'"));
        }
        assert_eq!(text("it's: so"), "'it''s: so'");
        assert_eq!(text("a\u{1}b"), "\"a\\x01b\"");
    }

    #[test]
    fn lines_become_blocks() {
        let map = |value: &str| {
            emit(&Ordered::Map(vec![("k".to_owned(), Ordered::Text(value.to_owned()))]))
        };
        assert_eq!(map("a\nb\n"), "k: |\n  a\n  b\n");
        assert_eq!(map("a\nb"), "k: |-\n  a\n  b\n");
        assert_eq!(map("a\n\nb\n\n"), "k: |+\n  a\n\n  b\n\n");
        assert_eq!(map(" a\nb"), "k: |2-\n   a\n  b\n");
    }

    #[test]
    fn lists_stand_within_their_key_and_maps_behind_their_dash() {
        let pair = |key: &str, value: Ordered| (key.to_owned(), value);
        let item = Ordered::Map(vec![pair("x", Ordered::Int(1)), pair("yy", Ordered::Null)]);
        let tree = Ordered::Map(vec![
            pair("a", Ordered::List(vec![item, Ordered::List(vec![Ordered::Bool(true)])])),
            pair("b", Ordered::Map(vec![])),
        ]);
        assert_eq!(emit(&tree), "a:\n  - x: 1\n    yy: null\n  - - true\nb: {}\n");
    }
}
