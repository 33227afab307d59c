//! For an engine without sessions (Docker's): the context as a tar, packed as it is sent.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::AsFd;

use api::build::BuildOptions;
use archive::{Entry, Time, writer};
use builder::context::{self, Kind, Owner, Specials, Walk};
use bytes::Bytes;
use client::{Client, Upload};
use tokio::sync::mpsc;

use super::options::Local;
use super::source::Source;
use crate::command::Done;
use crate::error::{Failure, os_error};
use crate::output::{print, warn};

const QUEUE: usize = 8;
const CHUNK: usize = 64 << 10;
/// Where the Dockerfile is in the tar: out of the way of the context's files.
const DOCKERFILE: &str = ".gantry.Dockerfile";

/// Builds, and prints what the engine tells.
pub(super) async fn build(
    client: &Client,
    mut options: BuildOptions,
    local: &Local,
    source: Source,
    quiet: bool,
) -> Done {
    refuse(&options, local)?;
    options.dockerfile.name = DOCKERFILE.into();
    let (sender, receiver) = mpsc::channel(QUEUE);
    let packing = tokio::task::spawn_blocking(move || {
        let failing = sender.clone();
        if let Err(error) = pack(&source, Chunks { sender, buffer: Vec::with_capacity(CHUNK) }) {
            // An engine that is gone says so itself.
            let _ = failing.blocking_send(Err(io::Error::other(error.to_string())));
            return Err(error);
        }
        Ok(())
    });
    let answered = client.image_build_tar(&options, quiet, Upload::Chunks(receiver)).await;
    let mut messages = match answered {
        Ok(messages) => messages,
        Err(error) => {
            // What could not be packed is why the engine got no more of it.
            packing.await.map_err(|error| Failure::new(error.to_string()))??;
            return Err(error.into());
        }
    };
    while let Some(message) = messages.next().await? {
        if let Some(detail) = message.error_detail {
            let code = u8::try_from(detail.code).ok().filter(|code| *code > 0).unwrap_or(1);
            return Err(Failure::with_code(code, detail.message));
        }
        match (message.stream.is_empty(), message.status.is_empty()) {
            (false, _) => print(&message.stream)?,
            (_, false) if !quiet && message.progress_detail.is_none() => warn(&message.status),
            _ => {}
        }
    }
    Ok(0)
}

/// What the classic request has no words for.
fn refuse(options: &BuildOptions, local: &Local) -> Result<(), Failure> {
    let is_plain = |output: &api::build::Output| output.kind == "docker" && !output.to_client;
    let missing = [
        ("--secret", !local.secrets.is_empty()),
        ("--ssh", !local.agents.is_empty()),
        ("--build-context", !options.contexts.is_empty()),
        ("--cache-to", !options.cache_to.is_empty()),
        ("--annotation", !options.annotations.is_empty()),
        ("--allow", !options.allow.is_empty()),
        ("--attest", options.attests.values().any(|one| !one.contains_key("disabled"))),
        ("--no-cache-filter", !options.no_cache_filter.is_empty()),
        ("--explain-cache", options.explain_cache),
        ("several platforms", options.platforms.len() > 1),
        ("--output and --push", !options.outputs.iter().all(is_plain)),
    ];
    match missing.iter().find(|(_, is_missing)| *is_missing) {
        Some((what, _)) => Err(Failure::new(format!(
            "ERROR: {what}: this engine has the classic builder's interface alone, which cannot do that"
        ))),
        None => Ok(()),
    }
}

fn pack(source: &Source, mut out: Chunks) -> io::Result<()> {
    if let Some(folder) = &source.context {
        let opened = File::open(&folder.path)?;
        let walk = Walk {
            ignore: source.ignore.as_ref(),
            only: None,
            owner: Owner::Root,
            specials: Specials::LeftOut,
            cache: None,
            threads: 2,
        };
        for entry in walk.list(opened.as_fd(), &folder.path)?.entries() {
            member(&opened, entry, &mut out)?;
        }
    }
    // It is not to be seen by COPY: who unpacks it takes it out, as the patterns say.
    let hidden = format!("{DOCKERFILE}\n.dockerignore\n");
    for (path, text) in [(DOCKERFILE, &source.text), (".dockerignore", &hidden)] {
        let mut entry = writer::plain(text.len() as u64);
        entry.path = path.as_bytes().to_vec();
        writer::write_header(&mut out, &entry)?;
        out.write_all(text.as_bytes())?;
        writer::pad(&mut out, entry.size)?;
    }
    writer::finish(&mut out)?;
    out.flush()
}

fn member(folder: &File, entry: context::Entry, out: &mut Chunks) -> io::Result<()> {
    use std::os::unix::ffi::OsStringExt;
    let mut header = header(&entry);
    match entry.kind {
        Kind::Symlink { target } => {
            header.link = target.into_os_string().into_vec();
            writer::write_header(out, &header)
        }
        Kind::File { size, .. } => {
            let named = |error: io::Error| {
                io::Error::other(format!("open {}: {}", entry.path.display(), os_error(&error)))
            };
            let file = context::open(folder.as_fd(), &entry.path).map_err(named)?;
            writer::write_header(out, &header)?;
            if io::copy(&mut file.take(size), out)? < size {
                let text = format!("{}: file changed while it was read", entry.path.display());
                return Err(io::Error::other(text));
            }
            writer::pad(out, size)
        }
        _ => writer::write_header(out, &header),
    }
}

fn header(entry: &context::Entry) -> Entry {
    use std::os::unix::ffi::OsStrExt;
    let (kind, size) = match entry.kind {
        Kind::Directory => (archive::Kind::Directory, 0),
        Kind::Symlink { .. } => (archive::Kind::Symlink, 0),
        Kind::File { size, .. } => (archive::Kind::File, size),
        Kind::Special { .. } => (archive::Kind::Fifo, 0),
    };
    let xattrs = entry.xattrs.iter();
    Entry {
        kind,
        path: entry.path.as_os_str().as_bytes().to_vec(),
        mode: entry.mode,
        mtime: Time { seconds: entry.modified.div_euclid(1_000_000_000), nanoseconds: 0 },
        xattrs: xattrs.map(|(name, value)| (name.clone().into_bytes(), value.clone())).collect(),
        ..writer::plain(size)
    }
}

struct Chunks {
    sender: mpsc::Sender<io::Result<Bytes>>,
    buffer: Vec<u8>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= CHUNK {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let full = std::mem::replace(&mut self.buffer, Vec::with_capacity(2 * CHUNK));
        let sent = self.sender.blocking_send(Ok(full.into()));
        sent.map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
