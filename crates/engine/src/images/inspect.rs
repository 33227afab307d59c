//! `image inspect`.

use std::collections::BTreeMap;

use api::containers::GraphDriver;
use api::images::{Inspect, Metadata, RootFs};
use oci::Platform;
use store::images::Image;

use super::{Images, api_config, familiar};
use crate::error::Result;

/// Go's zero time.
const NEVER: &str = "0001-01-01T00:00:00Z";

impl Images {
    pub fn inspect(&self, name: &str, platform: Option<&Platform>) -> Result<Inspect> {
        let images = self.store.images();
        let image = images.by_id(&images.resolve_for(name, platform)?)?;
        let size = image.size() as i64;
        let graph_driver = self.graph_driver(&image);
        let last_tag_time = image.last_tagged.clone().unwrap_or_else(|| NEVER.to_owned());
        let config = image.config.config.as_ref().map(api_config).transpose()?;
        let container_config =
            image.config.container_config.as_ref().map(api_config).transpose()?;
        Ok(Inspect {
            id: image.id.to_string(),
            repo_tags: familiar(&image.tags),
            repo_digests: familiar(&image.digests),
            parent: Some(image.parent.as_ref().map(ToString::to_string).unwrap_or_default()),
            comment: image.config.comment.clone(),
            created: image.config.created.clone().unwrap_or_default(),
            container: Some(image.config.container.clone()).filter(|id| !id.is_empty()),
            container_config,
            docker_version: Some(image.config.docker_version.clone()),
            author: image.config.author.clone(),
            config,
            architecture: image.config.architecture.clone(),
            variant: image.config.variant.clone(),
            os: image.config.os.clone(),
            os_version: image.config.os_version.clone(),
            size,
            graph_driver,
            root_fs: RootFs {
                kind: image.config.rootfs.kind.clone(),
                layers: image.config.rootfs.diff_ids.iter().map(ToString::to_string).collect(),
            },
            metadata: Metadata { last_tag_time },
            ..Inspect::default()
        })
    }

    /// Where the layers lie. Upper and lower as Docker has them: an image's topmost layer is its upper.
    fn graph_driver(&self, image: &Image) -> GraphDriver {
        let layers = self.store.data_root().join("layers");
        let folder = |number: u64| layers.join(number.to_string()).join("diff");
        let folders = image.layers.iter().rev().map(|layer| folder(layer.number));
        let mut folders = folders.map(|folder| folder.display().to_string());
        let mut data = BTreeMap::new();
        if let Some(upper) = folders.next() {
            data.insert("UpperDir".to_owned(), upper);
        }
        let lower = folders.collect::<Vec<_>>().join(":");
        if !lower.is_empty() {
            data.insert("LowerDir".to_owned(), lower);
        }
        GraphDriver { data: Some(data), name: "overlay2".to_owned() }
    }
}
