//! The types of Docker's Go client, as far as templates can tell: which fields there are, under which names, and what
//! is zero where the JSON says nothing.

use std::rc::Rc;

use super::value::{Field, Shape, Type};

const TYPES: &str = include_str!("go_types.txt");

impl Type {
    /// A type by the name that `go_types.txt` gives it, or of those.
    pub fn go(name: &str) -> Self {
        let shape = match name {
            "bool" => Shape::Bool,
            "int" => Shape::Int,
            "uint" => Shape::Uint,
            "float64" => Shape::Float,
            "string" => Shape::Text,
            "interface{}" => Shape::Any,
            "struct{}" => return Self::named("struct {}", Shape::Struct([].into())),
            "int64" => return Self::named(name, Shape::Int),
            "uint16" | "uint32" | "uint64" => return Self::named(name, Shape::Uint),
            _ => return Self::composite(name),
        };
        Self::of(shape)
    }

    fn composite(name: &str) -> Self {
        let of = |rest| Rc::new(Self::go(rest));
        if let Some(to) = name.strip_prefix('*') {
            return Self::of(Shape::Pointer(of(to)));
        }
        if let Some(item) = name.strip_prefix("[]") {
            return Self::of(Shape::List(of(item)));
        }
        match name.strip_prefix("map[").and_then(|of| of.split_once(']')) {
            Some((key, value)) => Self::map(Self::go(key), Self::go(value)),
            None => Self::named(name, defined(name)),
        }
    }
}

/// Panics at names that the file does not have, which a test rules out.
fn defined(name: &str) -> Shape {
    let mut lines = TYPES.lines().skip_while(|line| line.split(':').next() != Some(name));
    let first = lines.next().unwrap_or_else(|| panic!("no type of Go is called {name}"));
    match first.split_once(": ") {
        Some((_, of)) => Type::go(of).shape,
        None => Shape::Struct(lines.map_while(|line| line.strip_prefix("  ")).map(field).collect()),
    }
}

fn field(line: &str) -> Field {
    let (names, kind) = line.split_once(' ').expect("a field has a type");
    let (names, omit_empty) = names.strip_suffix('?').map_or((names, false), |names| (names, true));
    let (name, key) = names.split_once('=').unwrap_or((names, names));
    Field { name: name.into(), key: key.into(), omit_empty, kind: Type::go(kind) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_there() {
        let names =
            TYPES.lines().filter(|line| line.contains('.') && !line.starts_with([' ', '#']));
        for name in names.map(|line| line.split(':').next().unwrap_or_default()) {
            assert_eq!(Type::go(name).to_string(), name);
        }
    }
}
