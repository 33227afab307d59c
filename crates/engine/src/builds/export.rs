//! What becomes of a result: an image in the store, an archive or a tree of files at the client.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use api::build::{BuildOptions, BuildResult, Output};
use archive::pack::Part;
use builder::plan::Plan;
use jiff::Timestamp;
use oci::image::{History, ImageConfig, RootFs};
use oci::{Descriptor, Digest, Platform, Reference, media_type};
use serde_json::json;

use super::Builds;
use super::annotations::{Annotations, Place};
use super::attest::{Attestation, Wishes};
use super::bases::auth_of;
use super::client::Client;
use super::files::Folder;
use super::index;
use super::progress::Task;
use super::trees::{Layers, root};
use crate::error::{Error, Result, blocking};
use crate::events;
use crate::images::Push;
use crate::images::progress::Reporter;

/// What a platform's graph gave.
pub struct Built {
    pub platform: Platform,
    pub plan: Plan,
    pub layers: Layers,
    /// The cache that the image carries of itself.
    pub inline: Option<String>,
    pub attestations: Vec<Attestation>,
}

const COMMENT: &str = "buildkit.dockerfile.v0";

/// An image that is in the store now.
struct Kept {
    /// What names point to: the image's ID, or the digest of an index.
    root: Digest,
    /// Of the index.
    index: Option<Descriptor>,
}

/// What can be told before anything is built.
///
/// # Errors
/// In BuildKit's words.
pub fn check(options: &BuildOptions, platforms: &[Platform], wishes: &Wishes) -> Result<()> {
    let needs_index = platforms.len() > 1 || wishes.are_spoken();
    for output in &options.outputs {
        let annotations = Annotations::parse(options, output)?;
        annotations.check(platforms)?;
        if output.kind == "docker" && output.to_client {
            if needs_index {
                let text = "docker exporter does not currently support exporting manifest lists";
                return Err(Error::invalid(text));
            }
            if !annotations.is_empty() {
                return Err(Error::not_implemented(
                    "annotations are in no archive of type=docker: type=oci has them",
                ));
            }
        }
    }
    Ok(())
}

impl Builds {
    /// Everywhere the options say.
    pub async fn export(
        &self,
        all: Arc<Vec<Built>>,
        options: &Arc<BuildOptions>,
        client: &Arc<Client>,
    ) -> Result<BuildResult> {
        let default = [Output { kind: "image".into(), ..Output::default() }];
        let outputs = if options.outputs.is_empty() { &default[..] } else { &options.outputs };
        let mut result = BuildResult::default();
        for (index, output) in outputs.iter().enumerate() {
            match output.kind.as_str() {
                "image" | "docker" | "registry" if !output.to_client => {
                    let kept = self.export_image(&all, options, output, client).await?;
                    tell(&mut result, &kept, options);
                    if output.kind == "registry" {
                        self.push_all(options, output, client).await?;
                    }
                }
                "docker" | "oci" => {
                    let kept = self.export_archive(&all, options, output, index, client).await?;
                    tell(&mut result, &kept, options);
                }
                "local" | "tar" => self.export_files(&all, output, index, client).await?,
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
        all: &Arc<Vec<Built>>,
        options: &Arc<BuildOptions>,
        output: &Output,
        client: &Arc<Client>,
    ) -> Result<Kept> {
        let task = Task::begin(client, "exporting to image");
        let (builds, all, to) = (self.clone(), Arc::clone(all), output.clone());
        let annotations = Annotations::parse(options, output)?;
        let references = references(&names(options, output))?;
        let named = references.clone();
        let put = blocking(move || builds.put(&all, &to, &annotations, &named)).await;
        if let Ok(kept) = &put {
            task.did("exporting layers", 0);
            let what =
                if kept.index.is_some() { "exporting manifest list" } else { "writing image" };
            task.did(&format!("{what} {}", kept.root), 0);
            for name in &references {
                task.did(&format!("naming to {name}"), 0);
                self.tell_tag(&kept.root, name);
            }
        }
        task.end(&put);
        put
    }

    /// As an index where there is more to say than an image's configuration can. Blocks.
    fn put(
        &self,
        all: &[Built],
        output: &Output,
        annotations: &Annotations,
        references: &[Reference],
    ) -> Result<Kept> {
        let images = self.store.images();
        if let [built] = all
            && annotations.is_empty()
            && !built.attestations.iter().any(|one| one.is_for(output))
        {
            let config = configuration(built)?;
            let bytes = serde_json::to_vec(&config)
                .map_err(|cause| Error::system("the image's configuration").because(cause))?;
            let root = images.put_built(&bytes, &built.layers.digests, references)?;
            return Ok(Kept { root, index: None });
        }
        let new = index::make(&self.store, all, output, annotations, references)?;
        let mut index = index::describe(media_type::OCI_INDEX, &new.document);
        index.annotations = annotations.at(Place::IndexDescriptor, None);
        Ok(Kept { root: images.put_index(&new, references)?, index: Some(index) })
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

    /// A tar of the image, as `save` makes one; of an index all that it names.
    async fn export_archive(
        &self,
        all: &Arc<Vec<Built>>,
        options: &Arc<BuildOptions>,
        output: &Output,
        index: usize,
        client: &Arc<Client>,
    ) -> Result<Kept> {
        let format = if output.kind == "oci" { "oci image format" } else { "docker image format" };
        let task = Task::begin(client, &format!("exporting to {format}"));
        let references = references(&names(options, output))?;
        let (builds, all, client) = (self.clone(), Arc::clone(all), Arc::clone(client));
        let to = output.clone();
        let annotations = Annotations::parse(options, output)?;
        let sent = blocking(move || {
            let kept = builds.put(&all, &to, &annotations, &references)?;
            let mut out = client.output(index)?;
            builds.write(&kept, &references, &mut out)?;
            out.finish().map_err(not_sent)?;
            Ok(kept)
        })
        .await;
        task.end(&sent);
        sent
    }

    /// Blocks.
    fn write(&self, kept: &Kept, references: &[Reference], out: &mut dyn Write) -> Result<()> {
        let images = self.store.images();
        if let Some(index) = &kept.index {
            let whole = images.whole_index(kept.root.as_str())?;
            let mut whole =
                whole.ok_or_else(|| Error::not_found("the image was removed meanwhile"))?;
            whole.descriptor.annotations.clone_from(&index.annotations);
            return Ok(images.write_layout(&whole, references, out)?);
        }
        let mut wanted: Vec<String> = references.iter().map(Reference::to_string).collect();
        if wanted.is_empty() {
            wanted.push(kept.root.to_string());
        }
        Ok(images.save(&wanted, None, out)?)
    }

    /// The files of the result's root; of several platforms each has a folder.
    async fn export_files(
        &self,
        all: &Arc<Vec<Built>>,
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
        let (splits, to) = (splits(output, all.len()), output.clone());
        let (builds, all, client) = (self.clone(), Arc::clone(all), Arc::clone(client));
        let sent = blocking(move || {
            let splits = splits?;
            let mut trees = Vec::with_capacity(all.len());
            for built in all.iter() {
                let shown = if splits { folder_of(&built.platform) } else { String::new() };
                trees.push((shown, root(&builds.store, &built.layers.digests)?));
            }
            let mut out = client.output(index)?;
            let files = said(&all, &to, splits)?;
            let parts: Vec<Part<'_>> =
                trees.iter().map(tree).chain(files.iter().map(file)).collect();
            archive::pack::write_parts(&parts, &mut out).map_err(not_sent)?;
            out.flush().and_then(|()| out.finish()).map_err(not_sent)
        })
        .await;
        task.end(&sent);
        sent
    }
}

/// What a client is told of an image.
fn tell(result: &mut BuildResult, kept: &Kept, options: &BuildOptions) {
    let mut add = |key: &str, value| result.metadata.insert(key.to_owned(), value);
    add("containerimage.digest", json!(kept.root.as_str()));
    match &kept.index {
        Some(index) => add("containerimage.descriptor", json!(index)),
        None => add("containerimage.config.digest", json!(kept.root.as_str())),
    };
    if !options.tags.is_empty() {
        add("image.name", json!(full_names(options).join(",")));
    }
    result.image_id = kept.root.to_string();
}

/// Whether files of each platform have a folder.
fn splits(output: &Output, platforms: usize) -> Result<bool> {
    let text = output.attributes.get("platform-split").map(String::as_str);
    match text {
        None => Ok(platforms > 1),
        Some("1" | "t" | "true" | "T" | "True" | "TRUE") => Ok(true),
        Some("0" | "f" | "false" | "F" | "False" | "FALSE") if platforms == 1 => Ok(false),
        Some("0" | "f" | "false" | "F" | "False" | "FALSE") => Err(Error::not_implemented(
            "platform-split=false: files of several platforms are not put into one folder by this version",
        )),
        Some(other) => Err(Error::invalid(format!("non-bool value for platform-split: {other:?}"))),
    }
}

fn tree((shown, folder): &(String, Folder)) -> Part<'_> {
    Part::Tree { directory: folder.root().as_fd(), shown }
}

fn file((path, content): &(String, Vec<u8>)) -> Part<'_> {
    Part::File { path, content }
}

/// Statements as files, beside those of the result.
fn said(all: &[Built], output: &Output, splits: bool) -> Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for built in all {
        let folder = if splits { folder_of(&built.platform) + "/" } else { String::new() };
        for attestation in built.attestations.iter().filter(|one| one.is_for(output)) {
            let config = serde_json::to_vec(&configuration(built)?).unwrap_or_default();
            let of = index::describe("", &config).digest;
            let statement = index::statement(attestation, &[], &built.platform, &of);
            let text = serde_json::to_vec_pretty(&statement)
                .map_err(|cause| Error::system("an attestation").because(cause))?;
            files.push((format!("{folder}{}", attestation.file), text));
        }
    }
    Ok(files)
}

/// `linux_arm_v7`
fn folder_of(platform: &Platform) -> String {
    platform.to_string().replace('/', "_")
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
    let Built { plan, layers, inline, .. } = built;
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
