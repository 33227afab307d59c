//! `import`: a root file system becomes an image of one layer.

use std::io::Read;

use oci::image::{ContainerConfig, History, ImageConfig, RootFs};
use oci::{Digest, Platform, Reference};

use super::{Images, NewImage};
use crate::error::{Error, Result};

/// What the image is given besides its files. `config` is the outcome of `--change`.
#[derive(Debug, Clone, Default)]
pub struct Import {
    pub config: ContainerConfig,
    pub message: String,
    pub platform: Option<Platform>,
    pub reference: Option<Reference>,
}

impl Images<'_> {
    pub fn import(
        &self,
        source: &mut dyn Read,
        import: Import,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Digest> {
        let lease = self.store.lease("import");
        let layer = self.store.add_layer(source, &lease, progress)?;
        let created = Some(jiff::Timestamp::now().to_string());
        let platform = import.platform.unwrap_or_else(Platform::host);
        let history = History {
            created: created.clone(),
            comment: import.message.clone(),
            ..History::default()
        };
        let config = ImageConfig {
            architecture: platform.architecture,
            variant: platform.variant,
            os: platform.os,
            comment: import.message,
            config: Some(import.config),
            container_config: Some(ContainerConfig::default()),
            created,
            history: vec![history],
            rootfs: RootFs { diff_ids: vec![layer.diff_id], ..RootFs::default() },
            ..ImageConfig::default()
        };
        self.put_new(&config, None, import.reference)
    }

    /// Records an image that was made here.
    pub(super) fn put_new(
        &self,
        config: &ImageConfig,
        parent: Option<&Digest>,
        reference: Option<Reference>,
    ) -> Result<Digest> {
        let bytes = serde_json::to_vec(config)
            .map_err(|error| Error::system(format!("image config: {error}")))?;
        let references: Vec<Reference> =
            reference.into_iter().map(Reference::tag_default).collect();
        let new = NewImage {
            config: &bytes,
            parsed: config,
            parent,
            documents: &[],
            root: None,
            manifest: None,
        };
        self.put(&new, &references)
    }
}
