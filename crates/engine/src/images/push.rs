//! `push`: layers that the registry lacks are mounted or sent, several at once; then the config; then the manifest makes
//! the image visible there.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::progress::{Message, ProgressDetail};
use api::registry::AuthConfig;
use bytes::Bytes;
use oci::{Descriptor, Digest, Reference};
use registry::client::{Access, Error as RegistryError, Outcome, Progress, Repository, Which};
use store::images::{Image, ImageManifest};
use store::{Layer, LayerBlob, Store};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::Images;
use super::progress::{PACE, Reporter};
use crate::error::{Error, Result, blocking};
use crate::registries::{credentials, pushed};

/// What to push.
pub struct Push {
    /// Without tag: all that the repository has here.
    pub name: Reference,
    pub auth: AuthConfig,
}

impl Images {
    pub async fn push(&self, push: &Push, report: &Reporter) -> Result<()> {
        let familiar = push.name.familiar_name();
        report.status(format!("The push refers to repository [{}]", push.name.name())).await;
        let tags = self.store.images().tags_in(&push.name)?;
        if tags.is_empty() {
            return Err(Error::not_found(format!(
                "An image does not exist locally with the tag: {familiar}"
            )));
        }
        let tags = match push.name.tag() {
            None => tags,
            Some(_) if tags.contains(&push.name) => vec![push.name.clone()],
            Some(_) => {
                return Err(Error::not_found(format!(
                    "tag does not exist: {}",
                    push.name.familiar()
                )));
            }
        };
        let credentials = credentials(push.auth.clone());
        let settings = self.registries.settings();
        let opened = Repository::open(&settings, &push.name, &credentials, Access::Push).await;
        let repository = Arc::new(opened.map_err(pushed)?);
        for tag in tags {
            self.push_one(&repository, &tag, report).await?;
        }
        Ok(())
    }

    /// Sees to it that a repository has these layers, as any blobs: which ones, in their order. The caller holds them.
    pub async fn push_blobs(
        &self,
        repository: &Arc<Repository>,
        name: &Reference,
        layers: Vec<Layer>,
        report: &Reporter,
    ) -> Result<Vec<Blob>> {
        let count = layers.len();
        let work = Work {
            store: Arc::clone(&self.store),
            repository: Arc::clone(repository),
            name: name.clone(),
            layers,
            report: report.clone(),
        };
        let made = work.all(vec![None; count], self.registries.uploads_at_once()).await?;
        made.ok_or_else(|| Error::system(format!("layers of {name} are gone")))
    }

    async fn push_one(
        &self,
        repository: &Arc<Repository>,
        name: &Reference,
        report: &Reporter,
    ) -> Result<()> {
        if let Some(index) = self.store.images().whole_index(&name.to_string())? {
            if self.push_index(repository, name, &index, report).await? {
                return Ok(());
            }
            report.status("Not all platforms can be pushed as they came: pushing one alone").await;
        }
        let image = self.store.images().get(&name.to_string())?;
        let lease = self.store.lease("push");
        for layer in &image.layers {
            self.store.hold_layer(&layer.diff_id, &lease)?;
        }
        for layer in image.layers.iter().rev() {
            report.layer(layer.diff_id.short(), "Preparing").await;
        }
        let manifest = self.push_layers(repository, name, &image, report).await?;
        self.push_config(repository, &image).await?;
        let ImageManifest { bytes, parsed } = manifest;
        let kind = media_type(&parsed);
        let tag = name.tag().unwrap_or_default().to_owned();
        let size = bytes.len();
        let content = Bytes::from(bytes.clone());
        repository.put_manifest(&Which::Tag(tag.clone()), kind, content).await.map_err(pushed)?;
        let (store, id, of) = (Arc::clone(&self.store), image.id.clone(), name.clone());
        let digest = blocking(move || {
            let blobs: Vec<Digest> =
                parsed.layers.iter().map(|layer| layer.digest.clone()).collect();
            store.add_blob_source(&blobs, &of.name())?;
            Ok(store.images().take_pushed(&id, &bytes, &of)?)
        })
        .await?;
        drop(lease);
        tell_digest(report, &tag, &digest, size).await;
        let labels = image.config.config.and_then(|config| config.labels).unwrap_or_default();
        self.tell("push", name, labels);
        Ok(())
    }

    /// By a manifest that the image came with, where the registry has or can get every layer of it; else by a new one.
    async fn push_layers(
        &self,
        repository: &Arc<Repository>,
        name: &Reference,
        image: &Image,
        report: &Reporter,
    ) -> Result<ImageManifest> {
        let at_once = self.registries.uploads_at_once();
        for manifest in self.store.images().own_manifests(image)? {
            let blobs = manifest.parsed.layers.iter().map(|layer| Some(layer.clone()));
            let work = self.work(repository, name, image, report);
            if work.all(blobs.collect(), at_once).await?.is_some() {
                return Ok(manifest);
            }
        }
        let work = self.work(repository, name, image, report);
        let made = work.all(vec![None; image.layers.len()], at_once).await?;
        let made = made.ok_or_else(|| Error::system(format!("layers of {} are gone", image.id)))?;
        Ok(self.store.images().new_manifest(image, &made)?)
    }

    pub(super) fn work(
        &self,
        repository: &Arc<Repository>,
        name: &Reference,
        image: &Image,
        report: &Reporter,
    ) -> Work {
        Work {
            store: Arc::clone(&self.store),
            repository: Arc::clone(repository),
            name: name.clone(),
            layers: image.layers.clone(),
            report: report.clone(),
        }
    }

    pub(super) async fn push_config(&self, repository: &Repository, image: &Image) -> Result<()> {
        let config = self.store.images().raw_config(&image.id)?;
        push_bytes(repository, &image.id, config).await
    }
}

pub(super) async fn push_bytes(
    repository: &Repository,
    digest: &Digest,
    bytes: Vec<u8>,
) -> Result<()> {
    if repository.has_blob(digest).await.map_err(pushed)? {
        return Ok(());
    }
    repository.upload_bytes(digest, bytes.into()).await.map_err(pushed)
}

/// What an image is in the registry now.
pub(super) async fn tell_digest(report: &Reporter, tag: &str, digest: &Digest, size: usize) {
    report.status(format!("{tag}: digest: {digest} size: {size}")).await;
    let aux = serde_json::json!({ "Tag": tag, "Digest": digest, "Size": size });
    let detail = Some(ProgressDetail::default());
    report.send(Message { aux: Some(aux), progress_detail: detail, ..Message::default() }).await;
}

/// Manifests of the first years do not say what they are.
pub(super) fn media_type(manifest: &oci::manifest::Manifest) -> &str {
    match manifest.media_type.as_str() {
        "" => oci::media_type::OCI_MANIFEST,
        kind => kind,
    }
}

#[derive(Clone)]
pub(super) struct Work {
    store: Arc<Store>,
    repository: Arc<Repository>,
    name: Reference,
    layers: Vec<Layer>,
    report: Reporter,
}

/// Digest and size of a blob that the registry has now.
type Blob = (Digest, u64);

impl Work {
    /// Each layer as the blob that is given for it, else as any. `None` if one of them cannot be had.
    pub(super) async fn all(
        &self,
        blobs: Vec<Option<Descriptor>>,
        at_once: usize,
    ) -> Result<Option<Vec<Blob>>> {
        let turns = Arc::new(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS)));
        let mut running = JoinSet::new();
        for (at, (layer, blob)) in self.layers.clone().into_iter().zip(blobs).enumerate() {
            let (work, turns) = (self.clone(), Arc::clone(&turns));
            running.spawn(async move {
                // It is never closed.
                let _turn = turns.acquire_owned().await;
                Ok::<_, Error>((at, work.one(&layer, blob).await?))
            });
        }
        let mut done = BTreeMap::new();
        while let Some(one) = running.join_next().await {
            let (at, blob) =
                one.map_err(|gone| Error::system("a layer was given up").because(gone))??;
            let Some(blob) = blob else { return Ok(None) };
            done.insert(at, blob);
        }
        Ok(Some(done.into_values().collect()))
    }

    async fn one(&self, layer: &Layer, wanted: Option<Descriptor>) -> Result<Option<Blob>> {
        let id = layer.diff_id.short();
        let (digest, size, kept) = match wanted {
            Some(Descriptor { digest, size, .. }) => {
                let kept = self.store.layer_blob(&digest)?;
                (digest, size, kept)
            }
            None => {
                let (store, layer) = (Arc::clone(&self.store), layer.clone());
                let blob = blocking(move || Ok(store.blob_of_layer(&layer)?)).await?;
                (blob.digest.clone(), blob.size, Some(blob))
            }
        };
        let outcome = match self.without_sending(&digest).await.map_err(pushed)? {
            Some(outcome) => outcome,
            None => {
                let Some(blob) = kept else { return Ok(None) };
                self.send(id, blob).await.map_err(pushed)?;
                Outcome::Sent
            }
        };
        let status = match outcome {
            Outcome::Exists => "Layer already exists".to_owned(),
            Outcome::Mounted(source) => format!("Mounted from {source}"),
            Outcome::Sent => "Pushed".to_owned(),
        };
        self.report.layer(id, &status).await;
        Ok(Some((digest, size)))
    }

    async fn without_sending(&self, digest: &Digest) -> Result<Option<Outcome>, RegistryError> {
        if self.repository.has_blob(digest).await? {
            return Ok(Some(Outcome::Exists));
        }
        let sources = self.store.blob_sources(digest, self.name.domain()).unwrap_or_default();
        for source in sources.into_iter().filter(|source| source != self.name.path()) {
            if self.repository.mount(digest, &source).await? {
                return Ok(Some(Outcome::Mounted(source)));
            }
        }
        Ok(None)
    }

    async fn send(&self, id: &str, blob: LayerBlob) -> Result<(), RegistryError> {
        let LayerBlob { digest, size, file } = blob;
        let told = Progress::default();
        let sent = self.repository.upload(&digest, Arc::new(file), size, told.clone());
        let tell = async {
            loop {
                tokio::time::sleep(PACE).await;
                // A line without bytes is one that pipes show.
                let sent = told.bytes();
                if sent > 0 {
                    self.report.moving(id, "Pushing", sent, size).await;
                }
            }
        };
        tokio::select! {
            sent = sent => sent,
            never = tell => never,
        }
    }
}
