//! `$NAME` and `${NAME...}` in a text: `:-` and `-` give a default, `:+` and `+` an alternative, `:?` and `?` an error; the
//! colon counts an empty value as none. What stands behind an operator is a template itself. `$$` is one dollar; a dollar
//! before anything else is itself.

use super::Variables;

/// Nested braces in a default. Each level is a call.
const MOST_DEPTH: usize = 50;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// A brace without end or without a name in it.
    Invalid,
    /// A variable that must be there.
    Missing(String),
}

/// A variable as a file mentions it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Variable {
    pub name: String,
    pub default: String,
    pub alternative: String,
    pub required: bool,
}

pub(crate) fn substitute(text: &str, variables: &dyn Variables) -> Result<String, Refusal> {
    expand(text, variables, 0)
}

/// The variables that a text mentions outside of others' defaults.
pub(crate) fn mentioned(text: &str) -> Vec<Variable> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        rest = &rest[at + 1..];
        match next(rest) {
            Ok((Part::Named(name), after)) => {
                found.push(Variable { name: name.to_owned(), ..Variable::default() });
                rest = after;
            }
            Ok((Part::Braced(expression), after)) => {
                found.push(expression.variable());
                rest = after;
            }
            Ok((Part::Dollar, after)) => rest = after,
            Ok((Part::Itself, _)) | Err(_) => {}
        }
    }
    found
}

fn expand(text: &str, variables: &dyn Variables, depth: usize) -> Result<String, Refusal> {
    if depth > MOST_DEPTH {
        return Err(Refusal::Invalid);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let (part, after) = next(&rest[at + 1..])?;
        match part {
            Part::Dollar | Part::Itself => out.push('$'),
            Part::Named(name) => out.push_str(&value_or_blank(name, variables)),
            Part::Braced(expression) => out.push_str(&expression.value(variables, depth)?),
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

fn value_or_blank(name: &str, variables: &dyn Variables) -> String {
    variables.get(name).unwrap_or_else(|| {
        variables.missing(name);
        String::new()
    })
}

/// What follows a dollar.
enum Part<'a> {
    Dollar,
    Itself,
    Named(&'a str),
    Braced(Expression<'a>),
}

fn next(text: &str) -> Result<(Part<'_>, &str), Refusal> {
    if let Some(after) = text.strip_prefix('$') {
        return Ok((Part::Dollar, after));
    }
    if let Some(inside) = text.strip_prefix('{') {
        let end = closing_brace(inside).ok_or(Refusal::Invalid)?;
        let expression = Expression::parse(&inside[..end]).ok_or(Refusal::Invalid)?;
        return Ok((Part::Braced(expression), &inside[end + 1..]));
    }
    match name_length(text) {
        0 => Ok((Part::Itself, text)),
        length => Ok((Part::Named(&text[..length]), &text[length..])),
    }
}

/// `[_a-zA-Z][_a-zA-Z0-9]*`
fn name_length(text: &str) -> usize {
    let starts = text.starts_with(|c: char| c == '_' || c.is_ascii_alphabetic());
    let other = |c: char| c != '_' && !c.is_ascii_alphanumeric();
    if starts { text.find(other).unwrap_or(text.len()) } else { 0 }
}

/// The brace that ends the expression, past those of expressions within it.
fn closing_brace(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut open, mut at) = (0_usize, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'$' if bytes.get(at + 1) == Some(&b'{') => {
                open += 1;
                at += 1;
            }
            b'}' if open == 0 => return Some(at),
            b'}' => open -= 1,
            _ => {}
        }
        at += 1;
    }
    None
}

#[derive(Clone, Copy)]
enum Operator {
    Default,
    Alternative,
    Required,
}

struct Expression<'a> {
    name: &'a str,
    /// The operator, whether an empty value counts as none, and what stands behind it.
    rest: Option<(Operator, bool, &'a str)>,
}

impl<'a> Expression<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let length = name_length(text);
        if length == 0 {
            return None;
        }
        let (name, rest) = text.split_at(length);
        if rest.is_empty() {
            return Some(Self { name, rest: None });
        }
        let (empty_is_none, rest) =
            rest.strip_prefix(':').map_or((false, rest), |after| (true, after));
        let mut chars = rest.chars();
        let operator = match chars.next()? {
            '-' => Operator::Default,
            '+' => Operator::Alternative,
            '?' => Operator::Required,
            _ => return None,
        };
        Some(Self { name, rest: Some((operator, empty_is_none, chars.as_str())) })
    }

    fn value(&self, variables: &dyn Variables, depth: usize) -> Result<String, Refusal> {
        let Some((operator, empty_is_none, argument)) = self.rest else {
            return Ok(value_or_blank(self.name, variables));
        };
        let value = variables.get(self.name).filter(|value| !(empty_is_none && value.is_empty()));
        let argument = || expand(argument, variables, depth + 1);
        match (operator, value) {
            (Operator::Default | Operator::Required, Some(value)) => Ok(value),
            (Operator::Default, None) | (Operator::Alternative, Some(_)) => argument(),
            (Operator::Alternative, None) => Ok(String::new()),
            (Operator::Required, None) => Err(Refusal::Missing(format!(
                "required variable {} is missing a value: {}",
                self.name,
                argument()?
            ))),
        }
    }

    fn variable(&self) -> Variable {
        let mut variable = Variable { name: self.name.to_owned(), ..Variable::default() };
        match self.rest {
            Some((Operator::Default, _, text)) => text.clone_into(&mut variable.default),
            Some((Operator::Alternative, _, text)) => text.clone_into(&mut variable.alternative),
            Some((Operator::Required, ..)) => variable.required = true,
            None => {}
        }
        variable
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn with(pairs: &[(&str, &str)], text: &str) -> Result<String, Refusal> {
        let variables: BTreeMap<String, String> =
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        substitute(text, &variables)
    }

    #[test]
    fn every_operator_asks_whether_a_variable_is_there_or_with_a_colon_whether_it_says_something() {
        let set = [("A", "a"), ("E", "")];
        for (text, expected) in [
            ("$A-${A}", "a-a"),
            ("${N:-d}${N-d}${E:-d}${E-d}${A:-d}", "ddda"),
            ("${N:+x}${N+x}${E:+x}${E+x}${A:+x}", "xx"),
            ("${A?no}${E?no}${A:?no}", "aa"),
            ("${N:-${M:-${A}}}", "a"),
            ("${N:-a}b${N:-c}", "abc"),
            ("$$A $1 $ a$", "$A $1 $ a$"),
            ("${N:-$$x}", "$x"),
        ] {
            assert_eq!(with(&set, text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn a_variable_that_must_be_there_says_why() {
        let missing = |text: &str| Err(Refusal::Missing(text.to_owned()));
        assert_eq!(
            with(&[], "${A?set it}"),
            missing("required variable A is missing a value: set it")
        );
        assert_eq!(
            with(&[("A", ""), ("B", "b")], "${A:?like $B}"),
            missing("required variable A is missing a value: like b")
        );
    }

    #[test]
    fn braces_need_a_name_and_an_end() {
        for text in ["${", "${A", "${}", "${1}", "${A b}", "${A:x}", "${A:-${B}"] {
            assert_eq!(with(&[], text), Err(Refusal::Invalid), "{text}");
        }
        let deep = "${A:-".repeat(5000) + &"}".repeat(5000);
        assert_eq!(with(&[], &deep), Err(Refusal::Invalid));
    }

    #[test]
    fn variables_are_listed_with_what_is_said_of_them() {
        let found = mentioned("$A ${B:-x} ${C?y} ${D+z} $$E");
        let names: Vec<&str> = found.iter().map(|variable| variable.name.as_str()).collect();
        assert_eq!(names, ["A", "B", "C", "D"]);
        assert_eq!((found[1].default.as_str(), found[2].required), ("x", true));
        assert_eq!(found[3].alternative, "z");
    }
}
