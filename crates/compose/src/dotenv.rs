//! Files of variables: `NAME=VALUE` lines with comments, quotes over several lines, `export`, and variables in values.

use std::collections::BTreeMap;

use crate::interpolate::{Variables, substitute};

/// Where the value of a name is looked up outside of the file.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The variables of a text. What `lookup` knows wins over the text, and stands for names without value.
#[cfg(test)]
fn parse(text: &str, lookup: Lookup<'_>) -> Result<BTreeMap<String, String>, String> {
    parse_with(text, lookup, lookup)
}

/// As `parse`, where variables within values may know more than what wins over the text.
pub(crate) fn parse_with(
    text: &str,
    wins: Lookup<'_>,
    lookup: Lookup<'_>,
) -> Result<BTreeMap<String, String>, String> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let mut found = BTreeMap::new();
    let mut rest = text.as_str();
    let mut line = 1;
    while let Some(statement) = next_statement(rest, &mut line) {
        rest = read(statement, &mut line, &mut found, (wins, lookup))?;
    }
    Ok(found)
}

/// As `parse`, each line word for word: `format: raw`.
pub(crate) fn parse_raw(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    for (at, line) in text.lines().enumerate() {
        if line.trim().is_empty() || line.starts_with('#') {
            continue;
        }
        let (key, value) = line
            .split_once('=')
            .ok_or_else(|| format!("line {}: no value for {line:?}", at + 1))?;
        found.insert(key.trim().to_owned(), value.to_owned());
    }
    Ok(found)
}

/// Past blank space and comments.
fn next_statement<'a>(mut text: &'a str, line: &mut usize) -> Option<&'a str> {
    loop {
        let trimmed = text.trim_start();
        *line += newlines(&text[..text.len() - trimmed.len()]);
        if !trimmed.starts_with('#') {
            return (!trimmed.is_empty()).then_some(trimmed);
        }
        text = trimmed.find('\n').map(|end| &trimmed[end..])?;
    }
}

fn newlines(text: &str) -> usize {
    text.matches('\n').count()
}

/// One statement; what follows it.
fn read<'a>(
    statement: &'a str,
    line: &mut usize,
    found: &mut BTreeMap<String, String>,
    (wins, lookup): (Lookup<'_>, Lookup<'_>),
) -> Result<&'a str, String> {
    let exported = statement.strip_prefix("export").filter(|rest| rest.starts_with([' ', '\t']));
    let statement = exported.unwrap_or(statement).trim_start_matches(is_blank);
    let (key, has_value, rest) = key(statement, *line)?;
    if !has_value {
        found.extend(lookup(key).map(|value| (key.to_owned(), value)));
        return Ok(rest);
    }
    let (value, after) = value(rest.trim_start_matches(is_blank), *line, found, lookup)?;
    *line += newlines(&rest[..rest.len() - after.len()]);
    found.insert(key.to_owned(), wins(key).unwrap_or(value));
    Ok(after)
}

fn is_blank(c: char) -> bool {
    c != '\n' && c.is_whitespace()
}

/// The name, whether a value follows, and the rest.
fn key(statement: &str, line: usize) -> Result<(&str, bool, &str), String> {
    for (at, c) in statement.char_indices() {
        match c {
            '=' | ':' | '\n' => {
                let key = statement[..at].trim_end();
                if key.contains(char::is_whitespace) {
                    return Err(format!("line {line}: key cannot contain a space"));
                }
                return Ok((key, c != '\n', &statement[at + usize::from(c != '\n')..]));
            }
            '_' | '.' | '-' | '[' | ']' => {}
            c if c.is_alphanumeric() || c.is_whitespace() => {}
            c => {
                let near = statement.lines().next().unwrap_or_default();
                return Err(format!(
                    "line {line}: unexpected character \"{c}\" in variable name \"{near}\""
                ));
            }
        }
    }
    let key = statement.trim_end();
    if key.contains(char::is_whitespace) {
        return Err(format!("line {line}: key cannot contain a space"));
    }
    Ok((key, false, ""))
}

/// The value at the beginning of a text, and what follows it.
fn value<'a>(
    text: &'a str,
    line: usize,
    found: &BTreeMap<String, String>,
    lookup: Lookup<'_>,
) -> Result<(String, &'a str), String> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let Some(quote) = quote else {
        let end = text.find('\n').unwrap_or(text.len());
        let said = text[..end].split(" #").next().unwrap_or_default().trim_end();
        return Ok((expand(said, found, lookup, line)?, &text[end..]));
    };
    let inside = &text[1..];
    let end = closing(inside, quote).ok_or_else(|| {
        let shown = text.lines().next().unwrap_or_default();
        format!("line {line}: unterminated quoted value {shown}")
    })?;
    let said = &inside[..end];
    let after = &inside[end + 1..];
    match quote {
        '"' => Ok((expand(&unescape(said), found, lookup, line)?, after)),
        _ => Ok((said.to_owned(), after)),
    }
}

fn closing(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == quote => return Some(at),
            _ => {}
        }
    }
    None
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('n') => out.push('\n'),
            Some('r') => out.push('\r'),
            Some('t') => out.push('\t'),
            // A dollar that is none stays one through the substitution that follows.
            Some('$') => out.push_str("$$"),
            Some(other) => out.push(other),
            None => out.push('\\'),
        }
    }
    out
}

fn expand(
    text: &str,
    found: &BTreeMap<String, String>,
    lookup: Lookup<'_>,
    line: usize,
) -> Result<String, String> {
    struct Both<'a>(&'a BTreeMap<String, String>, Lookup<'a>);
    impl Variables for Both<'_> {
        fn get(&self, name: &str) -> Option<String> {
            (self.1)(name).or_else(|| self.0.get(name).cloned())
        }
    }
    substitute(text, &Both(found, lookup))
        .map_err(|_| format!("line {line}: Invalid template: {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<String, String> {
        let lookup = |name: &str| (name == "OUTER").then(|| "outer".to_owned());
        let found = parse(text, &lookup)?;
        Ok(found.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("|"))
    }

    #[test]
    fn quotes_comments_and_exports_are_read() {
        for (text, expected) in [
            ("A=1\nB = two words # not this\n# nor this\n\nC: yaml", "A=1|B=two words|C=yaml"),
            ("export A=1\nexported=2", "A=1|exported=2"),
            ("A='x # $B'\nB=\"a\\nb\"", "A=x # $B|B=a\nb"),
            ("A=\"one\ntwo\"\nB=3", "A=one\ntwo|B=3"),
            ("A=x#y", "A=x#y"),
            ("A=\nB=", "A=|B="),
            ("A=1\r\nB=2\r\n", "A=1|B=2"),
        ] {
            assert_eq!(of(text).as_deref(), Ok(expected), "{text:?}");
        }
    }

    #[test]
    fn values_use_what_is_above_them_and_outside() {
        assert_eq!(of("A=1\nB=${A}2\nC=${NO:-x}$OUTER").as_deref(), Ok("A=1|B=12|C=xouter"));
        assert_eq!(of("OUTER=inner\nNOTHING\nOUTER").as_deref(), Ok("OUTER=outer"));
        assert_eq!(of("A=\"a\\$b\"").as_deref(), Ok("A=a$b"));
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        assert_eq!(of("A=1\nB='x").unwrap_err(), "line 2: unterminated quoted value 'x");
        assert!(of("A=1\n\nB!=2").unwrap_err().starts_with("line 3: unexpected character \"!\""));
        assert!(of("a b=1").unwrap_err().contains("key cannot contain a space"));
    }
}
