//! The files of one log: the current one, and the rotated ones beside it, `.1` being the newest. Old ones may be
//! compressed (`.gz`).

use std::fs::{File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use super::{json, local};

/// How entries are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    JsonFile,
    Local,
}

/// Where a container's log is, and what its reader must know of the container.
#[derive(Clone, Debug)]
pub struct Source {
    /// The current file.
    pub path: PathBuf,
    pub format: Format,
    /// Entries of a container with a terminal are sent without stream headers.
    pub tty: bool,
}

/// More rotated files than this are not looked for.
const MOST_FILES: u32 = 1000;
/// A file can only be missed while it is being renamed, again and again.
const LOOKS: usize = 5;
/// Read in one go when a file is walked backwards.
const BLOCK: u64 = 256 * 1024;

/// An open file of the log. Rotation renames it; the handle and the inode stay.
pub(super) struct LogFile {
    input: Input,
    inode: u64,
}

enum Input {
    Plain(File),
    Gzip(Box<MultiGzDecoder<File>>),
}

/// Numbers are given to new files again, times of birth are not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct FileId {
    inode: u64,
    born: u128,
}

impl FileId {
    fn of(metadata: &Metadata) -> Self {
        let born = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        Self { inode: metadata.ino(), born: born.map_or(0, |since| since.as_nanos()) }
    }
}

impl LogFile {
    fn open(path: &Path) -> io::Result<Self> {
        let file = File::open(path)?;
        let inode = file.metadata()?.ino();
        let compressed = path.extension().is_some_and(|extension| extension == "gz");
        let input = if compressed {
            Input::Gzip(Box::new(MultiGzDecoder::new(file)))
        } else {
            Input::Plain(file)
        };
        Ok(Self { input, inode })
    }

    /// What tells it from every other file, numbers of removed ones included, and how far it was read. Compressed ones
    /// have no place that could be found again.
    pub(super) fn place(&mut self) -> io::Result<Option<(FileId, u64)>> {
        match &mut self.input {
            Input::Plain(file) => {
                Ok(Some((FileId::of(&file.metadata()?), file.stream_position()?)))
            }
            Input::Gzip(_) => Ok(None),
        }
    }

    /// A file emptied in place (one file allowed, and full) is read from its start again.
    pub(super) fn rewind_if_truncated(&mut self) -> io::Result<()> {
        if let Input::Plain(file) = &mut self.input
            && file.metadata()?.len() < file.stream_position()?
        {
            file.rewind()?;
        }
        Ok(())
    }

    fn metadata(&self) -> io::Result<Metadata> {
        match &self.input {
            Input::Plain(file) => file.metadata(),
            Input::Gzip(gzip) => gzip.get_ref().metadata(),
        }
    }

    /// A compressed file from its start again.
    fn rewind(&mut self) -> io::Result<()> {
        if let Input::Gzip(gzip) = &mut self.input {
            let mut file = gzip.get_ref().try_clone()?;
            file.rewind()?;
            **gzip = MultiGzDecoder::new(file);
        }
        Ok(())
    }

    fn seek(&mut self, offset: u64) -> io::Result<()> {
        match &mut self.input {
            Input::Plain(file) => file.seek(SeekFrom::Start(offset)).map(drop),
            Input::Gzip(gzip) => io::copy(&mut gzip.take(offset), &mut io::sink()).map(drop),
        }
    }
}

impl Read for LogFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match &mut self.input {
            Input::Plain(file) => file.read(buffer),
            Input::Gzip(gzip) => gzip.read(buffer),
        }
    }
}

impl Source {
    /// Where reading begins: at the oldest file, or as far back as `tail` entries reach. `None` while the monitor has
    /// written nothing.
    pub(super) fn start(&self, tail: Option<u64>) -> io::Result<Option<LogFile>> {
        let mut generations = self.generations()?;
        let Some(mut wanted) = tail else { return Ok(generations.pop()) };
        let oldest = generations.len().saturating_sub(1);
        for (age, mut file) in generations.into_iter().enumerate() {
            let (offset, found) = self.last_entries(&mut file, wanted)?;
            if found == wanted || age == oldest {
                file.seek(offset)?;
                return Ok(Some(file));
            }
            wanted -= found;
        }
        Ok(None)
    }

    /// The file with this id, at this place. `None` where it is gone.
    pub(super) fn at(&self, id: FileId, offset: u64) -> io::Result<Option<LogFile>> {
        for mut file in self.generations()? {
            if file
                .metadata()
                .is_ok_and(|metadata| FileId::of(&metadata) == id && metadata.len() >= offset)
            {
                file.seek(offset)?;
                return Ok(Some(file));
            }
        }
        Ok(None)
    }

    /// The file that was begun when `file` was full. `None` while it is the current one.
    pub(super) fn successor(&self, file: &LogFile) -> io::Result<Option<LogFile>> {
        for _ in 0..LOOKS {
            let mut generations = self.generations()?;
            if let Some(age) = generations.iter().position(|other| other.inode == file.inode) {
                return Ok(age.checked_sub(1).map(|younger| generations.swap_remove(younger)));
            }
            if file.metadata()?.nlink() == 0 {
                return first_written_after(file, generations);
            }
            // Renamed while we looked.
        }
        Ok(None)
    }

    /// Existing files, newest first, each once, opened: their names change under us, the handles do not. Rotation only
    /// moves a file to a higher number, so that looking from low to high numbers misses none.
    fn generations(&self) -> io::Result<Vec<LogFile>> {
        let mut files: Vec<LogFile> = Vec::new();
        let mut missing = 0;
        for age in 0..MOST_FILES {
            match self.open_generation(age)? {
                Some(file) if files.last().is_some_and(|last| last.inode == file.inode) => {}
                Some(file) => (missing, _) = (0, files.push(file)),
                // A gap wanders through the numbers while the monitor renames one file after the other.
                None if missing > 1 => break,
                None => missing += 1,
            }
        }
        Ok(files)
    }

    fn open_generation(&self, age: u32) -> io::Result<Option<LogFile>> {
        let names = match age {
            0 => vec![self.path.clone()],
            _ => {
                vec![self.with_suffix(&format!(".{age}")), self.with_suffix(&format!(".{age}.gz"))]
            }
        };
        for name in names {
            match LogFile::open(&name) {
                Ok(file) => return Ok(Some(file)),
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        Ok(None)
    }

    fn with_suffix(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        path.into()
    }

    /// The offset of the last `wanted` entries of a file, and how many there are (at most `wanted`).
    fn last_entries(&self, file: &mut LogFile, wanted: u64) -> io::Result<(u64, u64)> {
        match (&mut file.input, self.format) {
            (Input::Plain(file), Format::JsonFile) => last_lines(file, wanted),
            (Input::Plain(file), Format::Local) => last_messages(file, wanted),
            (Input::Gzip(gzip), _) => {
                let mut content = Vec::new();
                gzip.read_to_end(&mut content)?;
                file.rewind()?;
                Ok(self.last_entries_of(&content, wanted))
            }
        }
    }

    fn last_entries_of(&self, content: &[u8], wanted: u64) -> (u64, u64) {
        let (mut starts, mut offset) = (Vec::new(), 0);
        while let Some(length) = self.entry_length(&content[offset..]) {
            starts.push(offset as u64);
            offset += length;
        }
        let first = starts.len().saturating_sub(usize::try_from(wanted).unwrap_or(usize::MAX));
        (starts.get(first).copied().unwrap_or(content.len() as u64), (starts.len() - first) as u64)
    }

    fn entry_length(&self, bytes: &[u8]) -> Option<usize> {
        match self.format {
            Format::JsonFile => json::entry_length(bytes),
            Format::Local => local::entry_length(bytes),
        }
    }
}

/// What follows a file that was removed or compressed while it was read. Compressing keeps the time of the last write.
fn first_written_after(
    file: &LogFile,
    mut generations: Vec<LogFile>,
) -> io::Result<Option<LogFile>> {
    let written = |file: &LogFile| file.metadata().map(|m| (m.mtime(), m.mtime_nsec()));
    let own = written(file)?;
    while let Some(oldest) = generations.pop() {
        if written(&oldest)? > own {
            return Ok(Some(oldest));
        }
    }
    Ok(None)
}

/// Counts newlines backwards, block by block.
fn last_lines(file: &mut File, wanted: u64) -> io::Result<(u64, u64)> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let size = end;
    let mut newlines = 0;
    let mut block = Vec::new();
    while end > 0 {
        let start = end.saturating_sub(BLOCK);
        block.resize((end - start) as usize, 0);
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(&mut block)?;
        for newline in memchr::memrchr_iter(b'\n', &block) {
            // The newline before the first wanted line is one more than there are lines.
            if newlines == wanted {
                return Ok((start + newline as u64 + 1, wanted));
            }
            newlines += 1;
        }
        end = start;
    }
    if wanted == 0 { Ok((size, 0)) } else { Ok((0, newlines)) }
}

fn last_messages(file: &mut File, wanted: u64) -> io::Result<(u64, u64)> {
    let mut end = file.seek(SeekFrom::End(0))?;
    let mut found = 0;
    while found < wanted && end >= 8 {
        let mut tail = [0; 4];
        file.seek(SeekFrom::Start(end - 4))?;
        file.read_exact(&mut tail)?;
        let Some(start) =
            local::last_entry_length(&tail).and_then(|length| end.checked_sub(length as u64))
        else {
            break;
        };
        (end, found) = (start, found + 1);
    }
    Ok((end, found))
}
