//! The small files of cgroupfs: one value per write, ASCII, never created by writing.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::{Error, Result};

const PAGE: usize = 4096;

pub(super) fn write(path: &Path, value: impl ToString) -> Result<()> {
    let value = value.to_string();
    match try_write(path, &value) {
        Ok(()) => Ok(()),
        Err(source) => Err(Error::Write { path: path.to_owned(), value, source }),
    }
}

/// Several values one after the other.
pub(super) fn write_each(path: &Path, values: impl IntoIterator<Item = String>) -> Result<()> {
    let mut file =
        OpenOptions::new().write(true).open(path).map_err(|e| failed("open", path, e))?;
    for value in values {
        if let Err(source) = file.write_all(value.as_bytes()) {
            return Err(Error::Write { path: path.to_owned(), value, source });
        }
    }
    Ok(())
}

/// For callers that give single error numbers a meaning.
pub(super) fn try_write(path: &Path, value: &str) -> io::Result<()> {
    OpenOptions::new().write(true).open(path)?.write_all(value.as_bytes())
}

pub(super) fn read(path: &Path) -> Result<String> {
    read_text(path).map_err(|source| failed("read", path, source))
}

/// The kernel composes such a file anew for every read, and hands out a page of it at most.
fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::with_capacity(2 * PAGE);
    File::open(path)?.take(u64::MAX).read_to_string(&mut text)?;
    Ok(text)
}

/// None where the file, the cgroup or the controller is absent.
pub(super) fn read_if_present(path: &Path) -> Result<Option<String>> {
    match read_text(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if is_absent(&error) => Ok(None),
        Err(source) => Err(failed("read", path, source)),
    }
}

/// A file of one number; `max` reads as `u64::MAX`, an absent file as None.
pub(super) fn read_number(path: &Path) -> Result<Option<u64>> {
    let Some(text) = read_if_present(path)? else { return Ok(None) };
    parse_number(text.trim()).map(Some).ok_or_else(|| Error::File {
        action: "parse",
        path: path.to_owned(),
        source: io::Error::new(ErrorKind::InvalidData, format!("{:?} is no number", text.trim())),
    })
}

pub(super) fn parse_number(text: &str) -> Option<u64> {
    match text {
        "max" => Some(u64::MAX),
        // -1 is how v1 writes "unlimited" in some files.
        "-1" => Some(u64::MAX),
        _ => text.parse().ok(),
    }
}

/// The lines `key value` of files like memory.stat.
pub(super) fn pairs(text: &str) -> impl Iterator<Item = (&str, u64)> {
    text.lines().filter_map(|line| {
        let (key, value) = line.split_once(' ')?;
        Some((key, parse_number(value.trim())?))
    })
}

pub(super) fn value_of(text: &str, key: &str) -> Option<u64> {
    pairs(text).find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// Every process in `directory` and below it.
pub(super) fn pids_below(directory: &Path) -> Result<Vec<i32>> {
    let mut pids = Vec::new();
    for_each_directory(directory, &mut |directory| {
        if let Some(text) = read_if_present(&directory.join("cgroup.procs"))? {
            pids.extend(text.lines().filter_map(|line| line.parse::<i32>().ok()));
        }
        Ok(())
    })?;
    pids.sort_unstable();
    pids.dedup();
    Ok(pids)
}

/// Calls `visit` on every cgroup below `directory`, children before parents, and on itself. Those
/// that vanish meanwhile are left out.
pub(super) fn for_each_directory(
    directory: &Path,
    visit: &mut dyn FnMut(&Path) -> Result<()>,
) -> Result<()> {
    match fs::metadata(directory) {
        // Its name in its parent and its own `.`: no other directory has a link to it.
        Ok(metadata) if metadata.nlink() == 2 => return visit(directory),
        _ => {}
    }
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if is_absent(&error) => return Ok(()),
        Err(source) => return Err(failed("read", directory, source)),
    };
    for entry in entries.flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            for_each_directory(&entry.path(), visit)?;
        }
    }
    visit(directory)
}

pub(super) fn open(path: &Path) -> Result<File> {
    File::open(path).map_err(|source| failed("open", path, source))
}

pub(super) fn create_directories(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|source| failed("create", path, source))
}

pub(super) fn failed(action: &'static str, path: &Path, source: io::Error) -> Error {
    Error::File { action, path: path.to_owned(), source }
}

/// For names that a client chose: a file of the cgroup's own directory.
pub(super) fn check_name(what: &'static str, name: &str) -> Result<()> {
    if name.is_empty() || name.contains(['/', '\0']) || name.starts_with('.') {
        return Err(Error::Invalid { what, reason: format!("{name:?} is not the name of a file") });
    }
    Ok(())
}

/// ENODEV is what an open file of a removed cgroup answers.
pub(super) fn is_absent(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ENOENT | libc::ENODEV | libc::ENOTDIR))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers() {
        assert_eq!(parse_number("17"), Some(17));
        assert_eq!(parse_number("max"), Some(u64::MAX));
        assert_eq!(parse_number("-1"), Some(u64::MAX));
        assert_eq!(parse_number("1x"), None);
    }

    #[test]
    fn pairs_skip_what_is_no_pair() {
        let text = "cache 4096\nrss 12\nbroken\n";
        assert_eq!(pairs(text).collect::<Vec<_>>(), [("cache", 4096), ("rss", 12)]);
        assert_eq!(value_of(text, "rss"), Some(12));
        assert_eq!(value_of(text, "rs"), None);
    }
}
