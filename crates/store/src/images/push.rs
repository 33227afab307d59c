//! `push`: the manifest that an image goes by in a registry.

use oci::manifest::{Document, Manifest};
use oci::{Descriptor, Digest, Reference, media_type};

use super::{Image, Images, NewImage};
use crate::error::{Error, Result};

/// A manifest, verbatim and as data.
#[derive(Debug, Clone)]
pub struct ImageManifest {
    pub bytes: Vec<u8>,
    pub parsed: Manifest,
}

impl ImageManifest {
    /// What it names: its configuration, and its layers.
    pub fn blobs(&self) -> impl Iterator<Item = &Descriptor> {
        [&self.parsed.config].into_iter().chain(&self.parsed.layers)
    }
}

impl Images<'_> {
    /// The manifests that an image came with: pushed unchanged, its digest stays.
    pub fn own_manifests(&self, image: &Image) -> Result<Vec<ImageManifest>> {
        let mut manifests = Vec::new();
        for root in &image.roots {
            let bytes = self.store.blob(root)?;
            let document = Document::parse(&bytes)
                .map_err(|error| Error::system(format!("manifest {root}: {error}")))?;
            if let Document::Manifest(parsed) = document
                && parsed.config.digest == image.id
                && parsed.layers.len() == image.layers.len()
            {
                manifests.push(ImageManifest { bytes, parsed });
            }
        }
        Ok(manifests)
    }

    /// One of blobs that are here, in Docker's form; the same for the same blobs.
    pub fn new_manifest(&self, image: &Image, blobs: &[(Digest, u64)]) -> Result<ImageManifest> {
        let config = self.raw_config(&image.id)?;
        let layer = |(digest, size): &(Digest, u64)| {
            Descriptor::new(media_type::DOCKER_LAYER_GZIP, digest.clone(), *size)
        };
        let parsed = Manifest {
            schema_version: 2,
            media_type: media_type::DOCKER_MANIFEST.to_owned(),
            config: Descriptor::new(
                media_type::DOCKER_CONFIG,
                image.id.clone(),
                config.len() as u64,
            ),
            layers: blobs.iter().map(layer).collect(),
            annotations: Default::default(),
        };
        let bytes = serde_json::to_vec(&parsed)
            .map_err(|error| Error::system(format!("manifest of {}: {error}", image.id)))?;
        Ok(ImageManifest { bytes, parsed })
    }

    /// Records what an image is called in a registry now.
    pub fn take_pushed(
        &self,
        id: &Digest,
        manifest: &[u8],
        repository: &Reference,
    ) -> Result<Digest> {
        let config = self.raw_config(id)?;
        let parsed = self.config(id)?;
        let digest = crate::blobs::digest_of(manifest);
        let new = NewImage {
            config: &config,
            parsed: &parsed,
            parent: None,
            documents: &[manifest.to_vec()],
            root: Some(digest.clone()),
            manifest: Some(digest.clone()),
        };
        self.put(&new, &[repository.with_digest(digest.clone())])?;
        Ok(digest)
    }

    /// Its names in a repository, sorted.
    pub fn tags_in(&self, repository: &Reference) -> Result<Vec<Reference>> {
        self.tags_of(&repository.without_tag_and_digest())
    }
}
