//! The tar-split stream of a layer: everything of its tar but the files' contents, which lie unpacked beside it.
//!
//! zstd over records: `F` length(4) bytes for framing, `P` length(4) path size(8) for a payload. Numbers are
//! little-endian. A later entry of the same tar may replace a file whose payload is still wanted: the replaced one
//! is kept under `kept/`, and `displaced.json` says so.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use serde::{Deserialize, Serialize};

use super::parts;
use archive::reader::Sink;

pub(crate) const STREAM: &str = "tar-split.zst";
pub(crate) const DISPLACED: &str = "displaced.json";
pub(crate) const KEPT: &str = "kept";
pub(crate) const DIFF: &str = "diff";
const MAX_RECORD: usize = 1 << 20;

/// From payload number `at` on, `path` means something newer; the older is `kept/<kept>`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Displaced {
    pub(crate) at: u64,
    pub(crate) path: PathBuf,
    pub(crate) kept: u64,
}

pub(crate) struct Recorder {
    stream: zstd::Encoder<'static, BufWriter<File>>,
    framing: Vec<u8>,
}

impl Recorder {
    pub(crate) fn create(layer: &Path) -> io::Result<Recorder> {
        let file = BufWriter::new(File::create_new(layer.join(STREAM))?);
        Ok(Recorder { stream: zstd::Encoder::new(file, 1)?, framing: Vec::new() })
    }

    pub(crate) fn payload(&mut self, path: &Path, size: u64) -> io::Result<()> {
        self.flush_framing()?;
        let path = path.as_os_str().as_bytes();
        self.stream.write_all(b"P")?;
        self.stream.write_all(&(path.len() as u32).to_le_bytes())?;
        self.stream.write_all(path)?;
        self.stream.write_all(&size.to_le_bytes())?;
        Ok(())
    }

    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.flush_framing()?;
        self.stream.finish()?.flush()
    }

    fn flush_framing(&mut self) -> io::Result<()> {
        if self.framing.is_empty() {
            return Ok(());
        }
        self.stream.write_all(b"F")?;
        self.stream.write_all(&(self.framing.len() as u32).to_le_bytes())?;
        self.stream.write_all(&self.framing)?;
        self.framing.clear();
        Ok(())
    }
}

impl Sink for Recorder {
    fn framing(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.framing.len() + bytes.len() > MAX_RECORD {
            self.flush_framing()?;
        }
        self.framing.extend_from_slice(bytes);
        Ok(())
    }
}

/// Removes what is kept for [`assemble`] of an archive that nobody will ask for again.
pub(crate) fn forget(layer: &Path) -> io::Result<()> {
    std::fs::remove_file(layer.join(STREAM))?;
    if layer.join(DISPLACED).exists() {
        std::fs::remove_file(layer.join(DISPLACED))?;
        sys::remove::tree(&layer.join(KEPT))?;
    }
    Ok(())
}

/// Writes the exact tar that the layer was unpacked from.
pub(crate) fn assemble(layer: &Path, out: &mut dyn Write) -> io::Result<()> {
    let displaced: Vec<Displaced> = match std::fs::read(layer.join(DISPLACED)) {
        Ok(bytes) => serde_json::from_slice(&bytes)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    let root = OwnedFd::from(File::open(layer)?);
    let over = parts::over(layer).map(File::open).transpose()?.map(OwnedFd::from);
    let mut stream = BufReader::new(zstd::Decoder::new(File::open(layer.join(STREAM))?)?);
    let mut payloads = 0;
    let mut tag = [0];
    while stream.read(&mut tag)? > 0 {
        let mut length = [0; 4];
        stream.read_exact(&mut length)?;
        let mut bytes = vec![0; (u32::from_le_bytes(length) as usize).min(MAX_RECORD)];
        stream.read_exact(&mut bytes)?;
        if tag == *b"F" {
            out.write_all(&bytes)?;
            continue;
        }
        let mut size = [0; 8];
        stream.read_exact(&mut size)?;
        let path = Path::new(std::ffi::OsStr::from_bytes(&bytes));
        let place = located(path, payloads, &displaced);
        let file = match (open(&root, &place), &over) {
            (Err(error), Some(over)) if error.kind() == io::ErrorKind::NotFound => {
                open(over, &place)
            }
            (file, _) => file,
        };
        copy_payload(file?, &place, u64::from_le_bytes(size), out)?;
        payloads += 1;
    }
    Ok(())
}

/// Where the payload numbered `number`, recorded under `path`, lies now.
fn located(path: &Path, number: u64, displaced: &[Displaced]) -> PathBuf {
    let later = displaced.iter().find(|one| one.at > number && path.starts_with(&one.path));
    match later {
        None => Path::new(DIFF).join(path),
        Some(one) => {
            let rest = path.strip_prefix(&one.path).unwrap_or(Path::new(""));
            let kept = Path::new(KEPT).join(one.kept.to_string());
            if rest.as_os_str().is_empty() { kept } else { kept.join(rest) }
        }
    }
}

fn open(root: &OwnedFd, path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW;
    Ok(sys::path::open_in_root(root.as_fd(), path, flags, Mode::empty())?.into())
}

fn copy_payload(file: File, path: &Path, size: u64, out: &mut dyn Write) -> io::Result<()> {
    let copied = io::copy(&mut file.take(size), out)?;
    if copied == size {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "layer content {} is damaged: {copied} of {size} bytes",
        path.display()
    )))
}
