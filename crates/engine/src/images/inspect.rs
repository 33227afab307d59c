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
    /// Its manifests, if it came with some, among the rest.
    pub fn inspect(&self, name: &str, platform: Option<&Platform>) -> Result<Inspect> {
        let images = self.store.images();
        let image = images.by_id(&images.resolve_for(name, platform)?)?;
        let size = image.size() as i64;
        let (descriptor, manifests) = self.manifests(&image)?;
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
            comment: Some(image.config.comment.clone()),
            created: image.config.created.clone().unwrap_or_default(),
            container: Some(image.config.container.clone()).filter(|id| !id.is_empty()),
            container_config,
            docker_version: Some(image.config.docker_version.clone()),
            author: Some(image.config.author.clone()),
            config: config.map(Into::into),
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
            descriptor,
            manifests,
            ..Inspect::default()
        })
    }

    /// Where the layers lie, as Docker has them: the topmost is the upper. Nothing is ever mounted at `MergedDir`, nor
    /// is there anything in `WorkDir`: these are where they would be.
    fn graph_driver(&self, image: &Image) -> GraphDriver {
        let mut data = BTreeMap::new();
        let directories = match image.layers.as_slice() {
            [] => Vec::new(),
            layers => self.store.directories(layers),
        };
        let mut directories = directories.into_iter();
        if let Some(top) = directories.next() {
            let beside = |name| top.with_file_name(name).display().to_string();
            let own = [("MergedDir", "merged"), ("UpperDir", "diff"), ("WorkDir", "work")];
            data.extend(own.map(|(key, name)| (key.to_owned(), beside(name))));
        }
        let lower: Vec<String> = directories.map(|path| path.display().to_string()).collect();
        let lower = lower.join(":");
        if !lower.is_empty() {
            data.insert("LowerDir".to_owned(), lower);
        }
        GraphDriver { data: Some(data), name: "overlay2".to_owned() }
    }
}
