//! What commands print.

pub(crate) mod list;
pub(crate) mod object;
pub(crate) mod progress;
pub(crate) mod table;
pub(crate) mod units;

use std::io::Write;

use crate::error::{Failure, Result};

/// Prints to stdout. A reader that went away ends the command quietly, as it ends any filter.
pub(crate) fn print(text: impl AsRef<[u8]>) -> Result<()> {
    match std::io::stdout().lock().write_all(text.as_ref()) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::silent(0)),
        Err(error) => Err(error.into()),
    }
}

/// Prints a line to stdout.
pub(crate) fn say(text: impl std::fmt::Display) -> Result<()> {
    print(format!("{text}\n"))
}

/// Prints a line to stderr, where a failure to do so has nowhere to be reported.
pub(crate) fn warn(text: impl std::fmt::Display) {
    warn_part(format_args!("{text}\n"));
}

/// As [`warn`], without the end of a line.
pub(crate) fn warn_part(text: impl std::fmt::Display) {
    let _ = write!(std::io::stderr().lock(), "{text}");
}
