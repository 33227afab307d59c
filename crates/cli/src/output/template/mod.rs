//! `--format`: Go's text/template with Docker's functions.
//!
//! A text becomes tokens (`lexer`), tokens become a tree (`parser`, `node`), and the tree is run (`execute`) over values
//! that know their Go types (`value`, `go_types`), because messages name these and fields go by their names. What goes
//! wrong is told in the words of Go 1.24, with its places. Nesting and output are bounded.

mod compare;
mod execute;
mod functions;
mod go_types;
mod lexer;
mod methods;
mod node;
mod parser;
mod print;
mod quote;
mod value;
mod verbs;

pub(crate) use execute::{Failed, MissingKey};
pub(crate) use functions::Of;
pub(crate) use value::{Method, Type, Value};

use super::json::Json;
use crate::error::Failure;

/// Docker's exit code for a template that cannot be parsed, where it prints one object.
const BAD_TEMPLATE: u8 = 64;

/// A parsed `--format`.
pub(crate) struct Format {
    /// As messages call it; most have none.
    name: &'static str,
    source: String,
    templates: parser::Templates,
    functions: Of,
}

impl Format {
    /// Errors are Go's: `template: :1: ...`.
    pub(crate) fn parse(text: &str, functions: Of) -> Result<Self, String> {
        Self::named("", text, functions)
    }

    fn named(name: &'static str, text: &str, functions: Of) -> Result<Self, String> {
        let known = |name: &str| functions::find(name, functions).is_some();
        let templates = parser::parse(name, text, known)?;
        Ok(Self { name, source: text.to_owned(), templates, functions })
    }

    /// `--format` of commands that print one object: nothing given, `json`, or a template.
    pub(crate) fn of_object(text: &str) -> crate::error::Result<Option<Self>> {
        Self::of_named_object("", text)
    }

    /// As [`of_object`](Self::of_object), for a template that messages call by a name.
    pub(crate) fn of_named_object(
        name: &'static str,
        text: &str,
    ) -> crate::error::Result<Option<Self>> {
        let template = match text {
            "" => return Ok(None),
            "json" => "{{json .}}",
            template => template,
        };
        Self::named(name, template, Of::Objects).map(Some).map_err(|error| {
            Failure::with_code(BAD_TEMPLATE, format!("template parsing error: {error}"))
        })
    }

    /// What it makes of the value. Errors are Go's: `template: :1:2: executing "" at <.X>: ...`.
    pub(crate) fn execute(&self, value: &Value, missing_key: MissingKey) -> Result<String, Failed> {
        execute::execute(self, missing_key, value)
    }

    /// Of a document that Docker decodes into that type; by the names of its JSON where the type has no such field.
    pub(crate) fn inspect(&self, document: &Json, go_type: &str) -> Result<String, Failed> {
        let typed = Value::typed(document, &Type::go(go_type));
        self.execute(&typed, MissingKey::NoValue)
            .or_else(|_| self.execute(&Value::untyped(document), MissingKey::Error))
    }
}

#[cfg(test)]
mod tests;
