//! Does what vertices say, with the store, with containers, and with what the client has.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use api::build::{Failure, Selection};
use builder::ignore::Ignore;
use builder::plan::{self, MountKind, Op, Vertex};
use builder::solve::{Key, News, What};
use jiff::Timestamp;
use oci::Digest;
use serde_json::json;
use store::Lease;
use store::builds::{CacheRecord, REGULAR};
use tokio::sync::OwnedMutexGuard;

use super::Builds;
use super::client::{CONTEXT, Client};
use super::copy::Copying;
use super::files::Inline;
use super::progress::{Progress, Task};
use super::remote::{Claim, Import, Remote};
use super::trees::{Layers, Made, Tree};
use crate::error::{Error, Result, blocking};

/// One build for one platform.
pub struct Worker {
    pub builds: Builds,
    pub client: Arc<Client>,
    pub lease: Arc<Lease<'static>>,
    pub vertices: Arc<[Vertex]>,
    pub progress: Arc<Progress>,
    pub options: Arc<api::build::BuildOptions>,
    pub remote: Arc<Remote>,
}

/// Steps that are being carried out, by their keys: whoever wants the same waits, and finds it in the cache.
#[derive(Default)]
pub struct Running(Mutex<HashMap<Digest, Arc<tokio::sync::Mutex<()>>>>);

impl Running {
    async fn turn(&self, key: &Digest) -> OwnedMutexGuard<()> {
        let lock = {
            let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            running.retain(|_, lock| Arc::strong_count(lock) > 1);
            Arc::clone(running.entry(key.clone()).or_default())
        };
        lock.lock_owned().await
    }
}

impl builder::solve::Worker for Worker {
    type Tree = Tree;
    type Layer = Made;
    type Error = Failure;

    async fn source(&self, vertex: usize) -> Result<Tree, Failure> {
        self.source_of(vertex).await.map_err(|error| self.failed(vertex, &error))
    }

    async fn content(&self, vertex: usize, input: usize, tree: &Tree) -> Result<Digest, Failure> {
        let (op, tree) = (self.vertices[vertex].op.clone(), tree.clone());
        let copying = self.copying();
        let digest = blocking(move || match op {
            Op::Copy(copy) => copying.digest(&copy, input, &tree).map_err(|error| {
                let what = "failed to compute cache key: failed to calculate checksum of ref";
                Error::invalid(format!("{what} {}: {error}", named(&tree)))
            }),
            Op::Run(run) => mounted(&copying, &run, input, &tree),
            _ => Err(Error::system("a step takes no files")),
        });
        digest.await.map_err(|error| self.failed(vertex, &error))
    }

    async fn known(&self, key: &Digest) -> Result<Option<Made>, Failure> {
        if let Some(made) = self.recorded(key)? {
            return Ok(Some(made));
        }
        let Some(own) = self.remote.own_key(key) else { return Ok(None) };
        let mut made = self.recorded(&own)?;
        if made.is_none()
            && let Some((import, claim)) = self.remote.claim(key)
        {
            made = self.imported(&own, &import, &claim).await;
        }
        if made.is_some() {
            self.remote.believe(key);
        }
        Ok(made)
    }

    async fn alias(&self, key: &Digest) -> Option<Digest> {
        let store = &self.builds.store;
        let recorded = |key: &Digest| store.builds().alias(key).ok().flatten();
        let found = recorded(key).or_else(|| {
            let own = self.remote.own_key(key)?;
            let claimed = recorded(&own).or_else(|| self.remote.alias(key))?;
            self.remote.believe(&claimed);
            Some(claimed)
        });
        if let Some(is) = &found {
            self.remote.note_alias(key, is);
        }
        found
    }

    async fn keep_alias(&self, key: &Key, is: &Digest) {
        self.remote.note_alias(&key.digest, is);
        let place = self.remote.place_of(key);
        if let Err(error) = self.builds.store.builds().put_alias(&place, is) {
            tracing::warn!("a build's cache is poorer than it could be: {error}");
        }
    }

    async fn run(&self, vertex: usize, key: &Key, inputs: &[Arc<Tree>]) -> Result<Made, Failure> {
        let _turn = self.builds.running.turn(&key.digest).await;
        // Another build may have done it meanwhile.
        if !self.vertices[vertex].fresh
            && let Some(layer) = self.known(&key.digest).await?
        {
            return Ok(layer);
        }
        self.explain(vertex, key).await;
        let begun = Instant::now();
        let layer = match &self.vertices[vertex].op {
            Op::Run(run) => self.step(vertex, run, inputs).await,
            Op::Copy(copy) => {
                let (copying, copy, inputs) = (self.copying(), copy.clone(), inputs.to_vec());
                let name = self.vertices[vertex].name.clone();
                blocking(move || copying.copy(&copy, &inputs, &name)).await
            }
            Op::Mkdir(mkdir) => {
                let (copying, mkdir, base) =
                    (self.copying(), mkdir.clone(), Arc::clone(&inputs[0]));
                blocking(move || copying.mkdir(&mkdir, &base)).await
            }
            _ => Err(Error::system("a source is no step")),
        };
        let layer = layer.map_err(|error| self.failed(vertex, &error))?;
        let kept = self.keep(vertex, key, &inputs[0], layer, begun.elapsed());
        kept.map_err(|error| self.failed(vertex, &error))
    }

    fn stack(&self, base: &Tree, layer: Made) -> Tree {
        match base {
            Tree::Layers(below) => Tree::Layers(below.with(layer)),
            // Steps stand on layers alone: planning sees to that.
            _ => Tree::Layers(Layers::default().with(layer)),
        }
    }

    fn tell(&self, vertex: usize, news: News<'_, Failure>) {
        self.progress.vertex(vertex, news);
    }
}

impl Worker {
    fn recorded(&self, key: &Digest) -> Result<Option<Made>, Failure> {
        let found = self.builds.store.builds().get(key, &self.lease);
        let found =
            found.map_err(|error| Failure { message: error.to_string(), ..Failure::default() });
        let made =
            |record: CacheRecord| Some(Made { digest: record.layer?, created: record.created });
        Ok(found?.and_then(made))
    }

    /// None where the layer cannot be had, or is not what was claimed: then the step runs.
    async fn imported(&self, own: &Digest, import: &Arc<Import>, claim: &Claim) -> Option<Made> {
        let fetched = import.fetch(claim, &self.builds, &self.lease).await;
        let kept = fetched.and_then(|layer| {
            self.builds.store.builds().put(&CacheRecord {
                key: own.clone(),
                below: Vec::new(),
                layer: Some(layer.clone()),
                kind: REGULAR.into(),
                description: claim.told.description.clone(),
                created: claim.created,
                cost: claim.told.cost,
                parents: claim.told.parents.clone(),
                components: serde_json::to_vec(&claim.told.components).unwrap_or_default(),
            })?;
            Ok(Made { digest: layer, created: claim.created })
        });
        kept.inspect_err(|error| {
            let name = format!("importing a layer of {:?}", claim.told.description);
            Task::begin(&self.client, &name).end::<(), _>(&Err(error));
        })
        .ok()
    }

    async fn source_of(&self, vertex: usize) -> Result<Tree> {
        match &self.vertices[vertex].op {
            Op::Scratch => Ok(Tree::Layers(Layers::default())),
            Op::Image(image) => {
                let (builds, lease) = (self.builds.clone(), Arc::clone(&self.lease));
                let image = image.clone();
                blocking(move || held(&builds, &image, &lease)).await
            }
            Op::Context(context) => {
                let selection =
                    Selection { context: context.name.clone(), sources: context.sources.clone() };
                let listing = self.client.listing(&selection).await?;
                Ok(Tree::Context { selection: Arc::new(selection), listing })
            }
            Op::Inline(inline) => Ok(Tree::Inline(Arc::new(Inline::new(&inline.files)))),
            Op::Http(http) => self.fetch(http).await,
            Op::Git(git) => Err(Error::not_implemented(format!(
                "{}: git repositories are not fetched by this engine: clone it, and build from there",
                git.url
            ))),
            Op::Run(_) | Op::Copy(_) | Op::Mkdir(_) => Err(Error::system("a step is no source")),
        }
    }

    pub fn copying(&self) -> Copying {
        let now = i64::try_from(Timestamp::now().as_nanosecond()).unwrap_or(i64::MAX);
        Copying {
            store: Arc::clone(&self.builds.store),
            client: Arc::clone(&self.client),
            lease: Arc::clone(&self.lease),
            now,
        }
    }

    fn keep(
        &self,
        vertex: usize,
        key: &Key,
        base: &Tree,
        layer: Digest,
        took: Duration,
    ) -> Result<Made> {
        let created = Timestamp::now();
        let record = CacheRecord {
            key: self.remote.place_of(key),
            below: base.layers()?.to_vec(),
            layer: Some(layer.clone()),
            kind: REGULAR.into(),
            description: self.vertices[vertex].name.clone(),
            created,
            cost: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            parents: key.parts.iter().map(|part| part.digest.clone()).collect(),
            components: serde_json::to_vec(&components(key)).unwrap_or_default(),
        };
        self.builds.store.builds().put(&record)?;
        Ok(Made { digest: layer, created })
    }

    fn failed(&self, vertex: usize, error: &Error) -> Failure {
        let source = error.source.as_deref();
        let known = source.and_then(|source| source.downcast_ref::<Failure>());
        let known = known.cloned().unwrap_or_default();
        let lines = self.vertices[vertex].lines.as_ref();
        let message = if known.message.is_empty() { error.to_string() } else { known.message };
        Failure {
            message,
            vertex: self.progress.name(vertex),
            lines: lines.map(|lines| (*lines.start(), *lines.end())),
            code: known.code,
        }
    }

    /// Says why a step runs, where that was asked for.
    async fn explain(&self, vertex: usize, key: &Key) {
        if !self.options.explain_cache {
            return;
        }
        let reason = if self.vertices[vertex].fresh {
            "the cache is not to be used for it".to_owned()
        } else {
            let (builds, name) = (self.builds.clone(), self.vertices[vertex].name.clone());
            let parts = components(key);
            let said = blocking(move || Ok(difference(&builds, &name, &parts)));
            said.await.unwrap_or_default()
        };
        self.progress.reason(vertex, reason);
    }
}

/// The layers of an image, which stay as long as the build does.
fn held(builds: &Builds, image: &plan::Image, lease: &Lease<'static>) -> Result<Tree> {
    for layer in &image.layers {
        if builds.store.hold_layer(layer, lease)?.is_none() {
            return Err(Error::not_found(format!("No such image: {}", image.reference)));
        }
    }
    Ok(Tree::Layers(Layers::of_image(&image.layers)))
}

/// The digest of what a step sees of a mounted input.
fn mounted(copying: &Copying, run: &plan::Run, input: usize, tree: &Tree) -> Result<Digest> {
    let open = tree.open(&copying.store)?;
    let mut all = Vec::new();
    for mount in &run.mounts {
        if let MountKind::Bind { input: of, source, .. } = &mount.kind
            && *of == input
        {
            all.extend(open.select(source, &Ignore::default())?);
        }
    }
    open.hash(&mut all)?;
    builder::copy::digest(&all).map_err(Error::system)
}

fn named(tree: &Tree) -> String {
    match tree {
        Tree::Context { selection, .. } if selection.context != CONTEXT => {
            format!("context {}", selection.context)
        }
        Tree::Context { .. } => "context".into(),
        _ => "stage".into(),
    }
}

fn components(key: &Key) -> serde_json::Value {
    let mut parts = serde_json::Map::new();
    for part in &key.parts {
        let what = match part.what {
            What::Definition => "instruction".to_owned(),
            What::Base => "base".to_owned(),
            What::Files(place) => format!("files {place}"),
        };
        parts.insert(what, json!(part.digest.as_str()));
    }
    parts.into()
}

/// In which part of its key a step differs from the last of its name.
fn difference(builds: &Builds, name: &str, parts: &serde_json::Value) -> String {
    let all = builds.store.builds().all().unwrap_or_default();
    let same = |listed: &&store::builds::Listed| listed.record.description == name;
    let Some(last) = all.iter().filter(same).max_by_key(|listed| listed.record.created) else {
        return "no build has run it before, or its result is gone".into();
    };
    let before: serde_json::Value =
        serde_json::from_slice(&last.record.components).unwrap_or_default();
    let changed = |what: &str| before.get(what) != parts.get(what);
    if changed("instruction") {
        return "the instruction, or a variable it sees, is another".into();
    }
    if changed("base") {
        return "what it stands on has changed".into();
    }
    if parts.as_object().is_some_and(|parts| parts.keys().any(|what| changed(what))) {
        return "files that it takes have changed".into();
    }
    "its result is no longer in the cache".into()
}
