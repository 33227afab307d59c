//! This machine's end of a copy. Archives of an engine are unpacked below their destination and nowhere else: what is
//! in them was made by a container (CVE-2026-17106).

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use archive::unpack::{Options, Owner, Rename, Target, unpack};
use archive::{Limits, pack, reason};
use client::{Body, Upload};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::paths::{self, Info, Plan};
use crate::error::{Failure, Result};

/// Chunks on their way between the network and the file system.
const QUEUE: usize = 8;
/// Docker's bound on links that lead to links.
const MAX_LINKS: usize = 11;

/// Bytes of archive that went through, shared with who shows it.
#[derive(Clone, Default)]
pub(super) struct Counter(Arc<AtomicU64>);

impl Counter {
    pub(super) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    fn add(&self, count: usize) {
        self.0.fetch_add(count as u64, Ordering::Relaxed);
    }
}

/// What is copied from here, found.
pub(super) struct Source {
    pub(super) info: Info,
}

impl Source {
    pub(super) fn find(path: &str, follow_link: bool) -> Result<Self> {
        let (path, rebase) = if follow_link {
            paths::with_rebase(path, &resolve(path)?)
        } else {
            in_resolved_directory(path)?
        };
        let is_dir = lstat(&path)?.is_dir();
        Ok(Self { info: Info { path, exists: true, is_dir, rebase } })
    }

    /// Packs it under `name`, on a thread of its own, as fast as it is taken.
    pub(super) fn pack(self, name: String, counter: Counter) -> (Upload, Packing) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let failure = Arc::new(OnceLock::new());
        let failed = Arc::clone(&failure);
        let packing = tokio::task::spawn_blocking(move || {
            let mut out = io::BufWriter::with_capacity(64 << 10, Chunks { sender, counter });
            let packed = pack_to(&self.info, &name, &mut out).and_then(|()| out.flush());
            let Err(error) = packed else { return };
            // Cuts the request off: half an archive is not to look like a whole one.
            let cut = io::Error::from(error.kind());
            // Set before anybody can learn of the cut.
            let _ = failed.set(error);
            let _ = out.get_ref().sender.blocking_send(Err(cut));
        });
        (Upload::Chunks(receiver), Packing { packing, failure })
    }
}

/// A thread that packs, and why it ended if not with the archive.
pub(super) struct Packing {
    packing: JoinHandle<()>,
    failure: Arc<OnceLock<io::Error>>,
}

impl Packing {
    /// The failure to show: why packing ended, unless that is only that the engine refused the rest. Where it refused,
    /// nobody waits for the thread: nothing takes what it packs any more.
    pub(super) async fn finish(self, copied: client::Result<()>) -> Result<()> {
        if copied.is_ok() {
            self.packing.await.map_err(|_| Failure::new("packing was aborted"))?;
        }
        match self.failure.get() {
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Failure::new(reason(error)))
            }
            _ => Ok(copied?),
        }
    }
}

fn pack_to(source: &Info, name: &str, out: &mut dyn Write) -> io::Result<()> {
    let path = Path::new(&source.path);
    if source.is_dir {
        // The content of the root directory has no name before it.
        let name = if name == "/" { "" } else { name };
        return pack::write_directory(File::open(path)?.as_fd(), name.as_bytes(), out);
    }
    let (directory, base) = paths::split_entry(&source.path);
    let directory = OwnedFd::from(File::open(directory)?);
    pack::write_file(&directory, base.as_ref(), name.as_bytes(), out)
}

/// Unpacks what the engine sends for `source` at `destination`.
pub(super) async fn receive(
    mut body: Body,
    source: &Info,
    destination: &str,
    counter: Counter,
) -> Result<()> {
    let Plan { directory, name } = paths::plan(source, &find_destination(destination)?)?;
    let base = paths::base(&paths::split_entry(&source.path).1).to_owned();
    let from = if base == "/" { String::new() } else { base };
    let rename = Rename { from: from.into_bytes(), to: name.into_bytes() };
    let (sender, receiver) = mpsc::channel(QUEUE);
    let unpacking =
        std::thread::spawn(move || unpack_to(Chunked::new(receiver), &directory, rename));
    let mut received = Ok(());
    while let Some(chunk) = body.chunk().await.transpose() {
        if let Ok(chunk) = &chunk {
            counter.add(chunk.len());
        }
        let failed = chunk.is_err();
        if failed {
            received = chunk.as_ref().map(drop).map_err(|error| Failure::new(error.to_string()));
        }
        let chunk = chunk.map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof));
        if sender.send(chunk).await.is_err() || failed {
            break;
        }
    }
    drop(sender);
    let unpacked = unpacking.join().map_err(|_| Failure::new("unpacking was aborted"))?;
    received?;
    unpacked.map_err(|error| Failure::new(reason(&error)))
}

fn unpack_to(tar: Chunked, directory: &str, rename: Rename) -> io::Result<()> {
    let root = File::open(directory).map_err(|error| {
        io::Error::new(error.kind(), format!("open {directory}: {}", reason(&error)))
    })?;
    let target = Target { root: root.as_fd(), directory: Path::new(""), shown: directory.as_ref() };
    let options = Options {
        owner: Owner::Caller,
        replace_directories: false,
        limits: Limits::default(),
        rename: Some(rename),
    };
    unpack(tar, target, options)
}

/// Follows links to where something is to be made; only the last name may be missing.
fn find_destination(given: &str) -> Result<Info> {
    let mut path = given.to_owned();
    for _ in 0..=MAX_LINKS {
        let metadata = match fs::symlink_metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return missing_destination(path);
            }
            Err(error) => return Err(named("lstat", &path, &error)),
        };
        if !metadata.is_symlink() {
            return Ok(Info {
                path,
                exists: true,
                is_dir: metadata.is_dir(),
                rebase: String::new(),
            });
        }
        let target = fs::read_link(&path).map_err(|error| named("readlink", &path, &error))?;
        path = paths::link_target(&path, &target.to_string_lossy());
    }
    Err(Failure::new(format!("too many symlinks in path {given}")))
}

fn missing_destination(path: String) -> Result<Info> {
    let (parent, _) = paths::split_entry(&path);
    match fs::metadata(&parent) {
        Err(error) => Err(named("stat", &parent, &error)),
        Ok(parent) if !parent.is_dir() => Err(Failure::new("not a directory")),
        Ok(_) => Ok(Info { path, exists: false, is_dir: false, rebase: String::new() }),
    }
}

/// Refuses before anything is asked of the engine what cannot be written to.
pub(super) fn check_output(path: &str) -> Result<()> {
    let directory = paths::directory(&paths::clean(path));
    if directory != "." && !Path::new(&directory).exists() {
        return Err(Failure::new(format!(
            "invalid output path: directory {directory:?} does not exist"
        )));
    }
    let Ok(metadata) = fs::metadata(path) else { return Ok(()) };
    let kind = metadata.file_type();
    if kind.is_block_device() || kind.is_char_device() {
        return Err(Failure::new(format!(
            "invalid output path: {path:?} must be a directory or a regular file: got a device"
        )));
    }
    Ok(())
}

/// The path without links, named after the first part of it that is not there.
fn resolve(path: &str) -> Result<String> {
    match fs::canonicalize(path) {
        Ok(resolved) => Ok(resolved.to_string_lossy().into_owned()),
        Err(error) => {
            let parts = Path::new(path).ancestors().collect::<Vec<_>>();
            let first = parts.into_iter().rev().find(|part| fs::symlink_metadata(part).is_err());
            let first = first.unwrap_or(Path::new(path)).display().to_string();
            Err(named("lstat", &first, &error))
        }
    }
}

/// The path with its directory resolved and its last name as it is.
fn in_resolved_directory(path: &str) -> Result<(String, String)> {
    let (directory, name) = path.rsplit_once('/').unwrap_or((".", path));
    let directory = resolve(if directory.is_empty() { "/" } else { directory })?;
    let slash = if directory.ends_with('/') { "" } else { "/" };
    let resolved = format!("{directory}{slash}{name}");
    let renamed = path.ends_with('/') && paths::base(path) != paths::base(&resolved);
    let rebase = if renamed { paths::base(path).to_owned() } else { String::new() };
    Ok((resolved, rebase))
}

fn lstat(path: &str) -> Result<fs::Metadata> {
    fs::symlink_metadata(path).map_err(|error| named("lstat", path, &error))
}

fn named(verb: &str, path: &str, error: &io::Error) -> Failure {
    // Go says no more of this.
    if error.kind() == io::ErrorKind::NotADirectory {
        return Failure::new("not a directory");
    }
    Failure::new(format!("{verb} {path}: {}", reason(error)))
}

type Chunk = io::Result<bytes::Bytes>;

/// The writing end of an upload.
struct Chunks {
    sender: mpsc::Sender<Chunk>,
    counter: Counter,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let chunk = bytes::Bytes::copy_from_slice(bytes);
        let sent = self.sender.blocking_send(Ok(chunk));
        sent.map_err(|_| io::Error::from(io::ErrorKind::BrokenPipe))?;
        self.counter.add(bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The reading end of a download.
struct Chunked {
    receiver: mpsc::Receiver<Chunk>,
    current: bytes::Bytes,
}

impl Chunked {
    fn new(receiver: mpsc::Receiver<Chunk>) -> Self {
        Self { receiver, current: bytes::Bytes::new() }
    }
}

impl Read for Chunked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                Some(chunk) => self.current = chunk?,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.current.len());
        buffer[..count].copy_from_slice(&self.current.split_to(count));
        Ok(count)
    }
}
