//! Tokens as trees, by the rules of Go's `text/template/parse` and in its words.

use std::collections::BTreeMap;

use super::lexer::{self, Kind, Token, Wrong};
use super::node::{Branch, Call, Include, Node, Number, Pipe, Term, TermKind};
use super::quote;

/// So many actions and parentheses inside one another; Go knows no bound but its memory.
const DEEPEST: usize = 100;

/// Every template that a text defines; the text itself is the one without a name.
pub(super) type Templates = BTreeMap<String, Vec<Node>>;

/// `name` is what messages call the text; `known` says whether there is such a function.
pub(super) fn parse(
    name: &str,
    text: &str,
    known: impl Fn(&str) -> bool,
) -> Result<Templates, String> {
    let (tokens, wrong) = lexer::lex(text);
    let variables = vec!["$".to_owned()];
    let mut parser = Parser {
        tokens,
        wrong,
        next: 0,
        variables,
        ranges: 0,
        depth: 0,
        known,
        templates: Templates::new(),
    };
    parser.text().map_err(|what| format!("template: {name}:{}: {what}", parser.line()))?;
    Ok(parser.templates)
}

struct Parser<'a, F> {
    tokens: Vec<Token<'a>>,
    wrong: Option<Wrong>,
    next: usize,
    /// In scope, the innermost last.
    variables: Vec<String>,
    ranges: usize,
    depth: usize,
    known: F,
    templates: Templates,
}

type Parsed<T> = Result<T, String>;

impl<'a, F: Fn(&str) -> bool> Parser<'a, F> {
    /// Of the token that was read last.
    fn line(&self) -> usize {
        let last = self.tokens.get(self.next.saturating_sub(1)).map_or(1, |token| token.line);
        match &self.wrong {
            Some(wrong) if self.next >= self.tokens.len() => wrong.line,
            _ => last,
        }
    }

    /// The next token; the lexer's complaint where it gave up.
    fn peek(&mut self) -> Parsed<Token<'a>> {
        match (self.tokens.get(self.next), &self.wrong) {
            (Some(token), _) => Ok(*token),
            (None, Some(wrong)) => Err(wrong.what.clone()),
            // The end is never passed.
            (None, None) => Err("unexpected EOF".to_owned()),
        }
    }

    fn read(&mut self) -> Parsed<Token<'a>> {
        let token = self.peek()?;
        self.next += 1;
        Ok(token)
    }

    fn peek_word(&mut self) -> Parsed<Token<'a>> {
        while self.peek()?.kind == Kind::Space {
            self.next += 1;
        }
        self.peek()
    }

    fn read_word(&mut self) -> Parsed<Token<'a>> {
        self.peek_word()?;
        self.read()
    }

    fn expect(&mut self, kind: Kind, context: &str) -> Parsed<()> {
        let token = self.read_word()?;
        if token.kind == kind { Ok(()) } else { Err(unexpected(&token, context)) }
    }

    /// Runs a part that may contain itself.
    fn nested<T>(&mut self, part: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth == DEEPEST {
            return Err(format!("more than {DEEPEST} levels inside one another"));
        }
        self.depth += 1;
        let result = part(self);
        self.depth -= 1;
        result
    }

    fn text(&mut self) -> Parsed<()> {
        let mut nodes = Vec::new();
        while self.peek()?.kind != Kind::Eof {
            let start = self.next;
            if self.read()?.kind == Kind::LeftDelim && self.read_word()?.kind == Kind::Define {
                self.definition()?;
                continue;
            }
            self.next = start;
            nodes.push(match self.text_or_action()? {
                Node::End => return Err("unexpected {{end}}".to_owned()),
                Node::Else => return Err("unexpected {{else}}".to_owned()),
                node => node,
            });
        }
        self.add(String::new(), nodes)
    }

    fn definition(&mut self) -> Parsed<()> {
        const CONTEXT: &str = "define clause";
        let token = self.read_word()?;
        let name = template_name(&token, CONTEXT)?;
        self.expect(Kind::RightDelim, CONTEXT)?;
        // A template of its own sees no variables and no loops of its surroundings.
        let (variables, ranges) =
            (std::mem::replace(&mut self.variables, vec!["$".to_owned()]), self.ranges);
        self.ranges = 0;
        let nodes = self.list_to_end(CONTEXT)?;
        (self.variables, self.ranges) = (variables, ranges);
        self.add(name, nodes)
    }

    fn add(&mut self, name: String, nodes: Vec<Node>) -> Parsed<()> {
        let empty = |nodes: &[Node]| {
            nodes.iter().all(|node| matches!(node, Node::Text(text) if text.trim().is_empty()))
        };
        match self.templates.get(&name) {
            Some(there) if !empty(there) && empty(&nodes) => Ok(()),
            Some(there) if !empty(there) => {
                Err(format!("template: multiple definition of template {}", quote::quote(&name)))
            }
            _ => {
                self.templates.insert(name, nodes);
                Ok(())
            }
        }
    }

    fn text_or_action(&mut self) -> Parsed<Node> {
        let token = self.read_word()?;
        match token.kind {
            Kind::Text => Ok(Node::Text(token.text.to_owned())),
            Kind::LeftDelim => self.nested(Self::action),
            Kind::Eof => Err("unexpected EOF".to_owned()),
            _ => Err(unexpected(&token, "input")),
        }
    }

    /// To the `end` or `else` that is its own.
    fn list(&mut self) -> Parsed<(Vec<Node>, Node)> {
        let mut nodes = Vec::new();
        loop {
            match self.text_or_action()? {
                end @ (Node::End | Node::Else) => return Ok((nodes, end)),
                node => nodes.push(node),
            }
        }
    }

    fn list_to_end(&mut self, context: &str) -> Parsed<Vec<Node>> {
        match self.list()? {
            (nodes, Node::End) => Ok(nodes),
            _ => Err(format!("unexpected {{{{else}}}} in {context}")),
        }
    }

    fn action(&mut self) -> Parsed<Node> {
        let token = self.peek_word()?;
        self.next += 1;
        match token.kind {
            Kind::Block => self.block(),
            Kind::Break => self.loop_control(Node::Break, "{{break}}"),
            Kind::Continue => self.loop_control(Node::Continue, "{{continue}}"),
            Kind::Else => match self.peek_word()?.kind {
                Kind::If | Kind::With => Ok(Node::Else),
                _ => self.expect(Kind::RightDelim, "else").map(|()| Node::Else),
            },
            Kind::End => self.expect(Kind::RightDelim, "end").map(|()| Node::End),
            Kind::If => Ok(Node::If(self.branch("if")?)),
            Kind::Range => Ok(Node::Range(self.branch("range")?)),
            Kind::Template => self.include(),
            Kind::With => Ok(Node::With(self.branch("with")?)),
            _ => {
                self.next -= 1;
                // Not `nested`: an action's own variables go on after it.
                Ok(Node::Action(self.pipe("command", Kind::RightDelim)?))
            }
        }
    }

    fn loop_control(&mut self, node: Node, shown: &str) -> Parsed<Node> {
        self.expect(Kind::RightDelim, shown)?;
        if self.ranges == 0 { Err(format!("{shown} outside {{{{range}}}}")) } else { Ok(node) }
    }

    fn branch(&mut self, context: &str) -> Parsed<Branch> {
        let in_scope = self.variables.len();
        let pipe = self.pipe(context, Kind::RightDelim)?;
        self.ranges += usize::from(context == "range");
        let (then, end) = self.list()?;
        self.ranges -= usize::from(context == "range");
        let otherwise = match end {
            Node::Else => self.otherwise(context)?,
            _ => Vec::new(),
        };
        self.variables.truncate(in_scope);
        Ok(Branch { pipe, then, otherwise })
    }

    /// What follows an `else`: the rest of the action may be an `if` (or `with`) that shares its end.
    fn otherwise(&mut self, context: &str) -> Parsed<Vec<Node>> {
        if matches!((context, self.peek()?.kind), ("if", Kind::If) | ("with", Kind::With)) {
            self.next += 1;
            let branch = self.nested(|parser| parser.branch(context))?;
            return Ok(vec![if context == "if" { Node::If(branch) } else { Node::With(branch) }]);
        }
        match self.list()? {
            (nodes, Node::End) => Ok(nodes),
            _ => Err("expected end; found {{else}}".to_owned()),
        }
    }

    fn block(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "block clause";
        let token = self.read_word()?;
        let name = template_name(&token, CONTEXT)?;
        let pipe = self.pipe(CONTEXT, Kind::RightDelim)?;
        let variables = std::mem::replace(&mut self.variables, vec!["$".to_owned()]);
        let nodes = self.list_to_end(CONTEXT)?;
        self.variables = variables;
        self.add(name.clone(), nodes)?;
        Ok(Node::Template(Include { at: token.at, name, pipe: Some(pipe) }))
    }

    fn include(&mut self) -> Parsed<Node> {
        const CONTEXT: &str = "template clause";
        let token = self.read_word()?;
        let name = template_name(&token, CONTEXT)?;
        let pipe = if self.peek_word()?.kind == Kind::RightDelim {
            self.next += 1;
            None
        } else {
            Some(self.pipe(CONTEXT, Kind::RightDelim)?)
        };
        Ok(Node::Template(Include { at: token.at, name, pipe }))
    }

    fn pipe(&mut self, context: &str, end: Kind) -> Parsed<Pipe> {
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

fn unexpected(token: &Token<'_>, context: &str) -> String {
    format!("unexpected {} in {context}", token.shown())
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

fn template_name(token: &Token<'_>, context: &str) -> Parsed<String> {
    match token.kind {
        Kind::String | Kind::RawString => unquoted(token),
        _ => Err(unexpected(token, context)),
    }
}

fn unquoted(token: &Token<'_>) -> Parsed<String> {
    match token.kind {
        Kind::RawString => Ok(token.text.trim_matches('`').to_owned()),
        _ => quote::unquote(token.text).ok_or_else(|| "invalid syntax".to_owned()),
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
