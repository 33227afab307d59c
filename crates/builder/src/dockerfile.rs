//! The Dockerfile language, at the level of BuildKit's 1.20 syntax: text in, stages of instructions out.
//!
//! Text -> logical lines (continuations joined, comments dropped, here-documents attached) -> instructions -> stages. Nothing
//! is expanded here: variables have a scope that is known when a stage is planned (see [`expand`](crate::expand)).

mod directives;
mod error;
mod flags;
mod heredoc;
mod instruction;
mod lines;
mod mount;
mod stages;
mod words;

pub use directives::Directives;
pub use error::{SyntaxError, Warning};
pub use heredoc::Heredoc;
pub use instruction::{Command, Copy, Healthcheck, Instruction, Run, Source};
pub use mount::{Mount, MountKind, Sharing};
pub use stages::{Arguments, Dockerfile, Located, Stage};

/// Reads a Dockerfile.
///
/// # Errors
/// The first thing that is wrong, with its line, in BuildKit's words.
pub fn parse(text: &str) -> Result<Dockerfile, SyntaxError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let directives = Directives::parse(text)?;
    let mut warnings = Vec::new();
    let lines = lines::read(text, directives.escape, &mut warnings)?;
    stages::assemble(directives, &lines, warnings)
}

#[cfg(test)]
mod tests;
