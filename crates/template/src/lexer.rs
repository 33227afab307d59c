//! Templates as tokens, by the rules of Go's `text/template/parse`.

/// What a token is. Keywords are told from the rest by how messages show them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    LeftDelim,
    RightDelim,
    Space,
    Assign,
    Declare,
    Pipe,
    LeftParen,
    RightParen,
    Bool,
    Number,
    Char,
    String,
    RawString,
    Variable,
    Field,
    Identifier,
    /// An ASCII character that means nothing by itself.
    Other,
    Dot,
    Nil,
    Block,
    Break,
    Continue,
    Define,
    Else,
    End,
    If,
    Range,
    Template,
    With,
    Eof,
}

const KEYWORDS: &[(&str, Kind)] = &[
    ("block", Kind::Block),
    ("break", Kind::Break),
    ("continue", Kind::Continue),
    ("define", Kind::Define),
    ("else", Kind::Else),
    ("end", Kind::End),
    ("if", Kind::If),
    ("nil", Kind::Nil),
    ("range", Kind::Range),
    ("template", Kind::Template),
    ("with", Kind::With),
];

#[derive(Debug, Clone, Copy)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// Its first byte in the template.
    pub(super) at: usize,
    pub(super) line: usize,
}

impl Token<'_> {
    /// As messages name it.
    pub(super) fn shown(&self) -> String {
        let keyword = self.kind == Kind::Dot || KEYWORDS.iter().any(|(_, kind)| *kind == self.kind);
        match self.text.char_indices().nth(10) {
            _ if self.kind == Kind::Eof => "EOF".to_owned(),
            _ if keyword => format!("<{}>", self.text),
            Some((cut, _)) => format!("{}...", super::quote::quote(&self.text[..cut])),
            None => super::quote::quote(self.text),
        }
    }
}

/// What is wrong, and the line it is on.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) line: usize,
    pub(super) what: String,
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";

/// All tokens, the last one being the end. Errors are Go's.
pub(super) fn lex(input: &str) -> (Vec<Token<'_>>, Option<Wrong>) {
    let mut lexer = Lexer { input, start: 0, at: 0, line: 1, parens: 0, tokens: Vec::new() };
    let wrong = lexer.text().err().map(|what| Wrong { line: lexer.line, what });
    (lexer.tokens, wrong)
}

struct Lexer<'a> {
    input: &'a str,
    start: usize,
    at: usize,
    line: usize,
    parens: usize,
    tokens: Vec<Token<'a>>,
}

type Lexed = Result<(), String>;

impl<'a> Lexer<'a> {
    fn rest(&self) -> &'a str {
        &self.input[self.at..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn accept(&mut self, one_of: &str) -> bool {
        let accepted = self.peek().is_some_and(|c| one_of.contains(c));
        if accepted {
            self.at += 1;
        }
        accepted
    }

    fn skip_while(&mut self, belongs: impl Fn(char) -> bool) {
        let rest = self.rest();
        self.at += rest.find(|c| !belongs(c)).unwrap_or(rest.len());
    }

    fn emit(&mut self, kind: Kind) {
        let text = &self.input[self.start..self.at];
        self.tokens.push(Token { kind, text, at: self.start, line: self.line });
        self.ignore();
    }

    fn ignore(&mut self) {
        self.line += self.input[self.start..self.at].matches('\n').count();
        self.start = self.at;
    }

    fn text(&mut self) -> Lexed {
        while let Some(length) = self.rest().find(LEFT) {
            let action = self.at + length;
            let trims = trims_left(&self.input[action + LEFT.len()..]);
            let text = &self.input[self.at..action];
            self.at += if trims { text.trim_end_matches(is_space).len() } else { length };
            if self.at > self.start {
                self.emit(Kind::Text);
            }
            self.at = action;
            self.ignore();
            self.action()?;
        }
        self.at = self.input.len();
        if self.at > self.start {
            self.emit(Kind::Text);
        }
        self.emit(Kind::Eof);
        Ok(())
    }

    /// From its left delimiter to behind the right one.
    fn action(&mut self) -> Lexed {
        self.at += LEFT.len();
        let marker = if trims_left(self.rest()) { 2 } else { 0 };
        if self.input[self.at + marker..].starts_with("/*") {
            self.at += marker;
            return self.comment();
        }
        self.emit(Kind::LeftDelim);
        self.at += marker;
        self.ignore();
        self.parens = 0;
        while !self.at_right_delimiter() {
            self.inside()?;
        }
        if self.parens > 0 {
            return Err("unclosed left paren".to_owned());
        }
        self.right_delimiter(Some(Kind::RightDelim));
        Ok(())
    }

    fn comment(&mut self) -> Lexed {
        let end = self.rest().find("*/").ok_or("unclosed comment")?;
        self.at += end + 2;
        if !self.at_right_delimiter() {
            return Err("comment ends before closing delimiter".to_owned());
        }
        self.right_delimiter(None);
        Ok(())
    }

    fn at_right_delimiter(&self) -> bool {
        let rest = self.rest();
        rest.starts_with(RIGHT) || (trims_right(rest) && rest[2..].starts_with(RIGHT))
    }

    fn right_delimiter(&mut self, kind: Option<Kind>) {
        let trims = trims_right(self.rest());
        if trims {
            self.at += 2;
            if kind.is_some() {
                self.ignore();
            }
        }
        self.at += RIGHT.len();
        match kind {
            Some(kind) => self.emit(kind),
            None => self.ignore(),
        }
        if trims {
            self.skip_while(is_space);
            self.ignore();
        }
    }

    /// One token of an action.
    fn inside(&mut self) -> Lexed {
        let Some(first) = self.next() else { return Err("unclosed action".to_owned()) };
        match first {
            c if is_space(c) => {
                while self.peek().is_some_and(is_space) && !self.at_right_delimiter() {
                    self.next();
                }
                self.emit(Kind::Space);
            }
            '=' => self.emit(Kind::Assign),
            ':' if self.accept("=") => self.emit(Kind::Declare),
            ':' => return Err("expected :=".to_owned()),
            '|' => self.emit(Kind::Pipe),
            '"' => self.delimited('"', Kind::String, "unterminated quoted string")?,
            '\'' => self.delimited('\'', Kind::Char, "unterminated character constant")?,
            '`' => {
                let end = self.rest().find('`').ok_or("unterminated raw quoted string")?;
                self.at += end + 1;
                self.emit(Kind::RawString);
            }
            '$' => self.name(Kind::Variable)?,
            '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => self.name(Kind::Field)?,
            '.' | '+' | '-' | '0'..='9' => self.number()?,
            c if is_alphanumeric(c) => self.identifier()?,
            '(' => {
                self.parens += 1;
                self.emit(Kind::LeftParen);
            }
            ')' if self.parens == 0 => return Err("unexpected right paren".to_owned()),
            ')' => {
                self.parens -= 1;
                self.emit(Kind::RightParen);
            }
            c if c.is_ascii_graphic() => self.emit(Kind::Other),
            c => {
                return Err(format!(
                    "unrecognized character in action: {}",
                    super::quote::code_point(c)
                ));
            }
        }
        Ok(())
    }

    fn delimited(&mut self, end: char, kind: Kind, unterminated: &str) -> Lexed {
        loop {
            match self.next() {
                Some('\\') if self.peek().is_some_and(|c| c != '\n') => {
                    self.next();
                }
                Some('\n') | None => return Err(unterminated.to_owned()),
                Some(c) if c == end => break,
                Some(_) => {}
            }
        }
        self.emit(kind);
        Ok(())
    }

    /// What follows a dot or a dollar sign.
    fn name(&mut self, kind: Kind) -> Lexed {
        if self.at_terminator() {
            self.emit(if kind == Kind::Field { Kind::Dot } else { kind });
            return Ok(());
        }
        self.skip_while(is_alphanumeric);
        self.terminated()?;
        self.emit(kind);
        Ok(())
    }

    fn identifier(&mut self) -> Lexed {
        self.skip_while(is_alphanumeric);
        self.terminated()?;
        let word = &self.input[self.start..self.at];
        let keyword = KEYWORDS.iter().find(|(name, _)| *name == word).map(|(_, kind)| *kind);
        let boolean = ["true", "false"].contains(&word).then_some(Kind::Bool);
        self.emit(keyword.or(boolean).unwrap_or(Kind::Identifier));
        Ok(())
    }

    fn number(&mut self) -> Lexed {
        self.at = self.start;
        self.accept("+-");
        let (digits, exponent) = match self.accept("0") {
            true if self.accept("xX") => ("0123456789abcdefABCDEF_", "pP"),
            true if self.accept("oO") => ("01234567_", ""),
            true if self.accept("bB") => ("01_", ""),
            _ => ("0123456789_", "eE"),
        };
        self.skip_while(|c| digits.contains(c));
        if self.accept(".") {
            self.skip_while(|c| digits.contains(c));
        }
        if self.accept(exponent) {
            self.accept("+-");
            self.skip_while(|c| c.is_ascii_digit() || c == '_');
        }
        if self.peek().is_some_and(is_alphanumeric) {
            self.next();
            let number = super::quote::quote(&self.input[self.start..self.at]);
            return Err(format!("bad number syntax: {number}"));
        }
        self.emit(Kind::Number);
        Ok(())
    }

    fn at_terminator(&self) -> bool {
        match self.peek() {
            None => true,
            Some(c) => is_space(c) || ".,|:()".contains(c) || self.rest().starts_with(RIGHT),
        }
    }

    fn terminated(&self) -> Lexed {
        match self.peek() {
            Some(c) if !self.at_terminator() => {
                Err(format!("bad character {}", super::quote::code_point(c)))
            }
            _ => Ok(()),
        }
    }
}

fn trims_left(after_delimiter: &str) -> bool {
    let bytes = after_delimiter.as_bytes();
    bytes.len() >= 2 && bytes[0] == b'-' && is_space(char::from(bytes[1]))
}

fn trims_right(rest: &str) -> bool {
    let bytes = rest.as_bytes();
    bytes.len() >= 2 && is_space(char::from(bytes[0])) && bytes[1] == b'-'
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\r' | '\n')
}

fn is_alphanumeric(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}
