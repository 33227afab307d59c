//! The store, in the terms of containers: records, images to start from, roots. Its calls block, so they run on
//! threads that may; those that take microseconds (one row, no sync) are called as they are.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use api::containers::{Change, Config};
use oci::{Digest, Platform};
use store::Store;
use store::snapshots::{Base, ChangeKind};
use sys::overlay::Overlay;

use super::create::no_such_image;
use super::record::Record;
use super::volumes::Claims;
use crate::error::{Error, Kind, Result, blocking};

#[derive(Clone)]
pub struct Disk(Arc<Store>);

/// What a container is made from.
pub struct Image {
    pub id: String,
    pub platform: Platform,
    pub config: Config,
}

/// In bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sizes {
    /// What the container wrote.
    pub rw: u64,
    /// That and its image.
    pub root: u64,
}

impl Disk {
    pub fn new(store: Arc<Store>) -> Self {
        Self(store)
    }

    /// All records; one that does not read is an error, since it may be of a newer engine.
    pub fn all(&self) -> Result<Vec<Record>> {
        let read = |stored: store::Record| {
            serde_json::from_slice(&stored.document).map_err(|cause| {
                Error::system(format!("cannot read the record of container {}", stored.id))
                    .because(cause)
            })
        };
        self.0.containers().all()?.into_iter().map(read).collect()
    }

    /// Whether sizes can be limited.
    pub fn has_quotas(&self) -> bool {
        self.0.has_quotas()
    }

    /// Snapshot, record and volumes of a new container, or nothing of it. `limit` is of what it writes, in bytes.
    pub async fn create(&self, record: &Record, limit: Option<u64>, claims: Claims) -> Result<()> {
        let image = match record.step {
            Some(_) => None,
            None => Some(image_of(record)?),
        };
        let (stored, layers) = (stored(record)?, record.step.clone().unwrap_or_default());
        let (store, mounts) = (Arc::clone(&self.0), record.mounts.clone());
        blocking(move || {
            let base = image.as_ref().map_or(Base::Layers(&layers), Base::Image);
            let snapshot = store.snapshots().make(&stored.id, base)?;
            // A build's steps have none, as in BuildKit.
            image.as_ref().map_or(Ok(()), |_| snapshot.mark())?;
            limit.map_or(Ok(()), |bytes| snapshot.limit(bytes))?;
            claims.fill(&mounts, || snapshot.read_only())?;
            snapshot.keep(&stored, claims.new_volumes())?;
            claims.keep();
            Ok(())
        })
        .await
    }

    pub async fn put(&self, record: &Record) -> Result<()> {
        let stored = stored(record)?;
        let store = Arc::clone(&self.0);
        blocking(move || Ok(store.containers().update(&stored)?)).await
    }

    /// Gives back what a container wrote, which is of no more use. Blocks.
    pub fn empty(&self, id: &str) -> Result<()> {
        Ok(self.0.snapshots().empty(id)?)
    }

    /// The container with these of its volumes. Blocks.
    pub fn remove(&self, id: &str, volumes: &[&str]) -> Result<()> {
        Ok(self.0.snapshots().remove(id, volumes)?)
    }

    pub fn image(&self, reference: &str) -> Result<Image> {
        let image = self.0.images().get(reference).map_err(|error| match error.kind() {
            store::Kind::NotFound => no_such_image(reference),
            _ => error.into(),
        })?;
        let platform = image.config.platform();
        let config = image.config.config.unwrap_or_default();
        let config =
            serde_json::to_value(config).and_then(serde_json::from_value).map_err(|cause| {
                Error::system("cannot read the image's configuration").because(cause)
            })?;
        Ok(Image { id: image.id.to_string(), platform, config })
    }

    /// An image for another platform than the one asked for counts as missing, so that clients pull the right one.
    pub fn image_for(&self, reference: &str, wanted: &Platform) -> Result<Image> {
        let image = self.image(reference)?;
        if let Ok(id) = self.0.images().resolve_for(reference, Some(wanted)) {
            return self.image(id.as_str());
        }
        let actual = image.platform;
        Err(Error::not_found(format!(
            "image with reference {reference} was found but does not match the specified platform: \
             wanted {wanted}, actual: {actual}"
        )))
    }

    /// The root of an image, read-only.
    pub fn image_root(&self, id: &Digest) -> Result<Overlay> {
        Ok(self.0.snapshots().of_image(id)?)
    }

    pub fn image_id(&self, reference: &str) -> Result<String> {
        Ok(self.0.images().resolve(reference)?.to_string())
    }

    /// Ids of the image and of those made from it.
    pub async fn descendants(&self, ancestor: &str) -> Result<Vec<String>> {
        let (store, ancestor) = (Arc::clone(&self.0), ancestor.to_owned());
        blocking(move || {
            let images = store.images();
            let base = match images.get(&ancestor) {
                Ok(image) => image.layers,
                Err(error) if error.kind() == store::Kind::NotFound => return Ok(Vec::new()),
                Err(error) => return Err(error.into()),
            };
            let filter = store::images::Filter { all: true, ..Default::default() };
            let all = images.list(&filter)?;
            let base: Vec<_> = base.iter().map(|layer| (layer.number, layer.size)).collect();
            let descend = all.into_iter().filter(|image| image.layers.starts_with(&base));
            Ok(descend.map(|image| image.id.to_string()).collect())
        })
        .await
    }

    /// A root that goes with its container need not survive the host.
    pub fn overlay(&self, record: &Record) -> Result<Overlay> {
        let snapshot = self.0.snapshots().get(&record.id)?;
        Ok(snapshot.overlay(record.host_config.auto_remove || record.is_step()))
    }

    /// The root as it is, for reading: needs no directory of the writable one, which the kernel gives to one mount.
    pub fn read_only(&self, id: &str) -> Result<Overlay> {
        Ok(self.0.snapshots().get(id)?.read_only())
    }

    /// Gives the file system back what records took that are gone.
    pub fn compact(&self) {
        self.0.compact();
    }

    pub async fn sizes(&self, id: &str) -> Result<Sizes> {
        let (disk, id) = (self.clone(), id.to_owned());
        blocking(move || disk.sizes_now(&id)).await
    }

    /// As `sizes`; blocks.
    pub fn sizes_now(&self, id: &str) -> Result<Sizes> {
        let sizes = self.0.snapshots().get(id)?.sizes()?;
        Ok(Sizes { rw: sizes.writable, root: sizes.total })
    }

    /// As inspect shows them: where the parts of the root lie.
    pub async fn directories(&self, record: &Record) -> Result<BTreeMap<String, String>> {
        let (disk, record) = (self.clone(), record.clone());
        blocking(move || {
            let overlay = disk.overlay(&record)?;
            let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
            let lower: Vec<String> = overlay.lower.iter().map(|path| text(path)).collect();
            let upper = overlay.upper.unwrap_or_default();
            let merged = upper.with_file_name("merged");
            let work = overlay.work.unwrap_or_default();
            let pairs = [
                ("LowerDir", lower.join(":")),
                ("MergedDir", text(&merged)),
                ("UpperDir", text(&upper)),
                ("WorkDir", text(&work)),
            ];
            Ok(pairs.map(|(name, value)| (name.to_owned(), value)).into())
        })
        .await
    }

    pub async fn changes(&self, id: &str) -> Result<Vec<Change>> {
        let (store, id) = (Arc::clone(&self.0), id.to_owned());
        blocking(move || {
            let changes = store.snapshots().get(&id)?.changes()?;
            let change = |change: store::snapshots::Change| Change {
                kind: match change.kind {
                    ChangeKind::Modified => 0,
                    ChangeKind::Added => 1,
                    ChangeKind::Deleted => 2,
                },
                path: change.path.to_string_lossy().into_owned(),
            };
            Ok(changes.into_iter().map(change).collect())
        })
        .await
    }

    pub async fn export(&self, id: &str, mut writer: impl Write + Send + 'static) -> Result<()> {
        let (store, id) = (Arc::clone(&self.0), id.to_owned());
        blocking(move || {
            store.snapshots().get(&id)?.export(&mut writer)?;
            writer.flush().map_err(|cause| Error::new(Kind::System, "export").because(cause))
        })
        .await
    }
}

fn image_of(record: &Record) -> Result<Digest> {
    Digest::parse(&record.image).map_err(|cause| Error::system("the image's id").because(cause))
}

fn stored(record: &Record) -> Result<store::Record> {
    let document = match record.is_step() {
        // It is only ever removed, and its environment may hold secrets.
        true => serde_json::to_vec(&Record { config: Config::default(), ..record.clone() }),
        false => serde_json::to_vec(record),
    };
    let document = document.map_err(|cause| {
        Error::system(format!("cannot write the record of container {}", record.id)).because(cause)
    })?;
    Ok(store::Record { id: record.id.clone(), name: record.name.clone(), document })
}
