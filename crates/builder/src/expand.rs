//! Variables in a Dockerfile's words: `$name`, `${name:-word}` and the other forms of BuildKit's 1.20 syntax, with quotes and
//! escapes taken away.

use std::iter::Peekable;
use std::str::Chars;

use crate::glob::Glob;

/// Longer values are not searched for patterns: time and memory are bounded.
const LONGEST_SEARCHED: usize = 16 << 10;
/// `${a:-${b:-...}}`: deeper nesting is refused before the stack ends.
const DEEPEST: usize = 64;

/// Expands a word. `variable` gives a variable's value, if it has one.
///
/// # Errors
/// What is wrong with the word, in BuildKit's words.
pub fn word(
    text: &str,
    escape: char,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<String, String> {
    expand(text, escape, &variable).map(concat)
}

/// Expands a word that may become several, or none: white space counts as a separator unless it was quoted.
///
/// # Errors
/// As [`word`].
pub fn words(
    text: &str,
    escape: char,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut open = None;
    for piece in expand(text, escape, &variable)? {
        match piece {
            Piece::Quoted(text) => open.get_or_insert_with(String::new).push_str(&text),
            Piece::Plain(text) => {
                for c in text.chars() {
                    if c.is_whitespace() {
                        words.extend(open.take());
                    } else {
                        open.get_or_insert_with(String::new).push(c);
                    }
                }
            }
        }
    }
    words.extend(open);
    Ok(words)
}

/// Expands a here-document, in which quotes mean nothing.
///
/// # Errors
/// As [`word`].
pub fn document(
    text: &str,
    escape: char,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<String, String> {
    let mut reader = Reader::new(text, escape, &variable);
    reader.quotes = Quotes::Meaningless;
    reader.until(None, Escapes::Resolved).map(concat).map_err(|why| {
        let first = text.lines().next().unwrap_or_default();
        format!("failed to process {first:?}: {why}")
    })
}

/// An instruction as it is shown to people: with its quotes, and with what has no value as it was written. What is malformed
/// stays as it is.
pub fn shown(text: &str, escape: char, variable: impl Fn(&str) -> Option<String>) -> String {
    let known = |name: &str| Some(variable(name).unwrap_or_else(|| format!("${name}")));
    let mut reader = Reader::new(text, escape, &known);
    reader.quotes = Quotes::Shown;
    reader.until(None, Escapes::Resolved).map_or_else(|_| text.to_owned(), concat)
}

/// The variables that a word uses plainly, without a form that says what is to be when they are not there. What is malformed
/// uses none.
pub fn names(text: &str, escape: char) -> Vec<String> {
    let mut reader = Reader::new(text, escape, &|_| Some("x".into()));
    match reader.until(None, Escapes::Resolved) {
        Ok(_) => reader.used,
        Err(_) => Vec::new(),
    }
}

enum Piece {
    Plain(String),
    Quoted(String),
}

fn concat(pieces: Vec<Piece>) -> String {
    let text = |piece| match piece {
        Piece::Plain(text) | Piece::Quoted(text) => text,
    };
    pieces.into_iter().map(text).collect()
}

fn expand(
    text: &str,
    escape: char,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Piece>, String> {
    let pieces = Reader::new(text, escape, variable).until(None, Escapes::Resolved);
    pieces.map_err(|why| format!("failed to process {text:?}: {why}"))
}

/// Whether `\x` becomes `x`, or stays for a pattern to be read from it.
#[derive(Clone, Copy, PartialEq)]
enum Escapes {
    Resolved,
    Kept,
}

/// What quotes do.
#[derive(Clone, Copy, PartialEq)]
enum Quotes {
    /// They go, and what is between them is one word.
    Taken,
    /// They stay.
    Shown,
    /// They are characters like any other.
    Meaningless,
}

struct Reader<'a> {
    quotes: Quotes,
    rest: Peekable<Chars<'a>>,
    escape: char,
    variable: &'a dyn Fn(&str) -> Option<String>,
    depth: usize,
    used: Vec<String>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str, escape: char, variable: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self {
            quotes: Quotes::Taken,
            rest: text.chars().peekable(),
            escape,
            variable,
            depth: 0,
            used: Vec::new(),
        }
    }

    fn until(&mut self, end: Option<char>, escapes: Escapes) -> Result<Vec<Piece>, String> {
        let mut pieces = Vec::new();
        while let Some(c) = self.rest.next() {
            match c {
                c if Some(c) == end => return Ok(pieces),
                '\'' | '"' if self.quotes == Quotes::Meaningless => {
                    pieces.push(Piece::Plain(c.into()))
                }
                '\'' | '"' => {
                    let text = if c == '"' { self.double_quoted()? } else { self.single_quoted()? };
                    pieces.push(Piece::Quoted(match self.quotes {
                        Quotes::Shown => format!("{c}{text}{c}"),
                        _ => text,
                    }));
                }
                '$' => pieces.push(Piece::Plain(self.dollar()?)),
                c if c == self.escape => {
                    let mut text = String::new();
                    if escapes == Escapes::Kept {
                        text.push(c);
                    }
                    text.extend(self.rest.next());
                    pieces.push(Piece::Quoted(text));
                }
                c => pieces.push(Piece::Plain(c.into())),
            }
        }
        match end {
            None => Ok(pieces),
            Some(end) => {
                Err(format!("unexpected end of statement while looking for matching {end}"))
            }
        }
    }

    fn single_quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        for c in self.rest.by_ref() {
            if c == '\'' {
                return Ok(text);
            }
            text.push(c);
        }
        Err("unexpected end of statement while looking for matching single-quote".into())
    }

    fn double_quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        while let Some(c) = self.rest.next() {
            match c {
                '"' => return Ok(text),
                '$' => text.push_str(&self.dollar()?),
                c if c == self.escape => match self.rest.next() {
                    Some(special) if special == '"' || special == '$' || special == c => {
                        text.push(special);
                    }
                    other => {
                        text.push(c);
                        text.extend(other);
                    }
                },
                c => text.push(c),
            }
        }
        Err("unexpected end of statement while looking for matching double-quote".into())
    }

    fn dollar(&mut self) -> Result<String, String> {
        if self.rest.next_if_eq(&'{').is_none() {
            let name = self.name();
            return Ok(match name.as_str() {
                "" => "$".into(),
                name => self.plain(name),
            });
        }
        if self.depth == DEEPEST {
            return Err(format!("more than {DEEPEST} substitutions within each other"));
        }
        self.depth += 1;
        let value = self.braced();
        self.depth -= 1;
        value
    }

    fn plain(&mut self, name: &str) -> String {
        self.used.push(name.to_owned());
        (self.variable)(name).unwrap_or_default()
    }

    /// A name, digits, or one of the shell's special parameters.
    fn name(&mut self) -> String {
        let mut name = String::new();
        let first = self.rest.peek().copied().unwrap_or_default();
        let continues = |c: &char| match first {
            first if first.is_ascii_digit() => c.is_ascii_digit(),
            _ => c.is_ascii_alphanumeric() || *c == '_',
        };
        if "@*#?-$!".contains(first) {
            name.extend(self.rest.next());
        } else {
            while let Some(c) = self.rest.next_if(continues) {
                name.push(c);
            }
        }
        name
    }

    /// Behind `${`.
    fn braced(&mut self) -> Result<String, String> {
        let name = self.name();
        if name.is_empty() {
            return Err("syntax error: bad substitution".into());
        }
        let value = (self.variable)(&name);
        let missing = || String::from("syntax error: missing '}'");
        match self.rest.next().ok_or_else(missing)? {
            '}' => Ok(self.plain(&name)),
            ':' => {
                let modifier = self.rest.next().ok_or_else(missing)?;
                let what = "empty";
                self.substitute(&name, value.filter(|value| !value.is_empty()), modifier, what)
            }
            '#' => self.without_start(&value.unwrap_or_default()),
            '%' => self.without_end(&value.unwrap_or_default()),
            '/' => self.replaced(&value.unwrap_or_default()),
            modifier => self.substitute(&name, value, modifier, "unset"),
        }
    }

    fn substitute(
        &mut self,
        name: &str,
        value: Option<String>,
        modifier: char,
        what: &str,
    ) -> Result<String, String> {
        if !"-+?".contains(modifier) {
            return Err(format!("unsupported modifier ({modifier}) in substitution"));
        }
        let word = concat(self.until(Some('}'), Escapes::Resolved)?);
        match (modifier, value) {
            ('+', value) => Ok(value.map(|_| word).unwrap_or_default()),
            (_, Some(value)) => Ok(value),
            ('-', None) => Ok(word),
            (_, None) if word.is_empty() => Err(format!("{name}: not allowed to be {what}")),
            (_, None) => Err(format!("{name}: {word}")),
        }
    }

    fn without_start(&mut self, value: &str) -> Result<String, String> {
        let longest = self.rest.next_if_eq(&'#').is_some();
        let glob = self.pattern('}')?;
        let ends = glob.ends(searched(value)?.chars());
        let end = if longest { ends.last() } else { ends.first() };
        Ok(value.chars().skip(end.copied().unwrap_or(0)).collect())
    }

    fn without_end(&mut self, value: &str) -> Result<String, String> {
        let longest = self.rest.next_if_eq(&'%').is_some();
        let glob = self.pattern('}')?.reversed();
        let ends = glob.ends(searched(value)?.chars().rev());
        let end = if longest { ends.last() } else { ends.first() };
        let kept = value.chars().count() - end.copied().unwrap_or(0);
        Ok(value.chars().take(kept).collect())
    }

    fn replaced(&mut self, value: &str) -> Result<String, String> {
        let all = self.rest.next_if_eq(&'/').is_some();
        let glob = self.pattern('/')?;
        let replacement = concat(self.until(Some('}'), Escapes::Resolved)?);
        let mut result = String::new();
        let mut rest = searched(value)?;
        let mut done = false;
        while let Some(c) = rest.chars().next() {
            let length =
                if done { 0 } else { glob.ends(rest.chars()).last().copied().unwrap_or(0) };
            if length == 0 {
                result.push(c);
                rest = &rest[c.len_utf8()..];
                continue;
            }
            result.push_str(&replacement);
            rest = rest.char_indices().nth(length).map_or("", |(at, _)| &rest[at..]);
            done = !all;
        }
        Ok(result)
    }

    fn pattern(&mut self, end: char) -> Result<Glob, String> {
        let pattern = concat(self.until(Some(end), Escapes::Kept)?);
        Ok(Glob::of_text(&pattern, self.escape))
    }
}

fn searched(value: &str) -> Result<&str, String> {
    match value.len() {
        0..=LONGEST_SEARCHED => Ok(value),
        length => Err(format!("a value of {length} bytes is too long for a pattern")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        let known = [("a", "one two"), ("empty", ""), ("path", "/usr/lib/x.tar.gz"), ("b", "*x*")];
        known.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
    }

    #[test]
    fn words_are_expanded_as_buildkit_does() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("$a", "one two"),
            ("${a}x", "one twox"),
            ("$ax", ""),
            ("$none.", "."),
            ("$", "$"),
            ("a$ b", "a$ b"),
            ("\\$a", "$a"),
            ("'$a'", "$a"),
            ("\"$a\"", "one two"),
            ("\"\\$a \\\" \\n\"", "$a \" \\n"),
            ("${none:-x}", "x"),
            ("${none-x}", "x"),
            ("${empty:-x}", "x"),
            ("${empty-x}", ""),
            ("${a:+x}", "x"),
            ("${none:+x}", ""),
            ("${empty:+x}", ""),
            ("${empty+x}", "x"),
            ("${none:-${a}}", "one two"),
            ("${none:-\"q}\"}", "q}"),
            ("${a:?gone}", "one two"),
            ("${path#*/}", "usr/lib/x.tar.gz"),
            ("${path##*/}", "x.tar.gz"),
            ("${path%.*}", "/usr/lib/x.tar"),
            ("${path%%.*}", "/usr/lib/x"),
            ("${path/lib/LIB}", "/usr/LIB/x.tar.gz"),
            ("${path//[/]/-}", "/usr/lib/x.tar.gz"),
            ("${path//\\//-}", "-usr-lib-x.tar.gz"),
            ("${b//\\*/+}", "+x+"),
            ("${a/ *}", ""),
            ("$1$@$$", ""),
        ] {
            let result = word(text, '\\', variable);
            match text {
                // The replacement's slash is missing.
                "${a/ *}" => assert!(result.is_err()),
                _ => assert_eq!(result.as_deref(), Ok(expected), "{text}"),
            }
        }
        assert_eq!(word("`$a\\", '`', variable).as_deref(), Ok("$a\\"));
    }

    #[test]
    fn errors_say_what_is_missing() {
        for (text, part) in [
            ("'a", "matching single-quote"),
            ("\"a", "matching double-quote"),
            ("${a", "missing '}'"),
            ("${a:", "missing '}'"),
            ("${}", "bad substitution"),
            ("${a:-b", "matching }"),
            ("${a:=b}", "unsupported modifier (=)"),
            ("${a^b}", "unsupported modifier (^)"),
            ("${none:?}", "none: not allowed to be empty"),
            ("${none?}", "none: not allowed to be unset"),
            ("${none:?why not}", "none: why not"),
        ] {
            let error = word(text, '\\', variable).unwrap_err();
            assert!(error.contains(part), "{text}: {error}");
            assert!(error.starts_with("failed to process "), "{error}");
        }
        let deep = format!("{}x{}", "${none:-".repeat(100_000), "}".repeat(100_000));
        assert!(word(&deep, '\\', variable).unwrap_err().contains("within each other"));
        let long = |name: &str| Some(name.repeat(LONGEST_SEARCHED + 1));
        assert!(word("${x#*x}", '\\', long).unwrap_err().contains("too long"));
    }

    #[test]
    fn white_space_that_was_not_quoted_makes_words() {
        let expanded = |text: &str| words(text, '\\', variable).unwrap();
        assert_eq!(expanded("$a"), ["one", "two"]);
        assert_eq!(expanded("\"$a\" x"), ["one two", "x"]);
        assert_eq!(expanded("80 $empty"), ["80"]);
        assert_eq!(expanded("''"), [""]);
        assert_eq!(expanded("a\\ b"), ["a b"]);
    }

    #[test]
    fn documents_and_shown_words_keep_their_quotes() {
        let text = r#"a\nb \$a $a "q$a" 'q$a' \\ ${none:-x} $none"#;
        let expected = r#"anb $a one two "qone two" 'qone two' \ x "#;
        assert_eq!(document(text, '\\', variable).as_deref(), Ok(expected));
        assert!(document("x\n${", '\\', variable).unwrap_err().contains("failed to process \"x\""));
        let text = r#"RUN echo "A $a '$b'" 'q$a' ${a:-x} \$a $none"#;
        let expected = r#"RUN echo "A one two '*x*'" 'q$a' one two $a $none"#;
        assert_eq!(shown(text, '\\', variable), expected);
        assert_eq!(shown("'open", '\\', variable), "'open");
    }

    #[test]
    fn names_are_those_without_a_fallback() {
        assert_eq!(names("$a ${b} ${c:-$d} '$e' \"$f\" ${g:+x} ${", '\\'), [""; 0]);
        assert_eq!(names("$a ${b} ${c:-$d} '$e' \"$f\" ${g:+x}", '\\'), ["a", "b", "d", "f"]);
    }

    proptest::proptest! {
        #[test]
        fn no_word_is_too_strange(text in "[a$\\\\{}'\":/#%*?+ -]{0,40}") {
            let _ = word(&text, '\\', variable);
            let _ = words(&text, '`', variable);
        }
    }
}
