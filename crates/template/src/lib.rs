//! Go's text/template with Docker's functions and types: the client's `--format`, the engine's log tags.
//!
//! A text becomes tokens (`lexer`), tokens become a tree (`parser`, `node`), and the tree is run (`execute`) over values
//! that know their Go types (`value`, `go_types`), because messages name these and fields go by their names. What goes
//! wrong is told in the words of Go 1.24, with its places. Nesting and output are bounded.

mod compare;
mod execute;
mod functions;
mod go_types;
mod json;
mod lexer;
mod methods;
mod node;
mod parser;
mod print;
mod quote;
mod value;
mod verbs;

pub use execute::{Failed, MissingKey};
pub use functions::Of;
pub use json::Json;
pub use value::{Method, Type, Value};

/// A parsed `--format`.
pub struct Format {
    /// As messages call it; most have none.
    name: &'static str,
    source: String,
    templates: parser::Templates,
    functions: Of,
}

impl Format {
    /// Errors are Go's: `template: :1: ...`.
    pub fn parse(text: &str, functions: Of) -> Result<Self, String> {
        Self::named("", text, functions)
    }

    /// Of a template that messages call by a name.
    pub fn named(name: &'static str, text: &str, functions: Of) -> Result<Self, String> {
        let known = |name: &str| functions::find(name, functions).is_some();
        let templates = parser::parse(name, text, known)?;
        Ok(Self { name, source: text.to_owned(), templates, functions })
    }

    /// What it makes of the value. Errors are Go's: `template: :1:2: executing "" at <.X>: ...`.
    pub fn execute(&self, value: &Value, missing_key: MissingKey) -> Result<String, Failed> {
        execute::execute(self, missing_key, value)
    }

    /// Of a document that Docker decodes into that type; by the names of its JSON where the type has no such field.
    pub fn inspect(&self, document: &Json, go_type: &str) -> Result<String, Failed> {
        let typed = Value::typed(document, &Type::go(go_type));
        self.execute(&typed, MissingKey::NoValue)
            .or_else(|_| self.execute(&Value::untyped(document), MissingKey::Error))
    }
}

#[cfg(test)]
mod tests;
