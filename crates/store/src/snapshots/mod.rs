//! Snapshots: a container's writable layer, `containers/<id>/{diff,work}`, over the layers of its image.

mod changes;
mod export;

use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use oci::Digest;
use rusqlite::OptionalExtension;
use sys::overlay::Overlay;

pub(crate) use changes::stubs;
pub use changes::{Change, ChangeKind};

use crate::Store;
use crate::database::Durability;
use crate::error::{Error, Result};
use crate::layers::{self, disk_size};
use crate::records::Record;
use crate::root::make_directory;
use crate::volumes::{self, Volume};

/// The kernel's limit on lower directories.
const MAX_LAYERS: usize = 500;

/// An empty file in a container's root.
const MARK: &str = ".dockerenv";

#[derive(Clone, Copy)]
pub struct Snapshots<'s> {
    store: &'s Store,
}

pub struct Snapshot<'s> {
    store: &'s Store,
    container: String,
    pub image: Option<Digest>,
    /// Numbers of its layers, bottom first.
    layers: Vec<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Bytes the container wrote.
    pub writable: u64,
    /// Those and the image's.
    pub total: u64,
}

/// What a container is made from.
#[derive(Debug, Clone, Copy)]
pub enum Base<'b> {
    Image(&'b Digest),
    /// By their diff IDs, bottom first; the caller holds them.
    Layers(&'b [Digest]),
}

impl Store {
    pub fn snapshots(&self) -> Snapshots<'_> {
        Snapshots { store: self }
    }
}

impl<'s> Snapshots<'s> {
    /// The directories of a new container's writable layer.
    pub fn make(&self, container: &str, base: Base<'_>) -> Result<NewSnapshot<'s>> {
        check_id(container)?;
        let layers = self.store.database.read(|db| match base {
            Base::Image(image) => layers_of_image(db, image),
            Base::Layers(layers) => layers::numbers(db, layers),
        })?;
        let image = match base {
            Base::Image(image) => Some(image.clone()),
            Base::Layers(_) => None,
        };
        let container = container.to_owned();
        let snapshot = Snapshot { store: self.store, container, image, layers };
        let directories = snapshot.lower().len();
        if directories > MAX_LAYERS {
            return Err(Error::invalid(format!(
                "image has {directories} layers, and the kernel mounts at most {MAX_LAYERS}"
            )));
        }
        // What is reserved for the records is for those of removals.
        self.store.root.check_room()?;
        let new = NewSnapshot { snapshot: Some(snapshot) };
        new.make_directories()?;
        Ok(new)
    }

    pub fn get(&self, container: &str) -> Result<Snapshot<'s>> {
        let (image, layers) = self.store.database.read(|db| {
            let sql = "SELECT image FROM snapshots WHERE container = ?1";
            let image: Option<String> =
                db.prepare_cached(sql)?.query_row([container], |row| row.get(0)).optional()?;
            let image = image
                .ok_or_else(|| Error::not_found(format!("no snapshot of container {container}")))?;
            Ok((image, layers_of_container(db, container)?))
        })?;
        Ok(Snapshot {
            store: self.store,
            container: container.to_owned(),
            image: Digest::parse(&image).ok(),
            layers,
        })
    }

    /// What an image's root holds, read-only.
    pub fn of_image(&self, image: &Digest) -> Result<Overlay> {
        let layers = self.store.database.read(|db| layers_of_image(db, image))?;
        if layers.is_empty() {
            self.store.images().by_id(image)?;
        }
        Ok(Overlay { lower: self.store.root.lower(&layers), ..Overlay::default() })
    }

    /// What layers hold together, bottom first, read-only. Without layers that is nothing.
    pub fn of_layers(&self, layers: &[Digest]) -> Result<Overlay> {
        let layers = self.store.database.read(|db| layers::numbers(db, layers))?;
        Ok(Overlay { lower: self.store.root.lower(&layers), ..Overlay::default() })
    }

    /// Takes the container's record, its snapshot and `volumes` that nobody else has out of the database in one
    /// transaction, then their directories out of sight; the slow part of it goes on behind.
    /// No container is no error: a removal that was interrupted is repeated.
    pub fn remove(&self, container: &str, volumes: &[&str]) -> Result<()> {
        check_id(container)?;
        let durability = match volumes {
            [] => Durability::ProcessDeath,
            _ => Durability::PowerLoss,
        };
        let was_last = self.store.write(durability, |transaction| {
            volumes.iter().try_for_each(|volume| volumes::delete(transaction, volume).map(drop))?;
            let sql = "DELETE FROM containers WHERE id = ?1";
            transaction.prepare_cached(sql)?.execute([container])?;
            let sql = "DELETE FROM snapshots WHERE container = ?1
                       RETURNING image <> '' AND image NOT IN (SELECT id FROM images)";
            let mut statement = transaction.prepare_cached(sql)?;
            let was_last = statement.query_row([container], |row| row.get::<_, bool>(0));
            Ok(was_last.optional()?)
        })?;
        self.store.root.discard(&self.store.root.container(container))?;
        volumes.iter().try_for_each(|volume| self.store.volumes().discard(volume))?;
        // Its image is gone, and the layers were kept for it.
        if was_last == Some(true) {
            return self.store.collect_garbage();
        }
        self.store.maintenance.wake();
        Ok(())
    }

    /// Gives the room back that a container's writable layer takes, at once, where nobody wants it any more: on a disk
    /// that is full nothing can be written down before that. Harmless where it was sealed.
    pub fn empty(&self, container: &str) -> Result<()> {
        check_id(container)?;
        self.store.root.discard(&self.store.root.container(container).join("diff"))?;
        self.store.root.empty_trash();
        Ok(())
    }

    /// Containers that have one.
    pub fn all(&self) -> Result<Vec<String>> {
        self.store.database.read(|db| {
            let mut statement = db.prepare_cached("SELECT container FROM snapshots")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
        })
    }
}

/// A writable layer of a container that is not there yet; nothing of it stays unless it is kept.
pub struct NewSnapshot<'s> {
    /// None once it is kept.
    snapshot: Option<Snapshot<'s>>,
}

impl<'s> NewSnapshot<'s> {
    fn inner(&self) -> &Snapshot<'s> {
        self.snapshot.as_ref().expect("it goes with `keep`, which takes the whole")
    }

    fn make_directories(&self) -> Result<()> {
        let directory = self.inner().directory();
        make_directory(&directory)?;
        for part in ["diff", "work"] {
            make_directory(&directory.join(part))?;
        }
        // The upper directory is the root that the container sees.
        rustix::fs::chmod(directory.join("diff"), 0o755.into())
            .map_err(|error| Error::io("snapshot", error))
    }

    /// What programs know a container by, as in Docker; an image's own is left.
    pub fn mark(&self) -> Result<()> {
        let failed = |error| Error::io("snapshot", error);
        let is_there = |layer: &PathBuf| layer.join(MARK).symlink_metadata().is_ok();
        if self.inner().lower().iter().any(is_there) {
            return Ok(());
        }
        let path = self.inner().directory().join("diff").join(MARK);
        File::create_new(&path).map_err(failed)?;
        rustix::fs::chmod(&path, 0o755.into()).map_err(|error| failed(error.into()))
    }

    /// What the container may write at most, in bytes.
    pub fn limit(&self, bytes: u64) -> Result<()> {
        let Snapshot { store, .. } = self.inner();
        let directory = self.inner().directory();
        // Files are moved from the one to the other, which the kernel allows within one project only.
        store.confine(&[&directory.join("diff"), &directory.join("work")], bytes)
    }

    /// The root that the container will find.
    pub fn read_only(&self) -> Overlay {
        self.inner().read_only()
    }

    /// The snapshot, the container's record and `volumes` that were made for it, in one transaction.
    pub fn keep(mut self, record: &Record, volumes: &[Volume]) -> Result<Snapshot<'s>> {
        let Snapshot { store, container, image, layers } = self.inner();
        let image = image.as_ref().map_or("", Digest::as_str);
        store.write(Durability::ProcessDeath, |transaction| {
            let known = "SELECT 1 FROM images WHERE id = ?1";
            if !image.is_empty() && !transaction.prepare_cached(known)?.exists([image])? {
                return Err(gone(image));
            }
            transaction
                .prepare_cached("INSERT INTO snapshots (container, image) VALUES (?1, ?2)")?
                .execute((container, image))?;
            let mut statement = transaction.prepare_cached(
                "INSERT INTO snapshot_layers (container, position, layer)
                 SELECT ?1, ?2, number FROM layers WHERE number = ?3",
            )?;
            for (position, layer) in layers.iter().enumerate() {
                if statement.execute((container, position, layer))? == 0 {
                    return Err(gone(image));
                }
            }
            volumes.iter().try_for_each(|volume| volumes::insert(transaction, volume).map(drop))?;
            store.containers().insert(transaction, record)
        })?;
        Ok(self.snapshot.take().expect("it is kept once"))
    }
}

impl Drop for NewSnapshot<'_> {
    fn drop(&mut self) {
        if let Some(Snapshot { store, container, .. }) = &self.snapshot {
            // What stays now has no row, and goes at the next open.
            let _ = store.root.discard(&store.root.container(container));
            store.maintenance.wake();
        }
    }
}

impl Snapshot<'_> {
    /// `containers/<id>`: the engine keeps the container's other files there too.
    pub fn directory(&self) -> PathBuf {
        self.store.root.container(&self.container)
    }

    /// The container's root, writable.
    pub fn overlay(&self, volatile: bool) -> Overlay {
        let directory = self.directory();
        // A volatile mount leaves this mark against being mounted again after a crash of the host. What was lost
        // then belongs to a container that is removed at the next start; without the mark it restarts until then.
        let _ = std::fs::remove_dir_all(directory.join("work/work/incompat"));
        Overlay {
            lower: self.lower(),
            upper: Some(directory.join("diff")),
            work: Some(directory.join("work")),
            volatile,
        }
    }

    /// The container's root as it is now, read-only: upper over lower without a work directory.
    pub fn read_only(&self) -> Overlay {
        let mut lower = self.lower();
        lower.insert(0, self.directory().join("diff"));
        Overlay { lower, ..Overlay::default() }
    }

    pub fn sizes(&self) -> Result<Sizes> {
        let writable = disk_size(&self.directory().join("diff"))
            .map_err(|error| Error::io(format!("size of container {}", self.container), error))?;
        let sql = "SELECT coalesce(sum(size), 0) FROM snapshot_layers JOIN layers ON layer = number WHERE container = ?1";
        let image: u64 = self.store.database.read(|db| {
            Ok(db.prepare_cached(sql)?.query_row([&self.container], |row| row.get(0))?)
        })?;
        Ok(Sizes { writable, total: writable + image })
    }

    pub(crate) fn lower(&self) -> Vec<PathBuf> {
        self.store.root.lower(&self.layers)
    }

    pub(crate) fn open_upper(&self) -> Result<OwnedFd> {
        let path = self.directory().join("diff");
        let directory =
            File::open(&path).map_err(|error| Error::io(path.display().to_string(), error))?;
        Ok(directory.into())
    }
}

/// Went since it was looked up.
fn gone(image: &str) -> Error {
    match image {
        "" => Error::not_found("a layer of the container is gone"),
        image => Error::not_found(format!("No such image: {image}")),
    }
}

/// Ids become directory names.
fn check_id(id: &str) -> Result<()> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !id.is_empty() && id.len() <= 128 && id.bytes().all(is_plain) {
        return Ok(());
    }
    Err(Error::invalid(format!("invalid container id {id:?}")))
}

fn layers_of_container(db: &rusqlite::Connection, container: &str) -> Result<Vec<u64>> {
    let sql = "SELECT layer FROM snapshot_layers WHERE container = ?1 ORDER BY position";
    let mut statement = db.prepare_cached(sql)?;
    Ok(statement.query_map([container], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

fn layers_of_image(db: &rusqlite::Connection, image: &Digest) -> Result<Vec<u64>> {
    let sql = "SELECT layer FROM image_layers WHERE image = ?1 ORDER BY position";
    let mut statement = db.prepare_cached(sql)?;
    let layers = statement.query_map([image.as_str()], |row| row.get(0))?;
    Ok(layers.collect::<rusqlite::Result<_>>()?)
}
