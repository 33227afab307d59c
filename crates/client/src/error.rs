//! What can go wrong between a client and an engine.

use std::io;

/// Every failure of a call. `Display` is what a person reads, in Docker's words.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing listens there.
    #[error("Cannot connect to the Docker daemon at {host}. Is the docker daemon running?")]
    Connect { host: String, source: io::Error },
    #[error(
        "permission denied while trying to connect to the Docker daemon socket at {host}: dial unix {path}: connect: permission denied"
    )]
    Permission { host: String, path: String, source: io::Error },
    #[error("TLS to {host}: {message}")]
    Tls { host: String, message: String },
    /// The engine answered with an error.
    #[error("Error response from daemon: {message}")]
    Status { status: u16, message: String },
    /// Nothing is called by no name, and nobody needs to be asked.
    #[error("Error: No such {kind}: ")]
    Nameless { kind: &'static str },
    /// A stream of JSON lines carried an error.
    #[error("{0}")]
    Stream(String),
    /// ssh itself has said why.
    #[error(
        "error during connect: ssh to {host} ended before the engine answered; docker or gantry must be installed there"
    )]
    Ssh { host: String },
    #[error("error during connect: {0}")]
    Http(#[from] hyper::Error),
    #[error("invalid request: {0}")]
    Request(#[from] hyper::http::Error),
    #[error("the engine's answer is not understood: {0}")]
    Json(#[from] serde_json::Error),
    #[error("the engine did not give its connection over to {0}")]
    NotUpgraded(&'static str),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Error {
    /// The HTTP status, where the engine gave one.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404) || matches!(self, Self::Nameless { .. })
    }

    /// What an engine says to a path that leads nowhere.
    pub(crate) fn no_such_page() -> Self {
        Self::Status { status: 404, message: "page not found".to_owned() }
    }

    /// Refuses an empty name where Docker's client does, in its words.
    pub(crate) fn check_named(kind: &'static str, name: &str) -> Result<()> {
        if name.is_empty() { Err(Self::Nameless { kind }) } else { Ok(()) }
    }

    /// Nobody listens: the place where a CLI may start an engine.
    #[must_use]
    pub fn is_nobody_listening(&self) -> bool {
        matches!(self, Self::Connect { .. })
    }
}

pub type Result<T> = std::result::Result<T, Error>;
