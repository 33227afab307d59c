//! What a build's cache is for others: the steps' keys, and their layers where they can be had.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use builder::plan::Vertex;
use builder::solve::Key;
use jiff::Timestamp;
use oci::build_cache::{
    self, CacheConfig, CacheLayer, CacheRecord, CacheResult, LayerAnnotations, Own, Told,
};
use oci::manifest::Manifest;
use oci::{Descriptor, Digest, media_type};
use registry::client::{Access, Repository, Which};
use store::{Layer, Lease};

use super::super::Builds;
use super::super::bases::auth_of;
use super::super::client::Client;
use super::super::progress::Task;
use super::super::trees::Layers;
use super::Remote;
use super::import::{Claim, Import};
use super::mounts::{self, Packed};
use super::options::{Named, Target};
use super::place::{Place, digest_of};
use crate::error::{Error, Result, blocking};
use crate::images::progress::Reporter;
use crate::registries::{credentials, pushed};

/// Annotations of layers that BuildKit's caches have.
const UNCOMPRESSED: &str = "containerd.io/uncompressed";
const CREATED: &str = "buildkit/createdat";

/// A step whose result is known.
pub struct Step {
    key: Digest,
    /// Its place among the steps of what it stands on.
    base: Option<usize>,
    /// Whether it is one of a result's.
    of_result: bool,
    layer: Have,
    created: Timestamp,
    told: Told,
}

enum Have {
    Here(Digest),
    /// In a cache that this build was given; its layer was not wanted so far.
    There(Arc<Import>, Claim),
}

/// The steps that are known, those before others that stand on them first.
pub fn collect(
    builds: &Builds,
    remote: &Remote,
    lease: &Lease<'static>,
    (vertices, results): (&[Vertex], &[usize]),
    keys: &[Option<Arc<Key>>],
) -> Result<Vec<Step>> {
    let mut steps: Vec<Step> = Vec::new();
    let mut places = HashMap::new();
    let of_result: HashSet<usize> =
        results.iter().flat_map(|result| below(vertices, *result)).collect();
    for (vertex, key) in keys.iter().enumerate() {
        let Some(key) = key else { continue };
        let Some((layer, created, told)) = known(builds, remote, lease, key)? else { continue };
        places.insert(vertex, steps.len());
        let base = vertices[vertex].inputs.first().and_then(|base| places.get(base)).copied();
        let of_result = of_result.contains(&vertex);
        steps.push(Step { key: key.digest.clone(), base, of_result, layer, created, told });
    }
    Ok(steps)
}

/// The steps that the result stands on, itself included; the first is the lowest.
fn below(vertices: &[Vertex], result: usize) -> Vec<usize> {
    let mut chain = Vec::new();
    let mut next = Some(result);
    while let Some(at) = next.filter(|at| vertices[*at].op.is_step()) {
        chain.push(at);
        next = vertices[at].inputs.first().copied();
    }
    chain.reverse();
    chain
}

type Known = (Have, Timestamp, Told);

fn known(
    builds: &Builds,
    remote: &Remote,
    lease: &Lease<'static>,
    key: &Key,
) -> Result<Option<Known>> {
    let own = remote.own_key(&key.digest);
    for place in [Some(&key.digest), own.as_ref()].into_iter().flatten() {
        let Some(record) = builds.store.builds().get(place, lease)? else { continue };
        let Some(layer) = record.layer else { continue };
        let told = Told {
            description: record.description,
            cost: record.cost,
            parents: record.parents,
            components: serde_json::from_slice(&record.components).unwrap_or_default(),
        };
        return Ok(Some((Have::Here(layer), record.created, told)));
    }
    Ok(remote.claim(&key.digest).map(|(import, claim)| {
        let (created, told) = (claim.created, claim.told.clone());
        (Have::There(import, claim), created, told)
    }))
}

/// The cache that an image carries of itself: for each step the layer that it made, whatever became of its times.
///
/// # Errors
/// None, but for what cannot be written as JSON.
pub fn inline(
    remote: &Remote,
    (vertices, result): (&[Vertex], usize),
    keys: &[Option<Arc<Key>>],
    layers: &Layers,
) -> Result<String> {
    let made = layers.digests.iter().zip(layers.created.iter());
    let made = made.filter_map(|(digest, created)| Some((digest, (*created)?)));
    let mut config = CacheConfig::default();
    for (vertex, (digest, created)) in below(vertices, result).into_iter().zip(made) {
        let Some(key) = &keys[vertex] else { continue };
        let layer = config.layers.len();
        let annotations =
            LayerAnnotations { diff_id: Some(digest.clone()), ..LayerAnnotations::default() };
        config.layers.push(CacheLayer { blob: None, parent: layer as i64 - 1, annotations });
        let created_at = created.to_string();
        let layers = vec![CacheResult { layer, created_at }];
        config.records.push(CacheRecord { layers, digest: key.digest.clone(), gantry: None });
    }
    config.gantry.aliases = remote.aliases();
    Ok(api::base64::encode(&json(&config)?))
}

/// One cache on its way to one place.
pub struct Export<'e> {
    pub builds: &'e Builds,
    pub remote: &'e Remote,
    pub options: &'e api::build::BuildOptions,
    pub client: &'e Arc<Client>,
    pub lease: &'e Arc<Lease<'static>>,
    pub steps: &'e [Step],
    pub vertices: &'e [Vertex],
}

impl Export<'_> {
    /// Blobs first, then the config, then the manifest makes the cache visible.
    pub async fn to(&self, target: &Target, index: usize) -> Result<()> {
        let Some(named) = &target.place else { return Ok(()) };
        let task = Task::begin(
            self.client,
            match named {
                Named::Registry(_) => "exporting cache to registry",
                Named::Folder { .. } => "exporting cache to client directory",
            },
        );
        let written = self.write(target, named, index, &task).await;
        task.end(&written);
        match written {
            Err(error) if target.ignore_error => {
                tracing::warn!("a build's cache was not exported: {error}");
                Ok(())
            }
            written => written,
        }
    }

    async fn write(&self, target: &Target, named: &Named, index: usize, task: &Task) -> Result<()> {
        let place = self.place(named, index).await?;
        let wanted: Vec<usize> =
            (0..self.steps.len()).filter(|at| target.all || self.steps[*at].of_result).collect();
        let blobs = self.blobs(&place, named, &wanted, task).await?;
        let mut form = Form::default();
        for (at, blob) in wanted.into_iter().zip(blobs) {
            form.add(at, &self.steps[at], blob);
        }
        form.config.gantry = Own { aliases: self.remote.aliases(), ..Own::default() };
        if target.mounts {
            self.mounts(&place, &mut form, task).await?;
        }
        let bytes = json(&form.config)?;
        if bytes.len() > build_cache::MAX_BYTES {
            return Err(Error::invalid("the cache has too many records to be exported"));
        }
        let size = bytes.len() as u64;
        let digest = place.write_bytes(bytes).await?;
        task.did(&format!("writing config {digest}"), size as i64);
        let manifest = json(&Manifest {
            schema_version: 2,
            media_type: media_type::OCI_MANIFEST.to_owned(),
            config: Descriptor::new(build_cache::MEDIA_TYPE, digest, size),
            layers: form.descriptors,
            annotations: BTreeMap::new(),
        })?;
        if manifest.len() > oci::manifest::MAX_BYTES {
            return Err(Error::invalid("the cache has too many layers to be exported"));
        }
        let size = manifest.len() as i64;
        let digest = digest_of(&manifest);
        place.write_manifest(manifest).await?;
        task.did(&format!("writing cache image manifest {digest}"), size);
        Ok(())
    }

    /// What the build's cache mounts hold now; those of an earlier cache where they never came here.
    async fn mounts(&self, place: &Place, form: &mut Form, task: &Task) -> Result<()> {
        let now = Timestamp::now().to_string();
        for (group, wish) in self.remote.wishes(self.vertices) {
            let blob = match mounts::pack(self.builds, &wish).await? {
                Some(packed) => self.mount(place, packed).await?,
                None => match self.carried(place, &group).await? {
                    Some(blob) => blob,
                    None => continue,
                },
            };
            task.did(&format!("writing cache mount {}", wish.id), blob.size as i64);
            let layer = form.layer(blob, -1, &now);
            form.config.gantry.mounts.insert(group, layer);
        }
        Ok(())
    }

    async fn mount(&self, place: &Place, packed: Packed) -> Result<Blob> {
        let Packed { digest, diff_id, size, file, staged: _until_it_is_sent } = packed;
        place.write_file(&digest, size, file).await?;
        Ok(Blob { digest, size, diff_id })
    }

    /// A mount that no step asked for, of a cache that the target has already.
    async fn carried(&self, place: &Place, group: &Digest) -> Result<Option<Blob>> {
        let Some((blob, diff_id)) = self.remote.mount(group) else { return Ok(None) };
        let (digest, size, diff_id) = (blob.digest.clone(), blob.size, diff_id.clone());
        Ok(place.has(&digest).await?.then_some(Blob { digest, size, diff_id }))
    }

    async fn place(&self, named: &Named, index: usize) -> Result<Place> {
        Ok(match named {
            Named::Registry(name) => {
                let settings = self.builds.images.registries().settings();
                let credentials = credentials(auth_of(self.options, name.domain()));
                let opened = Repository::open(&settings, name, &credentials, Access::Push).await;
                let repository = Arc::new(opened.map_err(pushed)?);
                Place::Registry { repository, tag: Which::of(name) }
            }
            Named::Folder { tag, .. } => {
                let (client, tag) = (Arc::clone(self.client), tag.clone());
                Place::Folder { client, index, tag }
            }
        })
    }

    /// The blobs of these steps, in their order, once the place has them.
    async fn blobs(
        &self,
        place: &Place,
        named: &Named,
        wanted: &[usize],
        task: &Task,
    ) -> Result<Vec<Blob>> {
        let mut blobs = BTreeMap::new();
        let mut here = Vec::new();
        for at in wanted {
            let layer = match &self.steps[*at].layer {
                Have::Here(layer) => layer.clone(),
                Have::There(import, claim) => {
                    if let Some(blob) = already(place, import, claim).await? {
                        blobs.insert(*at, blob);
                        continue;
                    }
                    import.fetch(claim, self.builds, self.lease).await?
                }
            };
            let missing = || Error::system(format!("layer {layer} is gone"));
            here.push((*at, self.builds.store.layer(&layer)?.ok_or_else(missing)?));
        }
        let layers: Vec<Layer> = here.iter().map(|(_, layer)| layer.clone()).collect();
        let sent = match (place, named) {
            (Place::Registry { repository, .. }, Named::Registry(name)) => {
                let (report, mut lines) = Reporter::new();
                let pushing = self.builds.images.push_blobs(repository, name, layers, &report);
                tokio::pin!(pushing);
                loop {
                    tokio::select! {
                        pushed = &mut pushing => break pushed?,
                        Some(line) = lines.recv() => task.layer(&line),
                    }
                }
            }
            _ => self.write_layers(place, layers, task).await?,
        };
        for ((at, layer), (digest, size)) in here.into_iter().zip(sent) {
            blobs.insert(at, Blob { digest, size, diff_id: layer.diff_id });
        }
        Ok(blobs.into_values().collect())
    }

    async fn write_layers(
        &self,
        place: &Place,
        layers: Vec<Layer>,
        task: &Task,
    ) -> Result<Vec<(Digest, u64)>> {
        let mut written = Vec::with_capacity(layers.len());
        for layer in layers {
            let store = Arc::clone(&self.builds.store);
            let blob = blocking(move || Ok(store.blob_of_layer(&layer)?)).await?;
            let (digest, size) = (blob.digest, blob.size);
            place.write_file(&digest, size, blob.file).await?;
            task.did(&format!("writing layer {digest}"), size as i64);
            written.push((digest, size));
        }
        Ok(written)
    }
}

/// What the place has of a layer that was never fetched.
async fn already(place: &Place, import: &Import, claim: &Claim) -> Result<Option<Blob>> {
    let Some((blob, diff_id)) = import.blob(claim) else { return Ok(None) };
    let blob = Blob { digest: blob.digest.clone(), size: blob.size, diff_id: diff_id.clone() };
    Ok(place.has(&blob.digest).await?.then_some(blob))
}

struct Blob {
    digest: Digest,
    size: u64,
    diff_id: Digest,
}

/// The config as it grows, and what the manifest lists: each blob once.
#[derive(Default)]
struct Form {
    config: CacheConfig,
    descriptors: Vec<Descriptor>,
    /// The config's layers, by blob and what is below.
    layers: HashMap<(Digest, i64), usize>,
    /// Layers of steps.
    of_steps: HashMap<usize, usize>,
}

impl Form {
    fn add(&mut self, at: usize, step: &Step, blob: Blob) {
        let base = step.base.and_then(|base| self.of_steps.get(&base));
        let parent = base.map_or(-1, |base| *base as i64);
        let created_at = step.created.to_string();
        let layer = self.layer(blob, parent, &created_at);
        self.of_steps.insert(at, layer);
        self.config.records.push(CacheRecord {
            layers: vec![CacheResult { layer, created_at }],
            digest: step.key.clone(),
            gantry: Some(step.told.clone()),
        });
    }

    fn layer(&mut self, blob: Blob, parent: i64, created_at: &str) -> usize {
        let place = (blob.digest.clone(), parent);
        if let Some(known) = self.layers.get(&place) {
            return *known;
        }
        let is_listed = self.layers.keys().any(|(digest, _)| *digest == blob.digest);
        let kind = media_type::OCI_LAYER_GZIP;
        if !is_listed {
            let mut listed = Descriptor::new(kind, blob.digest.clone(), blob.size);
            listed.annotations.insert(UNCOMPRESSED.to_owned(), blob.diff_id.to_string());
            listed.annotations.insert(CREATED.to_owned(), created_at.to_owned());
            self.descriptors.push(listed);
        }
        let annotations = LayerAnnotations {
            media_type: kind.to_owned(),
            diff_id: Some(blob.diff_id),
            size: blob.size,
            created_at: created_at.to_owned(),
        };
        let blob = Some(blob.digest);
        self.config.layers.push(CacheLayer { blob, parent, annotations });
        self.layers.insert(place, self.config.layers.len() - 1);
        self.config.layers.len() - 1
    }
}

fn json(value: &impl serde::Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec(value).map_err(|cause| Error::system("a cache's document").because(cause))
}
