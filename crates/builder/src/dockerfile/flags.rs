//! `--name=value` between an instruction's keyword and its arguments.

use crate::nearest::nearest;

/// What was given, each to be asked for once.
#[derive(Debug)]
pub(super) struct Flags {
    given: Vec<(String, Option<String>)>,
}

/// An instruction's flag, and what may be given for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Texts,
    Switch,
}

impl Flags {
    /// Takes the flags off the front of an instruction's arguments.
    ///
    /// # Errors
    /// A flag that is unknown, twice there, or without its value: in BuildKit's words.
    pub(super) fn take<'a>(
        text: &'a str,
        known: &[(&str, Kind)],
        escape: char,
    ) -> Result<(Self, &'a str), String> {
        let mut flags = Self { given: Vec::new() };
        let mut rest = text.trim_start();
        while rest.starts_with("--") {
            let (word, behind) = first_word(rest, escape);
            rest = behind.trim_start();
            if word == "--" {
                break;
            }
            flags.add(&word, known)?;
        }
        Ok((flags, rest))
    }

    fn add(&mut self, word: &str, known: &[(&str, Kind)]) -> Result<(), String> {
        let flag = &word[2..];
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        let Some((_, kind)) = known.iter().find(|(known, _)| *known == name) else {
            return Err(unknown(name, known));
        };
        if *kind != Kind::Texts && self.given.iter().any(|(given, _)| given == name) {
            return Err(format!("duplicate flag specified: --{name}"));
        }
        if *kind != Kind::Switch && value.is_none() {
            return Err(format!("missing a value on flag: --{name}"));
        }
        self.given.push((name.to_owned(), value));
        Ok(())
    }

    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        let at = self.given.iter().position(|(given, _)| given == name)?;
        self.given.remove(at).1
    }

    pub(super) fn texts(&mut self, name: &str) -> Vec<String> {
        std::iter::from_fn(|| self.text(name)).collect()
    }

    pub(super) fn switch(&mut self, name: &str) -> Result<Option<bool>, String> {
        let Some(at) = self.given.iter().position(|(given, _)| given == name) else {
            return Ok(None);
        };
        match self.given.remove(at).1.as_deref().map(str::to_ascii_lowercase).as_deref() {
            None | Some("true" | "1" | "t") => Ok(Some(true)),
            Some("false" | "0" | "f") => Ok(Some(false)),
            Some(other) => Err(format!("expecting boolean value for flag --{name}, not: {other}")),
        }
    }
}

fn unknown(name: &str, known: &[(&str, Kind)]) -> String {
    let nearest = nearest(name, known.iter().map(|(known, _)| *known));
    match nearest {
        Some(nearest) => format!("unknown flag: --{name} (did you mean {nearest}?)"),
        None => format!("unknown flag: --{name}"),
    }
}

/// Up to white space outside of quotes, which are taken away.
fn first_word(text: &str, escape: char) -> (String, &str) {
    let mut word = String::new();
    let mut quote = None;
    let mut characters = text.char_indices();
    while let Some((at, c)) = characters.next() {
        match quote {
            None if c.is_whitespace() => return (word, &text[at..]),
            None if c == '\'' || c == '"' => quote = Some(c),
            Some(open) if c == open => quote = None,
            _ if c == escape => word.extend(characters.next().map(|(_, escaped)| escaped)),
            _ => word.push(c),
        }
    }
    (word, "")
}
