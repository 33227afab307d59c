//! The one error the engine's services speak: what kind of failure, the text a user reads, and its cause.

use std::error::Error as StdError;
use std::fmt;

/// What went wrong, in the terms a client can act on. `http/error.rs` maps kinds to status codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The request can never succeed as it is.
    Invalid,
    NotFound,
    /// The object is in a state that does not allow it.
    Conflict,
    /// It is already so; nothing was done.
    NotModified,
    TooLarge,
    /// The client did not send what it promised in time.
    Timeout,
    /// A registry does not know who asks.
    Unauthorized,
    /// It may never be done to this object.
    Forbidden,
    NotImplemented,
    /// Possible in a state that the engine is not in.
    Unavailable,
    System,
}

/// Docker's words for what only swarms have.
pub const NOT_A_MANAGER: &str = "This node is not a swarm manager. Use \"docker swarm init\" or \"docker swarm join\" to connect this node to swarm and try again.";

/// Displays as `what`, followed by its cause if there is one: the text is complete for a user, as Docker's is.
#[derive(Debug)]
pub struct Error {
    pub kind: Kind,
    pub what: String,
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub fn new(kind: Kind, what: impl Into<String>) -> Self {
        Self { kind, what: what.into(), source: None }
    }

    pub fn invalid(what: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, what)
    }

    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, what)
    }

    pub fn conflict(what: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, what)
    }

    pub fn not_implemented(what: impl Into<String>) -> Self {
        Self::new(Kind::NotImplemented, what)
    }

    pub fn system(what: impl Into<String>) -> Self {
        Self::new(Kind::System, what)
    }

    /// Adds the cause; its text follows after a colon.
    pub fn because(mut self, cause: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(cause.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        let mut cause = self.source.as_deref().map(|cause| cause as &dyn StdError);
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

impl StdError for Error {}

impl From<api::filters::InvalidFilter> for Error {
    fn from(error: api::filters::InvalidFilter) -> Self {
        Self::invalid(error.0)
    }
}

/// Runs file system, database or netlink work on a blocking thread. It begins at once, and goes on to its end even when
/// the caller is dropped.
pub fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> impl Future<Output = Result<T>> {
    let begun = tokio::task::spawn_blocking(work);
    async {
        match begun.await {
            Ok(result) => result,
            Err(failed) => Err(Error::system("the operation was aborted").because(failed)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_what_failed_and_every_cause() {
        let cause = std::io::Error::other("disk full");
        let error = Error::system("cannot write layer").because(cause);
        assert_eq!(error.to_string(), "cannot write layer: disk full");
    }
}
