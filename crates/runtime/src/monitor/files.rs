//! What a monitor writes into its directory.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sys::process::Exit;

use super::protocol::ExitRecord;
use crate::time::Timestamp;

/// `monitor.log` does not grow beyond this.
const ERRORS_MAX: u64 = 256 * 1024;

/// Writes a file so that it is there whole or not at all, whenever we are killed. A power failure is
/// no matter here: the directory does not outlive it.
pub(super) fn write_atomically(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let mut temporary = PathBuf::from(path).into_os_string();
    temporary.push(".tmp");
    let mut file =
        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(&serde_json::to_vec(content)?)?;
    std::fs::rename(&temporary, path)
}

/// Reads a file of the engine's.
pub(super) fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> io::Result<T> {
    let with_path = |error: &dyn std::fmt::Display| {
        io::Error::other(format!("reading {}: {error}", path.display()))
    };
    let bytes = std::fs::read(path).map_err(|error| with_path(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| with_path(&error))
}

/// The record of a process that ended just now.
pub(super) fn record(exit: Exit, oom_killed: bool, log_end: u64) -> ExitRecord {
    let signal = match exit {
        Exit::Signal(signal) => Some(signal),
        Exit::Code(_) => None,
    };
    ExitRecord {
        status: exit.status() as u8,
        signal,
        oom_killed,
        finished_at: Timestamp::now().rfc3339(),
        log_end,
        error: None,
    }
}

/// `monitor.log`: what went wrong in the monitor itself.
pub(super) struct Errors {
    path: PathBuf,
}

impl Errors {
    pub(super) fn new(directory: &Path) -> Errors {
        Errors { path: directory.join("monitor.log") }
    }

    pub(super) fn open(&self) -> io::Result<File> {
        OpenOptions::new().create(true).append(true).mode(0o600).open(&self.path)
    }

    /// Notes a message. A log that is full begins anew; one that cannot be written is no reason to
    /// let the container down.
    pub(super) fn note(&self, message: &str) {
        let line = format!("{} {message}\n", Timestamp::now().rfc3339());
        let _ = self.open().and_then(|mut file| {
            if file.metadata()?.len() + line.len() as u64 > ERRORS_MAX {
                file.set_len(0)?;
            }
            file.write_all(line.as_bytes())
        });
    }
}
