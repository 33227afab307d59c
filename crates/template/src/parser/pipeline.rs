//! Pipelines: declarations, calls, operands and literals.

use super::{Parsed, Parser, quote, unexpected, unquoted};
use crate::lexer::Kind;
use crate::node::{Call, Number, Pipe, Term, TermKind};

impl<'a, F: Fn(&str) -> bool> Parser<'a, F> {
    pub(super) fn pipe(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
        let mut pipe = Pipe {
            at: self.peek_word()?.at,
            assigns: false,
            variables: Vec::new(),
            calls: Vec::new(),
        };
        self.declarations(&mut pipe, context)?;
        loop {
            let token = self.peek_word()?;
            match token.kind {
                kind if kind == end => {
                    self.next += 1;
                    break;
                }
                kind if begins_term(kind) => pipe.calls.push(self.call()?),
                _ => {
                    self.next += 1;
                    return Err(unexpected(&token, context));
                }
            }
        }
        check(&pipe, context)?;
        Ok(pipe)
    }

    /// `$x :=`, `$x =`, `$i, $x :=`. Without the sign, the variable is an operand.
    fn declarations(&mut self, pipe: &mut Pipe, context: &str) -> Parsed<()> {
        while self.peek_word()?.kind == Kind::Variable {
            let start = self.next;
            let variable = self.read()?;
            let sign = self.peek_word()?;
            let comma = sign.kind == Kind::Other && sign.text == ",";
            if !comma && !matches!(sign.kind, Kind::Assign | Kind::Declare) {
                self.next = start;
                return Ok(());
            }
            self.next += 1;
            pipe.variables.push(variable.text.to_owned());
            self.variables.push(variable.text.to_owned());
            if !comma {
                pipe.assigns = sign.kind == Kind::Assign;
                return Ok(());
            }
            if context != "range" || pipe.variables.len() > 1 {
                return Err(format!("too many declarations in {context}"));
            }
            let next = self.peek_word()?.kind;
            if !matches!(next, Kind::Variable | Kind::RightDelim | Kind::RightParen) {
                return Err("range can only initialize variables".to_owned());
            }
        }
        Ok(())
    }

    fn call(&mut self) -> Parsed<Call> {
        let mut call = Call { at: self.peek_word()?.at, terms: Vec::new() };
        loop {
            self.peek_word()?;
            call.terms.extend(self.operand()?);
            let token = self.peek()?;
            match token.kind {
                Kind::Space => self.next += 1,
                Kind::RightDelim | Kind::RightParen => break,
                Kind::Pipe => {
                    self.next += 1;
                    break;
                }
                _ => {
                    self.next += 1;
                    return Err(unexpected(&token, "operand"));
                }
            }
        }
        if call.terms.is_empty() { Err("empty command".to_owned()) } else { Ok(call) }
    }

    /// A term and the fields asked of it.
    fn operand(&mut self) -> Parsed<Option<Term>> {
        let Some(mut term) = self.term()? else { return Ok(None) };
        let at = self.peek()?.at;
        let mut names = Vec::new();
        while self.peek()?.kind == Kind::Field {
            names.push(self.read()?.text[1..].to_owned());
        }
        if names.is_empty() {
            return Ok(Some(term));
        }
        match &mut term.kind {
            TermKind::Field(fields) | TermKind::Variable(fields) => {
                fields.append(&mut names);
                Ok(Some(Term { at, kind: term.kind }))
            }
            TermKind::Identifier(_) | TermKind::Chain(..) | TermKind::Pipe(_) => {
                Ok(Some(Term { at, kind: TermKind::Chain(Box::new(term), names) }))
            }
            _ => Err(format!("unexpected . after term {}", quote::quote(&term.to_string()))),
        }
    }

    fn term(&mut self) -> Parsed<Option<Term>> {
        let token = self.peek_word()?;
        if !begins_term(token.kind) {
            return Ok(None);
        }
        self.next += 1;
        let owned = || token.text.to_owned();
        let kind = match token.kind {
            Kind::Identifier if !(self.known)(token.text) => {
                return Err(format!("function {} not defined", quote::quote(token.text)));
            }
            Kind::Variable if !self.variables.iter().any(|name| name == token.text) => {
                return Err(format!("undefined variable {}", quote::quote(token.text)));
            }
            Kind::Identifier => TermKind::Identifier(owned()),
            Kind::Variable => TermKind::Variable(vec![owned()]),
            Kind::Dot => TermKind::Dot,
            Kind::Nil => TermKind::Nil,
            Kind::Field => TermKind::Field(vec![token.text[1..].to_owned()]),
            Kind::Bool => TermKind::Bool(token.text == "true"),
            Kind::Char => TermKind::Number(character(token.text)?),
            Kind::Number => TermKind::Number(number(token.text)?),
            Kind::LeftParen => TermKind::Pipe(
                self.nested(|parser| parser.pipe("parenthesized pipeline", Kind::RightParen))?,
            ),
            _ => TermKind::Text(unquoted(&token)?, owned()),
        };
        Ok(Some(Term { at: token.at, kind }))
    }
}

fn begins_term(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Bool
            | Kind::Char
            | Kind::Dot
            | Kind::Field
            | Kind::Identifier
            | Kind::Number
            | Kind::Nil
            | Kind::RawString
            | Kind::String
            | Kind::Variable
            | Kind::LeftParen
    )
}

fn check(pipe: &Pipe, context: &str) -> Parsed<()> {
    if pipe.calls.is_empty() {
        return Err(format!("missing value for {context}"));
    }
    let constant = |call: &Call| {
        use TermKind::{Bool, Dot, Nil, Number, Text};
        matches!(call.terms[0].kind, Bool(_) | Dot | Nil | Number(_) | Text(..))
    };
    match pipe.calls.iter().skip(1).position(constant) {
        Some(index) => Err(format!("non executable command in pipeline stage {}", index + 2)),
        None => Ok(()),
    }
}

fn character(text: &str) -> Parsed<Number> {
    let code =
        quote::unquote_rune(text).ok_or_else(|| format!("malformed character constant: {text}"))?;
    let (integer, float) = (Some(i64::from(code)), Some(f64::from(code)));
    Ok(Number { text: text.to_owned(), integer, float, looks_integer: true })
}

/// Go's literals: `1_000`, `0x1F`, `0b11`, `017`, `1.5e3`.
fn number(text: &str) -> Parsed<Number> {
    let digits = text.trim_start_matches(['+', '-']).replace('_', "").to_ascii_lowercase();
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let based = |digits: &str, radix| i128::from_str_radix(digits, radix).ok();
    let integer = match digits.as_bytes() {
        [b'0', b'x', ..] => based(&digits[2..], 16),
        [b'0', b'b', ..] => based(&digits[2..], 2),
        [b'0', b'o', ..] => based(&digits[2..], 8),
        [b'0', _, ..] if digits.bytes().all(|b| b.is_ascii_digit()) => based(&digits[1..], 8),
        _ => digits.parse().ok(),
    };
    let looks_integer = !digits.contains(['.', 'e', 'p']) || digits.starts_with("0x");
    let float = match integer {
        Some(whole) => Some((sign * whole) as f64),
        None => digits.parse::<f64>().ok().filter(|_| !looks_integer).map(|f| f * sign as f64),
    };
    let exact = integer.map(|whole| sign * whole).or_else(|| {
        // Too large a cast is caught by the comparison.
        float.filter(|f| *f == (*f as i64) as f64).map(|f| f as i128)
    });
    if exact.is_none() && float.is_none() {
        let overflow =
            looks_integer && !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        let what = if overflow { "integer overflow" } else { "illegal number syntax" };
        return Err(format!("{what}: {}", quote::quote(text)));
    }
    let integer = exact.and_then(|whole| i64::try_from(whole).ok());
    if integer.is_none() && looks_integer && exact.is_none_or(|whole| u64::try_from(whole).is_err())
    {
        return Err(format!("integer overflow: {}", quote::quote(text)));
    }
    Ok(Number { text: text.to_owned(), integer, float, looks_integer })
}
