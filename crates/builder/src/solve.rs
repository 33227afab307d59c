//! Carries out a graph: keys first, then only what no key is known of, independent vertices side by side.
//!
//! A step's key is the digest of its definition and of what it stands on. What it only takes files from counts by these files:
//! first by the key of where they come from (when that is known, nothing there has to run), then by their content.

#[cfg(test)]
mod tests;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use oci::Digest;
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;
use tokio::task::{JoinError, JoinSet};

use crate::plan::{MountKind, Op, Vertex};

/// Who can do what vertices say.
pub trait Worker: Send + Sync + 'static {
    /// What a vertex gives: layers, or files.
    type Tree: Send + Sync + 'static;
    /// A step's own layer.
    type Layer: Send + Sync + 'static;
    /// Told to everybody who waits for the vertex.
    type Error: Clone + Send + Sync + 'static;

    /// What a vertex that is no step gives.
    fn source(&self, vertex: usize)
    -> impl Future<Output = Result<Self::Tree, Self::Error>> + Send;

    /// The digest of what a step takes of one of its inputs (counted in the step's).
    fn content(
        &self,
        vertex: usize,
        input: usize,
        tree: &Self::Tree,
    ) -> impl Future<Output = Result<Digest, Self::Error>> + Send;

    /// The layer of the step that has this key, if it is known.
    fn known(
        &self,
        key: &Digest,
    ) -> impl Future<Output = Result<Option<Self::Layer>, Self::Error>> + Send;

    /// The key that a step had when its inputs' keys were these, if it is known.
    fn alias(&self, key: &Digest) -> impl Future<Output = Option<Digest>> + Send;

    /// Keeps what [`Worker::alias`] shall say.
    fn keep_alias(&self, key: &Key, is: &Digest) -> impl Future<Output = ()> + Send;

    /// Carries a step out.
    fn run(
        &self,
        vertex: usize,
        key: &Key,
        inputs: &[Arc<Self::Tree>],
    ) -> impl Future<Output = Result<Self::Layer, Self::Error>> + Send;

    /// What a step gives: its layer on what it stands on.
    fn stack(&self, base: &Self::Tree, layer: Self::Layer) -> Self::Tree;

    /// News of a vertex.
    fn tell(&self, vertex: usize, news: News<'_, Self::Error>);
}

#[derive(Debug)]
pub enum News<'e, E> {
    Started,
    Cached,
    Done,
    Failed(&'e E),
}

/// Names what a step gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub digest: Digest,
    /// What it was made of, to tell two keys' difference.
    pub parts: Vec<Part>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    pub what: What,
    pub digest: Digest,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Definition,
    /// What the step stands on.
    Base,
    /// What it takes of this input.
    Files(usize),
}

/// Gives what the vertices `results` give, and runs no more than is needed for it. Dropping the future cancels.
///
/// # Errors
/// The first that a vertex ends with.
pub async fn solve<W: Worker>(
    worker: Arc<W>,
    vertices: Arc<[Vertex]>,
    results: &[usize],
) -> Result<Solved<W>, W::Error> {
    let quick = vertices.iter().map(|_| OnceCell::new()).collect();
    let keys = vertices.iter().map(|_| OnceCell::new()).collect();
    let trees = vertices.iter().map(|_| OnceCell::new()).collect();
    let solver = Arc::new(Solver { worker, vertices, quick, keys, results: trees });
    let trees = Arc::clone(&solver).all(results).await?;
    Ok(Solved { trees, solver })
}

/// A graph that was carried out, as far as that was needed.
pub struct Solved<W: Worker> {
    /// In the order of what was asked for.
    pub trees: Vec<Arc<W::Tree>>,
    solver: Arc<Solver<W>>,
}

impl<W: Worker> Solved<W> {
    /// The keys of all steps, by vertex: of those, too, that were not asked for. None for what is no step, and where a
    /// step would have to run to know it.
    ///
    /// # Errors
    /// Those of sources that were not asked for before.
    pub async fn keys(&self) -> Result<Vec<Option<Arc<Key>>>, W::Error> {
        let solver = &self.solver;
        let mut keys = Vec::with_capacity(solver.vertices.len());
        for (vertex, step) in solver.vertices.iter().enumerate() {
            keys.push(match solver.keys[vertex].get() {
                Some(Ok(key)) => Some(Arc::clone(key)),
                _ if !step.op.is_step() => None,
                _ => Arc::clone(solver).quick_key(vertex).await?,
            });
        }
        Ok(keys)
    }
}

struct Solver<W: Worker> {
    worker: Arc<W>,
    vertices: Arc<[Vertex]>,
    quick: Vec<Once<Option<Arc<Key>>, W>>,
    keys: Vec<Once<Arc<Key>, W>>,
    results: Vec<Once<Arc<<W as Worker>::Tree>, W>>,
}

/// What a vertex has once, for everybody who asks.
type Once<T, W> = OnceCell<Result<T, <W as Worker>::Error>>;
type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

impl<W: Worker> Solver<W> {
    fn result(self: Arc<Self>, vertex: usize) -> Boxed<Result<Arc<W::Tree>, W::Error>> {
        Box::pin(apart(async move {
            let cell = &self.results[vertex];
            cell.get_or_init(|| Arc::clone(&self).give(vertex)).await.clone()
        }))
    }

    fn key(self: Arc<Self>, vertex: usize) -> Boxed<Result<Arc<Key>, W::Error>> {
        Box::pin(apart(async move {
            let cell = &self.keys[vertex];
            cell.get_or_init(|| Arc::clone(&self).find_key(vertex)).await.clone()
        }))
    }

    async fn give(self: Arc<Self>, vertex: usize) -> Result<Arc<W::Tree>, W::Error> {
        if !self.vertices[vertex].op.is_step() {
            return self.told(vertex, self.worker.source(vertex)).await.map(Arc::new);
        }
        let key = match Arc::clone(&self).key(vertex).await {
            Ok(key) => key,
            Err(error) => return Err(error),
        };
        let inputs = &self.vertices[vertex].inputs;
        if !self.vertices[vertex].fresh
            && let Some(layer) = self.worker.known(&key.digest).await?
        {
            let base = Arc::clone(&self).result(inputs[0]).await?;
            self.worker.tell(vertex, News::Cached);
            return Ok(Arc::new(self.worker.stack(&base, layer)));
        }
        let inputs = Arc::clone(&self).all(inputs).await?;
        let layer = self.told(vertex, self.worker.run(vertex, &key, &inputs)).await?;
        Ok(Arc::new(self.worker.stack(&inputs[0], layer)))
    }

    async fn told<T>(
        &self,
        vertex: usize,
        work: impl Future<Output = Result<T, W::Error>>,
    ) -> Result<T, W::Error> {
        self.worker.tell(vertex, News::Started);
        let result = work.await;
        self.worker.tell(
            vertex,
            match &result {
                Ok(_) => News::Done,
                Err(error) => News::Failed(error),
            },
        );
        result
    }

    /// Side by side; the first error ends the others.
    async fn all(self: Arc<Self>, inputs: &[usize]) -> Result<Vec<Arc<W::Tree>>, W::Error> {
        let mut tasks = JoinSet::new();
        for (place, input) in inputs.iter().enumerate() {
            let work = Arc::clone(&self).result(*input);
            tasks.spawn(async move { work.await.map(|tree| (place, tree)) });
        }
        let mut trees = Vec::with_capacity(inputs.len());
        while let Some(ended) = tasks.join_next().await {
            trees.push(given(ended).await?);
        }
        trees.sort_by_key(|(place, _)| *place);
        Ok(trees.into_iter().map(|(_, tree)| tree).collect())
    }

    /// The key as far as it is known without running a step: None where something must run to know it.
    fn quick_key(self: Arc<Self>, vertex: usize) -> Boxed<Result<Option<Arc<Key>>, W::Error>> {
        Box::pin(apart(async move {
            let cell = &self.quick[vertex];
            cell.get_or_init(|| Arc::clone(&self).find_quick_key(vertex)).await.clone()
        }))
    }

    async fn find_quick_key(self: Arc<Self>, vertex: usize) -> Result<Option<Arc<Key>>, W::Error> {
        let Vertex { op, inputs, fresh, .. } = &self.vertices[vertex];
        let mut parts = vec![Part { what: What::Definition, digest: definition(op) }];
        if !op.is_step() {
            return Ok(Some(Arc::new(key(parts))));
        }
        let mut weak = Vec::new();
        for (place, input) in inputs.iter().enumerate() {
            let usage = use_of(op, place);
            match usage {
                Use::None => {}
                Use::Files if !has_identity(&self.vertices[*input].op) => {
                    parts.push(self.files(vertex, place).await?);
                }
                Use::Base | Use::Files => {
                    let Some(key) = Arc::clone(&self).quick_key(*input).await? else {
                        return Ok(None);
                    };
                    let digest = key.digest.clone();
                    match usage {
                        Use::Base => parts.push(Part { what: What::Base, digest }),
                        _ => weak.push(Part { what: What::Files(place), digest }),
                    }
                }
            }
        }
        if weak.is_empty() {
            return Ok(Some(Arc::new(key(parts))));
        }
        let quick = key(parts.into_iter().chain(weak).collect());
        let exact = if *fresh { None } else { self.worker.alias(&quick.digest).await };
        Ok(exact.map(|digest| Arc::new(Key { digest, parts: quick.parts })))
    }

    /// The key, whatever must run to know it: what it takes files from, and what is below it, side by side.
    async fn find_key(self: Arc<Self>, vertex: usize) -> Result<Arc<Key>, W::Error> {
        if let Some(key) = Arc::clone(&self).quick_key(vertex).await? {
            return Ok(key);
        }
        let Vertex { op, inputs, .. } = &self.vertices[vertex];
        let of = |usage: fn(&Use) -> bool| -> Vec<usize> {
            (0..inputs.len()).filter(|place| usage(&use_of(op, *place))).collect()
        };
        let (bases, files) =
            (of(|usage| matches!(usage, Use::Base)), of(|usage| matches!(usage, Use::Files)));
        let sources: Vec<usize> = files.iter().map(|place| inputs[*place]).collect();
        let below = async {
            let mut keys = Vec::new();
            for place in &bases {
                let digest = Arc::clone(&self).key(inputs[*place]).await?.digest.clone();
                keys.push(Part { what: What::Base, digest });
            }
            Ok(keys)
        };
        let (below, taken) = tokio::join!(below, Arc::clone(&self).all(&sources));
        let mut parts = vec![Part { what: What::Definition, digest: definition(op) }];
        parts.extend(below?);
        taken?;
        let mut quick = parts.clone();
        let mut weak = Vec::new();
        for place in files {
            let exact = self.files(vertex, place).await?;
            match has_identity(&self.vertices[inputs[place]].op) {
                false => {
                    quick.push(exact.clone());
                    parts.push(exact);
                }
                true => {
                    let digest = Arc::clone(&self).key(inputs[place]).await?.digest.clone();
                    weak.push((Part { what: What::Files(place), digest }, exact));
                }
            }
        }
        let (by_key, by_content): (Vec<_>, Vec<_>) = weak.into_iter().unzip();
        quick.extend(by_key);
        parts.extend(by_content);
        let (exact, quick) = (key(parts), key(quick));
        if quick.digest != exact.digest {
            self.worker.keep_alias(&quick, &exact.digest).await;
        }
        Ok(Arc::new(exact))
    }

    async fn files(self: &Arc<Self>, vertex: usize, place: usize) -> Result<Part, W::Error> {
        let input = self.vertices[vertex].inputs[place];
        let tree = Arc::clone(self).result(input).await?;
        let digest = match self.worker.content(vertex, place, &tree).await {
            Ok(digest) => digest,
            Err(error) => {
                // It is the step that cannot go on.
                self.worker.tell(vertex, News::Started);
                self.worker.tell(vertex, News::Failed(&error));
                return Err(error);
            }
        };
        Ok(Part { what: What::Files(place), digest })
    }
}

/// In a task of its own, which ends with whoever waits for it: a graph may be deeper than a stack.
async fn apart<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    let mut task = JoinSet::new();
    task.spawn(work);
    match task.join_next().await {
        Some(ended) => given(ended).await,
        None => std::future::pending().await,
    }
}

/// What a task gave. One that the runtime's end took gives nothing, to nobody.
async fn given<T>(ended: Result<T, JoinError>) -> T {
    match ended {
        Ok(result) => result,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => std::future::pending().await,
    }
}

/// What a step does with one of its inputs.
enum Use {
    Base,
    Files,
    /// Nothing that its result depends upon.
    None,
}

fn use_of(op: &Op, place: usize) -> Use {
    match op {
        Op::Copy(copy) if place == 0 && copy.link => Use::None,
        _ if place == 0 => Use::Base,
        Op::Run(run) => {
            let binds = |kind: &MountKind| match kind {
                MountKind::Bind { input, .. } => *input == place,
                _ => false,
            };
            if run.mounts.iter().any(|mount| binds(&mount.kind)) { Use::Files } else { Use::Base }
        }
        _ => Use::Files,
    }
}

/// Whether a vertex's definition says what it holds.
fn has_identity(op: &Op) -> bool {
    !matches!(op, Op::Context(_) | Op::Http(_) | Op::Git(_))
}

fn definition(op: &Op) -> Digest {
    // An image is what it holds, whatever its name.
    let text = match op {
        Op::Image(image) => serde_json::to_vec(&image.layers),
        op => serde_json::to_vec(op),
    };
    // Plain data with text for keys: this does not fail.
    Digest::from_sha256(Sha256::digest(text.unwrap_or_default()).into())
}

fn key(mut parts: Vec<Part>) -> Key {
    let rank = |part: &Part| match part.what {
        What::Definition => (0_u64, 0),
        What::Base => (1, 0),
        What::Files(place) => (2, place as u64),
    };
    // They become known in different orders.
    parts.sort_by_key(rank);
    let mut hash = Sha256::new();
    for part in &parts {
        let (kind, place) = rank(part);
        hash.update(kind.to_le_bytes());
        hash.update(place.to_le_bytes());
        hash.update(part.digest.as_str());
    }
    Key { digest: Digest::from_sha256(hash.finalize().into()), parts }
}
