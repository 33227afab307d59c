//! `push` of a name that means an index of which everything is here: what its manifests name, these, and then the index
//! makes all of it visible.

use std::sync::Arc;

use bytes::Bytes;
use oci::Reference;
use registry::client::{Repository, Which};
use store::images::{Image, ImageManifest, IndexPart, WholeIndex};

use super::Images;
use super::progress::Reporter;
use super::push::{media_type, push_bytes, tell_digest};
use crate::error::Result;
use crate::registries::pushed;

impl Images {
    /// False where a layer cannot be had in the form that a manifest names.
    pub(super) async fn push_index(
        &self,
        repository: &Arc<Repository>,
        name: &Reference,
        index: &WholeIndex,
        report: &Reporter,
    ) -> Result<bool> {
        let lease = self.store.lease("push");
        for part in &index.parts {
            let IndexPart::Image(image, _) = part else { continue };
            for layer in &image.layers {
                self.store.hold_layer(&layer.diff_id, &lease)?;
                report.layer(layer.diff_id.short(), "Preparing").await;
            }
        }
        for part in &index.parts {
            let is_there = match part {
                IndexPart::Image(image, manifest) => {
                    self.push_image(repository, name, image, manifest, report).await?
                }
                IndexPart::Attached(manifest) => {
                    for blob in manifest.blobs() {
                        let bytes = self.store.blob(&blob.digest)?;
                        push_bytes(repository, &blob.digest, bytes).await?;
                    }
                    true
                }
            };
            if !is_there {
                return Ok(false);
            }
            let ImageManifest { bytes, parsed } = part.manifest();
            let which = Which::Digest(digest_of(bytes));
            let content = Bytes::from(bytes.clone());
            let put = repository.put_manifest(&which, media_type(parsed), content).await;
            put.map_err(pushed)?;
        }
        let tag = name.tag().unwrap_or_default();
        let content = Bytes::from(index.bytes.clone());
        let which = Which::Tag(tag.to_owned());
        let put = repository.put_manifest(&which, &index.descriptor.media_type, content).await;
        put.map_err(pushed)?;
        let digest = &index.descriptor.digest;
        self.store.images().name_pushed(digest, name)?;
        drop(lease);
        tell_digest(report, tag, digest, index.bytes.len()).await;
        self.tell("push", name, Default::default());
        Ok(true)
    }

    async fn push_image(
        &self,
        repository: &Arc<Repository>,
        name: &Reference,
        image: &Image,
        manifest: &ImageManifest,
        report: &Reporter,
    ) -> Result<bool> {
        if manifest.parsed.layers.len() != image.layers.len() {
            return Ok(false);
        }
        let blobs = manifest.parsed.layers.iter().cloned().map(Some).collect();
        let work = self.work(repository, name, image, report);
        if work.all(blobs, self.registries.uploads_at_once()).await?.is_none() {
            return Ok(false);
        }
        self.push_config(repository, image).await?;
        let layers = manifest.parsed.layers.iter();
        let digests: Vec<_> = layers.map(|layer| layer.digest.clone()).collect();
        self.store.add_blob_source(&digests, &name.name())?;
        Ok(true)
    }
}

fn digest_of(bytes: &[u8]) -> oci::Digest {
    use sha2::Digest as _;
    oci::Digest::from_sha256(sha2::Sha256::digest(bytes).into())
}
