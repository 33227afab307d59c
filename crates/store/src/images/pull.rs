//! `pull`: an image whose documents and layers have arrived becomes visible, all of it or nothing.

use std::sync::Arc;

use oci::image::ImageConfig;
use oci::{Digest, Reference};

use super::{Images, NewImage};
use crate::blobs::digest_of;
use crate::error::{Error, Result};
use crate::layers::StagedLayer;
use crate::leases::Lease;

/// What a registry gave.
pub struct Pulled {
    pub config: Vec<u8>,
    /// Index and manifest, verbatim, root first.
    pub documents: Vec<Vec<u8>>,
    /// Layers that were not here.
    pub layers: Vec<Arc<StagedLayer>>,
    /// The tag, if it was asked for by one, and the digest.
    pub names: Vec<Reference>,
}

/// The image, and whether its first name meant something else before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewName {
    pub id: Digest,
    pub is_new: bool,
}

impl Images<'_> {
    /// The lease holds the layers that were here.
    pub fn take_pulled(&self, pulled: Pulled, lease: &Lease<'_>) -> Result<NewName> {
        let config = ImageConfig::parse(&pulled.config)
            .map_err(|error| Error::invalid(format!("invalid image configuration: {error}")))?;
        self.store.commit_layers(pulled.layers, lease)?;
        let id = digest_of(&pulled.config);
        let before = pulled.names.first().and_then(|name| self.resolve(&name.to_string()).ok());
        let new = NewImage {
            config: &pulled.config,
            parsed: &config,
            parent: None,
            documents: &pulled.documents,
            root: pulled.documents.first().map(|root| digest_of(root)),
            manifest: pulled.documents.last().map(|manifest| digest_of(manifest)),
        };
        self.put(&new, &pulled.names)?;
        Ok(NewName { is_new: before.as_ref() != Some(&id), id })
    }
}
