//! What an image's names point to: a manifest, or an index with one for each platform.

use oci::manifest::Document;
use oci::{Descriptor, Digest, Platform};
use rusqlite::OptionalExtension;

use super::{Image, Images, parse_digest};
use crate::error::{Error, Result};

const REFERENCE_TYPE: &str = "vnd.docker.reference.type";
const REFERENCE_DIGEST: &str = "vnd.docker.reference.digest";

/// The document that an image came with.
#[derive(Debug, Clone)]
pub struct Target {
    pub descriptor: Descriptor,
    /// Its own, or those that the index lists.
    pub manifests: Vec<ManifestEntry>,
}

#[derive(Debug, Clone)]
pub struct ManifestEntry {
    pub descriptor: Descriptor,
    pub kind: ManifestKind,
    /// Bytes of its documents that are here.
    pub documents: u64,
}

#[derive(Debug, Clone)]
pub enum ManifestKind {
    /// The platform as the index says, or as the image itself does.
    Image {
        platform: Platform,
        image: Option<Box<Image>>,
    },
    /// Of another manifest of the index.
    Attestation {
        of: String,
    },
    Unknown,
}

impl Images<'_> {
    /// None for an image that came without a manifest, or was made here.
    pub fn target(&self, image: &Image) -> Result<Option<Target>> {
        let mut found = None;
        for root in &image.roots {
            let bytes = self.store.blob(root)?;
            let document = Document::parse(&bytes)
                .map_err(|error| Error::system(format!("manifest {root}: {error}")))?;
            let is_index = matches!(document, Document::Index(_));
            if is_index || found.is_none() {
                found = Some((root, bytes.len() as u64, document));
            }
            if is_index {
                break;
            }
        }
        let Some((root, size, document)) = found else { return Ok(None) };
        let target = match document {
            Document::Manifest(manifest) => {
                let descriptor = Descriptor::new(manifest.media_type, root.clone(), size);
                let manifests = vec![self.entry(descriptor.clone())?];
                Target { descriptor, manifests }
            }
            Document::Index(index) => Target {
                descriptor: Descriptor::new(index.media_type, root.clone(), size),
                manifests: index
                    .manifests
                    .into_iter()
                    .map(|descriptor| self.entry(descriptor))
                    .collect::<Result<_>>()?,
            },
        };
        Ok(Some(target))
    }

    fn entry(&self, descriptor: Descriptor) -> Result<ManifestEntry> {
        if descriptor.annotation(REFERENCE_TYPE) == Some("attestation-manifest") {
            let of = descriptor.annotation(REFERENCE_DIGEST).unwrap_or_default().to_owned();
            return Ok(ManifestEntry {
                descriptor,
                kind: ManifestKind::Attestation { of },
                documents: 0,
            });
        }
        let image = self.image_of_manifest(&descriptor.digest)?;
        let (documents, platform) = match &image {
            Some(image) => {
                let config = self.raw_config(&image.id)?.len() as u64;
                (descriptor.size + config, Some(image.config.platform()))
            }
            None => (0, None),
        };
        let kind = match descriptor.platform.clone().or(platform) {
            Some(platform) => ManifestKind::Image { platform, image: image.map(Box::new) },
            None => ManifestKind::Unknown,
        };
        Ok(ManifestEntry { descriptor, kind, documents })
    }

    /// The image whose manifest this is, if it is here.
    pub(super) fn image_of_manifest(&self, manifest: &Digest) -> Result<Option<Image>> {
        let sql = "SELECT image FROM roots WHERE root = ?1";
        let id: Option<String> = self.store.database.read(|db| {
            let mut statement = db.prepare_cached(sql)?;
            Ok(statement.query_row([manifest.as_str()], |row| row.get(0)).optional()?)
        })?;
        id.map(|id| self.by_id(&parse_digest(&id)?)).transpose()
    }
}
