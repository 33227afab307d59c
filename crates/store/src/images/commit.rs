//! `commit`: a container's changes become a layer on top of its image.

use oci::image::{ContainerConfig, History, ImageConfig, RootFs};
use oci::{Digest, Platform, Reference};

use super::Images;
use crate::Layer;

/// Digest of a tar without entries: a container that changed nothing adds no layer.
const EMPTY_TAR: &str = "sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef";
use crate::error::{Error, Result};

/// `config` is the image's run configuration after `--change`; `container_config` the container's own.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    pub container: String,
    pub config: ContainerConfig,
    pub container_config: ContainerConfig,
    pub author: String,
    pub message: String,
    pub reference: Option<Reference>,
}

impl Images<'_> {
    pub fn commit(&self, commit: Commit) -> Result<Digest> {
        let snapshot = self.store.snapshots().get(&commit.container)?;
        let base = match &snapshot.image {
            Some(id) => {
                self.config(id).map_err(|_| Error::not_found(format!("No such image: {id}")))?
            }
            None => empty_base(),
        };
        let lease = self.store.lease("commit");
        let layer = self.changes_as_layer(&snapshot, &lease)?;
        let parent = snapshot.image.clone();
        let config = child(base, commit.clone(), &layer);
        self.put_new(&config, parent.as_ref(), commit.reference)
    }

    /// The writer of the tar is one thread, the reader, which makes the layer, this one.
    fn changes_as_layer(
        &self,
        snapshot: &crate::snapshots::Snapshot<'_>,
        lease: &crate::Lease<'_>,
    ) -> Result<Layer> {
        let (mut reader, mut writer) = std::io::pipe().map_err(|error| Error::io("pipe", error))?;
        std::thread::scope(|scope| {
            let writing = scope.spawn(move || snapshot.write_layer(&mut writer));
            let layer = self.store.add_layer(&mut reader, lease, &mut |_| ());
            drop(reader);
            let written = writing.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            match written {
                // Nobody took the rest: why is the reader's to say.
                Err(error) if error.is_broken_pipe() && layer.is_err() => layer,
                written => written.and(layer),
            }
        })
    }
}

fn empty_base() -> ImageConfig {
    let host = Platform::host();
    ImageConfig {
        architecture: host.architecture,
        variant: host.variant,
        os: host.os,
        ..ImageConfig::default()
    }
}

fn child(base: ImageConfig, commit: Commit, layer: &Layer) -> ImageConfig {
    let created = Some(jiff::Timestamp::now().to_string());
    let command = commit.container_config.cmd.as_deref().unwrap_or_default().join(" ");
    let is_empty = layer.diff_id.as_str() == EMPTY_TAR;
    let mut history = base.history;
    history.push(History {
        created: created.clone(),
        created_by: command,
        author: commit.author.clone(),
        comment: commit.message.clone(),
        empty_layer: is_empty,
    });
    let mut diff_ids = base.rootfs.diff_ids;
    if !is_empty {
        diff_ids.push(layer.diff_id.clone());
    }
    ImageConfig {
        build_cache: None,
        author: commit.author,
        comment: commit.message,
        config: Some(commit.config),
        container: commit.container,
        container_config: Some(commit.container_config),
        created,
        history,
        rootfs: RootFs { diff_ids, ..RootFs::default() },
        architecture: base.architecture,
        variant: base.variant,
        os: base.os,
        os_version: base.os_version,
        os_features: base.os_features,
        docker_version: String::new(),
    }
}
