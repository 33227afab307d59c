//! The file that hands the last events to the next engine: one JSON document a line, rewritten when it holds twice
//! what is kept. It lies on a tmpfs, so appending is a copy to memory and nothing is synced.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Event;

pub struct Journal {
    path: PathBuf,
    file: File,
    lines: usize,
    keep: usize,
}

impl Journal {
    /// Also returns the last `keep` events of the engine before this one.
    pub fn open(path: &Path, keep: usize) -> io::Result<(Self, VecDeque<Event>)> {
        let mut kept = VecDeque::new();
        for line in read(path)?.split(|byte| *byte == b'\n') {
            // What does not parse was cut by a crash.
            if let Ok(event) = serde_json::from_slice(line) {
                kept.push_back(event);
            }
        }
        kept.drain(..kept.len().saturating_sub(keep));
        let file = write(path, kept.iter())?;
        Ok((Self { path: path.to_owned(), file, lines: kept.len(), keep }, kept))
    }

    /// Writes the newest event of `ring`, or the whole ring where the file has grown too long.
    pub fn append(&mut self, ring: &VecDeque<Arc<Event>>) -> io::Result<()> {
        if self.lines >= 2 * self.keep {
            self.file = write(&self.path, ring.iter().map(Arc::as_ref))?;
            self.lines = ring.len();
            return Ok(());
        }
        if let Some(event) = ring.back() {
            self.file.write_all(&line(event)?)?;
            self.lines += 1;
        }
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    match std::fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        result => result,
    }
}

/// Replaces the file at once, so that a crash leaves the old one or the new one.
fn write<'a>(path: &Path, events: impl Iterator<Item = &'a Event>) -> io::Result<File> {
    let new = path.with_extension("new");
    let mut options = File::options();
    options.create(true).truncate(true).write(true).mode(0o600);
    let mut text = Vec::new();
    for event in events {
        text.extend_from_slice(&line(event)?);
    }
    let mut file = options.open(&new)?;
    file.write_all(&text)?;
    std::fs::rename(&new, path)?;
    Ok(file)
}

fn line(event: &Event) -> io::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(event)?;
    line.push(b'\n');
    Ok(line)
}
