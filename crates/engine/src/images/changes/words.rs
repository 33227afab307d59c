//! Words of a Dockerfile's instruction: split where white space is outside of quotes, variables put in, quotes and
//! backslashes taken away, by the rules of Dockerfiles (a small shell's).

use std::iter::Peekable;
use std::str::Chars;

use crate::error::{Error, Result};

/// Splits, and leaves quotes and backslashes where they are.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, quote) {
            (space, None) if space.is_whitespace() => {
                words.extend(Some(std::mem::take(&mut word)).filter(|word| !word.is_empty()));
                continue;
            }
            ('"' | '\'', None) => quote = Some(letter),
            (end, Some(open)) if end == open => quote = None,
            _ => {}
        }
        word.push(letter);
        if letter == '\\' && quote != Some('\'') {
            word.extend(letters.next());
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// The word that a shell would make of it; `variables` are `NAME=value`.
pub(super) fn expand(word: &str, variables: &[String]) -> Result<String> {
    let mut expansion = Expansion { letters: word.chars().peekable(), variables };
    expansion.until(None)
}

struct Expansion<'w> {
    letters: Peekable<Chars<'w>>,
    variables: &'w [String],
}

impl Expansion<'_> {
    /// To the end, or to a brace that closes.
    fn until(&mut self, end: Option<char>) -> Result<String> {
        let mut text = String::new();
        loop {
            match self.letters.next() {
                None if end.is_some() => return Err(Error::invalid("syntax error: missing '}'")),
                None => return Ok(text),
                Some(letter) if Some(letter) == end => return Ok(text),
                Some('\'') => self.single_quoted(&mut text)?,
                Some('"') => self.double_quoted(&mut text)?,
                Some('$') => text.push_str(&self.variable()?),
                Some('\\') => text.extend(self.letters.next()),
                Some(letter) => text.push(letter),
            }
        }
    }

    fn single_quoted(&mut self, text: &mut String) -> Result<()> {
        loop {
            match self.letters.next() {
                None => return Err(unfinished("single-quote")),
                Some('\'') => return Ok(()),
                Some(letter) => text.push(letter),
            }
        }
    }

    fn double_quoted(&mut self, text: &mut String) -> Result<()> {
        loop {
            match self.letters.next() {
                None => return Err(unfinished("double-quote")),
                Some('"') => return Ok(()),
                Some('$') => text.push_str(&self.variable()?),
                Some('\\') => match self.letters.next_if(|next| matches!(next, '"' | '$' | '\\')) {
                    Some(letter) => text.push(letter),
                    None => text.push('\\'),
                },
                Some(letter) => text.push(letter),
            }
        }
    }

    /// What stands for `$NAME`, `${NAME}`, `${NAME:-else}`, `${NAME:+then}` or `${NAME:?error}`.
    fn variable(&mut self) -> Result<String> {
        if self.letters.next_if_eq(&'{').is_none() {
            let name = self.name();
            return Ok(match name.as_str() {
                "" => "$".to_owned(),
                name => self.value(name).unwrap_or_default(),
            });
        }
        let name = self.name();
        if name.is_empty() {
            return Err(Error::invalid("syntax error: bad substitution"));
        }
        let value = self.value(&name);
        match self.letters.next() {
            Some('}') => return Ok(value.unwrap_or_default()),
            Some(':') => {}
            _ => return Err(Error::invalid(format!("missing ':' in substitution of {name}"))),
        }
        let modifier = self.letters.next();
        let word = self.until(Some('}'))?;
        let value = value.filter(|value| !value.is_empty());
        match modifier {
            Some('-') => Ok(value.unwrap_or(word)),
            Some('+') => Ok(value.map_or_else(String::new, |_| word)),
            Some('?') => value.ok_or_else(|| Error::invalid(format!("{name}: {word}"))),
            other => Err(Error::invalid(format!(
                "unsupported modifier ({}) in substitution",
                other.unwrap_or_default()
            ))),
        }
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        if let Some(digit) = self.letters.next_if(char::is_ascii_digit) {
            // A positional parameter is one digit, and always empty.
            return digit.to_string();
        }
        while let Some(letter) =
            self.letters.next_if(|letter| letter.is_ascii_alphanumeric() || *letter == '_')
        {
            name.push(letter);
        }
        name
    }

    fn value(&self, name: &str) -> Option<String> {
        let value = |variable: &String| {
            variable.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value.into())
        };
        self.variables.iter().find_map(value)
    }
}

fn unfinished(quote: &str) -> Error {
    Error::invalid(format!("unexpected end of statement while looking for matching {quote}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(word: &str) -> Result<String, String> {
        let variables = ["A=1".to_owned(), "EMPTY=".to_owned()];
        expand(word, &variables).map_err(|error| error.to_string())
    }

    #[test]
    fn white_space_in_quotes_splits_nothing() {
        assert_eq!(split(r#"a "b c" d\ e 'f g'"#), ["a", "\"b c\"", "d\\ e", "'f g'"]);
        assert!(split("  ").is_empty());
    }

    #[test]
    fn quotes_and_backslashes_go() {
        for (word, wanted) in
            [(r#""b c""#, "b c"), (r"d\ e", "d e"), (r#"'a\b'"#, r"a\b"), (r#""a\b\"""#, r#"a\b""#)]
        {
            assert_eq!(expanded(word).unwrap(), wanted);
        }
        assert!(expanded("'a").unwrap_err().contains("single-quote"));
        assert!(expanded("\"a").unwrap_err().contains("double-quote"));
    }

    #[test]
    fn variables_are_put_in() {
        for (word, wanted) in [
            ("$A:/x", "1:/x"),
            ("${A}b", "1b"),
            ("${B:-else $A}", "else 1"),
            ("${EMPTY:-x}", "x"),
            ("${A:+then}", "then"),
            ("${B:+then}", ""),
            (r"\$A", "$A"),
            ("'$A'", "$A"),
            ("\"$A\"", "1"),
            ("$", "$"),
            ("$B", ""),
        ] {
            assert_eq!(expanded(word).unwrap(), wanted, "{word}");
        }
        assert_eq!(expanded("${B:?no B}").unwrap_err(), "B: no B");
        assert!(
            expanded("${A:/x}").is_err() && expanded("${A").is_err() && expanded("${}").is_err()
        );
    }
}
