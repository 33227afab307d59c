//! Where errors go: stderr, and the log that the caller reads.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;

use crate::error::{Context, Result};
use crate::time::Timestamp;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    Json,
}

pub(super) struct Log {
    file: Option<File>,
    format: Format,
}

impl Log {
    pub(super) fn open(path: Option<&Path>, format: Format) -> Result<Log> {
        let open = |path: &Path| {
            let file = OpenOptions::new().append(true).create(true).open(path);
            file.context(|| format!("open log {}", path.display()))
        };
        Ok(Log { file: path.map(open).transpose()?, format })
    }

    pub(super) fn error(&self, message: &str) {
        let time = Timestamp::now().rfc3339();
        let line = match self.format {
            Format::Json => {
                serde_json::json!({"level": "error", "msg": message, "time": time}).to_string()
            }
            Format::Text => format!("time={time:?} level=error msg={message:?}"),
        };
        match self.file.as_ref() {
            // A log that cannot be written must not hide the error itself.
            Some(mut file) => {
                let _ = file.write_all(format!("{line}\n").as_bytes());
                eprintln!("{message}");
            }
            None if self.format == Format::Json => eprintln!("{line}"),
            None => eprintln!("{message}"),
        }
    }
}
