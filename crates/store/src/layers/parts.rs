//! Layers over others: where most of a layer's files are in another that is there, the link `over` leads to that one, and
//! `diff` has but the rest. Its own folders, links and devices it has all itself.
//!
//! The other one is whole: nothing is two deep. Every path that it has is a path of the layer, too, folders as folders, so that
//! overlayfs shows the two as it would show one. It stays as long as the layer does. `contents` is a whole layer's
//! note of what it holds; only who writes it reads it.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use oci::Digest;
use rusqlite::OptionalExtension;

use super::extract::Notation;
use super::{Layer, split};
use crate::Store;
use crate::database::Durability;
use crate::error::{Error, Result};
use crate::leases::Lease;

const OVER: &str = "over";
const CONTENTS: &str = "contents";

/// A layer that another may lie over.
pub struct BaseLayer {
    number: u64,
    /// What was noted when it was made.
    pub note: Vec<u8>,
    /// Its files.
    pub folder: OwnedFd,
}

impl Store {
    /// Where the files of layers are, the topmost's first.
    pub fn directories(&self, layers: &[Layer]) -> Vec<PathBuf> {
        self.root.lower(&layers.iter().map(|layer| layer.number).collect::<Vec<_>>())
    }

    /// The layer, or what it lies over, from now on held by the lease. None where nothing was noted of that one.
    pub fn base(&self, diff_id: &Digest, lease: &Lease<'_>) -> Result<Option<BaseLayer>> {
        let Some(Layer { number, over, .. }) = self.layer(diff_id)? else { return Ok(None) };
        let number = over.unwrap_or(number);
        let sql = "SELECT diff_id FROM layers WHERE number = ?1";
        let whole: Option<String> = self.database.read(|db| {
            Ok(db.prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional()?)
        })?;
        let Some(whole) = whole else { return Ok(None) };
        let whole = Digest::parse(&whole).map_err(|error| Error::system(error.to_string()))?;
        // It may have gone before it was held, and have come again.
        if self.hold_layer(&whole, lease)?.is_none_or(|held| held.number != number) {
            return Ok(None);
        }
        let layer = self.root.layer(number);
        let failed = |error| Error::io(format!("layer {whole}"), error);
        let note = match fs::read(layer.join(CONTENTS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            note => note.map_err(failed)?,
        };
        let folder = File::open(layer.join(split::DIFF)).map_err(failed)?.into();
        Ok(Some(BaseLayer { number, note, folder }))
    }

    /// As [`add_unsynced_layer`](Self::add_unsynced_layer), with a note of what it holds.
    pub fn add_noted_layer(
        &self,
        source: &mut dyn Read,
        note: &[u8],
        lease: &Lease<'_>,
    ) -> Result<Layer> {
        let mut staged = self.unpack_staged(source, Notation::Layer, &mut |_| ())?;
        fs::write(staged.staged.path().join(CONTENTS), note)
            .map_err(|error| Error::io("note a layer's contents", error))?;
        staged.own += note.len() as u64;
        self.add_staged(staged, lease, Durability::ProcessDeath)
    }

    /// As [`add_unsynced_layer`](Self::add_unsynced_layer), of a layer whose files at these places are those of the base,
    /// which has no path that the layer has not.
    pub fn add_layer_over(
        &self,
        source: &mut dyn Read,
        base: &BaseLayer,
        same: &HashSet<PathBuf>,
        lease: &Lease<'_>,
    ) -> Result<Layer> {
        let mut staged = self.unpack_staged(source, Notation::Over(same), &mut |_| ())?;
        let target = Path::new("..").join(base.number.to_string());
        std::os::unix::fs::symlink(target, staged.staged.path().join(OVER))
            .map_err(|error| Error::io("lay a layer over another", error))?;
        staged.over = Some(base.number);
        self.add_staged(staged, lease, Durability::ProcessDeath)
    }
}

/// The directory of the layer that this one lies over.
pub(crate) fn over(layer: &Path) -> Option<PathBuf> {
    let target = fs::read_link(layer.join(OVER)).ok()?;
    Some(layer.with_file_name(target.file_name()?))
}
