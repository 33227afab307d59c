//! The store's errors: what kind of thing went wrong (the edge maps kinds to statuses) and a text for the user.

use std::fmt;
use std::io;

pub type Result<T> = std::result::Result<T, Error>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    NotFound,
    Conflict,
    /// The input is malformed or refused.
    Invalid,
    /// The host or the store failed.
    System,
}

#[derive(Debug)]
pub struct Error {
    kind: Kind,
    what: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub fn kind(&self) -> Kind {
        self.kind
    }

    pub fn not_found(what: impl Into<String>) -> Error {
        Error { kind: Kind::NotFound, what: what.into(), source: None }
    }

    pub fn conflict(what: impl Into<String>) -> Error {
        Error { kind: Kind::Conflict, what: what.into(), source: None }
    }

    pub fn invalid(what: impl Into<String>) -> Error {
        Error { kind: Kind::Invalid, what: what.into(), source: None }
    }

    pub fn system(what: impl Into<String>) -> Error {
        Error { kind: Kind::System, what: what.into(), source: None }
    }

    pub(crate) fn io(what: impl Into<String>, source: impl Into<io::Error>) -> Error {
        Error { kind: Kind::System, what: what.into(), source: Some(Box::new(source.into())) }
    }

    pub(crate) fn is_broken_pipe(&self) -> bool {
        let source = self.source.as_ref().and_then(|source| source.downcast_ref::<io::Error>());
        source.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.source {
            Some(source) => write!(f, ": {source}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<rusqlite::Error> for Error {
    fn from(source: rusqlite::Error) -> Error {
        Error {
            kind: Kind::System,
            what: "metadata database".into(),
            source: Some(Box::new(source)),
        }
    }
}

impl From<oci::reference::ParseError> for Error {
    fn from(source: oci::reference::ParseError) -> Error {
        Error::invalid(source.to_string())
    }
}

/// A failure while reading a tar: the input's fault unless the host says otherwise.
impl From<io::Error> for Error {
    fn from(source: io::Error) -> Error {
        let kind = match source.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Kind::Invalid,
            _ => Kind::System,
        };
        Error { kind, what: source.to_string(), source: None }
    }
}
