//! How far a log has arrived at its server, beside the log.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::logs::walk::Position;

pub(super) struct Cursor {
    path: PathBuf,
    /// `None` at the beginning of the log.
    arrived: Option<Position>,
}

impl Cursor {
    /// A file that does not read counts as none: lines that come twice are better than lines that do not come.
    pub(super) fn open(path: PathBuf) -> Self {
        let arrived = fs::read(&path).ok().and_then(|text| serde_json::from_slice(&text).ok());
        Self { path, arrived }
    }

    pub(super) fn arrived(&self) -> Option<Position> {
        self.arrived
    }

    /// In place at once, so that a killed engine's successor finds the one or the other.
    pub(super) fn advance(&mut self, position: Position) -> io::Result<()> {
        if self.arrived == Some(position) {
            return Ok(());
        }
        self.arrived = Some(position);
        let text = serde_json::to_vec(&position)?;
        let beside = with_suffix(&self.path, ".new");
        fs::write(&beside, text)?;
        fs::rename(beside, &self.path)
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
