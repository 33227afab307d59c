//! Templates as trees. What a node says of itself is what Go's error messages show.

use std::fmt;

/// A part of an action: an operand or what is made of some.
#[derive(Debug)]
pub(super) struct Term {
    pub(super) at: usize,
    pub(super) kind: TermKind,
}

#[derive(Debug)]
pub(super) enum TermKind {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    /// As it is, and as it was written.
    Text(String, String),
    /// A function's name.
    Identifier(String),
    /// `.A.B`, without the dots.
    Field(Vec<String>),
    /// `$x.A.B`, `$x` first.
    Variable(Vec<String>),
    /// Fields of something that is neither.
    Chain(Box<Term>, Vec<String>),
    Pipe(Pipe),
}

/// A constant, which becomes what its place asks for.
#[derive(Debug)]
pub(super) struct Number {
    pub(super) text: String,
    pub(super) integer: Option<i64>,
    pub(super) float: Option<f64>,
    /// Written as an integer, also where it is too large for one.
    pub(super) looks_integer: bool,
}

/// Terms after one another: a function or method and its arguments.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) at: usize,
    pub(super) terms: Vec<Term>,
}

#[derive(Debug)]
pub(super) struct Pipe {
    pub(super) at: usize,
    pub(super) assigns: bool,
    pub(super) variables: Vec<String>,
    pub(super) calls: Vec<Call>,
}

/// What a template consists of.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipe),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template(Include),
    Break,
    Continue,
    /// Ends a list; not in one.
    End,
    /// Ends a list; not in one.
    Else,
}

#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipe: Pipe,
    pub(super) then: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Include {
    pub(super) at: usize,
    pub(super) name: String,
    pub(super) pipe: Option<Pipe>,
}

/// Something that an error can be at.
pub(super) trait Place: fmt::Display {
    /// Its byte in the template.
    fn at(&self) -> usize;
}

macro_rules! places {
    ($($type:ty)*) => {
        $(impl Place for $type {
            fn at(&self) -> usize {
                self.at
            }
        })*
    };
}
places!(Term Call Pipe Include);

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            TermKind::Dot => f.write_str("."),
            TermKind::Nil => f.write_str("nil"),
            TermKind::Bool(value) => write!(f, "{value}"),
            TermKind::Number(number) => f.write_str(&number.text),
            TermKind::Text(_, quoted) => f.write_str(quoted),
            TermKind::Identifier(name) => f.write_str(name),
            TermKind::Field(names) => names.iter().try_for_each(|name| write!(f, ".{name}")),
            TermKind::Variable(names) => f.write_str(&names.join(".")),
            TermKind::Chain(term, names) => {
                write!(f, "{term}")?;
                names.iter().try_for_each(|name| write!(f, ".{name}"))
            }
            TermKind::Pipe(pipe) => write!(f, "({pipe})"),
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, term) in self.terms.iter().enumerate() {
            write!(f, "{}{term}", if index > 0 { " " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            let sign = if self.assigns { "=" } else { ":=" };
            write!(f, "{} {sign} ", self.variables.join(", "))?;
        }
        for (index, call) in self.calls.iter().enumerate() {
            write!(f, "{}{call}", if index > 0 { " | " } else { "" })?;
        }
        Ok(())
    }
}

impl fmt::Display for Include {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{{template {}", super::quote::quote(&self.name))?;
        match &self.pipe {
            Some(pipe) => write!(f, " {pipe}}}}}"),
            None => f.write_str("}}"),
        }
    }
}
