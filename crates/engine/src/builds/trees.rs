//! What vertices give: layers on one another, or files to copy from.

use std::collections::HashMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use api::build::Selection;
use builder::context::{Entry, Kind, Listing};
use builder::copy::{self, Found};
use builder::ignore::Ignore;
use jiff::Timestamp;
use oci::Digest;
use store::{Staged, Store};
use sys::overlay::Overlay;

use super::files::{Folder, Inline};
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
    selections: Selections,
}

/// What a COPY's key was made of, until the COPY itself takes it: by source and what is left out of it.
type Selections = Arc<Mutex<HashMap<(String, Vec<String>), Vec<Found>>>>;

/// Entries of a selection that is kept.
const KEPT: usize = 200_000;

/// A layer that a step made.
#[derive(Clone, Debug)]
pub struct Made {
    pub digest: Digest,
    pub created: Timestamp,
}

impl Layers {
    pub fn of_image(digests: &[Digest]) -> Self {
        let created = digests.iter().map(|_| None).collect();
        Self { digests: digests.into(), created, selections: Selections::default() }
    }

    pub fn with(&self, made: Made) -> Self {
        Self {
            digests: self.digests.iter().cloned().chain([made.digest]).collect(),
            created: self.created.iter().copied().chain([Some(made.created)]).collect(),
            selections: Selections::default(),
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
        /// Of a tree that others open, too.
        selections: Selections,
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
                let folder = root(store, &layers.digests)?;
                Open::Folder { folder, selections: Arc::clone(&layers.selections), _kept: None }
            }
            Self::Context { selection, listing } => {
                Open::Context { selection: Arc::clone(selection), listing: Arc::clone(listing) }
            }
            Self::Inline(inline) => Open::Inline(Arc::clone(inline)),
            Self::Staged(unpacked) => {
                let folder = unpacked.folder.as_fd().try_clone_to_owned();
                let folder =
                    folder.map_err(|cause| Error::system("cannot open a folder").because(cause))?;
                let (folder, selections) = (Folder::new(folder), Selections::default());
                Open::Folder { folder, selections, _kept: Some(Arc::clone(unpacked)) }
            }
        })
    }
}

/// The root that layers make, read-only. Blocks.
pub fn root(store: &Store, layers: &[Digest]) -> Result<Folder> {
    let overlay: Overlay = store.snapshots().of_layers(layers)?;
    let mounted = overlay.mount();
    Ok(Folder::new(mounted.map_err(|cause| Error::system("cannot mount a root").because(cause))?))
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

    /// As [`select`](Self::select), hashed, for a key.
    pub fn select_for_key(&self, pattern: &str, exclude: &[String]) -> Result<Vec<Found>> {
        let mut found = self.select(pattern, &ignore(exclude)?)?;
        self.hash(&mut found)?;
        if let Self::Folder { selections, .. } = self
            && found.iter().map(|one| one.entries.len()).sum::<usize>() <= KEPT
        {
            lock(selections).insert((pattern.to_owned(), exclude.to_vec()), found.clone());
        }
        Ok(found)
    }

    /// What the key was made of, where that was just now: layers do not change.
    pub fn select_once_more(&self, pattern: &str, exclude: &[String]) -> Result<Vec<Found>> {
        let known = match self {
            Self::Folder { selections, .. } => {
                lock(selections).remove(&(pattern.to_owned(), exclude.to_vec()))
            }
            _ => None,
        };
        match known {
            Some(found) => Ok(found),
            None => self.select(pattern, &ignore(exclude)?),
        }
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

fn ignore(patterns: &[String]) -> Result<Ignore> {
    Ignore::parse(&patterns.join("\n")).map_err(Error::invalid)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn below(origin: &Path, entry: &Entry) -> PathBuf {
    match entry.path.as_os_str().is_empty() {
        true => origin.to_owned(),
        false => origin.join(&entry.path),
    }
}
