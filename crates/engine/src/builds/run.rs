//! RUN: the command's container, with what is mounted in it, and its output as progress.

use std::sync::Arc;

use api::build::Failure;
use builder::ignore::Ignore;
use builder::plan::{self, Mount, MountKind, Run, Unpack};
use jiff::Timestamp;
use oci::Digest;
use sha2::{Digest as _, Sha256};
use store::builds::CacheRecord;
use tokio::sync::mpsc;

use super::remote::{self, Wish};
use super::step::{Ended, Network, Security, Step, StepMount, Steps};
use super::trees::{Layers, Tree};
use super::worker::Worker;
use crate::error::{Error, Result, blocking};

/// What stands for files that are mounted, in the cache.
const MOUNTED: &str = "local source for a mount";

/// Pieces of output that wait to be told.
const OUTPUT: usize = 64;
/// A tar without entries: what a command changed that changed nothing.
const NOTHING: [u8; 1024] = [0; 1024];

impl Worker {
    /// The layer that a command makes.
    pub async fn step(&self, vertex: usize, run: &Run, inputs: &[Arc<Tree>]) -> Result<Digest> {
        let mut env: Vec<String> = run
            .env
            .iter()
            .chain(&run.proxies)
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut mounts = Vec::new();
        for mount in &run.mounts {
            mounts.extend(self.mount(mount, inputs, &mut env).await?);
        }
        let options = &self.options;
        let step = Step {
            layers: inputs[0].layers()?.to_vec(),
            args: run.args.clone(),
            env,
            cwd: run.directory.clone(),
            user: run.user.clone(),
            network: match run.network {
                plan::Network::Default => match options.network.as_str() {
                    "" | "default" | "bridge" => Network::Default,
                    name => Network::Named(name.to_owned()),
                },
                plan::Network::None => Network::None,
                plan::Network::Host => Network::Host,
            },
            security: if run.insecure { Security::Insecure } else { Security::Sandbox },
            mounts,
            extra_hosts: options.extra_hosts.clone(),
            shm_size: options.shm_size,
            ulimits: options.ulimits.clone(),
            cgroup_parent: options.cgroup_parent.clone(),
            limits: options.limits.clone(),
            devices: run.devices.clone(),
        };
        let steps = Steps::new(Arc::clone(&self.builds.store), self.builds.containers.clone());
        let (output, mut written) = mpsc::channel::<(u8, bytes::Bytes)>(OUTPUT);
        let progress = Arc::clone(&self.progress);
        let told = tokio::spawn(async move {
            while let Some((stream, bytes)) = written.recv().await {
                progress.log(vertex, stream, bytes.to_vec());
            }
        });
        // Dropped with this future, which ends the step.
        let ended =
            steps.run(step, Arc::clone(&self.lease), output, std::future::pending()).await?;
        // Its senders are gone.
        let _ = told.await;
        self.layer_of(run, ended).await
    }

    async fn layer_of(&self, run: &Run, ended: Ended) -> Result<Digest> {
        if ended.code != 0 {
            let command = run.args.join(" ");
            let oom = if ended.oom { " (out of memory)" } else { "" };
            let message = format!(
                "process {command:?} did not complete successfully: exit code: {}{oom}",
                ended.code
            );
            return Err(exited(message, ended.code));
        }
        if let Some(layer) = ended.layer {
            return Ok(layer.diff_id);
        }
        let (store, lease) = (Arc::clone(&self.builds.store), Arc::clone(&self.lease));
        let empty =
            blocking(move || Ok(store.add_unsynced_layer(&mut NOTHING.as_slice(), &lease)?));
        Ok(empty.await?.diff_id)
    }

    /// Nothing where it is optional and the client has none.
    async fn mount(
        &self,
        mount: &Mount,
        inputs: &[Arc<Tree>],
        env: &mut Vec<String>,
    ) -> Result<Option<StepMount>> {
        let target = mount.target.clone();
        Ok(Some(match &mount.kind {
            MountKind::Bind { input, source, writable } => {
                let (layers, subpath) = self.as_layers(&inputs[*input], source).await?;
                StepMount::Layers { layers, subpath, target, writable: *writable }
            }
            MountKind::Cache { id, sharing, input, source, read_only, mode, uid, gid } => {
                let base = match input {
                    Some(input) => self.as_layers(&inputs[*input], "/").await?.0,
                    None => Vec::new(),
                };
                let (id, sharing) = (id.clone(), remote::sharing(*sharing));
                let wish = Wish { id, sharing, base, owner: (*uid, *gid), mode: *mode };
                self.remote.warm(&wish, &self.builds, &self.client).await?;
                let mount = self.builds.cache_mount(&wish).await?;
                let subpath = source.trim_matches('/').to_owned();
                let read_only = *read_only;
                StepMount::Cache { mount: Arc::new(mount), subpath, target, read_only }
            }
            MountKind::Tmpfs { size } => StepMount::Tmpfs { target, size: size.unwrap_or(0) },
            MountKind::Secret { id, env: variable, file, required, mode, uid, gid } => {
                let Some(bytes) = self.client.secret(id).await? else {
                    if *required {
                        return Err(Error::invalid(format!("secret {id}: not found")));
                    }
                    return Ok(None);
                };
                if let Some(name) = variable {
                    let value = String::from_utf8(bytes.clone()).map_err(|_| {
                        Error::invalid(format!(
                            "secret {id} is not UTF-8 text, as a variable must be"
                        ))
                    })?;
                    env.push(format!("{name}={value}"));
                }
                if !file {
                    return Ok(None);
                }
                let (mode, uid, gid) = (*mode, *uid, *gid);
                StepMount::Secret { target, bytes, mode, uid, gid }
            }
            MountKind::Ssh { id, required, mode, uid, gid } => {
                if let Err(error) = self.client.agent(id).await {
                    if *required {
                        return Err(error);
                    }
                    return Ok(None);
                }
                let (client, id) = (Arc::clone(&self.client), id.clone());
                let connect = move || -> super::step::Connecting {
                    let (client, id) = (Arc::clone(&client), id.clone());
                    Box::pin(async move { client.agent(&id).await })
                };
                let (mode, uid, gid) = (*mode, *uid, *gid);
                StepMount::Socket { target, mode, uid, gid, connect: Arc::new(connect) }
            }
            MountKind::Script { content } => {
                let bytes = content.clone().into_bytes();
                StepMount::Secret { target, bytes, mode: 0o755, uid: 0, gid: 0 }
            }
        }))
    }

    /// Layers that hold what is at `source`, and where in them.
    async fn as_layers(&self, tree: &Tree, source: &str) -> Result<(Vec<Digest>, String)> {
        if let Tree::Layers(layers) = tree {
            return Ok((layers.digests.to_vec(), source.trim_matches('/').to_owned()));
        }
        let (copying, tree, source) = (self.copying(), tree.clone(), source.to_owned());
        blocking(move || {
            let mut found = tree.open(&copying.store)?.select(&source, &Ignore::default())?;
            let file = found.first().filter(|one| !one.is_folder());
            let subpath =
                file.map(|one| one.name.to_string_lossy().into_owned()).unwrap_or_default();
            tree.open(&copying.store)?.hash(&mut found)?;
            let content = builder::copy::digest(&found).map_err(Error::system)?;
            let key = Digest::from_sha256(Sha256::digest(format!("mount {content}")).into());
            let known = copying.store.builds().get(&key, &copying.lease)?;
            if let Some(layer) = known.and_then(|record| record.layer) {
                return Ok((vec![layer], subpath));
            }
            let copy = plan::Copy {
                sources: vec![plan::Source { input: 1, path: source, unpack: Unpack::Never }],
                destination: "/".into(),
                into: true,
                chown: None,
                chmod: None,
                link: true,
                parents: false,
                exclude: Vec::new(),
            };
            let nothing = Arc::new(Tree::Layers(Layers::default()));
            let layer = copying.copy(&copy, &[nothing, Arc::new(tree)], MOUNTED)?;
            copying.store.builds().put(&CacheRecord {
                key,
                below: Vec::new(),
                layer: Some(layer.clone()),
                kind: "source.local".into(),
                description: MOUNTED.into(),
                created: Timestamp::now(),
                cost: 0,
                parents: Vec::new(),
                components: Vec::new(),
            })?;
            Ok((vec![layer], subpath))
        })
        .await
    }
}

/// With the exit code that clients are told.
fn exited(message: String, code: i64) -> Error {
    Error::invalid(message.clone()).because(Failure { message, code, ..Failure::default() })
}
