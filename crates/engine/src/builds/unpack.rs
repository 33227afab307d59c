//! ADD of an archive: what is in it instead of it.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::AsFd;
use std::path::Path;

use archive::Limits;
use archive::unpack::{self, Target, unpack};
use builder::context::Kind;
use builder::copy::Found;
use store::Store;

use super::client::Client;
use super::trees::{Open, Tree, Unpacked};
use crate::error::{Error, Result};

/// Where a tar says that it is one.
const MAGIC: std::ops::Range<usize> = 257..262;
const HEAD: u64 = 512;

/// What a file holds where it is an archive, compressed or not. Blocks.
pub fn unpacked(
    store: &Store,
    client: &Client,
    open: &Open,
    found: &Found,
) -> Result<Option<Tree>> {
    let is_file =
        found.entries.first().is_some_and(|entry| matches!(entry.kind, Kind::File { .. }));
    if !is_file {
        return Ok(None);
    }
    let failed = |error: io::Error| {
        Error::invalid(format!(
            "cannot read /{}: {}",
            found.path.display(),
            archive::reason(&error)
        ))
    };
    let mut file = match open {
        Open::Folder { folder, .. } => folder.open(&found.path).map_err(failed)?,
        Open::Inline(_) => return Ok(None),
        Open::Context { selection, listing } => {
            let Ok(place) = listing.find(&found.path) else { return Ok(None) };
            let mut contents = client.contents(selection, vec![place])?;
            let Some((_, content)) = contents.next().map_err(failed)? else { return Ok(None) };
            kept(store, content).map_err(failed)?
        }
    };
    if !is_archive(&mut file).map_err(failed)? {
        return Ok(None);
    }
    let staged = store.stage()?;
    let folder = File::open(staged.path()).map_err(failed)?;
    let target = Target { root: folder.as_fd(), directory: Path::new(""), shown: Path::new("") };
    let options = unpack::Options {
        owner: unpack::Owner::Archived,
        replace_directories: true,
        limits: Limits::default(),
        rename: None,
    };
    unpack(archive::compression::decompressed(file).map_err(failed)?, target, options)
        .map_err(failed)?;
    Ok(Some(Tree::Staged(Unpacked::new(staged)?.into())))
}

/// The bytes in a file without a name.
fn kept(store: &Store, mut content: impl Read) -> io::Result<File> {
    let staged = store.stage().map_err(|error| io::Error::other(error.to_string()))?;
    let mut file = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(staged.path().join("archive"))?;
    io::copy(&mut content, &mut file)?;
    file.rewind()?;
    Ok(file)
}

fn is_archive(file: &mut File) -> io::Result<bool> {
    let mut head = Vec::new();
    // What is no compressed data at all is none that holds a tar.
    let read = archive::compression::decompressed(&mut *file)
        .and_then(|decompressed| decompressed.take(HEAD).read_to_end(&mut head));
    file.rewind()?;
    Ok(read.is_ok() && head.get(MAGIC) == Some(b"ustar"))
}
