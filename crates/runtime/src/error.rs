//! One error that also travels from a container's init to whoever started it.

use std::fmt;
use std::io;

pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, in the words a user of Docker knows, and what a caller may do with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    pub kind: ErrorKind,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// The program to run does not exist: exit status 127.
    NotFound,
    /// The program to run may not be run: exit status 126.
    Permission,
    /// The configuration asks for something that cannot be.
    Invalid,
    Other,
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub fn other(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Other, message)
    }

    /// The same kind, with what was being done in front.
    pub fn within(self, what: impl fmt::Display) -> Self {
        Self { message: format!("{what}: {}", self.message), ..self }
    }
}

/// These texts name their object themselves.
impl From<crate::cgroup::Error> for Error {
    fn from(error: crate::cgroup::Error) -> Self {
        Self::other(error.to_string())
    }
}

/// Names the object of a failed call.
pub trait Context<T> {
    fn context<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T>;
}

impl<T> Context<T> for io::Result<T> {
    fn context<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(|error| Error::other(format!("{}: {}", what(), describe(&error))))
    }
}

impl<T> Context<T> for rustix::io::Result<T> {
    fn context<D: fmt::Display>(self, what: impl FnOnce() -> D) -> Result<T> {
        self.map_err(io::Error::from).context(what)
    }
}

/// The kernel's words in the form that Go programs print, which users search for.
pub fn describe(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split_once(" (os error").map_or(text.as_str(), |(text, _)| text);
    match text.split_once(' ') {
        // Only sentences of the C library start with a capital that Go's do not have.
        Some((first, _)) if first.len() > 1 && first[1..].chars().all(|c| c.is_lowercase()) => {
            text[..1].to_lowercase() + &text[1..]
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_read_as_go_prints_them() {
        let missing = io::Error::from_raw_os_error(libc::ENOENT);
        assert_eq!(describe(&missing), "no such file or directory");
        let denied = io::Error::from_raw_os_error(libc::EACCES);
        assert_eq!(describe(&denied), "permission denied");
        let format = io::Error::from_raw_os_error(libc::ENOEXEC);
        assert_eq!(describe(&format), "exec format error");
    }
}
