//! The bytes of a context's files, checked against what its list said of them while they pass.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use builder::context::{Kind, Listing};
use oci::Digest;
use sha2::{Digest as _, Sha256};

use crate::error::{Error, Result};

/// Files in the order they were asked for.
pub struct Contents {
    source: Source,
    listing: Arc<Listing>,
    wanted: std::vec::IntoIter<usize>,
    /// The one that is being read.
    current: Option<Checked>,
}

pub enum Source {
    /// An unpacked archive.
    Folder(Arc<OwnedFd>),
    /// What a client sends: the files' bytes, one behind the other.
    Stream(mux::Reader),
}

struct Checked {
    place: usize,
    hash: Sha256,
    left: u64,
    file: Option<File>,
    is_checked: bool,
}

/// One file. Its last bytes come only if all of them are those that the list speaks of.
pub struct Content<'c>(&'c mut Contents);

impl Contents {
    /// # Errors
    /// A place where there is no file.
    pub fn new(source: Source, listing: Arc<Listing>, wanted: Vec<usize>) -> Result<Self> {
        match wanted.iter().find(|place| file(&listing, **place).is_none()) {
            Some(_) => Err(Error::system("what is asked of a context is no file of its list")),
            None => Ok(Self { source, listing, wanted: wanted.into_iter(), current: None }),
        }
    }

    /// The next file, and its place in the list. What was left unread of the one before is passed over.
    ///
    /// # Errors
    /// A client that is gone, or whose files changed.
    pub fn next(&mut self) -> io::Result<Option<(usize, Content<'_>)>> {
        if self.current.is_some() {
            io::copy(&mut Content(self), &mut io::sink())?;
        }
        let Some(place) = self.wanted.next() else { return Ok(None) };
        let Some((size, _)) = file(&self.listing, place) else { return Ok(None) };
        let file = match &self.source {
            Source::Folder(folder) => {
                let path = &self.listing.entries[place].path;
                let opened = builder::context::open(folder.as_fd(), path);
                Some(opened.map_err(|error| named(path, &error))?)
            }
            Source::Stream(_) => None,
        };
        self.current =
            Some(Checked { place, hash: Sha256::new(), left: size, file, is_checked: false });
        Ok(Some((place, Content(self))))
    }
}

impl Read for Content<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Contents { source, listing, current, .. } = &mut *self.0;
        let Some(current) = current else { return Ok(0) };
        let entry = &listing.entries[current.place];
        let most = usize::try_from(current.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = if most == 0 {
            0
        } else {
            read(source, current.file.as_mut(), &mut buffer[..most])
                .map_err(|error| named(&entry.path, &error))?
        };
        if count == 0 && most > 0 {
            return Err(changed(&entry.path));
        }
        current.hash.update(&buffer[..count]);
        current.left -= count as u64;
        if current.left == 0 && !current.is_checked {
            let found = Digest::from_sha256(current.hash.finalize_reset().into());
            if file(listing, current.place).is_none_or(|(_, digest)| *digest != found) {
                return Err(changed(&entry.path));
            }
            current.is_checked = true;
        }
        Ok(count)
    }
}

fn read(source: &mut Source, file: Option<&mut File>, buffer: &mut [u8]) -> io::Result<usize> {
    match (source, file) {
        (Source::Stream(sent), _) => sent.read(buffer),
        (Source::Folder(_), Some(file)) => file.read(buffer),
        (Source::Folder(_), None) => Ok(0),
    }
}

fn file(listing: &Listing, place: usize) -> Option<(u64, &Digest)> {
    match &listing.entries.get(place)?.kind {
        Kind::File { size, digest: Some(digest) } => Some((*size, digest)),
        _ => None,
    }
}

fn changed(path: &Path) -> io::Error {
    let text = format!("{}: file changed while it was read", path.display());
    io::Error::new(io::ErrorKind::InvalidData, text)
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    let text = format!("{}: {}", path.display(), archive::reason(error));
    io::Error::new(error.kind(), text)
}
