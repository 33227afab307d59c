//! Containers that nobody but the engine knows of: the steps of builds. They are made, started and ended like all others,
//! so that their isolation is the same; but no list, name, event, count or prune shows them, nobody finds them, and none
//! outlives its engine (see [`super::adopt`]).

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use api::containers::{Config, HostConfig, LogConfig};
use oci::Digest;
use runtime::monitor::protocol::Streams;
use tokio::sync::oneshot;

use super::actor::Actor;
use super::index::{Exit, Handle};
use super::mounts::{Kind, MountPoint};
use super::record::{Record, State};
use super::request::{Client, Purpose, Remove, Request};
use super::{ClientSocket, Containers, Shared, start, stop, timestamp, validate, volumes};
use crate::config::DEFAULT_RUNTIME;
use crate::error::{Error, Result, blocking};

/// What the container is to be.
pub struct Wish {
    pub id: String,
    /// Bottom first; held by the caller.
    pub layers: Vec<Digest>,
    pub config: Config,
    pub host: HostConfig,
    pub args: Vec<String>,
    /// Those of layers that are not read-only get a place for what is written to them.
    pub mounts: Vec<MountPoint>,
}

/// One of them, from its making to [`remove`](Hidden::remove).
pub struct Hidden {
    handle: Handle,
    shared: Arc<Shared>,
}

impl Containers {
    pub async fn hidden(&self, wish: Wish) -> Result<Hidden> {
        let shared = &self.0;
        let Wish { id, layers, config, mut host, args, mut mounts } = wish;
        // Its output goes to who waits for it; another runtime knows nothing of mounts of layers.
        host.log_config = LogConfig { driver: "none".into(), config: None };
        host.runtime = DEFAULT_RUNTIME.into();
        host.init = Some(false);
        validate::validate(&config, &host, &shared.host)?;
        self.apply_defaults(&mut host)?;
        let endpoints = shared.endpoints(&config, &host, BTreeMap::new())?;
        let claims = volumes::claim(&shared.volumes, &id, &mut mounts).await?;
        let mut record = Record {
            name: id.clone(),
            id,
            created: timestamp::now(),
            image: String::new(),
            config,
            host_config: host,
            args,
            mounts,
            endpoints,
            links: Vec::new(),
            state: State::default(),
            restart_count: 0,
            stopped_by_hand: false,
            step: Some(layers),
            exec_ids: Vec::new(),
        };
        let uppers = name_uppers(&mut record, &shared.config.data_root);
        shared.disk.create(&record, None, claims).await?;
        let (actor, handle) = Actor::new(shared.clone(), record);
        shared.index.hide(handle.clone());
        tokio::spawn(actor.run());
        let hidden = Hidden { handle, shared: Arc::clone(shared) };
        match make_uppers(uppers).await {
            Ok(()) => Ok(hidden),
            Err(error) => {
                hidden.remove().await;
                Err(error)
            }
        }
    }

    /// A directory for what a hidden container is given, beside those of the monitors; empty at the engine's start.
    pub fn scratch(&self, id: &str) -> PathBuf {
        self.0.scratch().join(id)
    }

    /// At the engine's end: nobody waits for them any more.
    pub(super) async fn end_hidden(&self) {
        for handle in self.0.index.hidden() {
            let hidden = Hidden { handle, shared: Arc::clone(&self.0) };
            hidden.kill().await;
            hidden.remove().await;
        }
    }
}

impl Hidden {
    /// What it writes from its start on, with Docker's header before each piece.
    pub async fn output(&self) -> Result<UnixStream> {
        let (ours, theirs) = UnixStream::pair()
            .map_err(|cause| Error::system("cannot make a socket").because(cause))?;
        let (sender, socket) = oneshot::channel();
        // Nobody but this engine is at the other end.
        let _ = sender.send(ClientSocket { socket: theirs, relayed: true });
        let streams =
            Streams { stdout: true, stderr: true, multiplexed: true, ..Streams::default() };
        let client = Client { socket, streams };
        self.handle.ask(|reply| Request::Attach { client, reply }).await?;
        Ok(ours)
    }

    /// What of the runtime's words is about the program, where it could not be executed.
    pub async fn start(&self) -> Result<Result<(), String>> {
        match self.handle.ask(|reply| Request::Start { reply }).await {
            Ok(_) => Ok(Ok(())),
            Err(error) if matches!(self.record().state.exit_code, 126 | 127) => {
                Ok(Err(start::without_chain(&error.what).to_owned()))
            }
            Err(error) => Err(error),
        }
    }

    pub async fn ended(&self) -> Exit {
        let mut view = self.handle.watch();
        // An error means that the task has ended, and with it the container.
        let _ = view.wait_for(|view| view.exits > 0 || view.removed).await;
        view.borrow().last_exit.clone()
    }

    /// With all that it started. One that does not run is left as it is.
    pub async fn kill(&self) {
        let id = &self.handle.id;
        match stop::kill(&self.handle, Purpose::Remove).await {
            Err(error) if super::is_up(self.record().state.status) => {
                tracing::warn!(container = &**id, "a step of a build does not end: {error}");
            }
            _ => {}
        }
    }

    pub fn record(&self) -> Arc<Record> {
        self.handle.record()
    }

    /// What resists is removed at the engine's next start.
    pub async fn remove(self) {
        let (shared, id) = (Arc::clone(&self.shared), Arc::clone(&self.handle.id));
        // Before anything is written: it may have filled the disk.
        let emptied = blocking(move || shared.disk.empty(&id));
        if let Err(error) = emptied.await {
            tracing::warn!(container = &*self.handle.id, "what a step wrote is left: {error}");
        }
        let options = Remove { force: true, volumes: true };
        let removed = self.handle.ask(|reply| Request::Remove { options, reply }).await;
        if let Err(error) = removed {
            tracing::warn!(container = &*self.handle.id, "a step of a build is left: {error}");
        }
    }
}

impl Shared {
    fn scratch(&self) -> PathBuf {
        self.config.exec_root.join("steps")
    }

    /// At the engine's start. Blocks.
    pub(super) fn clear_scratch(&self) {
        match fs::remove_dir_all(self.scratch()) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::warn!("cannot remove {}: {error}", self.scratch().display());
            }
            _ => {}
        }
    }
}

/// Where what is written to mounted layers goes; removed with the container's files.
fn name_uppers(record: &mut Record, data_root: &Path) -> Vec<PathBuf> {
    let files = record.files(data_root);
    let writable = |point: &&mut MountPoint| point.kind == Kind::Image && !point.read_only;
    let points = record.mounts.iter_mut().filter(writable).enumerate();
    let named = points.map(|(number, point)| {
        let upper = files.join(format!("mount-{number}"));
        point.upper.insert(upper).clone()
    });
    named.collect()
}

async fn make_uppers(uppers: Vec<PathBuf>) -> Result<()> {
    if uppers.is_empty() {
        return Ok(());
    }
    blocking(move || {
        let parts = uppers.iter().flat_map(|upper| ["diff", "work"].map(|part| upper.join(part)));
        for part in parts {
            DirBuilder::new().recursive(true).mode(0o755).create(&part).map_err(|cause| {
                Error::system(format!("cannot make {}", part.display())).because(cause)
            })?;
        }
        Ok(())
    })
    .await
}
