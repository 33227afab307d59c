//! Unpacked layers: `layers/<number>/{diff,tar-split.zst}`, one per diff ID, shared by every image that has it. What a
//! layer lies [`over`](parts) may have most of its files.
//!
//! What overlayfs reads of a layer (whiteouts, opaque marks) does not depend on the layers below, so equal tars are
//! one directory even under different parents. A layer is staged, synced, renamed and then recorded, in this order.

pub(crate) mod extract;
pub(crate) mod in_flight;
pub(crate) mod parts;
pub(crate) mod pipeline;
pub(crate) mod split;

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use oci::Digest;
use rusqlite::{Connection, OptionalExtension};
use rustix::fs::{AtFlags, FileType};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};

use crate::Store;
use crate::database::Durability;
use crate::downloads::Arrived;
use crate::error::{Error, Result};
use crate::leases::Lease;
use crate::root::Staged;
use archive::walk;
use extract::Notation;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// Names its directory.
    pub number: u64,
    pub diff_id: Digest,
    /// Bytes of its files.
    pub size: u64,
    pub tar_size: u64,
    /// What it lies over.
    pub over: Option<u64>,
}

impl Store {
    /// Reads a layer, compressed or not, and keeps it under `lease` until an image or snapshot refers to it.
    pub fn add_layer(
        &self,
        source: &mut dyn Read,
        lease: &Lease<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Layer> {
        let staged = self.stage_layer(source, progress)?;
        self.add_staged(staged, lease, Durability::PowerLoss)
    }

    /// As [`add_layer`](Self::add_layer), and a loss of power takes the layer away again, unless an image has it by then.
    pub fn add_unsynced_layer(&self, source: &mut dyn Read, lease: &Lease<'_>) -> Result<Layer> {
        let staged = self.stage_layer(source, &mut |_| ())?;
        self.add_staged(staged, lease, Durability::ProcessDeath)
    }

    pub(crate) fn add_staged(
        &self,
        staged: StagedLayer,
        lease: &Lease<'_>,
        durability: Durability,
    ) -> Result<Layer> {
        let diff_id = staged.diff_id.clone();
        self.commit(vec![Arc::new(staged)], lease, durability)?;
        let missing = || Error::system(format!("layer {diff_id} vanished"));
        self.layer(&diff_id)?.ok_or_else(missing)
    }

    /// Unpacks a layer without making it visible.
    pub(crate) fn stage_layer(
        &self,
        source: &mut dyn Read,
        progress: &mut dyn FnMut(u64),
    ) -> Result<StagedLayer> {
        self.unpack_staged(source, Notation::Layer, progress)
    }

    fn unpack_staged(
        &self,
        source: &mut dyn Read,
        notation: Notation<'_>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<StagedLayer> {
        let staged = self.root.stage()?;
        let unpacked = pipeline::unpack(source, staged.path(), self.limits, notation, progress)?;
        let own = disk_size(&staged.path().join(split::DIFF))?;
        let pipeline::Unpacked { diff_id, blob, tar_size, elsewhere } = unpacked;
        let size = own + elsewhere;
        Ok(StagedLayer { staged, diff_id, blob, size, tar_size, own, over: None, download: None })
    }

    /// A layer that is here and that now stays, as long as the lease lasts.
    pub fn hold_layer(&self, diff_id: &Digest, lease: &Lease<'_>) -> Result<Option<Layer>> {
        if self.layer(diff_id)?.is_none() {
            return Ok(None);
        }
        lease.hold(&layer_resource(diff_id))?;
        // It may have gone before it was held.
        self.layer(diff_id)
    }

    pub fn layer(&self, diff_id: &Digest) -> Result<Option<Layer>> {
        self.database.read(|db| find(db, diff_id))
    }

    /// Writes the exact tar of a layer; content that was damaged on disk is an error.
    pub fn write_layer_tar(&self, layer: &Layer, out: &mut dyn Write) -> Result<()> {
        let mut hashing = Hashing { out, hash: Sha256::new() };
        split::assemble(&self.root.layer(layer.number), &mut hashing)?;
        if Digest::from_sha256(hashing.hash.finalize().into()) == layer.diff_id {
            return Ok(());
        }
        Err(Error::system(format!("layer {} is damaged on disk", layer.diff_id)))
    }

    /// Makes a layer visible that was fetched, under the lease. A loss of power takes it away again, unless an image has it
    /// by then.
    pub fn keep_unsynced(&self, staged: Arc<StagedLayer>, lease: &Lease<'_>) -> Result<()> {
        self.commit(vec![staged], lease, Durability::ProcessDeath)
    }

    pub(crate) fn commit_layers(
        &self,
        staged: Vec<Arc<StagedLayer>>,
        lease: &Lease<'_>,
    ) -> Result<()> {
        self.commit(staged, lease, Durability::PowerLoss)
    }

    /// Makes staged layers visible, all for the price of one sync, or of none where they need not survive the host. Of
    /// two that bring the same layer at once the first wins; the other's copy is dropped.
    fn commit(
        &self,
        staged: Vec<Arc<StagedLayer>>,
        lease: &Lease<'_>,
        durability: Durability,
    ) -> Result<()> {
        if staged.is_empty() {
            return Ok(());
        }
        let is_synced = durability == Durability::PowerLoss;
        if is_synced {
            sync(self.root.path())?;
        }
        let mut next = self.next_layer.lock().unwrap_or_else(PoisonError::into_inner);
        let resources: Vec<String> =
            staged.iter().map(|one| layer_resource(&one.diff_id)).collect();
        lease.hold_all(&resources)?;
        let mut layers: Vec<(Layer, u64)> = Vec::new();
        let mut blobs = Vec::new();
        for one in staged {
            let StagedLayer { staged, diff_id, size, tar_size, own, over, .. } = &*one;
            if let Some(download) = &one.download {
                blobs.push(self.keep_download(download, diff_id)?);
            }
            let twice = layers.iter().any(|(layer, _)| layer.diff_id == *diff_id);
            if twice || self.layer(diff_id)?.is_some() {
                continue;
            }
            let diff_id = diff_id.clone();
            let (number, size, tar_size) = (*next, *size, *tar_size);
            let layer = Layer { number, diff_id, size, tar_size, over: *over };
            *next += 1;
            staged.rename(&self.root.layer(layer.number))?;
            layers.push((layer, *own));
        }
        if layers.is_empty() && blobs.is_empty() {
            return Ok(());
        }
        if is_synced {
            sync_directory(&self.root.path().join("layers"))?;
        }
        if !blobs.is_empty() {
            sync_directory(&self.root.blobs())?;
        }
        self.write(durability, |transaction| {
            let mut all = layers.iter();
            all.try_for_each(|(layer, own)| insert(transaction, layer, *own, is_synced))?;
            blobs.iter().try_for_each(|blob| blob.insert(transaction))
        })
    }
}

/// A layer that is unpacked and that nobody sees yet.
pub struct StagedLayer {
    pub(crate) staged: Staged,
    pub(crate) diff_id: Digest,
    /// Of its bytes as they came.
    pub(crate) blob: Digest,
    pub(crate) size: u64,
    pub(crate) tar_size: u64,
    /// Bytes that it has itself.
    pub(crate) own: u64,
    pub(crate) over: Option<u64>,
    /// The blob, where it was fetched.
    pub(crate) download: Option<Arrived>,
}

impl StagedLayer {
    pub fn diff_id(&self) -> &Digest {
        &self.diff_id
    }

    /// Whether a claim about its content holds.
    pub(crate) fn is(&self, digest: &Digest) -> bool {
        self.diff_id == *digest || self.blob == *digest
    }

    /// Not yet moved to its place.
    pub(crate) fn is_here(&self) -> bool {
        self.staged.path().exists()
    }
}

fn insert(db: &Connection, layer: &Layer, own: u64, is_synced: bool) -> Result<()> {
    let sql = "INSERT INTO layers (number, diff_id, size, tar_size, synced, own, over)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let Layer { number, diff_id, size, tar_size, over } = layer;
    let values = (number, diff_id.as_str(), size, tar_size, is_synced, own, over);
    db.prepare_cached(sql)?.execute(values)?;
    Ok(())
}

pub(crate) fn numbers(db: &Connection, layers: &[Digest]) -> Result<Vec<u64>> {
    let missing = |layer| Error::not_found(format!("layer {layer} is missing"));
    let number = |layer| Ok(find(db, layer)?.ok_or_else(|| missing(layer))?.number);
    layers.iter().map(number).collect()
}

/// Numbers of layers that a loss of power would still take.
pub(crate) fn unsynced(db: &Connection) -> Result<Vec<u64>> {
    let mut statement = db.prepare_cached("SELECT number FROM layers WHERE synced = 0")?;
    Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// Notes that layers are on the disk; they were synced after their rows were read.
pub(crate) fn mark_synced(db: &Connection, numbers: &[u64]) -> Result<()> {
    let mut statement = db.prepare_cached("UPDATE layers SET synced = 1 WHERE number = ?1")?;
    for number in numbers {
        statement.execute([number])?;
    }
    Ok(())
}

pub(crate) fn layer_resource(diff_id: &Digest) -> String {
    format!("layer {diff_id}")
}

pub(crate) fn find(db: &Connection, diff_id: &Digest) -> Result<Option<Layer>> {
    let sql = "SELECT number, size, tar_size, over FROM layers WHERE diff_id = ?1";
    let layer = db.prepare_cached(sql)?.query_row([diff_id.as_str()], |row| {
        Ok(Layer {
            number: row.get(0)?,
            diff_id: diff_id.clone(),
            size: row.get(1)?,
            tar_size: row.get(2)?,
            over: row.get(3)?,
        })
    });
    Ok(layer.optional()?)
}

/// Bytes of all files below, each inode once, as Docker counts them; directories count nothing, nor does what lies
/// deeper than a path can name. A container may change the tree meanwhile.
pub(crate) fn disk_size(directory: &Path) -> io::Result<u64> {
    let root = OwnedFd::from(File::open(directory)?);
    let mut seen = std::collections::HashSet::new();
    let mut pending = vec![PathBuf::new()];
    let mut total = 0;
    while let Some(path) = pending.pop() {
        let directory = match walk::open_directory(root.as_fd(), &path) {
            Err(Errno::NOENT | Errno::NAMETOOLONG | Errno::LOOP | Errno::NOTDIR) => continue,
            result => result?,
        };
        for name in walk::names(&directory)? {
            let stat = match rustix::fs::statat(&directory, &name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT) => continue,
                result => result?,
            };
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                pending.push(path.join(name));
            } else if stat.st_nlink == 1 || seen.insert(stat.st_ino) {
                total += stat.st_size.cast_unsigned();
            }
        }
    }
    Ok(total)
}

pub(crate) fn sync(path: &Path) -> Result<()> {
    let failed = |error| Error::io("sync layer", error);
    rustix::fs::syncfs(File::open(path).map_err(failed)?).map_err(|error| failed(error.into()))
}

pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    File::open(path)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| Error::io(format!("sync {}", path.display()), error))
}

struct Hashing<'w> {
    out: &'w mut dyn Write,
    hash: Sha256,
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.out.write(bytes)?;
        self.hash.update(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
