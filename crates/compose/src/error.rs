//! What is wrong with a Compose file, in Docker Compose's words, with the place where it is written.

use std::fmt;
use std::io;

use crate::yaml::Place;

pub type Result<T = (), E = Error> = std::result::Result<T, E>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{place}: yaml: {why}")]
    Yaml { place: Place, why: String },

    /// A key or a value that the specification does not have.
    #[error("validating {place}: {path} {why}")]
    Schema { place: Place, path: String, why: String },

    #[error(
        "{place}: invalid interpolation format for {path}.\nYou may need to escape any $ with another $.\n{template}"
    )]
    Template { place: Place, path: String, template: String },

    #[error("{place}: error while interpolating {path}: {why}")]
    Interpolation { place: Place, path: String, why: String },

    /// A value that its attribute cannot mean.
    #[error("{place}: {path}: {why}")]
    Value { place: Place, path: String, why: String },

    /// Attributes that do not go together, or names that nothing has.
    #[error("{0}: invalid compose project")]
    Inconsistent(String),

    /// A file says what it must not, in words of their own.
    #[error("{0}")]
    Invalid(String),

    /// What was asked for on the command line or by variables cannot be.
    #[error("{0}")]
    Usage(String),

    /// A file that is not there.
    #[error("{0}")]
    Missing(String),

    #[error("open {path}: {why}")]
    Read { path: String, why: Lowered },
}

impl Error {
    pub(crate) fn read(path: impl Into<String>, why: io::Error) -> Self {
        Self::Read { path: path.into(), why: Lowered(why) }
    }

    pub(crate) fn value(place: &Place, path: &str, why: impl Into<String>) -> Self {
        Self::Value { place: place.clone(), path: path.to_owned(), why: why.into() }
    }
}

/// An error of the system in the words of other tools: lower case, without its number.
#[derive(Debug)]
pub struct Lowered(io::Error);

impl fmt::Display for Lowered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.0.to_string();
        f.write_str(&text.split(" (os error").next().unwrap_or_default().to_lowercase())
    }
}
