//! Containers' writable layers: a directory over the layers of an image, described as an overlay for whoever mounts it.
//!
//! The row comes first and goes last: it is what keeps the layers from being collected.

mod archive;
mod changes;
#[cfg(test)]
mod tests;
mod walk;

use std::fs;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sys::overlay::Overlay;

use crate::Store;
use crate::database::Durability;
use crate::error::{Error, Result};
use crate::root::make_directory;

pub use changes::{Change, ChangeKind};

/// The kernel mounts no overlay of more layers.
const MOST_LAYERS: usize = 500;

/// A container's writable layer and what lies below it.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// Holds `diff` and `work`.
    directory: PathBuf,
    /// The image's layers, top first.
    lower: Vec<PathBuf>,
    /// Bytes of the image's layers.
    image_size: u64,
}

impl Store {
    /// Makes the writable layer of a container over an image, which it keeps from then on.
    pub fn create_snapshot(&self, container: &str, image: &str) -> Result<Snapshot> {
        self.write(Durability::ProcessDeath, |db| {
            let known = db
                .prepare_cached("INSERT INTO snapshots SELECT ?1, id FROM images WHERE id = ?2")?
                .execute([container, image])?;
            if known == 0 {
                return Err(Error::not_found(format!("No such image: {image}")));
            }
            db.prepare_cached(
                "INSERT INTO snapshot_layers SELECT ?1, position, layer FROM image_layers WHERE image = ?2",
            )?
            .execute([container, image])?;
            Ok(())
        })?;
        let made = self
            .snapshot(container)
            .and_then(|snapshot| snapshot.make_directories().map(|()| snapshot));
        if made.is_err() {
            self.remove_snapshot(container)?;
        }
        made
    }

    /// The writable layer of a container.
    pub fn snapshot(&self, container: &str) -> Result<Snapshot> {
        let layers = self.database.read(|db| {
            let mut statement = db.prepare_cached(
                "SELECT layers.number, layers.size FROM snapshots
                 LEFT JOIN snapshot_layers ON snapshot_layers.container = snapshots.container
                 LEFT JOIN layers ON layers.number = snapshot_layers.layer
                 WHERE snapshots.container = ?1 ORDER BY position DESC",
            )?;
            let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
            let rows = statement.query_map([container], row)?;
            Ok(rows.collect::<rusqlite::Result<Vec<(Option<u64>, Option<u64>)>>>()?)
        })?;
        if layers.is_empty() {
            return Err(Error::not_found(format!("container {container} has no writable layer")));
        }
        let directory = self.root.container(container);
        let lower: Vec<PathBuf> = layers
            .iter()
            .filter_map(|(number, _)| Some(self.root.layer((*number)?).join("diff")))
            .collect();
        if lower.len() > MOST_LAYERS {
            return Err(Error::invalid(format!(
                "max depth exceeded: {} layers, {MOST_LAYERS} can be mounted",
                lower.len()
            )));
        }
        Ok(Snapshot {
            directory,
            lower,
            image_size: layers.iter().filter_map(|(_, size)| *size).sum(),
        })
    }

    /// Removes the writable layer with everything in the container's directory. Space is freed in the background.
    pub fn remove_snapshot(&self, container: &str) -> Result<()> {
        self.root.discard(&self.root.container(container))?;
        self.write(Durability::ProcessDeath, |db| {
            db.prepare_cached("DELETE FROM snapshots WHERE container = ?1")?
                .execute([container])?;
            Ok(())
        })?;
        self.maintenance.wake();
        Ok(())
    }

    /// Every container that has a writable layer, for reconciling with the containers there are.
    pub fn snapshots(&self) -> Result<Vec<String>> {
        self.database.read(|db| {
            let mut statement = db.prepare_cached("SELECT container FROM snapshots")?;
            let rows = statement.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

impl Snapshot {
    /// The container's own directory, where the engine keeps its files too.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The writable root. `volatile` where the container goes with its end: nothing is ever synced then.
    pub fn overlay(&self, volatile: bool) -> Result<Overlay> {
        let work = self.work();
        if volatile {
            self.forget_volatile()?;
        }
        Ok(Overlay {
            lower: self.lower.clone(),
            upper: Some(self.upper()),
            work: Some(work),
            volatile,
        })
    }

    /// The root as it is now, to be read only. Works beside a running container, whose own mount uses the writable layer.
    pub fn mount_read_only(&self) -> Result<OwnedFd> {
        let lower = [vec![self.upper()], self.lower.clone()].concat();
        mount(&Overlay { lower, ..Overlay::default() })
    }

    /// What the container changed in its image, as `docker diff` lists it.
    pub fn changes(&self) -> Result<Vec<Change>> {
        let base = match self.lower.is_empty() {
            true => None,
            false => Some(mount(&Overlay { lower: self.lower.clone(), ..Overlay::default() })?),
        };
        let upper = self.open_upper()?;
        changes::list(upper.as_fd(), base.as_ref().map(AsFd::as_fd)).map_err(|e| self.failed(e))
    }

    /// Writes the whole root as a tar.
    pub fn export(&self, mut out: impl Write) -> Result<()> {
        let root = self.mount_read_only()?;
        archive::write(root.as_fd(), archive::Tree::Merged, &mut out).map_err(|e| self.failed(e))
    }

    /// Writes the writable layer as an image's layer: with whiteouts for what was removed.
    pub fn export_changes(&self, mut out: impl Write) -> Result<()> {
        let upper = self.open_upper()?;
        archive::write(upper.as_fd(), archive::Tree::Upper, &mut out).map_err(|e| self.failed(e))
    }

    /// Bytes written by the container (`SizeRw`).
    pub fn size(&self) -> Result<u64> {
        changes::size(self.open_upper()?.as_fd()).map_err(|e| self.failed(e))
    }

    /// Bytes of the image below (with [`size`](Self::size): `SizeRootFs`).
    pub fn image_size(&self) -> u64 {
        self.image_size
    }

    fn upper(&self) -> PathBuf {
        self.directory.join("diff")
    }

    fn work(&self) -> PathBuf {
        self.directory.join("work")
    }

    fn open_upper(&self) -> Result<OwnedFd> {
        let file = fs::File::open(self.upper()).map_err(|e| self.failed(e))?;
        Ok(file.into())
    }

    /// The upper directory shows through as the container's `/`, so that it has a root directory's mode.
    fn make_directories(&self) -> Result<()> {
        make_directory(&self.directory)?;
        make_directory(&self.work())?;
        fs::DirBuilder::new().mode(0o755).create(self.upper()).map_err(|e| self.failed(e))
    }

    /// The kernel refuses a second volatile mount: it cannot know that the first one lost nothing. This host did not
    /// crash in between (the writable layer of a container that ends with its exit would be gone), so that it did not.
    fn forget_volatile(&self) -> Result<()> {
        match fs::remove_dir_all(self.work().join("work/incompat")) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(self.failed(e)),
            _ => Ok(()),
        }
    }

    fn failed(&self, error: io::Error) -> Error {
        Error::io(format!("writable layer {}", self.directory.display()), error)
    }
}

fn mount(overlay: &Overlay) -> Result<OwnedFd> {
    overlay.mount().map_err(|e| Error::io("mount of the container's root", e))
}
