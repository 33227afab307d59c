//! One RUN step: a hidden container over the layers below, whose own layer is the result.
//!
//! ```text
//! scratch (secrets, agents' sockets) -> container -> output joined -> start -> end -> seal
//!                                           \_________ removed, whatever came of it
//! ```
//!
//! A step goes on in a task of its own: whoever waits for it may go away at any moment, which ends it like a cancel does.

mod mounts;
mod output;
mod scratch;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use api::build::Limits;
use api::containers::{Config, DeviceRequest, HostConfig, Resources, Ulimit};
use bytes::Bytes;
use oci::Digest;
use store::builds::CacheMount;
use store::{Layer, Lease, Store};
use tokio::io::DuplexStream;
use tokio::sync::{mpsc, oneshot};

use self::mounts::Mounts;
use self::scratch::Scratch;
use crate::containers::{Containers, Hidden, HiddenWish, name};
use crate::error::{Error, Kind, Result, blocking};

/// What BuildKit calls the host of every step.
const HOSTNAME: &str = "buildkitsandbox";

/// What a step is to do, and where.
pub struct Step {
    /// Diff IDs, bottom first.
    pub layers: Vec<Digest>,
    pub args: Vec<String>,
    pub env: Vec<String>,
    pub cwd: String,
    pub user: String,
    pub network: Network,
    pub security: Security,
    pub mounts: Vec<StepMount>,
    /// `name:address`.
    pub extra_hosts: Vec<String>,
    /// In bytes; the engine's default where it is 0.
    pub shm_size: i64,
    pub ulimits: Vec<Ulimit>,
    /// The engine's own where it is empty.
    pub cgroup_parent: String,
    pub limits: Limits,
    /// Names of CDI devices.
    pub devices: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Network {
    /// The default bridge, where there is one.
    #[default]
    Default,
    None,
    Host,
    /// One of the engine's, by name or id.
    Named(String),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Security {
    #[default]
    Sandbox,
    /// With all that the engine may do itself.
    Insecure,
}

/// What is mounted for the time of the step. Targets are absolute paths in its root.
pub enum StepMount {
    Layers {
        layers: Vec<Digest>,
        /// What of them, relative to their root; empty for all.
        subpath: String,
        target: String,
        /// What is written is gone with the step.
        writable: bool,
    },
    Cache {
        mount: Arc<CacheMount>,
        subpath: String,
        target: String,
        read_only: bool,
    },
    Tmpfs {
        target: String,
        /// In bytes; bounded by the memory alone where it is 0.
        size: u64,
    },
    Secret {
        target: String,
        bytes: Vec<u8>,
        mode: u32,
        uid: u32,
        gid: u32,
    },
    Socket {
        target: String,
        mode: u32,
        uid: u32,
        gid: u32,
        connect: Connect,
    },
}

pub type Connecting = Pin<Box<dyn Future<Output = Result<DuplexStream>> + Send>>;

/// Makes the other end of a connection to a [`StepMount::Socket`].
pub type Connect = Arc<dyn Fn() -> Connecting + Send + Sync>;

/// What a step writes: 1 or 2 for the stream, and the bytes. A step waits for whoever takes it.
pub type Output = mpsc::Sender<(u8, Bytes)>;

/// A step that came to its end by itself.
#[derive(Debug)]
pub struct Ended {
    pub code: i64,
    /// The kernel killed something of it for want of memory.
    pub oom: bool,
    /// What it changed; nothing where it failed or changed nothing.
    pub layer: Option<Layer>,
}

/// Runs steps; a handle that is cheap to copy.
#[derive(Clone)]
pub struct Steps {
    store: Arc<Store>,
    containers: Containers,
}

impl Steps {
    pub fn new(store: Arc<Store>, containers: Containers) -> Self {
        Self { store, containers }
    }

    /// Runs a step to its end, or to `cancel`, which is an error. `lease` holds the layers that it starts from, and its own.
    pub async fn run(
        &self,
        step: Step,
        lease: Arc<Lease<'static>>,
        output: Output,
        cancel: impl Future<Output = ()>,
    ) -> Result<Ended> {
        // Dropped with this future, too.
        let (stop, stopped) = oneshot::channel::<()>();
        let mut running =
            tokio::spawn(self.clone().perform(Box::new(step), lease, output, stopped));
        let ended = tokio::select! {
            ended = &mut running => ended,
            () = cancel => {
                drop(stop);
                running.await
            }
        };
        ended.unwrap_or_else(|cause| Err(Error::system("the step was aborted").because(cause)))
    }

    async fn perform(
        self,
        step: Box<Step>,
        lease: Arc<Lease<'static>>,
        output: Output,
        mut stopped: oneshot::Receiver<()>,
    ) -> Result<Ended> {
        let id = name::random_id();
        let Prepared { wish, places, _scratch } = self.prepare(&id, step).await?;
        let hidden = self.containers.hidden(wish).await?;
        let ended = self.attempt(&hidden, &id, places, lease, output, &mut stopped).await;
        // Behind the answer. Its directory has been taken for the layer by now.
        tokio::spawn(async move {
            hidden.remove().await;
            drop(_scratch);
        });
        ended
    }

    async fn attempt(
        &self,
        hidden: &Hidden,
        id: &str,
        places: Vec<PathBuf>,
        lease: Arc<Lease<'static>>,
        output: Output,
        stopped: &mut oneshot::Receiver<()>,
    ) -> Result<Ended> {
        let mut forwarded = tokio::spawn(output::forward(hidden.output().await?, output.clone()));
        if let Err(words) = hidden.start().await? {
            let said = Bytes::from(not_begun(&words));
            // Nobody listens where the build was given up.
            let _ = output.send((2, said)).await;
            return Ok(Ended { code: 1, oom: false, layer: None });
        }
        let exit = tokio::select! {
            exit = hidden.ended() => exit,
            _ = &mut *stopped => return Err(cancelled(hidden).await),
        };
        tokio::select! {
            // Its failure is that nobody takes any more.
            _ = &mut forwarded => {}
            _ = stopped => {
                forwarded.abort();
                return Err(cancelled(hidden).await);
            }
        }
        let layer = match exit.code {
            0 => self.seal(id, places, lease).await?,
            _ => None,
        };
        let oom = hidden.record().state.oom_killed;
        Ok(Ended { code: exit.code, oom, layer })
    }

    async fn seal(
        &self,
        id: &str,
        places: Vec<PathBuf>,
        lease: Arc<Lease<'static>>,
    ) -> Result<Option<Layer>> {
        let (store, id) = (Arc::clone(&self.store), id.to_owned());
        blocking(move || Ok(store.seal(&id, &places, &lease)?)).await
    }

    async fn prepare(&self, id: &str, step: Box<Step>) -> Result<Prepared> {
        let (store, place) = (Arc::clone(&self.store), self.containers.scratch(id));
        let (id, runtime) = (id.to_owned(), tokio::runtime::Handle::current());
        blocking(move || {
            let _in_it = runtime.enter();
            let mut step = *step;
            let mut scratch = Scratch::new(place);
            let Mounts { points, places } =
                mounts::prepare(std::mem::take(&mut step.mounts), &store, &mut scratch)?;
            let wish = HiddenWish {
                id,
                layers: std::mem::take(&mut step.layers),
                args: std::mem::take(&mut step.args),
                mounts: points,
                host: host_config(&step),
                config: Config {
                    hostname: HOSTNAME.into(),
                    user: step.user,
                    env: Some(step.env),
                    working_dir: step.cwd,
                    ..Config::default()
                },
            };
            Ok(Prepared { wish, places, _scratch: scratch })
        })
        .await
    }
}

struct Prepared {
    wish: HiddenWish,
    /// Where something is mounted.
    places: Vec<PathBuf>,
    _scratch: Scratch,
}

async fn cancelled(hidden: &Hidden) -> Error {
    hidden.kill().await;
    Error::new(Kind::Unavailable, "context canceled")
}

fn host_config(step: &Step) -> HostConfig {
    let Limits { memory, memory_swap, cpu_shares, cpu_period, cpu_quota, cpuset_cpus, cpuset_mems } =
        step.limits.clone();
    let devices = DeviceRequest {
        driver: "cdi".into(),
        device_ids: Some(step.devices.clone()),
        ..DeviceRequest::default()
    };
    let network = match &step.network {
        Network::Default => "",
        Network::None => "none",
        Network::Host => "host",
        Network::Named(name) => name,
    };
    HostConfig {
        network_mode: network.into(),
        privileged: step.security == Security::Insecure,
        extra_hosts: Some(step.extra_hosts.clone()),
        shm_size: step.shm_size,
        resources: Resources {
            memory,
            memory_swap,
            cpu_shares,
            cpu_period,
            cpu_quota,
            cpuset_cpus,
            cpuset_mems,
            cgroup_parent: step.cgroup_parent.clone(),
            ulimits: Some(step.ulimits.clone()),
            device_requests: (!step.devices.is_empty()).then(|| vec![devices]),
            ..Resources::default()
        },
        ..HostConfig::default()
    }
}

/// What a step says that did not begin. Which platform a program is of is found out when there is no runtime any more that
/// could tell.
fn not_begun(words: &str) -> String {
    let beginning = words.strip_suffix("\": exec format error");
    match beginning.and_then(|beginning| beginning.rsplit_once("exec: \"")) {
        Some((_, program)) => format!("exec {program}: exec format error\n"),
        None => format!("runc run failed: {words}\n"),
    }
}
