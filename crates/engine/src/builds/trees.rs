//! What vertices give: layers on one another, or files to copy from.

use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::build::Selection;
use builder::context::{Entry, Kind, Listing};
use builder::copy::{self, Found};
use builder::ignore::Ignore;
use jiff::Timestamp;
use oci::Digest;
use store::{Staged, Store};
use sys::overlay::Overlay;

use super::files::{Folder, Hashes, Inline};
use crate::error::{Error, Result};

#[derive(Clone)]
pub enum Tree {
    Layers(Layers),
    /// What the client has.
    Context {
        selection: Arc<Selection>,
        listing: Arc<Listing>,
    },
    Inline(Arc<Inline>),
    /// Something fetched or unpacked; it goes with the last who has it.
    Staged(Arc<Unpacked>),
}

/// Bottom first.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// Diff IDs.
    pub digests: Arc<[Digest]>,
    /// When each was made; None for what an image brought.
    pub created: Arc<[Option<Timestamp>]>,
    /// Of the files that they show together.
    pub hashes: Hashes,
}

/// A layer that a step made.
#[derive(Clone, Debug)]
pub struct Made {
    pub digest: Digest,
    pub created: Timestamp,
}

impl Layers {
    pub fn of_image(digests: &[Digest]) -> Self {
        let created = digests.iter().map(|_| None).collect();
        Self { digests: digests.into(), created, hashes: Hashes::default() }
    }

    pub fn with(&self, made: Made) -> Self {
        Self {
            digests: self.digests.iter().cloned().chain([made.digest]).collect(),
            created: self.created.iter().copied().chain([Some(made.created)]).collect(),
            hashes: Hashes::default(),
        }
    }
}

pub struct Unpacked {
    folder: OwnedFd,
    _staged: Staged,
}

impl Unpacked {
    pub fn new(staged: Staged) -> Result<Self> {
        let folder = File::open(staged.path());
        let folder =
            folder.map_err(|cause| Error::system("cannot open a folder").because(cause))?;
        Ok(Self { folder: folder.into(), _staged: staged })
    }
}

/// A tree that is being read, for one thread.
pub enum Open {
    /// With what would take it away by going.
    Folder {
        folder: Folder,
        _kept: Option<Arc<Unpacked>>,
    },
    Context {
        selection: Arc<Selection>,
        listing: Arc<Listing>,
    },
    Inline(Arc<Inline>),
}

impl Tree {
    pub fn layers(&self) -> Result<&[Digest]> {
        match self {
            Self::Layers(layers) => Ok(&layers.digests),
            _ => Err(Error::system("a step stands on files instead of layers")),
        }
    }

    /// Blocks.
    pub fn open(&self, store: &Store) -> Result<Open> {
        Ok(match self {
            Self::Layers(layers) => {
                let root = mounted(store, &layers.digests)?;
                let folder = Folder::remembering(root, layers.hashes.clone());
                Open::Folder { folder, _kept: None }
            }
            Self::Context { selection, listing } => {
                Open::Context { selection: Arc::clone(selection), listing: Arc::clone(listing) }
            }
            Self::Inline(inline) => Open::Inline(Arc::clone(inline)),
            Self::Staged(unpacked) => {
                let folder = unpacked.folder.as_fd().try_clone_to_owned();
                let folder =
                    folder.map_err(|cause| Error::system("cannot open a folder").because(cause))?;
                Open::Folder { folder: Folder::new(folder), _kept: Some(Arc::clone(unpacked)) }
            }
        })
    }
}

/// The root that layers make, read-only. Blocks.
pub fn root(store: &Store, layers: &[Digest]) -> Result<Folder> {
    mounted(store, layers).map(Folder::new)
}

fn mounted(store: &Store, layers: &[Digest]) -> Result<OwnedFd> {
    let overlay: Overlay = store.snapshots().of_layers(layers)?;
    overlay.mount().map_err(|cause| Error::system("cannot mount a root").because(cause))
}

impl Open {
    pub fn tree(&self) -> &dyn copy::Tree {
        match self {
            Self::Folder { folder, .. } => folder,
            Self::Context { listing, .. } => listing.as_ref(),
            Self::Inline(inline) => &inline.listing,
        }
    }

    /// What a source takes, in BuildKit's words where it is not there.
    pub fn select(&self, pattern: &str, exclude: &Ignore) -> Result<Vec<Found>> {
        copy::select(self.tree(), pattern, exclude).map_err(|error| {
            let ignored = match self {
                Self::Context { listing, .. } => listing.ignored,
                _ => false,
            };
            let hint = match error.kind() {
                std::io::ErrorKind::NotFound if ignored => " (it may be left out by .dockerignore)",
                _ => "",
            };
            Error::not_found(format!("{error}{hint}"))
        })
    }

    /// Digests of files that have none yet.
    pub fn hash(&self, found: &mut [Found]) -> Result<()> {
        for one in found {
            let origin = one.path.clone();
            for entry in &mut one.entries {
                let path = below(&origin, entry);
                self.hash_entry(entry, &path)?;
            }
        }
        Ok(())
    }

    /// The digest of the file at `path`, where the entry is one and has none yet.
    pub fn hash_entry(&self, entry: &mut Entry, path: &Path) -> Result<()> {
        if let (Self::Folder { folder, .. }, Kind::File { digest: digest @ None, .. }) =
            (self, &mut entry.kind)
        {
            *digest = Some(folder.hash(path).map_err(|cause| {
                Error::system(format!("cannot read /{}", path.display())).because(cause)
            })?);
        }
        Ok(())
    }
}

fn below(origin: &Path, entry: &Entry) -> PathBuf {
    match entry.path.as_os_str().is_empty() {
        true => origin.to_owned(),
        false => origin.join(&entry.path),
    }
}
