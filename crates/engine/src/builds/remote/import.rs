//! A cache that the user named: what it claims, and the layers of hits, fetched when they are wanted.

use std::collections::HashMap;
use std::io::{self, Read};
use std::sync::Arc;

use jiff::Timestamp;
use oci::build_cache::{self, CacheConfig, Told};
use oci::index::Index;
use oci::manifest::{Document, Manifest};
use oci::{Descriptor, Digest, Platform, Reference, descriptor, image};
use registry::client::{Repository, Which};
use sha2::{Digest as _, Sha256};
use store::{Lease, Store};
use tokio::sync::{OnceCell, Semaphore};

use super::super::Builds;
use super::super::bases::auth_of;
use super::super::client::Client;
use super::options::{Named, Source};
use super::place::{index_of, small_blob};
use crate::error::{Error, Result, blocking};
use crate::registries::{Arriving, Came, Refused, credentials, pulled};

/// Blobs of a folder that come at once.
const AT_ONCE: usize = 4;

pub struct Import {
    from: From,
    config: CacheConfig,
    /// What the manifest says of each of the config's layers.
    blobs: Vec<Option<Descriptor>>,
    records: HashMap<Digest, usize>,
    fetched: Vec<OnceCell<Result<Digest, String>>>,
    turns: Semaphore,
    mounts: bool,
    pub reach: Reach,
    /// Names who says all this.
    pub identity: String,
}

/// What a cache is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    All,
    /// The image that carries it is of one.
    Platform,
}

pub enum From {
    Registry(Arc<Repository>),
    Folder { client: Arc<Client>, index: usize },
}

/// What a cache says of a key.
#[derive(Clone)]
pub struct Claim {
    layer: usize,
    pub created: Timestamp,
    pub told: Told,
}

impl Import {
    pub async fn open(
        builds: &Builds,
        source: &Source,
        options: &api::build::BuildOptions,
        platform: &Platform,
        client: &Arc<Client>,
    ) -> Result<Self> {
        let (from, config, blobs, identity, reach) = match &source.place {
            Named::Registry(name) => {
                let (repository, config, blobs, reach) =
                    of_registry(builds, name, options, platform).await?;
                (From::Registry(repository), config, blobs, format!("registry {name}"), reach)
            }
            Named::Folder { index, tag, digest } => {
                let (client, index) = (Arc::clone(client), *index);
                let (asking, tag, digest) = (Arc::clone(&client), tag.clone(), digest.clone());
                let read = move || of_folder(&asking, index, &tag, digest.as_ref());
                let (config, blobs, manifest) = blocking(read).await?;
                let identity = format!("local {manifest}");
                (From::Folder { client, index }, config, blobs, identity, Reach::All)
            }
        };
        let has_layer = |record: &build_cache::CacheRecord| !record.layers.is_empty();
        let records = config.records.iter().enumerate();
        let records = records.filter(|(_, record)| has_layer(record));
        Ok(Self {
            records: records.map(|(at, record)| (record.digest.clone(), at)).collect(),
            fetched: blobs.iter().map(|_| OnceCell::new()).collect(),
            turns: Semaphore::new(AT_ONCE),
            mounts: source.mounts,
            reach,
            from,
            config,
            blobs,
            identity,
        })
    }

    pub fn alias(&self, key: &Digest) -> Option<&Digest> {
        self.config.gantry.aliases.get(key)
    }

    pub fn claim(&self, key: &Digest) -> Option<Claim> {
        let record = self.config.records.get(*self.records.get(key)?)?;
        let result = record.layers.first()?;
        Some(Claim {
            layer: result.layer,
            created: result.created_at.parse().ok()?,
            told: record.gantry.clone().unwrap_or_default(),
        })
    }

    /// The blob that a claim is about, and the diff ID it is said to have.
    pub fn blob(&self, claim: &Claim) -> Option<(&Descriptor, &Digest)> {
        self.blob_at(claim.layer)
    }

    /// What a cache mount held, where that was asked for.
    pub fn mount(&self, group: &Digest) -> Option<(&Descriptor, &Digest)> {
        let layer = self.config.gantry.mounts.get(group).filter(|_| self.mounts)?;
        self.blob_at(*layer)
    }

    pub fn from(&self) -> &From {
        &self.from
    }

    fn blob_at(&self, layer: usize) -> Option<(&Descriptor, &Digest)> {
        let blob = self.blobs.get(layer)?.as_ref()?;
        Some((blob, self.config.layers.get(layer)?.annotations.diff_id.as_ref()?))
    }

    /// The layer of a claim, verified; it stays as long as the lease does. What is below it is most likely wanted next, and
    /// begins to come.
    pub async fn fetch(
        self: &Arc<Self>,
        claim: &Claim,
        builds: &Builds,
        lease: &Arc<Lease<'static>>,
    ) -> Result<Digest> {
        for below in self.config.chain(claim.layer).into_iter().skip(1) {
            if self.fetched[below].initialized() {
                continue;
            }
            let (import, builds, lease) = (Arc::clone(self), builds.clone(), Arc::clone(lease));
            // Whoever wants it hears of its failure, and nobody else.
            tokio::spawn(async move { drop(import.layer(below, &builds, &lease).await) });
        }
        self.layer(claim.layer, builds, lease).await
    }

    async fn layer(
        &self,
        layer: usize,
        builds: &Builds,
        lease: &Arc<Lease<'static>>,
    ) -> Result<Digest> {
        let once = self.fetched[layer].get_or_init(|| async {
            self.bring(layer, builds, lease).await.map_err(|error| error.to_string())
        });
        once.await.clone().map_err(Error::invalid)
    }

    async fn bring(
        &self,
        layer: usize,
        builds: &Builds,
        lease: &Arc<Lease<'static>>,
    ) -> Result<Digest> {
        let missing = || Error::not_found("the cache's manifest does not have the layer");
        let (blob, diff_id) = self.blob_at(layer).ok_or_else(missing)?;
        if builds.store.hold_layer(diff_id, lease)?.is_some() {
            return Ok(diff_id.clone());
        }
        match &self.from {
            From::Registry(repository) => {
                from_registry(repository, blob, diff_id, builds, lease).await?;
            }
            From::Folder { client, index } => {
                // It is never closed.
                let _turn = self.turns.acquire().await;
                let (client, index, lease) = (Arc::clone(client), *index, Arc::clone(lease));
                let (blob, diff_id, store) =
                    (blob.digest.clone(), diff_id.clone(), Arc::clone(&builds.store));
                blocking(move || from_folder(&client, index, &blob, &diff_id, &store, &lease))
                    .await?;
            }
        }
        Ok(diff_id.clone())
    }
}

type OfRegistry = (Arc<Repository>, CacheConfig, Vec<Option<Descriptor>>, Reach);

async fn of_registry(
    builds: &Builds,
    name: &Reference,
    options: &api::build::BuildOptions,
    platform: &Platform,
) -> Result<OfRegistry> {
    let settings = builds.images.registries().settings();
    let credentials = credentials(auth_of(options, name.domain()));
    let found = Repository::find(&settings, name, &Which::of(name), &credentials).await;
    let (repository, root) = found.map_err(|error| pulled(error, name))?;
    let document =
        Document::parse(&root.bytes).map_err(|error| Error::invalid(error.to_string()))?;
    if let Some((config, layers)) = cache_of(&document) {
        let bytes = repository.document(&config.digest, build_cache::MAX_BYTES).await;
        let bytes = bytes.map_err(|error| Error::from(Refused(error)))?;
        let config = parse(&bytes)?;
        let blobs = blobs_of(&config, layers);
        return Ok((Arc::new(repository), config, blobs, Reach::All));
    }
    let selected = repository.select(&root, platform).await;
    let selected = selected.map_err(|error| Error::from(Refused(error)))?;
    let (config, blobs) = inline(&selected.parsed, &selected.manifest)?;
    Ok((Arc::new(repository), config, blobs, Reach::Platform))
}

/// The cache's config and layers, of a manifest of its own, or of an index, as earlier versions of BuildKit wrote it.
fn cache_of(document: &Document) -> Option<(&Descriptor, &[Descriptor])> {
    let is_config = |one: &&Descriptor| one.media_type == build_cache::MEDIA_TYPE;
    match document {
        Document::Manifest(manifest) => {
            Some(&manifest.config).filter(is_config).map(|config| (config, &manifest.layers[..]))
        }
        Document::Index(index) => {
            let config = index.manifests.iter().find(is_config)?;
            Some((config, &index.manifests))
        }
    }
}

fn parse(bytes: &[u8]) -> Result<CacheConfig> {
    CacheConfig::parse(bytes).map_err(|error| Error::invalid(error.to_string()))
}

fn blobs_of(config: &CacheConfig, layers: &[Descriptor]) -> Vec<Option<Descriptor>> {
    let by_digest: HashMap<&Digest, &Descriptor> =
        layers.iter().map(|layer| (&layer.digest, layer)).collect();
    let blob = |layer: &build_cache::CacheLayer| {
        by_digest.get(layer.blob.as_ref()?).map(|found| (*found).clone())
    };
    config.layers.iter().map(blob).collect()
}

/// What an image carries; its layers are the image's.
fn inline(
    image: &image::ImageConfig,
    manifest: &Manifest,
) -> Result<(CacheConfig, Vec<Option<Descriptor>>)> {
    let none = || Error::not_found("the image has no inline cache");
    let text = image.build_cache.as_deref().ok_or_else(none)?;
    let bytes = api::base64::decode(text).ok_or_else(|| Error::invalid("invalid inline cache"))?;
    let config = parse(&bytes)?;
    let diff_ids = &image.rootfs.diff_ids;
    let blob = |layer: &build_cache::CacheLayer| {
        let diff_id = layer.annotations.diff_id.as_ref()?;
        let at = diff_ids.iter().position(|one| one == diff_id)?;
        manifest.layers.get(at).cloned()
    };
    let blobs = config.layers.iter().map(blob).collect();
    Ok((config, blobs))
}

type Read2 = (CacheConfig, Vec<Option<Descriptor>>, Digest);

fn of_folder(client: &Client, index: usize, tag: &str, digest: Option<&Digest>) -> Result<Read2> {
    let none = || Error::not_found("there is no cache in the folder");
    let all = index_of(client, index, false)?.ok_or_else(none)?;
    let entry = chosen(&all, tag, digest)
        .ok_or_else(|| Error::not_found(format!("the folder has no cache {tag:?}")))?;
    let bytes = small_blob(client, index, &entry.digest, oci::manifest::MAX_BYTES)?;
    let document = Document::parse(&bytes).map_err(|error| Error::invalid(error.to_string()))?;
    let (config, layers) = cache_of(&document).ok_or_else(none)?;
    let config = parse(&small_blob(client, index, &config.digest, build_cache::MAX_BYTES)?)?;
    let blobs = blobs_of(&config, layers);
    Ok((config, blobs, entry.digest.clone()))
}

fn chosen<'i>(all: &'i Index, tag: &str, digest: Option<&Digest>) -> Option<&'i Descriptor> {
    let named = |one: &&Descriptor| one.annotation(descriptor::ANNOTATION_REF_NAME) == Some(tag);
    match digest {
        Some(digest) => all.manifests.iter().find(|one| one.digest == *digest),
        None => all.manifests.iter().find(named),
    }
}

async fn from_registry(
    repository: &Arc<Repository>,
    blob: &Descriptor,
    diff_id: &Digest,
    builds: &Builds,
    lease: &Arc<Lease<'static>>,
) -> Result<()> {
    let registries = builds.images.registries();
    let fetch =
        || registries.layers.fetch(repository, blob, diff_id, registries.downloads_at_once());
    let (mut arriving, own) = fetch();
    let came = match outcome(&arriving).await {
        // Another pull's registry may have failed where ours does not.
        Err(_) if !own => {
            arriving = fetch().0;
            outcome(&arriving).await?
        }
        came => came?,
    };
    let (store, lease, diff_id) = (Arc::clone(&builds.store), Arc::clone(lease), diff_id.clone());
    blocking(move || {
        let _until_it_is_visible = arriving;
        match came {
            Came::Staged(staged) if *staged.diff_id() != diff_id => Err(another(&diff_id)),
            Came::Staged(staged) => Ok(store.keep_unsynced(staged, &lease)?),
            Came::WasHere => match store.hold_layer(&diff_id, &lease)? {
                Some(_) => Ok(()),
                None => Err(Error::system(format!("layer {diff_id} was removed"))),
            },
        }
    })
    .await
}

async fn outcome(arriving: &Arriving) -> Result<Came> {
    let mut changes = arriving.state();
    let ended = changes.wait_for(|state| state.outcome.is_some()).await;
    let gone = || Error::system("the download was given up");
    let outcome = ended.map_err(|_| gone())?.outcome.clone();
    outcome.ok_or_else(gone)?.map_err(Error::from)
}

/// Both the bytes and what they unpack to must be what was said.
fn from_folder(
    client: &Client,
    index: usize,
    blob: &Digest,
    diff_id: &Digest,
    store: &Store,
    lease: &Lease<'static>,
) -> Result<()> {
    let missing = || Error::not_found(format!("{blob}: not found"));
    let reader = client.cache_read(index, false, Some(blob))?.ok_or_else(missing)?;
    let mut source = Hashing { inner: reader, hash: Sha256::new() };
    let layer = store.add_unsynced_layer(&mut source, lease)?;
    io::copy(&mut source, &mut io::sink())
        .map_err(|cause| Error::invalid(blob.to_string()).because(cause))?;
    if Digest::from_sha256(source.hash.finalize().into()) != *blob {
        return Err(Error::invalid(format!("{blob}: the folder has something else")));
    }
    if layer.diff_id == *diff_id { Ok(()) } else { Err(another(diff_id)) }
}

fn another(diff_id: &Digest) -> Error {
    Error::invalid(format!("the cache's blob is not the layer {diff_id}"))
}

struct Hashing<R> {
    inner: R,
    hash: Sha256,
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.hash.update(&buffer[..count]);
        Ok(count)
    }
}
