//! Descriptors and manifests of images, as list and inspect show them to those who ask.

use api::images::{
    AttestationData, Descriptor, ImageData, ImageDataSize, ManifestSize, ManifestSummary, Platform,
    Summary,
};
use store::images::{Image, ManifestEntry, ManifestKind, Use};

use super::Images;
use crate::error::Result;

/// An image's own descriptor, and its manifests.
type Manifests = (Option<Descriptor>, Option<Vec<ManifestSummary>>);

impl Images {
    /// An image that is removed meanwhile has none.
    pub fn add_manifests(&self, summaries: &mut [Summary]) -> Result<()> {
        for summary in summaries {
            let images = self.store.images();
            match images.resolve(&summary.id).and_then(|id| images.by_id(&id)) {
                Ok(image) => (summary.descriptor, summary.manifests) = self.manifests(&image)?,
                Err(error) if error.kind() == store::Kind::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Nothing for images that came without a manifest.
    pub(super) fn manifests(&self, image: &Image) -> Result<Manifests> {
        let Some(target) = self.store.images().target(image)? else { return Ok((None, None)) };
        let uses = self.containers.image_uses();
        let manifests = target.manifests.into_iter().map(|entry| summary(entry, &uses));
        Ok((Some(descriptor(target.descriptor)), Some(manifests.collect())))
    }
}

fn summary(entry: ManifestEntry, uses: &[Use]) -> ManifestSummary {
    let content = entry.documents as i64;
    let mut summary = ManifestSummary {
        id: entry.descriptor.digest.to_string(),
        descriptor: descriptor(entry.descriptor),
        size: ManifestSize { total: content, content },
        kind: "unknown".into(),
        ..ManifestSummary::default()
    };
    match entry.kind {
        ManifestKind::Image { platform: of, image } => {
            summary.kind = "image".into();
            summary.available = image.is_some();
            let unpacked = image.as_ref().map_or(0, |image| image.size() as i64);
            summary.size.total += unpacked;
            let id = image.map(|image| image.id);
            let users = uses.iter().filter(|one| Some(&one.image) == id.as_ref());
            summary.image_data = Some(ImageData {
                platform: platform(of),
                containers: users.map(|one| one.container.clone()).collect(),
                size: ImageDataSize { unpacked },
            });
        }
        ManifestKind::Attestation { of } => {
            summary.kind = "attestation".into();
            summary.attestation_data = Some(AttestationData { subject: of });
        }
        ManifestKind::Unknown => {}
    }
    summary
}

fn descriptor(descriptor: oci::Descriptor) -> Descriptor {
    Descriptor {
        media_type: descriptor.media_type,
        digest: descriptor.digest.to_string(),
        size: descriptor.size as i64,
        urls: descriptor.urls,
        annotations: descriptor.annotations,
        platform: descriptor.platform.map(platform),
        artifact_type: descriptor.artifact_type.unwrap_or_default(),
    }
}

pub fn platform(platform: oci::Platform) -> Platform {
    Platform {
        architecture: platform.architecture,
        os: platform.os,
        os_version: platform.os_version,
        os_features: platform.os_features,
        variant: platform.variant,
    }
}
