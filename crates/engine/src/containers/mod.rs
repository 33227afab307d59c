//! Containers: one task for each, one file for each verb.
//!
//! - what may be done when: [`state`]; when it is started again: [`restart_policy`]; both pure
//! - from Docker's terms to the runtime specification: [`spec`], with [`merge`], [`validate`], [`mounts`]
//! - a container's task is [`actor`], what it is asked [`request`], its monitor's socket [`link`]
//! - a container's document is [`record`], kept by [`disk`]; who is there is known to [`index`]
//! - what an engine finds when it starts: [`adopt`]; in which order it starts that again: [`start_order`]

mod actor;
mod adopt;
mod archive;
mod attach;
mod bundle;
mod changes;
mod cheap_moves;
mod create;
mod delivery;
mod discard;
mod disk;
mod dns;
mod document;
mod exec;
mod exit;
mod export;
mod health;
mod hidden;
mod image_mounts;
mod image_uses;
mod index;
mod inspect;
mod kept_execs;
mod kill;
mod link;
mod links;
mod list;
mod logging;
mod logs;
pub mod merge;
pub mod mounts;
pub mod name;
mod networks;
mod pause;
mod ports;
mod proxy;
mod prune;
mod publish;
pub mod record;
mod remove;
mod rename;
mod request;
mod resize;
mod resource;
mod restart_policy;
mod shared_memory;
pub mod signal;
pub mod spec;
mod start;
mod start_order;
mod state;
mod stats;
mod stop;
mod timestamp;
mod top;
mod update;
mod validate;
mod view;
mod volumes;
mod wait;
mod words;

use std::path::PathBuf;
use std::sync::Arc;

use api::containers::HostConfig;
use network::{Identity, Network};
use runtime::cgroup::{self, Cgroup, Driver, Layout};
use runtime::monitor::config::ExternalRuntime;

use self::cheap_moves::CheapMoves;
use self::index::{Handle, Index};
pub use self::proxy::Proxy;
use crate::apparmor::{self, Confinement};
use crate::config::{Config, Live};
use crate::error::{Error, Result, blocking};
use crate::events::Events;
use crate::metrics::HealthChecks;
use crate::networks::Directory;
use crate::networks::dns::Dns;
use crate::runtime_binary::RuntimeBinary;
use crate::volumes::Volumes;

pub use self::adopt::Survey;
pub use self::archive::Extract;
pub use self::attach::ClientSocket;
pub use self::disk::Disk;
pub use self::exec::{ExecView, Stage};
pub use self::hidden::{Hidden, Wish as HiddenWish};
pub use self::list::{Counts, FILTERS as LIST_FILTERS, Options as ListOptions};
pub use self::prune::FILTERS as PRUNE_FILTERS;
pub use self::publish::target;
pub use self::record::Record;
pub use self::request::{ExecStart, Remove};
pub use self::state::is_up;
pub use self::stop::Stop;
pub use self::wait::{Condition, Wait};

/// The service; a handle that is cheap to copy.
#[derive(Clone)]
pub struct Containers(Arc<Shared>);

/// What the containers' tasks share.
pub struct Shared {
    /// As the engine was started.
    config: Arc<Config>,
    /// For what a reload changes.
    live: Live,
    events: Events,
    runtime: Arc<RuntimeBinary>,
    network: Arc<Network>,
    proxy: Arc<Proxy>,
    networks: Directory,
    dns: Dns,
    identity: Identity,
    disk: Disk,
    volumes: Volumes,
    index: Arc<Index>,
    cgroup_driver: Driver,
    cheap_moves: CheapMoves,
    /// Where containers' cgroups are unless they say otherwise.
    cgroup_parent: String,
    host: validate::Host,
    health_checks: HealthChecks,
    /// The engine's bounding set: no container gets more.
    held_capabilities: u64,
    confinement: Confinement,
}

/// What an engine leaves behind when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remains {
    /// That run.
    Containers,
    Nothing,
}

/// What the service is made of.
pub struct Parts {
    pub config: Live,
    pub events: Events,
    pub runtime: Arc<RuntimeBinary>,
    pub network: Arc<Network>,
    pub proxy: Arc<Proxy>,
    pub networks: Directory,
    pub disk: Disk,
    pub volumes: Volumes,
    /// What was there when the engine started.
    pub survey: Survey,
    /// Eight digits that tell this engine's cgroups from another's.
    pub identity: Identity,
}

impl Containers {
    /// Adopts what is alive, settles what ended meanwhile, and starts what is to be started.
    pub async fn open(parts: Parts) -> Result<Self> {
        let Parts {
            config: live,
            events,
            runtime,
            network,
            proxy,
            networks,
            disk,
            volumes,
            identity,
            survey,
        } = parts;
        let config = live.now();
        let cgroup_driver = cgroup_driver(&config)?;
        let shared = Shared {
            cgroup_parent: cgroup_parent(&config, cgroup_driver, &identity.short()),
            host: validate::Host { project_quotas: disk.has_quotas(), ..offer() },
            health_checks: HealthChecks::default(),
            held_capabilities: bounding_set(),
            confinement: apparmor::confinement(),
            index: Arc::default(),
            cheap_moves: CheapMoves::new(config.exec_root.clone()),
            config,
            live,
            events,
            runtime,
            network,
            proxy,
            networks,
            dns: Dns::default(),
            identity,
            disk,
            volumes,
            cgroup_driver,
        };
        let containers = Self(Arc::new(shared));
        containers.adopt(survey).await?;
        Ok(containers)
    }

    /// The engine's orderly end. Containers that run go on; where none does, nothing of the engine stays in the
    /// kernel.
    pub async fn close(&self) -> Remains {
        self.end_hidden().await;
        self.0.cheap_moves.close().await;
        if self.0.index.all().iter().any(|handle| is_up(handle.record().state.status)) {
            return Remains::Containers;
        }
        let shared = Arc::clone(&self.0);
        let emptied = blocking(move || {
            shared.proxy.end();
            for failure in shared.network.destroy() {
                tracing::warn!("something of the network is left: {failure}");
            }
            shared.remove_cgroup_parent()
        });
        if let Err(error) = emptied.await {
            tracing::warn!("{error}");
        }
        Remains::Nothing
    }

    /// By id, name, or the beginning of an id.
    pub fn find(&self, wanted: &str) -> Result<Handle> {
        self.0.index.find(wanted)
    }

    /// What was counted of them.
    pub fn health_checks(&self) -> &HealthChecks {
        &self.0.health_checks
    }

    pub fn index(&self) -> &Index {
        &self.0.index
    }
}

impl Shared {
    /// `<exec-root>/c/<id>`: the monitor's directory.
    fn exec_directory(&self, id: &str) -> PathBuf {
        self.config.exec_root.join("c").join(id)
    }

    /// 64 digits that stay the same as long as the seed does.
    fn identity_of(&self, seed: &str) -> String {
        self.identity.network_id(seed)
    }

    /// The specification's `cgroupsPath`.
    fn cgroup_path(&self, record: &Record) -> String {
        let own = record.host_config.resources.cgroup_parent.as_str();
        let parent = if own.is_empty() { self.cgroup_parent.as_str() } else { own };
        match self.cgroup_driver {
            Driver::Systemd => format!("{parent}:gantry:{}", record.id),
            Driver::Cgroupfs => format!("/{}/{}", parent.trim_matches('/'), record.id),
        }
    }

    /// The cgroup that is the engine's own, unless another was given to put containers in.
    fn remove_cgroup_parent(&self) -> Result<()> {
        if self.cgroup_driver == Driver::Systemd || !self.config.cgroup_parent.is_empty() {
            return Ok(());
        }
        let parent = format!("/{}", self.cgroup_parent);
        let removed =
            Cgroup::open(self.cgroup_driver, &parent, "").and_then(|cgroup| cgroup.delete());
        removed.map_err(|cause| Error::system("cannot remove the engine's cgroup").because(cause))
    }

    /// The file on disk: it is bound into containers as their `--init`.
    fn init_program(&self) -> PathBuf {
        self.runtime.path().to_owned()
    }

    fn default_cgroupns(&self, host: &HostConfig) -> String {
        let engine = self.config.default_cgroupns_mode.as_str();
        match (engine, self.host.cgroup_v2, host.privileged) {
            ("", true, false) => "private".into(),
            ("", _, _) => "host".into(),
            (mode, _, _) => mode.into(),
        }
    }

    fn known_runtime(&self, name: &str) -> Result<()> {
        if self.live.now().has_runtime(name) {
            return Ok(());
        }
        Err(Error::invalid(format!("unknown or invalid runtime name: {name}")))
    }

    /// `--runtime`, where it is not our own.
    fn external_runtime(&self, record: &Record) -> Result<Option<ExternalRuntime>> {
        let name = record.host_config.runtime.as_str();
        self.known_runtime(name)?;
        Ok(self.live.now().runtimes.get(name).map(|runtime| ExternalRuntime {
            path: PathBuf::from(&runtime.path),
            args: runtime.args.clone(),
        }))
    }
}

/// `--exec-opt native.cgroupdriver`; unless given, systemd where it runs on cgroup v2.
fn cgroup_driver(config: &Config) -> Result<Driver> {
    let option = config.exec_opts.iter().find_map(|opt| opt.strip_prefix("native.cgroupdriver="));
    match option {
        Some("cgroupfs") => Ok(Driver::Cgroupfs),
        Some("systemd") => Ok(Driver::Systemd),
        Some(other) => {
            Err(Error::invalid(format!("native.cgroupdriver option {other} not supported")))
        }
        None => {
            let systemd = std::path::Path::new("/run/systemd/system").is_dir();
            let v2 = cgroup::layout() == Layout::V2;
            Ok(if v2 && systemd { Driver::Systemd } else { Driver::Cgroupfs })
        }
    }
}

fn cgroup_parent(config: &Config, driver: Driver, identity: &str) -> String {
    match (config.cgroup_parent.as_str(), driver) {
        ("", Driver::Cgroupfs) => format!("gantry-{identity}"),
        ("", Driver::Systemd) => "system.slice".into(),
        (parent, _) => parent.into(),
    }
}

/// What the host has to give, but for its file systems.
fn offer() -> validate::Host {
    let list = |path: &str| validate::numbers(&std::fs::read_to_string(path).unwrap_or_default());
    let available_cpus = list("/sys/devices/system/cpu/online");
    validate::Host {
        cpus: u32::try_from(available_cpus.len()).unwrap_or(u32::MAX),
        available_cpus,
        available_nodes: list("/sys/devices/system/node/online"),
        blkio_weight: std::path::Path::new("/sys/fs/cgroup/blkio/blkio.weight").exists()
            || cgroup::layout() == Layout::V2,
        cpu_realtime: std::path::Path::new("/sys/fs/cgroup/cpu/cpu.rt_runtime_us").exists(),
        cgroup_v2: cgroup::layout() == Layout::V2,
        cgroups: cgroup::is_delegated(),
        last_group: sys::namespace::last_group(),
        project_quotas: false,
    }
}

/// `CapBnd` of this process, by capability number.
fn bounding_set() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("CapBnd:"));
    line.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0)
}
