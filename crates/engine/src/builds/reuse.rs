//! What a COPY need not write again: where most of its files are in a layer that is there, its own lies over that one.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use builder::copy::{self, Item};
use oci::Digest;
use store::{BaseLayer, Layer, Lease, Store};

use super::copy::Copying;
use super::files::Folder;
use super::trees::{Open, Tree};
use crate::error::{Error, Result};

/// Results of the same step that are looked at: the same Dockerfile may build other contexts in turn.
const BEFORE: usize = 2;
/// Layers that are looked at of each source.
const ABOVE: usize = 8;
/// Each may be two directories to the kernel, which takes 500.
const DEEPEST: usize = 200;

/// How a layer comes to lie.
pub enum Lies {
    Alone,
    /// With a note, for those that come after it.
    Noted(Vec<u8>),
    Over(BaseLayer, Arc<HashSet<PathBuf>>),
}

/// Files of another layer that are taken as they are.
pub struct Reused {
    folder: Folder,
    same: Arc<HashSet<PathBuf>>,
}

impl Lies {
    /// Over the result of the last such step, or over a layer that the files come from. What is written here was hashed,
    /// so that nobody's claim decides what is the same.
    pub fn find(
        copying: &Copying,
        items: &mut [Item],
        opened: &[Rc<Open>],
        inputs: &[Arc<Tree>],
        name: &str,
    ) -> Result<Self> {
        if !copy::is_notable(items) {
            return Ok(Self::Alone);
        }
        for item in &mut *items {
            if let Some(content) = &item.content {
                opened[content.source].hash_entry(&mut item.entry, &content.path)?;
            }
        }
        let Some(note) = copy::note(items) else { return Ok(Self::Alone) };
        if inputs[0].layers()?.len() > DEEPEST {
            return Ok(Self::Noted(note));
        }
        for candidate in candidates(&copying.store, inputs, name)? {
            let Some(base) = copying.store.base(&candidate, &copying.lease)? else { continue };
            if let Some(same) = copy::in_common(items, &base.note) {
                return Ok(Self::Over(base, Arc::new(same)));
            }
        }
        Ok(Self::Noted(note))
    }

    pub fn reused(&self) -> Result<Option<Reused>> {
        let Self::Over(base, same) = self else { return Ok(None) };
        let folder = base.folder.try_clone();
        let folder = folder.map_err(|cause| Error::system("cannot open a layer").because(cause))?;
        Ok(Some(Reused { folder: Folder::new(folder), same: Arc::clone(same) }))
    }

    pub fn add(
        &self,
        store: &Store,
        archive: &mut dyn Read,
        lease: &Lease<'_>,
    ) -> store::Result<Layer> {
        match self {
            Self::Alone => store.add_unsynced_layer(archive, lease),
            Self::Noted(note) => store.add_noted_layer(archive, note, lease),
            Self::Over(base, same) => store.add_layer_over(archive, base, same, lease),
        }
    }
}

impl Reused {
    pub fn has(&self, path: &Path) -> bool {
        self.same.contains(path)
    }

    pub fn open(&self, path: &Path) -> io::Result<File> {
        self.folder.open(path)
    }
}

fn candidates(store: &Store, inputs: &[Arc<Tree>], name: &str) -> Result<Vec<Digest>> {
    let mut all = store.builds().made_by(name, BEFORE)?;
    let sources = inputs[1..].iter().filter_map(|input| input.layers().ok());
    all.extend(sources.flat_map(|layers| layers.iter().rev().take(ABOVE)).cloned());
    let mut seen = HashSet::new();
    all.retain(|digest| seen.insert(digest.clone()));
    Ok(all)
}
