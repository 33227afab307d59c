//! What a pipeline is worth: calls, fields, functions and their arguments.

use super::{Evaluated, LONGEST, MissingKey, Run};
use crate::functions::{self, Function, Param};
use crate::methods;
use crate::node::{Call, Number, Pipe, Place, Term, TermKind};
use crate::value::{Data, Shape, Type, Value};

/// The value that a pipeline hands on, and the arguments beside it.
struct Arguments<'a> {
    terms: &'a [Term],
    last: Option<Value>,
}

impl Arguments<'_> {
    const NONE: Self = Self { terms: &[], last: None };

    fn count(&self) -> usize {
        self.terms.len() + usize::from(self.last.is_some())
    }

    fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// Refused if there are any, by a method that takes none.
    fn none_for(&self, name: &str) -> Evaluated<()> {
        match self.count() {
            0 => Ok(()),
            given => Err(format!("wrong number of args for {name}: want 0 got {given}")),
        }
    }
}

impl<'a> Run<'a> {
    pub(super) fn pipe(&mut self, dot: &Value, pipe: &'a Pipe) -> Evaluated {
        self.place = Some(pipe);
        let mut last = None;
        for call in &pipe.calls {
            let value = self.call(dot, call, last)?;
            // Nothing in an interface stays an interface that holds nothing.
            last = Some(if value.is_missing() { value } else { value.unwrapped() });
        }
        let value = last.unwrap_or_else(Value::missing);
        for name in &pipe.variables {
            match pipe.assigns {
                true => self.assign(name, value.clone())?,
                false => self.variables.push((name, value.clone())),
            }
        }
        Ok(value)
    }

    fn call(&mut self, dot: &Value, call: &'a Call, last: Option<Value>) -> Evaluated {
        let first = &call.terms[0];
        let arguments = Arguments { terms: &call.terms[1..], last };
        match &first.kind {
            TermKind::Field(_) | TermKind::Chain(..) => self.reference(dot, first, arguments),
            TermKind::Variable(names) if names.len() > 1 => self.reference(dot, first, arguments),
            TermKind::Identifier(name) => {
                self.place = Some(first);
                self.function(dot, name, call, arguments)
            }
            _ => {
                if !matches!(first.kind, TermKind::Pipe(_)) {
                    self.place = Some(first);
                }
                if !arguments.is_empty() {
                    return Err(format!("can't give argument to non-function {first}"));
                }
                match &first.kind {
                    TermKind::Nil => Err("nil is not a command".to_owned()),
                    TermKind::Number(number) => constant(number),
                    _ => self.term(dot, first),
                }
            }
        }
    }

    /// A term without arguments.
    fn term(&mut self, dot: &Value, term: &'a Term) -> Evaluated {
        self.place = Some(term);
        match &term.kind {
            TermKind::Dot => Ok(dot.clone()),
            TermKind::Nil => Ok(Value::missing()),
            TermKind::Bool(value) => Ok((*value).into()),
            TermKind::Number(number) => constant(number),
            TermKind::Text(text, _) => Ok(text.as_str().into()),
            TermKind::Identifier(name) => self.function(dot, name, term, Arguments::NONE),
            TermKind::Variable(names) if names.len() == 1 => self.variable(&names[0]),
            TermKind::Pipe(pipe) => self.pipe(dot, pipe),
            TermKind::Field(_) | TermKind::Variable(_) | TermKind::Chain(..) => {
                self.reference(dot, term, Arguments::NONE)
            }
        }
    }

    fn variable(&self, name: &str) -> Evaluated {
        let variable = self.variables.iter().rev().find(|(known, _)| *known == name);
        variable
            .map(|(_, value)| value.clone())
            .ok_or_else(|| format!("undefined variable: {name}"))
    }

    /// Fields after one another. Arguments are for the last, which may be a method.
    fn reference(&mut self, dot: &Value, term: &'a Term, arguments: Arguments<'a>) -> Evaluated {
        self.place = Some(term);
        let (mut receiver, names) = match &term.kind {
            TermKind::Field(names) => (dot.clone(), &names[..]),
            TermKind::Variable(names) => (self.variable(&names[0])?, &names[1..]),
            TermKind::Chain(of, _) if matches!(of.kind, TermKind::Nil) => {
                return Err(format!("indirection through explicit nil in {term}"));
            }
            TermKind::Chain(of, names) => (self.term(dot, of)?, &names[..]),
            _ => return self.term(dot, term),
        };
        let Some((last, names)) = names.split_last() else { return Ok(receiver) };
        for name in names {
            receiver = self.field(dot, &receiver, name, Arguments::NONE)?;
        }
        self.field(dot, &receiver, last, arguments)
    }

    fn field(
        &mut self,
        dot: &Value,
        receiver: &Value,
        name: &str,
        arguments: Arguments<'a>,
    ) -> Evaluated {
        if receiver.is_missing() {
            return match (receiver.in_interface, self.missing_key) {
                (true, _) => Err(format!("nil pointer evaluating interface {{}}.{name}")),
                (false, MissingKey::Error) => Err(format!("nil data; no entry for key {name:?}")),
                (false, MissingKey::NoValue) => Ok(Value::missing()),
            };
        }
        let kind = receiver.shown_type();
        let inside = receiver.behind_pointers();
        if let Some(answer) = methods::call(&inside, name) {
            return arguments.none_for(name).map(|()| answer);
        }
        match (&inside.data, &inside.kind.shape) {
            (Data::Row(row), _) => {
                if let Some(cell) = row.cells.get(name) {
                    return arguments.none_for(name).map(|()| cell.clone());
                }
                if let Some((_, method)) = row.methods.iter().find(|(known, _)| *known == name) {
                    let args = self.arguments(dot, name, &[Param::Text], None, arguments)?;
                    return Ok(method(args[0].as_text().unwrap_or_default()).into());
                }
                if row.is_header {
                    return Ok(Value::missing());
                }
            }
            (Data::Struct(_), _) => {
                if let Some(field) = inside.own_field(name) {
                    return match arguments.is_empty() {
                        true => Ok(field.clone()),
                        false => {
                            Err(format!("{name} has arguments but cannot be invoked as function"))
                        }
                    };
                }
            }
            (Data::Map(_) | Data::Nil, Shape::Map(of)) if of.key.name.is_none() => {
                if !arguments.is_empty() {
                    return Err(format!("{name} is not a method but has arguments"));
                }
                let found = match &inside.data {
                    Data::Map(map) => map.get(name).cloned(),
                    _ => None,
                };
                return match (found, self.missing_key) {
                    (Some(found), _) => Ok(found),
                    (None, MissingKey::Error) => Err(format!("map has no entry for key {name:?}")),
                    (None, MissingKey::NoValue) => Ok(Value::missing()),
                };
            }
            (Data::Nil, Shape::Pointer(to)) => {
                let known = match &to.shape {
                    Shape::Struct(fields) => fields.iter().any(|field| &*field.name == name),
                    _ => true,
                };
                if known {
                    return Err(format!("nil pointer evaluating {kind}.{name}"));
                }
            }
            _ => {}
        }
        Err(format!("can't evaluate field {name} in type {kind}"))
    }

    /// `place` is where a failure of the function itself is.
    fn function(
        &mut self,
        dot: &Value,
        name: &str,
        place: &'a dyn Place,
        arguments: Arguments<'a>,
    ) -> Evaluated {
        let Some(function) = functions::find(name, self.format.functions) else {
            return Err(format!("{name:?} is not a defined function"));
        };
        if matches!(name, "and" | "or") && !arguments.is_empty() {
            return self.short_circuit(dot, name == "or", arguments);
        }
        let Function { params, rest, call, .. } = function;
        let callee = arguments.terms.first();
        let args = self.arguments(dot, name, params, *rest, arguments)?;
        let result = match name {
            "call" => Err(not_callable(callee, &args[0])),
            _ => call(&args).and_then(bounded),
        };
        result.map_err(|wrong| {
            self.place = Some(place);
            format!("error calling {name}: {wrong}")
        })
    }

    /// Only as many arguments are evaluated as it takes to know.
    fn short_circuit(
        &mut self,
        dot: &Value,
        stops_at: bool,
        arguments: Arguments<'a>,
    ) -> Evaluated {
        let mut value = Value::missing();
        for term in arguments.terms {
            value = self.argument(dot, term, Param::Any)?;
            if value.is_true() == stops_at {
                return Ok(value);
            }
        }
        Ok(arguments.last.unwrap_or(value))
    }

    fn arguments(
        &mut self,
        dot: &Value,
        name: &str,
        params: &[Param],
        rest: Option<Param>,
        arguments: Arguments<'a>,
    ) -> Evaluated<Vec<Value>> {
        let given = arguments.count();
        if given < params.len() && rest.is_some() {
            let got = arguments.terms.len();
            return Err(format!(
                "wrong number of args for {name}: want at least {} got {got}",
                params.len()
            ));
        }
        if given != params.len() && rest.is_none() {
            return Err(format!(
                "wrong number of args for {name}: want {} got {given}",
                params.len()
            ));
        }
        let param = |index: usize| params.get(index).copied().or(rest).unwrap_or(Param::Any);
        let mut args = Vec::with_capacity(given);
        for (index, term) in arguments.terms.iter().enumerate() {
            args.push(self.argument(dot, term, param(index))?);
        }
        if let Some(last) = arguments.last {
            args.push(validated(last, param(given - 1))?);
        }
        Ok(args)
    }

    fn argument(&mut self, dot: &Value, term: &'a Term, param: Param) -> Evaluated {
        self.place = Some(term);
        match (&term.kind, param) {
            (TermKind::Nil, Param::Text | Param::Int) => {
                Err(format!("cannot assign nil to {}", param.shown()))
            }
            (TermKind::Nil, Param::Any) => Ok(Value::missing()),
            (TermKind::Nil, Param::Texts) => Ok(Value::zero(&Type::list(Type::of(Shape::Text)))),
            (TermKind::Text(text, _), Param::Text) => Ok(text.as_str().into()),
            (TermKind::Number(Number { integer: Some(number), .. }), Param::Int) => {
                Ok((*number).into())
            }
            (TermKind::Number(number), Param::Any) => constant(number),
            (TermKind::Bool(_) | TermKind::Number(_), Param::Text) => {
                Err(format!("expected string; found {term}"))
            }
            (TermKind::Bool(_) | TermKind::Text(..) | TermKind::Number(_), Param::Int) => {
                Err(format!("expected integer; found {term}"))
            }
            (TermKind::Bool(_) | TermKind::Text(..) | TermKind::Number(_), Param::Texts) => {
                Err(format!("can't handle {term} for arg of type []string"))
            }
            _ => validated(self.term(dot, term)?, param),
        }
    }
}

fn bounded(result: Value) -> Evaluated {
    match result.as_text().is_some_and(|text| text.len() > LONGEST) {
        true => Err("the result is too long".to_owned()),
        false => Ok(result),
    }
}

/// A value as an argument of that type.
fn validated(value: Value, param: Param) -> Evaluated {
    if param == Param::Any {
        return Ok(value.unwrapped());
    }
    if value.is_missing() {
        return match param {
            Param::Texts => Ok(Value::zero(&Type::list(Type::of(Shape::Text)))),
            _ => Err(format!("invalid value; expected {}", param.shown())),
        };
    }
    let inside = match &value.data {
        Data::Pointer(to) => Value::clone(to),
        _ => value.clone().unwrapped(),
    };
    if param.takes(&inside.kind) {
        return Ok(inside);
    }
    Err(format!("wrong type for value; expected {}; got {}", param.shown(), value.kind))
}

/// A constant where nothing says what it should be.
fn constant(number: &Number) -> Evaluated {
    match (number.looks_integer, number.integer, number.float) {
        (true, Some(whole), _) => Ok(whole.into()),
        (false, _, Some(float)) => Ok(float.into()),
        _ => Err(format!("{} overflows int", number.text)),
    }
}

fn not_callable(callee: Option<&Term>, value: &Value) -> String {
    match callee {
        _ if value.is_missing() => "call of nil".to_owned(),
        Some(term) => format!("non-function {term} of type {}", value.kind),
        None => format!("non-function of type {}", value.kind),
    }
}
