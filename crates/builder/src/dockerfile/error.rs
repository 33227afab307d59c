//! What is wrong, and where.

/// A Dockerfile that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("dockerfile parse error on line {line}: {message}")]
pub struct SyntaxError {
    /// From 1.
    pub line: usize,
    pub message: String,
}

impl SyntaxError {
    pub(super) fn new(line: usize, message: impl Into<String>) -> Self {
        Self { line, message: message.into() }
    }
}

/// Something that works and should be written otherwise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// From 1.
    pub line: usize,
    /// The name of BuildKit's check.
    pub rule: &'static str,
    pub message: String,
}
