//! Patterns with `*`, `?`, `**` and `[a-z]`, matched in time proportional to pattern and text, whatever they are.

/// What one part of a pattern matches.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Char(char),
    One(Reach),
    Many(Reach),
    /// `**/`: no folder, or any number of whole ones.
    Folders,
    Class {
        negated: bool,
        ranges: Vec<(char, char)>,
    },
}

/// What a wildcard may stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Not the separator of paths.
    Name,
    Anything,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Glob {
    tokens: Vec<Token>,
}

impl Glob {
    /// For texts: `*` and `?` stand for any character, and nothing else is special but the escape.
    pub(crate) fn of_text(pattern: &str, escape: char) -> Self {
        let mut tokens = Vec::new();
        let mut characters = pattern.chars();
        while let Some(c) = characters.next() {
            tokens.push(match c {
                '*' => Token::Many(Reach::Anything),
                '?' => Token::One(Reach::Anything),
                c if c == escape => Token::Char(characters.next().unwrap_or(escape)),
                c => Token::Char(c),
            });
        }
        Self { tokens }
    }

    /// For paths, as `.dockerignore` has them.
    ///
    /// # Errors
    /// A class without an end: in Go's words.
    pub(crate) fn of_path(pattern: &str) -> Result<Self, String> {
        let syntax = || String::from("syntax error in pattern");
        let mut tokens = Vec::new();
        let mut rest = pattern;
        while let Some(c) = rest.chars().next() {
            let behind = &rest[c.len_utf8()..];
            rest = match c {
                '*' if behind.starts_with("*/") => {
                    tokens.push(Token::Folders);
                    &behind[2..]
                }
                '*' if behind.starts_with('*') => {
                    tokens.push(Token::Many(Reach::Anything));
                    behind.trim_start_matches('*')
                }
                '*' => {
                    tokens.push(Token::Many(Reach::Name));
                    behind
                }
                '?' => {
                    tokens.push(Token::One(Reach::Name));
                    behind
                }
                '[' => {
                    let (token, behind) = class(behind).ok_or_else(syntax)?;
                    tokens.push(token);
                    behind
                }
                '\\' => {
                    let escaped = behind.chars().next().ok_or_else(syntax)?;
                    tokens.push(Token::Char(escaped));
                    &behind[escaped.len_utf8()..]
                }
                c => {
                    tokens.push(Token::Char(c));
                    behind
                }
            };
        }
        Ok(Self { tokens })
    }

    pub(crate) fn reversed(mut self) -> Self {
        self.tokens.reverse();
        self
    }

    pub(crate) fn matches(&self, text: &str) -> bool {
        self.ends(text.chars()).last().is_some_and(|end| *end == text.chars().count())
    }

    /// After how many characters the pattern has been matched, in rising order.
    pub(crate) fn ends(&self, text: impl Iterator<Item = char>) -> Vec<usize> {
        let mut states = States::new(self.tokens.len());
        states.enter(0, &self.tokens);
        let mut ends = Vec::new();
        for (read, c) in (0..).zip(text.map(Some).chain([None])) {
            if states.are_done() {
                ends.push(read);
            }
            let Some(c) = c else { break };
            states = states.after(c, &self.tokens);
            if states.are_stuck() {
                break;
            }
        }
        ends
    }
}

/// Where in the pattern a reader may be.
struct States {
    /// Before a token, or behind the last.
    before: Vec<bool>,
    /// Within a folder's name.
    within: Vec<bool>,
}

impl States {
    fn new(tokens: usize) -> Self {
        Self { before: vec![false; tokens + 1], within: vec![false; tokens + 1] }
    }

    /// Tokens that may match nothing are passed over as well.
    fn enter(&mut self, mut at: usize, tokens: &[Token]) {
        self.before[at] = true;
        while let Some(Token::Many(_) | Token::Folders) = tokens.get(at) {
            at += 1;
            self.before[at] = true;
        }
    }

    fn after(&self, c: char, tokens: &[Token]) -> Self {
        let mut next = Self::new(tokens.len());
        for (at, token) in tokens.iter().enumerate() {
            if matches!(token, Token::Folders) {
                if self.before[at] || self.within[at] {
                    next.within[at] = true;
                    if c == '/' {
                        next.enter(at + 1, tokens);
                    }
                }
            } else if self.before[at] && token.takes(c) {
                let stays = matches!(token, Token::Many(_));
                next.enter(if stays { at } else { at + 1 }, tokens);
            }
        }
        next
    }

    fn are_done(&self) -> bool {
        self.before.last() == Some(&true)
    }

    fn are_stuck(&self) -> bool {
        !self.before.contains(&true) && !self.within.contains(&true)
    }
}

impl Token {
    fn takes(&self, c: char) -> bool {
        match self {
            Token::Char(wanted) => c == *wanted,
            Token::One(Reach::Anything) | Token::Many(Reach::Anything) | Token::Folders => true,
            Token::One(Reach::Name) | Token::Many(Reach::Name) => c != '/',
            Token::Class { negated, ranges } => {
                c != '/' && ranges.iter().any(|(low, high)| (low..=high).contains(&&c)) != *negated
            }
        }
    }
}

/// Behind the opening bracket.
fn class(text: &str) -> Option<(Token, &str)> {
    let (negated, mut rest) = match text.strip_prefix('^') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let mut ranges = Vec::new();
    while !rest.starts_with(']') || ranges.is_empty() {
        let (low, behind) = class_member(rest)?;
        let (high, behind) = match behind.strip_prefix('-') {
            Some(behind) if !behind.starts_with(']') => class_member(behind)?,
            _ => (low, behind),
        };
        ranges.push((low, high));
        rest = behind;
    }
    Some((Token::Class { negated, ranges }, &rest[1..]))
}

fn class_member(text: &str) -> Option<(char, &str)> {
    let text = text.strip_prefix('\\').unwrap_or(text);
    let c = text.chars().next()?;
    Some((c, &text[c.len_utf8()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_match_as_in_dockerignore() {
        for (pattern, yes, no) in [
            ("*.go", vec!["a.go", ".go"], vec!["a/b.go", "a.goo"]),
            ("**/*.go", vec!["a.go", "x/a.go", "x/y/a.go"], vec!["a.c"]),
            ("a/**", vec!["a/b", "a/b/c", "a/"], vec!["ab", "b/a/c"]),
            ("a/**/b", vec!["a/b", "a/x/b", "a/x/y/b"], vec!["a/xb", "ab"]),
            ("**", vec!["", "a", "a/b"], vec![]),
            ("**/a", vec!["a", "b/a", "b/c/a"], vec!["ba", "b/ca"]),
            ("a?c", vec!["abc"], vec!["ac", "a/c"]),
            ("[a-c]x[^0-9]", vec!["axz", "cx-"], vec!["dxz", "ax1", "ax/"]),
            ("\\*x", vec!["*x"], vec!["ax"]),
            ("x**y", vec!["xy", "xa/by"], vec!["x"]),
            ("[]a]", vec!["]", "a"], vec!["b"]),
        ] {
            let glob = Glob::of_path(pattern).unwrap();
            for text in yes {
                assert!(glob.matches(text), "{pattern} {text}");
            }
            for text in no {
                assert!(!glob.matches(text), "{pattern} {text}");
            }
        }
        for broken in ["[", "[a", "a\\", "[a-"] {
            assert!(Glob::of_path(broken).is_err(), "{broken}");
        }
    }

    #[test]
    fn every_end_of_a_match_is_found() {
        let ends = |pattern: &str, text: &str| Glob::of_text(pattern, '\\').ends(text.chars());
        assert_eq!(ends("*", "abc"), [0, 1, 2, 3]);
        assert_eq!(ends("a*b", "abab"), [2, 4]);
        assert_eq!(ends("", "abc"), [0]);
        assert_eq!(ends("", ""), [0]);
        assert_eq!(ends("*", ""), [0]);
        assert_eq!(ends("a", ""), [0; 0]);
        assert_eq!(ends("\\*", "*x"), [1]);
    }

    #[test]
    fn many_wildcards_take_no_more_time() {
        let glob = Glob::of_path(&"*a".repeat(200)).unwrap();
        assert!(!glob.matches(&format!("{}b", "a".repeat(5000))));
    }
}
