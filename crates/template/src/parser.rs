//! Tokens as trees, by the rules of Go's `text/template/parse` and in its words.

mod pipeline;

use std::collections::BTreeMap;

use super::lexer::{self, Kind, Token, Wrong};
use super::node::{Branch, Include, Node};
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
}

fn unexpected(token: &Token<'_>, context: &str) -> String {
    format!("unexpected {} in {context}", token.shown())
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
