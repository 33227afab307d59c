//! What becomes of a result: an image in the store, an archive or a tree of files at the client.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use api::build::{BuildOptions, BuildResult, Output};
use builder::plan::Plan;
use jiff::Timestamp;
use oci::image::{History, ImageConfig, RootFs};
use oci::{Digest, Reference};
use serde_json::json;

use super::Builds;
use super::bases::auth_of;
use super::client::Client;
use super::progress::Task;
use super::trees::{Layers, root};
use crate::error::{Error, Result, blocking};
use crate::events;
use crate::images::Push;
use crate::images::progress::Reporter;

/// What a platform's graph gave.
pub struct Built {
    pub plan: Plan,
    pub layers: Layers,
    /// The cache that the image carries of itself.
    pub inline: Option<String>,
}

const COMMENT: &str = "buildkit.dockerfile.v0";

impl Builds {
    /// Everywhere the options say.
    pub async fn export(
        &self,
        built: Arc<Built>,
        options: &Arc<BuildOptions>,
        client: &Arc<Client>,
    ) -> Result<BuildResult> {
        let default = [Output { kind: "image".into(), ..Output::default() }];
        let outputs = if options.outputs.is_empty() { &default[..] } else { &options.outputs };
        let mut result = BuildResult::default();
        for (index, output) in outputs.iter().enumerate() {
            match output.kind.as_str() {
                "image" | "docker" | "registry" if !output.to_client => {
                    let id = self.export_image(&built, options, output, client).await?;
                    result
                        .metadata
                        .insert("containerimage.config.digest".into(), json!(id.as_str()));
                    result.metadata.insert("containerimage.digest".into(), json!(id.as_str()));
                    if !options.tags.is_empty() {
                        result
                            .metadata
                            .insert("image.name".into(), json!(full_names(options).join(",")));
                    }
                    result.image_id = id.to_string();
                    if output.kind == "registry" {
                        self.push_all(options, output, client).await?;
                    }
                }
                "docker" | "oci" => {
                    let id = self.export_archive(&built, options, output, index, client).await?;
                    result.image_id = id.to_string();
                }
                "local" | "tar" => self.export_files(&built, output, index, client).await?,
                "cacheonly" => {}
                kind => {
                    return Err(Error::not_implemented(format!(
                        "exporter {kind:?} could not be found"
                    )));
                }
            }
        }
        Ok(result)
    }

    async fn export_image(
        &self,
        built: &Arc<Built>,
        options: &Arc<BuildOptions>,
        output: &Output,
        client: &Arc<Client>,
    ) -> Result<Digest> {
        let task = Task::begin(client, "exporting to image");
        let (builds, built) = (self.clone(), Arc::clone(built));
        let references = references(&names(options, output))?;
        let named = references.clone();
        let put = blocking(move || builds.put(&built, &named)).await;
        if let Ok(id) = &put {
            task.did("exporting layers", 0);
            task.did(&format!("writing image {id}"), 0);
            for name in &references {
                task.did(&format!("naming to {name}"), 0);
                self.tell_tag(id, name);
            }
        }
        task.end(&put);
        put
    }

    /// Blocks.
    fn put(&self, built: &Built, references: &[Reference]) -> Result<Digest> {
        let config = configuration(built)?;
        let bytes = serde_json::to_vec(&config)
            .map_err(|cause| Error::system("the image's configuration").because(cause))?;
        Ok(self.store.images().put_built(&bytes, &built.layers.digests, references)?)
    }

    fn tell_tag(&self, id: &Digest, name: &Reference) {
        let attributes = BTreeMap::from([("name".to_owned(), name.familiar())]);
        self.events.publish(events::Kind::Image, "tag", id.as_str(), attributes);
    }

    /// To the registries that the image's names are of.
    async fn push_all(
        &self,
        options: &BuildOptions,
        output: &Output,
        client: &Arc<Client>,
    ) -> Result<()> {
        let references = references(&names(options, output))?;
        if references.is_empty() {
            return Err(Error::invalid("tag is needed when pushing to registry"));
        }
        for name in references {
            let task = Task::begin(client, &format!("pushing {name}"));
            let push = Push { auth: auth_of(options, name.domain()), name };
            let (report, mut lines) = Reporter::new();
            let pushing = self.images.push(&push, &report);
            tokio::pin!(pushing);
            let pushed = loop {
                tokio::select! {
                    pushed = &mut pushing => break pushed,
                    Some(line) = lines.recv() => task.layer(&line),
                }
            };
            task.end(&pushed);
            pushed?;
        }
        Ok(())
    }

    /// A tar of the image, as `save` makes one.
    async fn export_archive(
        &self,
        built: &Arc<Built>,
        options: &Arc<BuildOptions>,
        output: &Output,
        index: usize,
        client: &Arc<Client>,
    ) -> Result<Digest> {
        let format = if output.kind == "oci" { "oci image format" } else { "docker image format" };
        let task = Task::begin(client, &format!("exporting to {format}"));
        let references = references(&names(options, output))?;
        let (builds, built, client) = (self.clone(), Arc::clone(built), Arc::clone(client));
        let sent = blocking(move || {
            let id = builds.put(&built, &references)?;
            let mut out = client.output(index)?;
            let mut wanted: Vec<String> = references.iter().map(Reference::to_string).collect();
            if wanted.is_empty() {
                wanted.push(id.to_string());
            }
            builds.store.images().save(&wanted, None, &mut out)?;
            out.finish().map_err(not_sent)?;
            Ok(id)
        })
        .await;
        task.end(&sent);
        sent
    }

    /// The files of the result's root.
    async fn export_files(
        &self,
        built: &Arc<Built>,
        output: &Output,
        index: usize,
        client: &Arc<Client>,
    ) -> Result<()> {
        let name = if output.kind == "tar" {
            "exporting to client tarball"
        } else {
            "exporting to client directory"
        };
        let task = Task::begin(client, name);
        let (builds, built, client) = (self.clone(), Arc::clone(built), Arc::clone(client));
        let sent = blocking(move || {
            let folder = root(&builds.store, &built.layers.digests)?;
            let mut out = client.output(index)?;
            archive::pack::write_plain(folder.root(), &mut out).map_err(not_sent)?;
            out.flush().and_then(|()| out.finish()).map_err(not_sent)
        })
        .await;
        task.end(&sent);
        sent
    }
}

fn not_sent(cause: io::Error) -> Error {
    Error::system("cannot send the result to the client").because(cause)
}

/// The build's tags, and what an output says besides.
fn names(options: &BuildOptions, output: &Output) -> Vec<String> {
    let more = output.attributes.get("name").map(String::as_str).unwrap_or_default();
    let more = more.split(',').filter(|name| !name.is_empty()).map(str::to_owned);
    options.tags.iter().cloned().chain(more).collect()
}

fn full_names(options: &BuildOptions) -> Vec<String> {
    let parsed = options.tags.iter().filter_map(|tag| Reference::parse(tag).ok());
    parsed.map(|name| name.tag_default().to_string()).collect()
}

fn references(names: &[String]) -> Result<Vec<Reference>> {
    let parse = |name: &String| {
        Reference::parse(name)
            .map(Reference::tag_default)
            .map_err(|error| Error::invalid(format!("invalid tag {name:?}: {error}")))
    };
    names.iter().map(parse).collect()
}

/// The base's configuration with the plan's changes, its layers and a history that says which instruction made which.
pub fn configuration(built: &Built) -> Result<ImageConfig> {
    let Built { plan, layers, inline } = built;
    let epoch = plan.epoch.map(Timestamp::from_second).transpose();
    let epoch =
        epoch.map_err(|error| Error::invalid(format!("invalid SOURCE_DATE_EPOCH: {error}")))?;
    let mut image = plan.image.clone();
    let made: Vec<Timestamp> = layers.created.iter().copied().flatten().collect();
    let wanted = plan.history.iter().filter(|entry| entry.vertex.is_some()).count();
    if made.len() != wanted {
        return Err(Error::system("the image's history does not fit its layers"));
    }
    let before = image.created.as_deref().and_then(|text| text.parse::<Timestamp>().ok());
    let mut last = before;
    let mut at = 0;
    for entry in &plan.history {
        // What made no layer happened with the next that did.
        let time = epoch.or(made.get(at).copied()).or(last);
        last = time;
        at += usize::from(entry.vertex.is_some());
        image.history.push(History {
            created: time.map(|time| time.to_string()),
            created_by: entry.created_by.clone(),
            author: String::new(),
            comment: COMMENT.into(),
            empty_layer: entry.vertex.is_none(),
        });
    }
    image.created = epoch.or(last).map(|time| time.to_string());
    image.rootfs = RootFs { diff_ids: layers.digests.to_vec(), ..RootFs::default() };
    image.build_cache.clone_from(inline);
    image.comment = String::new();
    image.container = String::new();
    image.container_config = None;
    image.docker_version = String::new();
    if image.os.is_empty() {
        image.os = "linux".into();
    }
    Ok(image)
}
