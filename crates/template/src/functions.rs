//! The functions of templates: Go's and those that Docker adds. Errors are Go's.

use super::compare;
use super::execute::LONGEST;
use super::print;
use super::quote;
use super::value::{Data, Shape, Type, Value};

/// What a parameter takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Param {
    /// `interface {}` or `reflect.Value`.
    Any,
    Text,
    Int,
    Texts,
}

impl Param {
    pub(super) const fn shown(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Text => "string",
            Self::Int => "int",
            Self::Texts => "[]string",
        }
    }

    /// Whether a value of that type can be given for it as it is.
    pub(super) fn takes(self, kind: &Type) -> bool {
        match (self, &kind.shape) {
            (Self::Any, _) => true,
            (Self::Text, Shape::Text) | (Self::Int, Shape::Int) => kind.name.is_none(),
            (Self::Texts, Shape::List(of)) => matches!(of.shape, Shape::Text) && of.name.is_none(),
            _ => false,
        }
    }
}

type Result<T = Value> = std::result::Result<T, String>;

/// A function, its parameters, and what further arguments are.
pub(super) struct Function {
    pub(super) name: &'static str,
    pub(super) params: &'static [Param],
    pub(super) rest: Option<Param>,
    pub(super) call: fn(&[Value]) -> Result,
}

const fn fixed(
    name: &'static str,
    params: &'static [Param],
    call: fn(&[Value]) -> Result,
) -> Function {
    Function { name, params, rest: None, call }
}

const fn variadic(
    name: &'static str,
    params: &'static [Param],
    call: fn(&[Value]) -> Result,
) -> Function {
    Function { name, params, rest: Some(Param::Any), call }
}

/// Go's.
const BUILTIN: &[Function] = &[
    // What `and` and `or` do not evaluate is known to the executor.
    variadic("and", &[Param::Any], last),
    variadic("or", &[Param::Any], last),
    // Nothing in the data of templates can be called: the executor refuses with the name.
    variadic("call", &[Param::Any], last),
    fixed("not", &[Param::Any], |args| Ok((!args[0].is_true()).into())),
    fixed("len", &[Param::Any], len),
    variadic("index", &[Param::Any], index),
    variadic("slice", &[Param::Any], slice),
    variadic("print", &[], |args| Ok(print::sprint(args).into())),
    variadic("printf", &[Param::Text], |args| {
        print::sprintf(text(args, 0), &args[1..]).map(Value::from)
    }),
    variadic("println", &[], |args| Ok(print::sprintln(args).into())),
    variadic("html", &[], |args| Ok(quote::html(&joined(args)).into())),
    variadic("js", &[], |args| Ok(quote::js(&joined(args)).into())),
    variadic("urlquery", &[], |args| Ok(quote::url(&joined(args)).into())),
    variadic("eq", &[Param::Any], |args| compare::eq(&args[0], &args[1..]).map(Value::from)),
    fixed("ne", TWO, |args| compare::eq(&args[0], &args[1..]).map(|equal| (!equal).into())),
    fixed("lt", TWO, |args| compare::lt(&args[0], &args[1]).map(Value::from)),
    fixed("le", TWO, |args| compare::le(&args[0], &args[1]).map(Value::from)),
    fixed("gt", TWO, |args| compare::le(&args[0], &args[1]).map(|le| (!le).into())),
    fixed("ge", TWO, |args| compare::lt(&args[0], &args[1]).map(|lt| (!lt).into())),
];
const TWO: &[Param] = &[Param::Any, Param::Any];

/// Docker's, for objects.
const OF_OBJECTS: &[Function] = &[
    fixed("json", &[Param::Any], |args| Ok(args[0].json().into())),
    fixed("split", &[Param::Text, Param::Text], |args| {
        let (whole, by) = (text(args, 0), text(args, 1));
        Ok(match by {
            "" => Value::texts(whole.chars().map(String::from)),
            by => Value::texts(whole.split(by).map(str::to_owned)),
        })
    }),
    fixed("join", &[Param::Texts, Param::Text], |args| {
        let Data::List(items) = &args[0].data else { return Ok("".into()) };
        let items: Vec<&str> = items.iter().filter_map(Value::as_text).collect();
        Ok(items.join(text(args, 1)).into())
    }),
    fixed("title", &[Param::Text], |args| Ok(title(text(args, 0)).into())),
    fixed("lower", &[Param::Text], |args| Ok(text(args, 0).to_lowercase().into())),
    fixed("upper", &[Param::Text], |args| Ok(text(args, 0).to_uppercase().into())),
    fixed("pad", &[Param::Text, Param::Int, Param::Int], pad),
    fixed("truncate", &[Param::Text, Param::Int], truncate),
];

/// Docker's, for the header of a table: titles are left as they are.
const OF_HEADERS: &[Function] = &[
    fixed("json", &[Param::Text], first),
    fixed("title", &[Param::Text], first),
    fixed("lower", &[Param::Text], first),
    fixed("upper", &[Param::Text], first),
    variadic("split", &[Param::Text], first),
    variadic("join", &[Param::Text], first),
    fixed("truncate", &[Param::Text, Param::Int], first),
    fixed("pad", &[Param::Text, Param::Int, Param::Int], pad),
];

/// Which of Docker's functions there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Objects,
    Headers,
}

pub(super) fn find(name: &str, of: Of) -> Option<&'static Function> {
    let dockers = match of {
        Of::Objects => OF_OBJECTS,
        Of::Headers => OF_HEADERS,
    };
    dockers.iter().chain(BUILTIN).find(|function| function.name == name)
}

fn text(args: &[Value], index: usize) -> &str {
    args[index].as_text().unwrap_or_default()
}

fn int(args: &[Value], index: usize) -> i128 {
    match args[index].data {
        Data::Int(number) => number,
        _ => 0,
    }
}

fn first(args: &[Value]) -> Result {
    Ok(args[0].clone())
}

fn last(args: &[Value]) -> Result {
    Ok(args.last().cloned().unwrap_or_else(Value::missing))
}

/// What the escaping functions escape: a text as it is, anything else printed.
fn joined(args: &[Value]) -> String {
    match args {
        [only] if only.as_text().is_some() => text(args, 0).to_owned(),
        several => {
            let printable = |value: &Value| match value.is_missing() {
                true => "<no value>".into(),
                false => value.behind_pointers(),
            };
            print::sprint(&several.iter().map(printable).collect::<Vec<_>>())
        }
    }
}

fn title(text: &str) -> String {
    let mut at_start = true;
    let capitalised = |c: char| {
        let starts = at_start;
        let letter = c.is_alphanumeric() || c == '_';
        at_start = if c.is_ascii() { !letter } else { !letter && c.is_whitespace() };
        if starts { c.to_uppercase().collect::<String>() } else { c.to_string() }
    };
    text.chars().map(capitalised).collect()
}

fn pad(args: &[Value]) -> Result {
    let of = text(args, 0);
    let blanks = |index: usize| match usize::try_from(int(args, index)) {
        Ok(count) if count <= LONGEST => Ok(" ".repeat(count)),
        Ok(_) => Err("strings: Repeat output length overflow".to_owned()),
        Err(_) => Err("strings: negative Repeat count".to_owned()),
    };
    if of.is_empty() { Ok("".into()) } else { Ok((blanks(1)? + of + &blanks(2)?).into()) }
}

fn truncate(args: &[Value]) -> Result {
    let (of, length) = (text(args, 0), int(args, 1));
    let length = usize::try_from(length)
        .map_err(|_| format!("runtime error: slice bounds out of range [:{length}]"))?;
    // Docker counts bytes and may cut a character in two; half a character is nobody's wish.
    let cut = (0..=length.min(of.len())).rev().find(|at| of.is_char_boundary(*at));
    Ok(of[..cut.unwrap_or_default()].into())
}

fn len(args: &[Value]) -> Result {
    let item = args[0].behind_pointers();
    let length = match (&item.data, &item.kind.shape) {
        (Data::Missing, _) => {
            return Err("reflect: call of reflect.Value.Type on zero Value".to_owned());
        }
        (Data::Nil, Shape::Pointer(_)) => return Err("len of nil pointer".to_owned()),
        (Data::Nil, _) => 0,
        (Data::Text(text), _) => text.len(),
        (Data::List(items), _) => items.len(),
        (Data::Map(map), _) => map.len(),
        _ => return Err(format!("len of type {}", item.kind)),
    };
    Ok((length as i64).into())
}

fn index(args: &[Value]) -> Result {
    let mut item = args[0].clone();
    if item.is_missing() {
        return Err("index of untyped nil".to_owned());
    }
    for by in &args[1..] {
        if item.is_nil_pointer() {
            return Err("index of nil pointer".to_owned());
        }
        let inside = item.behind_pointers();
        item = match (&inside.data, &inside.kind.shape) {
            (Data::Map(_) | Data::Nil, Shape::Map(of)) => {
                let key = key(by, &of.key)?;
                let found = match &inside.data {
                    Data::Map(map) => map.get(key).cloned(),
                    _ => None,
                };
                found.unwrap_or_else(|| Value::zero(&of.value))
            }
            (Data::List(items), _) => items
                .get(position(by, items.len())?)
                .cloned()
                .ok_or("reflect: slice index out of range")?,
            (Data::Nil, Shape::List(_)) => {
                position(by, 0)?;
                return Err("reflect: slice index out of range".to_owned());
            }
            (Data::Text(text), _) => {
                let at = position(by, text.len())?;
                let byte = text.as_bytes().get(at).ok_or("reflect: string index out of range")?;
                Value::new(Type::named("uint8", Shape::Uint), Data::Int((*byte).into()))
            }
            (Data::Missing, _) => return Err("index of untyped nil".to_owned()),
            _ => return Err(format!("can't index item of type {}", inside.kind)),
        };
    }
    Ok(item)
}

fn key<'a>(by: &'a Value, wanted: &Type) -> Result<&'a str> {
    match (&by.data, &by.kind) {
        (Data::Missing, _) => Err(format!("value is nil; should be of type {wanted}")),
        (Data::Text(key), kind) if kind.name == wanted.name => Ok(key),
        (_, kind) => Err(format!("value has type {kind}; should be {wanted}")),
    }
}

/// An index into something of that capacity.
fn position(by: &Value, capacity: usize) -> Result<usize> {
    match by.data {
        Data::Int(number) => usize::try_from(number)
            .ok()
            .filter(|at| *at <= capacity)
            .ok_or_else(|| format!("index out of range: {number}")),
        Data::Missing => Err("cannot index slice/array with nil".to_owned()),
        _ => Err(format!("cannot index slice/array with type {}", by.kind)),
    }
}

fn slice(args: &[Value]) -> Result {
    let (item, by) = (&args[0], &args[1..]);
    if item.is_missing() {
        return Err("slice of untyped nil".to_owned());
    }
    if by.len() > 3 {
        return Err(format!("too many slice indexes: {}", by.len()));
    }
    let length = match (&item.data, &item.kind.shape) {
        (Data::Text(_), _) if by.len() == 3 => {
            return Err("cannot 3-index slice a string".to_owned());
        }
        (Data::Text(text), _) => text.len(),
        (Data::List(items), _) => items.len(),
        (Data::Nil, Shape::List(_)) => 0,
        _ => return Err(format!("can't slice item of type {}", item.kind)),
    };
    let ends = by.iter().map(|by| position(by, length)).collect::<Result<Vec<_>>>()?;
    if let Some(pair) = ends.windows(2).find(|pair| pair[0] > pair[1]) {
        return Err(format!("invalid slice index: {} > {}", pair[0], pair[1]));
    }
    let range = ends.first().copied().unwrap_or(0)..ends.get(1).copied().unwrap_or(length);
    let data = match &item.data {
        Data::Text(text) => Data::Text(String::from_utf8_lossy(&text.as_bytes()[range]).into()),
        Data::List(items) => Data::List(items[range].into()),
        other => other.clone(),
    };
    Ok(Value::new(item.kind.clone(), data))
}
