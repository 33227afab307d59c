//! Builds: who asks for them, and what becomes of them (docs/design/0017-builds.md).

mod bases;
mod bounded;
pub mod cache;
pub mod client;
mod copy;
mod export;
mod fetch;
mod files;
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

use api::build::{BuildOptions, BuildResult, Failure, Position, Range, VertexWarning};
use builder::check::{self, Known};
use builder::dockerfile::{self, Dockerfile};
use builder::plan::{Images as Bases, Network, Plan, Request};
use oci::Platform;
use store::Store;

use self::client::{Client, Context};
use self::export::Built;
use self::progress::{Progress, Task};
use self::remote::{Export, Remote};
use self::trees::Tree;
use self::worker::{Running, Worker};
use crate::containers::Containers;
use crate::error::{Error, Result, blocking};
use crate::events::Events;
use crate::images::Images;

/// Rounds in which a plan may find that it must know more images: each brings some, of a file that ends.
const ROUNDS: usize = 64;

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
        let (plan, platform) = {
            let platform = platform(&options)?;
            let request = request(&options, &platform, client)?;
            let mut images = Bases::new();
            let plan = self.plan(&file, &request, &options, client, &mut images).await?;
            task.warn(warnings(&file, &images));
            (plan, platform)
        };
        task.end::<_, Error>(&Ok(()));
        let targets = remote::targets(&options)?;
        let remote = Arc::new(Remote::open(self, &options, &platform, client).await?);
        let lease = Arc::new(self.store.shared_lease("build"));
        let instructions = instructions(&file, &plan);
        let progress = Arc::new(Progress::new(
            Arc::clone(client),
            &platform.to_string(),
            &plan.vertices,
            instructions,
        ));
        progress.begin();
        let vertices: Arc<[_]> = plan.vertices.clone().into();
        let worker = Worker {
            builds: self.clone(),
            client: Arc::clone(client),
            lease: Arc::clone(&lease),
            vertices: Arc::clone(&vertices),
            progress: Arc::clone(&progress),
            options: Arc::clone(&options),
            remote: Arc::clone(&remote),
        };
        let solving = builder::solve::solve(Arc::new(worker), Arc::clone(&vertices), plan.result);
        let solved = solving.await.map_err(not_solved)?;
        progress.finish();
        let Tree::Layers(layers) = &*solved.tree else {
            return Err(Error::system("the build gave files instead of layers"));
        };
        let layers = match plan.epoch {
            None => layers.clone(),
            Some(epoch) => {
                let (store, lease) = (Arc::clone(&self.store), Arc::clone(&lease));
                let layers = layers.clone();
                blocking(move || rewrite::rewritten(&store, &lease, &layers, epoch)).await?
            }
        };
        let graph = (&*vertices, plan.result);
        let keys = match targets.is_empty() {
            true => Vec::new(),
            false => solved.keys().await.map_err(not_solved)?,
        };
        let inline = match targets.iter().any(|target| target.place.is_none()) {
            true => Some(remote::inline(&remote, graph, &keys, &layers)?),
            false => None,
        };
        let built = Arc::new(Built { plan, layers, inline });
        let result = self.export(built, &options, client).await?;
        if !targets.is_empty() {
            let steps = remote::collect(self, &remote, &lease, graph, &keys)?;
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

fn platform(options: &BuildOptions) -> Result<Platform> {
    match options.platforms.as_slice() {
        [] => Ok(Platform::host()),
        [platform] => Platform::parse(platform).map_err(|error| Error::invalid(error.to_string())),
        _ => Err(Error::not_implemented(
            "images for several platforms at once are not built by this version: build them one by one",
        )),
    }
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
fn instructions(file: &Dockerfile, plan: &Plan) -> Vec<(String, Option<usize>)> {
    let vertex_at = |lines: &std::ops::RangeInclusive<usize>| {
        plan.vertices.iter().position(|vertex| vertex.lines.as_ref() == Some(lines))
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
