use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use oci::image::ImageConfig;
use tokio::sync::Barrier;

use super::*;
use crate::dockerfile::parse;
use crate::plan::{Images, Request, Wanted, plan};

/// A tree is the list of layers; the cache outlives a build.
#[derive(Default)]
struct Recorder {
    vertices: Mutex<Vec<Vertex>>,
    known: Mutex<BTreeMap<String, String>>,
    aliases: Mutex<BTreeMap<String, Digest>>,
    /// What is taken of a vertex, by the vertex's name, where it is not the name.
    contents: Mutex<BTreeMap<String, &'static str>>,
    log: Mutex<Vec<String>>,
    fails: Option<&'static str>,
    /// Where steps wait for each other.
    together: Option<Barrier>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Recorder {
    fn name(&self, vertex: usize) -> String {
        lock(&self.vertices)[vertex].name.clone()
    }

    fn log(&self, word: &str, vertex: usize) {
        let name = self.name(vertex);
        if name.contains("] ") && !name.contains("FROM") && !name.contains("[internal]") {
            let text = name.split("] ").last().unwrap_or_default();
            lock(&self.log).push(format!("{word} {text}"));
        }
    }

    fn taken(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.log))
    }
}

impl Worker for Recorder {
    type Tree = Vec<String>;
    type Layer = String;
    type Error = String;

    async fn source(&self, vertex: usize) -> Result<Vec<String>, String> {
        Ok(vec![self.name(vertex)])
    }

    async fn content(
        &self,
        vertex: usize,
        input: usize,
        _: &Vec<String>,
    ) -> Result<Digest, String> {
        let input = lock(&self.vertices)[vertex].inputs[input];
        let name = self.name(input);
        let text = lock(&self.contents).get(&name).copied().map_or(name, str::to_owned);
        Ok(Digest::from_sha256(Sha256::digest(text).into()))
    }

    async fn known(&self, key: &Digest) -> Result<Option<String>, String> {
        Ok(lock(&self.known).get(key.as_str()).cloned())
    }

    async fn alias(&self, key: &Digest) -> Option<Digest> {
        lock(&self.aliases).get(key.as_str()).cloned()
    }

    async fn keep_alias(&self, key: &Key, is: &Digest) {
        lock(&self.aliases).insert(key.digest.to_string(), is.clone());
    }

    async fn run(
        &self,
        vertex: usize,
        key: &Key,
        _: &[Arc<Vec<String>>],
    ) -> Result<String, String> {
        let name = self.name(vertex);
        if let Some(barrier) = &self.together {
            barrier.wait().await;
        }
        if self.fails.is_some_and(|part| name.contains(part)) {
            return Err(format!("{name} failed"));
        }
        lock(&self.known).insert(key.digest.to_string(), name.clone());
        Ok(name)
    }

    fn stack(&self, base: &Vec<String>, layer: String) -> Vec<String> {
        base.iter().cloned().chain([layer]).collect()
    }

    fn tell(&self, vertex: usize, news: News<'_, String>) {
        match news {
            News::Started => {}
            News::Cached => self.log("cached", vertex),
            News::Done => self.log("ran", vertex),
            News::Failed(_) => self.log("failed", vertex),
        }
    }
}

fn graph(text: &str, request: &Request) -> (Arc<[Vertex]>, usize) {
    let wanted = |name: &str| Wanted { reference: name.into(), platform: request.platform.clone() };
    let images = ["base", "other"].map(|name| (wanted(name), ImageConfig::default()));
    let plan = plan(&parse(text).unwrap(), request, &Images::from(images)).unwrap();
    (plan.vertices.into(), plan.result)
}

async fn build_as(
    worker: &Arc<Recorder>,
    text: &str,
    request: &Request,
) -> Result<Vec<String>, String> {
    let (vertices, result) = graph(text, request);
    *lock(&worker.vertices) = vertices.to_vec();
    solve(Arc::clone(worker), vertices, &[result]).await.map(|solved| solved.trees[0].to_vec())
}

async fn build(worker: &Arc<Recorder>, text: &str) -> Vec<String> {
    build_as(worker, text, &Request::default()).await.unwrap()
}

const FILE: &str = "FROM base\nRUN one\nCOPY . /x\nRUN two";

#[tokio::test]
async fn what_is_known_does_not_run_again() {
    let worker = Arc::new(Recorder::default());
    let first = build(&worker, FILE).await;
    assert_eq!(first.len(), 4);
    assert_eq!(worker.taken(), ["ran RUN one", "ran COPY . /x", "ran RUN two"]);
    assert_eq!(build(&worker, FILE).await, first);
    assert_eq!(worker.taken(), ["cached RUN one", "cached COPY . /x", "cached RUN two"]);
    let fresh = Request { no_cache: true, ..Request::default() };
    build_as(&worker, FILE, &fresh).await.unwrap();
    assert_eq!(worker.taken(), ["ran RUN one", "ran COPY . /x", "ran RUN two"]);
}

#[tokio::test]
async fn a_change_runs_what_stands_on_it_and_nothing_else() {
    let worker = Arc::new(Recorder::default());
    build(&worker, FILE).await;
    worker.taken();
    build(&worker, &FILE.replace("two", "three")).await;
    assert_eq!(worker.taken(), ["cached RUN one", "cached COPY . /x", "ran RUN three"]);
    lock(&worker.contents).insert("[internal] load build context".into(), "changed");
    build(&worker, FILE).await;
    assert_eq!(worker.taken(), ["cached RUN one", "ran COPY . /x", "ran RUN two"]);
}

const STAGES: &str = "FROM base AS a\nRUN make\nFROM other\nCOPY --from=a /x /y\nRUN use";

#[tokio::test]
async fn a_stage_that_gives_the_same_files_changes_nothing_after_it() {
    let worker = Arc::new(Recorder::default());
    build(&worker, STAGES).await;
    assert_eq!(worker.taken(), ["ran RUN make", "ran COPY --from=a /x /y", "ran RUN use"]);
    build(&worker, STAGES).await;
    assert_eq!(
        worker.taken(),
        ["cached COPY --from=a /x /y", "cached RUN use"],
        "nobody looks at the other stage"
    );
    // Other commands, the same files.
    lock(&worker.contents).insert("[a 2/2] RUN make -j".into(), "[a 2/2] RUN make");
    build(&worker, &STAGES.replace("make", "make -j")).await;
    assert_eq!(worker.taken(), ["ran RUN make -j", "cached COPY --from=a /x /y", "cached RUN use"]);
    build(&worker, &STAGES.replace("make", "make other")).await;
    assert_eq!(worker.taken(), ["ran RUN make other", "ran COPY --from=a /x /y", "ran RUN use"]);
}

#[tokio::test]
async fn keys_are_known_of_stages_that_nobody_looked_at() {
    let worker = Arc::new(Recorder::default());
    build(&worker, STAGES).await;
    let (vertices, result) = graph(STAGES, &Request::default());
    let solved = solve(Arc::clone(&worker), Arc::clone(&vertices), &[result]).await.unwrap();
    let keys = solved.keys().await.unwrap();
    for (vertex, key) in vertices.iter().zip(keys) {
        let known = key.map(|key| lock(&worker.known).contains_key(key.digest.as_str()));
        assert_eq!(known, vertex.op.is_step().then_some(true), "{}", vertex.name);
    }
}

#[tokio::test]
async fn a_linked_copy_does_not_depend_on_what_it_stands_on() {
    let worker = Arc::new(Recorder::default());
    build(&worker, "FROM base\nRUN one\nCOPY --link . /x").await;
    worker.taken();
    build(&worker, "FROM base\nRUN two\nCOPY --link . /x").await;
    assert_eq!(worker.taken(), ["ran RUN two", "cached COPY --link . /x"]);
}

#[tokio::test]
async fn independent_stages_run_side_by_side() {
    let worker = Recorder { together: Some(Barrier::new(3)), ..Recorder::default() };
    let text = "FROM base AS a\nRUN a\nFROM base AS b\nRUN b\nFROM base AS c\nRUN c\n\
                FROM base\nCOPY --from=a / /a\nCOPY --from=b / /b\nCOPY --from=c / /c";
    let worker = Arc::new(worker);
    let (vertices, result) = graph(text, &Request::default());
    *lock(&worker.vertices) = vertices.to_vec();
    // Three steps meet at the barrier, or this never ends; the last would wait there alone.
    let building = tokio::spawn({
        let worker = Arc::clone(&worker);
        async move { solve(worker, vertices, &[result]).await }
    });
    while lock(&worker.log).len() < 3 {
        tokio::task::yield_now().await;
    }
    building.abort();
    let mut ran = worker.taken();
    ran.sort();
    assert_eq!(ran, ["ran RUN a", "ran RUN b", "ran RUN c"]);
}

#[tokio::test]
async fn a_failure_ends_the_build_and_is_told_once() {
    let worker = Arc::new(Recorder { fails: Some("RUN one"), ..Recorder::default() });
    let error = build_as(&worker, FILE, &Request::default()).await.unwrap_err();
    assert!(error.contains("RUN one failed"), "{error}");
    assert_eq!(worker.taken(), ["failed RUN one"]);
    assert!(lock(&worker.known).is_empty());
}

#[test]
fn a_deep_graph_needs_no_deep_stack() {
    // No stage is deep by itself; each takes from the one before.
    let steps = "RUN x\n".repeat(490);
    let stages = (1..6).map(|before| format!("FROM base\nCOPY --from={} / /\n{steps}", before - 1));
    let text = format!("FROM base\n{steps}{}", stages.collect::<String>());
    let building = std::thread::Builder::new().stack_size(256 << 10).spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let (vertices, result) = graph(&text, &Request::default());
        let worker = Arc::new(Recorder::default());
        *lock(&worker.vertices) = vertices.to_vec();
        let solved = runtime.block_on(solve(worker, vertices, &[result]));
        solved.unwrap().trees[0].len()
    });
    assert_eq!(building.unwrap().join().unwrap(), 492);
}
