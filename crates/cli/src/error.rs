//! How a command fails: a text for people and an exit code for scripts.

use std::fmt;

/// A failed command. An empty message prints nothing: everything was said already.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) message: String,
}

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { code: 1, message: message.into() }
    }

    pub(crate) fn with_code(code: u8, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    pub(crate) fn silent(code: u8) -> Self {
        Self::with_code(code, "")
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<client::Error> for Failure {
    fn from(error: client::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(error.to_string())
    }
}

impl From<String> for Failure {
    fn from(message: String) -> Self {
        Self::new(message)
    }
}

pub(crate) type Result<T, E = Failure> = std::result::Result<T, E>;

/// Does the same to each name and goes on after failures, which are printed at the end, one a line.
pub(crate) async fn for_each<'a, F>(
    names: &'a [String],
    mut act: impl FnMut(&'a str) -> F,
) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    let mut failures = Vec::new();
    for name in names {
        if let Err(failure) = act(name).await {
            failures.push(failure.message);
        }
    }
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(failures.join("\n"))) }
}

/// As C and Go word it, without Rust's number.
pub(crate) fn os_error(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}
