//! The log's files: the current one, and older ones named `.1` (the newest), `.2` and so on.
//!
//! A reader that follows keeps the current file open through its renaming: it reads that to its end
//! and goes on with the new one. The engine compresses `.N` to `.N.gz`; both kinds are renamed here.
//! Whoever renames holds [`try_lock`]; the monitor does not wait for it, but lets a file grow over
//! its size until the next entry.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::FlockOperation;

/// Locks the names of the files beside `log` until the descriptor is closed; None where somebody
/// else holds them. Held for renames only.
pub fn try_lock(log: &Path) -> io::Result<Option<OwnedFd>> {
    let directory = File::open(log.parent().unwrap_or(Path::new(".")))?;
    match rustix::fs::flock(&directory, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(directory.into())),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The name of the `number`th older file.
pub fn rotated(log: &Path, number: u32) -> PathBuf {
    with_suffix(log, &format!(".{number}"))
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

pub(super) struct LogFile {
    path: PathBuf,
    file: File,
    size: u64,
    max_size: Option<u64>,
    max_file: u32,
}

impl LogFile {
    pub(super) fn open(path: &Path, max_size: Option<u64>, max_file: u32) -> io::Result<LogFile> {
        let file = open(path)?;
        let size = file.metadata()?.len();
        Ok(LogFile { path: path.to_owned(), file, size, max_size, max_file })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// How many bytes may be in this file before the next entry belongs into a new one.
    pub(super) fn room(&self) -> usize {
        let room = self.max_size.map(|max| max.max(1).saturating_sub(self.size));
        room.map_or(usize::MAX, |room| usize::try_from(room).unwrap_or(usize::MAX))
    }

    /// Appends entries. When the disk takes only some of the bytes, what is not a `whole` entry is
    /// taken back.
    pub(super) fn append(
        &mut self,
        entries: &[u8],
        whole: impl Fn(&[u8]) -> usize,
    ) -> io::Result<()> {
        let mut written = 0;
        while written < entries.len() {
            match self.file.write(&entries[written..]) {
                Ok(0) => {
                    return self.take_back(
                        entries,
                        written,
                        &whole,
                        io::ErrorKind::WriteZero.into(),
                    );
                }
                Ok(count) => written += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return self.take_back(entries, written, &whole, error),
            }
        }
        self.size += written as u64;
        Ok(())
    }

    fn take_back(
        &mut self,
        entries: &[u8],
        written: usize,
        whole: &impl Fn(&[u8]) -> usize,
        error: io::Error,
    ) -> io::Result<()> {
        let kept = whole(&entries[..written]);
        self.size += kept as u64;
        if kept < written {
            self.file.set_len(self.size)?;
        }
        Err(error)
    }

    /// Starts a new file. With a single one allowed, that is emptied.
    pub(super) fn rotate(&mut self) -> io::Result<()> {
        if self.max_file < 2 {
            self.file.set_len(0)?;
            self.size = 0;
            return Ok(());
        }
        let Some(_lock) = try_lock(&self.path)? else { return Ok(()) };
        for number in (1..self.max_file - 1).rev() {
            let (from, to) = (rotated(&self.path, number), rotated(&self.path, number + 1));
            shift(&from, &to)?;
        }
        remove_if_there(&with_suffix(&rotated(&self.path, 1), ".gz"))?;
        rename_if_there(&self.path, &rotated(&self.path, 1))?;
        self.file = open(&self.path)?;
        self.size = self.file.metadata()?.len();
        Ok(())
    }
}

/// Appending, and only for root and its group to read, as Docker makes them.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o640).open(path)
}

/// Renames a file in whichever form it is, and leaves no other form at the new name.
fn shift(from: &Path, to: &Path) -> io::Result<()> {
    let (from_gz, to_gz) = (with_suffix(from, ".gz"), with_suffix(to, ".gz"));
    remove_if_there(to)?;
    remove_if_there(&to_gz)?;
    rename_if_there(from, to)?;
    rename_if_there(&from_gz, &to_gz)
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    unless_absent(std::fs::rename(from, to))
}

fn remove_if_there(path: &Path) -> io::Result<()> {
    unless_absent(std::fs::remove_file(path))
}

fn unless_absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
