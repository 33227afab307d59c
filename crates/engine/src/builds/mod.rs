//! Builds: who asks for them, and what becomes of them (docs/design/0017-builds.md).

mod annotations;
mod attest;
mod bases;
mod bounded;
pub mod cache;
pub mod client;
mod copy;
mod export;
mod fetch;
mod files;
mod index;
mod pipe;
mod progress;
mod remote;
mod reuse;
mod rewrite;
mod run;
pub mod step;
mod trees;
mod unpack;
mod worker;

use std::io::Read;
use std::sync::Arc;

use api::build::{BuildOptions, BuildResult, Failure, Output, Position, Range, VertexWarning};
use builder::check::{self, Known};
use builder::dockerfile::{self, Dockerfile};
use builder::plan::{Images as Bases, Network, Plan, Request, Vertex};
use jiff::Timestamp;
use oci::Platform;
use store::{Lease, Store};

use self::attest::{Ended, Wishes};
use self::client::{Client, Context};
use self::export::Built;
use self::progress::{Progress, Task};
use self::remote::{Export, Remote};
use self::trees::{Layers, Tree};
use self::worker::{Running, Worker};
use crate::containers::Containers;
use crate::error::{Error, Result, blocking};
use crate::events::Events;
use crate::images::Images;

/// Rounds in which a plan may find that it must know more images: each brings some, of a file that ends.
const ROUNDS: usize = 64;
/// As many as there are architectures, and more.
const MOST_PLATFORMS: usize = 32;

/// A handle that is cheap to copy.
#[derive(Clone)]
pub struct Builds {
    store: Arc<Store>,
    images: Images,
    containers: Containers,
    events: Events,
    running: Arc<Running>,
}

impl Builds {
    pub fn new(store: Arc<Store>, images: Images, containers: Containers, events: Events) -> Self {
        Self { store, images, containers, events, running: Arc::default() }
    }

    #[cfg(test)]
    pub fn store(&self) -> Arc<Store> {
        Arc::clone(&self.store)
    }

    /// The context of a client that sends it as an archive. For a thread that may wait.
    pub fn receive(&self, tar: impl Read) -> Result<Context> {
        Context::receive(&self.store, tar)
    }

    /// Ends early where the client goes away.
    pub async fn build(&self, options: BuildOptions, client: Client) -> Result<BuildResult> {
        let client = Arc::new(client);
        tokio::select! {
            built = self.build_for(Arc::new(options), &client) => built,
            () = client.gone() => Err(Error::invalid("context canceled")),
        }
    }

    async fn build_for(
        &self,
        options: Arc<BuildOptions>,
        client: &Arc<Client>,
    ) -> Result<BuildResult> {
        let platforms = platforms(&options)?;
        let wishes = Wishes::parse(&options)?;
        export::check(&options, &platforms, &wishes)?;
        let started = Timestamp::now();
        let (file, mut plans) = self.plan_all(&options, &platforms, client).await?;
        let vertices: Arc<[Vertex]> = builder::plan::join(&mut plans).into();
        let results: Vec<usize> = plans.iter().map(|plan| plan.result).collect();
        let targets = remote::targets(&options)?;
        let remote = Arc::new(Remote::open(self, &options, &platforms, client).await?);
        let lease = Arc::new(self.store.shared_lease("build"));
        let progress = Arc::new(Progress::new(
            Arc::clone(client),
            &shown(&platforms),
            &vertices,
            instructions(&file, &vertices),
        ));
        progress.begin();
        let worker = Worker {
            builds: self.clone(),
            client: Arc::clone(client),
            lease: Arc::clone(&lease),
            vertices: Arc::clone(&vertices),
            progress: Arc::clone(&progress),
            options: Arc::clone(&options),
            remote: Arc::clone(&remote),
        };
        let solving = builder::solve::solve(Arc::new(worker), Arc::clone(&vertices), &results);
        let solved = solving.await.map_err(not_solved)?;
        progress.finish();
        let keys = match targets.is_empty() {
            true => Vec::new(),
            false => solved.keys().await.map_err(not_solved)?,
        };
        let is_inline = targets.iter().any(|target| target.place.is_none());
        let mut all = Vec::with_capacity(plans.len());
        for ((platform, plan), tree) in platforms.into_iter().zip(plans).zip(&solved.trees) {
            let layers = self.layers(tree, plan.epoch, &lease).await?;
            let inline = match is_inline {
                true => {
                    let graph = (&*vertices, plan.result);
                    Some(remote::inline(&remote, graph, &keys, &layers)?)
                }
                false => None,
            };
            let attestations = Vec::new();
            all.push(Built { platform, plan, layers, inline, attestations });
        }
        let all = self.attest(all, wishes, &options, &vertices, started, client).await?;
        let result = self.export(Arc::new(all), &options, client).await?;
        if !targets.is_empty() {
            let steps = remote::collect(self, &remote, &lease, (&*vertices, &*results), &keys)?;
            let (builds, options, lease) = (self, &*options, &lease);
            let export = Export {
                builds,
                remote: &remote,
                options,
                client,
                lease,
                steps: &steps,
                vertices: &vertices,
            };
            for (index, target) in targets.iter().enumerate() {
                export.to(target, index).await?;
            }
        }
        Ok(result)
    }

    /// Says of what was built what was asked for, where an output takes it.
    async fn attest(
        &self,
        mut all: Vec<Built>,
        wishes: Wishes,
        options: &Arc<BuildOptions>,
        vertices: &Arc<[Vertex]>,
        started: Timestamp,
        client: &Arc<Client>,
    ) -> Result<Vec<Built>> {
        let leaves = |output: &Output| matches!(output.kind.as_str(), "registry" | "oci");
        if !wishes.are_spoken() && !options.outputs.iter().any(leaves) {
            return Ok(all);
        }
        let task = Task::begin(client, "generating attestations");
        let (store, options) = (Arc::clone(&self.store), Arc::clone(options));
        let vertices = Arc::clone(vertices);
        let said = blocking(move || {
            let finished = Timestamp::now();
            let ended = Ended { options: &options, vertices: &vertices, started, finished };
            for built in &mut all {
                built.attestations = attest::make(&store, &wishes, &ended, built)?;
            }
            Ok(all)
        })
        .await;
        task.end(&said.as_ref().map(drop));
        said
    }

    /// The Dockerfile, and a plan for each platform.
    async fn plan_all(
        &self,
        options: &Arc<BuildOptions>,
        platforms: &[Platform],
        client: &Arc<Client>,
    ) -> Result<(Dockerfile, Vec<Plan>)> {
        let name = &options.dockerfile.name;
        let task = Task::begin(client, &format!("[internal] load build definition from {name}"));
        task.did("transferring dockerfile", options.dockerfile.text.len() as i64);
        let read = dockerfile::parse(&options.dockerfile.text).map_err(|error| {
            let message = error.to_string();
            not_solved(Failure {
                message,
                lines: Some((error.line, error.line)),
                ..Failure::default()
            })
        });
        let file = match read {
            Ok(file) => file,
            Err(error) => {
                task.end::<(), _>(&Err(&error));
                return Err(error);
            }
        };
        let mut images = Bases::new();
        let mut plans = Vec::with_capacity(platforms.len());
        for platform in platforms {
            let request = Request {
                shows_platform: platforms.len() > 1,
                ..request(options, platform, client)?
            };
            plans.push(self.plan(&file, &request, options, client, &mut images).await?);
        }
        task.warn(warnings(&file, &images));
        task.end::<_, Error>(&Ok(()));
        Ok((file, plans))
    }

    /// What a result has, its times as the build wishes them.
    async fn layers(
        &self,
        tree: &Tree,
        epoch: Option<i64>,
        lease: &Arc<Lease<'static>>,
    ) -> Result<Layers> {
        let Tree::Layers(layers) = tree else {
            return Err(Error::system("the build gave files instead of layers"));
        };
        let layers = layers.clone();
        let Some(epoch) = epoch else { return Ok(layers) };
        let (store, lease) = (Arc::clone(&self.store), Arc::clone(lease));
        blocking(move || rewrite::rewritten(&store, &lease, &layers, epoch)).await
    }

    async fn plan(
        &self,
        file: &Dockerfile,
        request: &Request,
        options: &Arc<BuildOptions>,
        client: &Arc<Client>,
        images: &mut Bases,
    ) -> Result<Plan> {
        for _ in 0..ROUNDS {
            match builder::plan::plan(file, request, images) {
                Ok(plan) => return Ok(plan),
                Err(builder::plan::Error::Missing(wanted)) => {
                    self.find_bases(wanted, options, client, images).await.map_err(|error| {
                        not_solved(Failure { message: error.to_string(), ..Failure::default() })
                    })?;
                }
                Err(builder::plan::Error::Wrong { message, lines }) => {
                    let lines = lines.map(|lines| (*lines.start(), *lines.end()));
                    return Err(not_solved(Failure { message, lines, ..Failure::default() }));
                }
            }
        }
        Err(Error::invalid("the build stands on images that need others without end"))
    }
}

fn not_solved(failure: Failure) -> Error {
    Error::invalid("failed to solve").because(failure)
}

/// Those that are built for, each once, in the order in which they were named.
fn platforms(options: &BuildOptions) -> Result<Vec<Platform>> {
    let mut all: Vec<Platform> = Vec::new();
    for text in &options.platforms {
        let platform = Platform::parse(text).map_err(|error| Error::invalid(error.to_string()))?;
        if !all.contains(&platform) {
            all.push(platform);
        }
    }
    if all.len() > MOST_PLATFORMS {
        return Err(Error::invalid(format!("more than {MOST_PLATFORMS} platforms at once")));
    }
    if all.is_empty() {
        all.push(Platform::host());
    }
    Ok(all)
}

fn shown(platforms: &[Platform]) -> String {
    let texts: Vec<String> = platforms.iter().map(Platform::to_string).collect();
    texts.join(",")
}

fn request(options: &BuildOptions, platform: &Platform, client: &Client) -> Result<Request> {
    let network = match options.network.as_str() {
        "" | "default" | "bridge" => Network::Default,
        "none" => Network::None,
        "host" => Network::Host,
        // As with Docker the classic request may name a network, and BuildKit's may not.
        _ if matches!(client, Client::Upload(_)) => Network::Default,
        other => {
            return Err(Error::invalid(format!(
                "network mode {other:?} not supported by buildkit"
            )));
        }
    };
    let allows = |what: &str| options.allow.iter().any(|allowed| allowed == what);
    Ok(Request {
        target: options.target.clone(),
        build_args: options.build_args.clone(),
        labels: options.labels.clone(),
        platform: platform.clone(),
        shows_platform: false,
        build_platform: Platform::host(),
        no_cache: options.no_cache,
        no_cache_filter: options.no_cache_filter.clone(),
        contexts: options.contexts.clone(),
        network,
        allows_insecure: allows("security.insecure"),
        allows_host_network: network == Network::Host || allows("network.host"),
    })
}

/// What BuildKit's checks find, as warnings.
fn warnings(file: &Dockerfile, images: &Bases) -> Vec<VertexWarning> {
    let text = file.directives.check.as_deref().unwrap_or_default();
    let Ok(options) = check::Options::parse(text) else { return Vec::new() };
    let variables = |name: &str| {
        let image = images.iter().find(|(wanted, _)| wanted.reference == name)?.1;
        let env = image.config.as_ref()?.env.as_ref()?;
        let names = env.iter().filter_map(|entry| Some(entry.split_once('=')?.0.to_owned()));
        Some(names.collect())
    };
    let known = Known { ignore: None, variables: &variables };
    let found = check::check(file, &known, &options);
    let position = |line: &usize| Position { line: *line, character: 0 };
    let warning = |finding: check::Finding| VertexWarning {
        level: 1,
        short: format!(
            "{}: {} (line {})",
            finding.rule.name,
            finding.message,
            finding.lines.start()
        )
        .into_bytes(),
        url: finding.rule.url(),
        range: vec![Range {
            start: position(finding.lines.start()),
            end: position(finding.lines.end()),
        }],
        ..VertexWarning::default()
    };
    found.into_iter().map(warning).collect()
}

/// The instructions of the stages that are built, in the file's order, with the vertices whose lines are theirs.
fn instructions(file: &Dockerfile, vertices: &[Vertex]) -> Vec<(String, Option<usize>)> {
    let vertex_at = |lines: &std::ops::RangeInclusive<usize>| {
        vertices.iter().position(|vertex| vertex.lines.as_ref() == Some(lines))
    };
    let mut all = Vec::new();
    for stage in &file.stages {
        let vertices: Vec<_> =
            stage.instructions.iter().map(|located| vertex_at(&located.lines)).collect();
        let is_last = file.stages.last() == Some(stage);
        if vertices.iter().all(Option::is_none) && !is_last {
            continue;
        }
        all.push((stage.text.clone(), None));
        let texts = stage.instructions.iter().map(|located| located.text.clone());
        all.extend(texts.zip(vertices));
    }
    all
}
