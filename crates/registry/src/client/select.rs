//! From what a name leads to, to the one image for a platform.

use std::collections::HashSet;

use bytes::Bytes;
use oci::image::{self, ImageConfig};
use oci::manifest::{Document, Manifest};
use oci::{Descriptor, Digest, Platform, media_type};

use super::Repository;
use super::error::{Error, Result};
use super::manifests::{Fetched, Which, has_digest};

/// Deeper indexes, or more of them, are an attack (CVE-2026-53493).
const MAX_DEPTH: usize = 4;
const MAX_DOCUMENTS: usize = 64;

/// An image that can be fetched.
pub struct Selected {
    pub manifest: Manifest,
    pub manifest_digest: Digest,
    /// Index and manifest, verbatim, root first.
    pub documents: Vec<Bytes>,
    pub config: Bytes,
    pub parsed: ImageConfig,
}

impl Repository {
    /// # Errors
    /// `NoPlatform` where an index has nothing for it.
    pub async fn select(&self, root: &Fetched, platform: &Platform) -> Result<Selected> {
        let mut documents = vec![root.bytes.clone()];
        let mut digest = root.digest.clone();
        let mut document = parse(root)?;
        let mut seen = HashSet::from([digest.clone()]);
        while let Document::Index(index) = document {
            if documents.len() > MAX_DEPTH || seen.len() > MAX_DOCUMENTS {
                return Err(Error::invalid("image index is nested too deeply"));
            }
            let mut candidates = index.candidates(platform).into_iter();
            let Some(entry) = candidates.find(|entry| is_image(entry)) else {
                return Err(Error::NoPlatform { platform: platform.to_string() });
            };
            if !seen.insert(entry.digest.clone()) {
                return Err(Error::invalid("image index contains itself"));
            }
            let fetched = self.manifest(&Which::Digest(entry.digest.clone())).await?;
            document = parse(&fetched)?;
            digest = fetched.digest;
            documents.push(fetched.bytes);
        }
        let Document::Manifest(manifest) = document else {
            return Err(Error::invalid("image index without an image"));
        };
        let config = self.config(&manifest.config).await?;
        let parsed = ImageConfig::parse(&config)
            .map_err(|error| Error::invalid(format!("invalid image configuration: {error}")))?;
        Ok(Selected { manifest, manifest_digest: digest, documents, config, parsed })
    }

    async fn config(&self, config: &Descriptor) -> Result<Bytes> {
        let kind = config.media_type.as_str();
        if !kind.is_empty() && !media_type::is_config(kind) {
            return Err(Error::invalid(format!(
                "Encountered remote {kind:?}(unknown) when fetching"
            )));
        }
        let bytes = self.small_blob(&config.digest, image::MAX_BYTES).await?;
        if !has_digest(&bytes, &config.digest) {
            return Err(Error::invalid(format!(
                "image config verification failed for digest {}",
                config.digest
            )));
        }
        Ok(bytes)
    }
}

/// Attestations say so in an annotation, where they have a platform at all.
fn is_image(entry: &Descriptor) -> bool {
    let kind = entry.media_type.as_str();
    let reference = entry.annotation("vnd.docker.reference.type");
    reference.is_none()
        && (kind.is_empty() || media_type::is_manifest(kind) || media_type::is_index(kind))
}

fn parse(fetched: &Fetched) -> Result<Document> {
    let kind = fetched.media_type.as_str();
    let is_known = media_type::is_manifest(kind) || media_type::is_index(kind);
    // Some registries call them JSON, and some nothing at all.
    if !is_known && !matches!(kind, "" | "application/json") {
        return Err(Error::invalid(format!(
            "unsupported manifest media type and no default available: {kind}"
        )));
    }
    let document =
        Document::parse(&fetched.bytes).map_err(|error| Error::invalid(error.to_string()))?;
    let said_index = media_type::is_index(kind);
    // What a header calls an index and its bytes a manifest means two things (CVE-2021-41190).
    if is_known && said_index != matches!(document, Document::Index(_)) {
        return Err(Error::invalid(format!("invalid manifest: it is not of type {kind}")));
    }
    Ok(document)
}
