//! `create`: a name, an id, the configuration made whole, a snapshot of the image, a record.

use std::collections::BTreeMap;

use api::containers::{CreateRequest, CreateResponse, HostConfig, LogConfig};

use oci::Platform;

use super::Containers;
use super::actor::Actor;
use super::index::Reservation;
use super::record::{Record, State};
use super::volumes::Claims;
use super::{image_mounts, logging, merge, mounts, name, spec, timestamp, validate, volumes};
use crate::error::{Error, Kind, Result, blocking};

/// Made-up names that are tried before giving up.
const ATTEMPTS: u32 = 32;

impl Containers {
    /// `wished` is empty for a name of the engine's choice, `platform` where the image's own is meant.
    pub async fn create(
        &self,
        wished: &str,
        platform: &str,
        request: CreateRequest,
    ) -> Result<CreateResponse> {
        let shared = &self.0;
        let CreateRequest { mut config, host_config, networking_config } = request;
        let mut host = host_config.unwrap_or_default();
        let mut warnings = validate::validate(&config, &host, &shared.host)?;
        warnings.extend(self.firewall_warnings(&host));
        self.name_lenders(&mut host)?;
        self.apply_defaults(&mut host)?;
        let endpoints = networking_config.unwrap_or_default().endpoints_config.unwrap_or_default();
        let endpoints = shared.endpoints(&config, &host, endpoints)?;
        let id = name::random_id();
        let name = self.reserve_name(wished, &id)?;
        let image = self.image(&config.image, platform).await?;
        merge::with_image(&mut config, &image.config);
        validate::health_on_failure(&config, &host)?;
        let args = merge::command(&config)?;
        if config.hostname.is_empty() {
            config.hostname = self.default_hostname(&host, &id);
        }
        let inherited = self.inherited_mounts(&host)?;
        let mut points = mounts::mount_points(&config, &host, inherited)?;
        volumes::check_sources(&points)?;
        points = image_mounts::find(&shared.disk, points).await?;
        let claims = volumes::claim(&shared.volumes, &id, &mut points).await?;
        let links = self.take_links(&mut host)?;
        let record = Record {
            id: id.clone(),
            name: name.name.clone(),
            created: timestamp::now(),
            image: image.id,
            config,
            host_config: host,
            args,
            mounts: points,
            endpoints,
            links,
            state: State::default(),
            restart_count: 0,
            stopped_by_hand: false,
            step: None,
            exec_ids: Vec::new(),
        };
        logging::tag(&record, &shared.config.data_root)?;
        self.make(record, name, claims).await?;
        Ok(CreateResponse { id, warnings })
    }

    /// The part that leaves something behind: on disk, in the index, in the events.
    async fn make(&self, record: Record, name: Reservation, claims: Claims) -> Result<()> {
        let shared = &self.0;
        let limit = validate::size_limit(&record.host_config);
        let limit = limit.unwrap_or_else(|| shared.config.container_size());
        shared.disk.create(&record, Some(limit).filter(|limit| *limit > 0), claims).await?;
        let (actor, handle) = Actor::new(shared.clone(), record);
        shared.index.add(handle);
        name.keep();
        actor.tell("create", []);
        tokio::spawn(actor.run());
        Ok(())
    }

    /// Whose namespaces it is to share is known by its id from now on: names change hands. Whose network it is may come
    /// later.
    fn name_lenders(&self, host: &mut HostConfig) -> Result<()> {
        let lender = |mode: &str| mode.strip_prefix("container:").map(|name| self.find(name));
        for mode in [&mut host.pid_mode, &mut host.ipc_mode] {
            if let Some(found) = lender(mode) {
                // No missing image, which clients would pull.
                let handle = found.map_err(|error| Error::invalid(error.what))?;
                *mode = format!("container:{}", handle.id);
            }
        }
        if let Some(Ok(handle)) = lender(&host.network_mode) {
            host.network_mode = format!("container:{}", handle.id);
        }
        Ok(())
    }

    fn reserve_name(&self, wished: &str, id: &str) -> Result<Reservation> {
        let index = &self.0.index;
        if !wished.is_empty() {
            return index.reserve(name::checked(wished)?, id);
        }
        let mut free =
            (0..ATTEMPTS).filter_map(|attempt| index.reserve(&name::random(attempt), id).ok());
        free.next().map_or_else(|| index.reserve(&id[..12], id), Ok)
    }

    /// Fills what the request left open with the engine's defaults; what inspect shows.
    pub(super) fn apply_defaults(&self, host: &mut HostConfig) -> Result<()> {
        let config = self.0.live.now();
        let engine_log =
            LogConfig { driver: config.log_driver.clone(), config: Some(config.log_opts.clone()) };
        host.log_config = logging::checked(&host.log_config, &engine_log)?;
        if matches!(host.network_mode.as_str(), "" | "default") {
            let has_bridge = self.0.network.has_default_network();
            host.network_mode = if has_bridge { "bridge" } else { "none" }.into();
        }
        if host.restart_policy.name.is_empty() {
            host.restart_policy.name = "no".into();
        }
        if host.ipc_mode.is_empty() {
            host.ipc_mode.clone_from(&config.default_ipc_mode);
        }
        if host.cgroupns_mode.is_empty() {
            host.cgroupns_mode = self.0.default_cgroupns(host);
        }
        if host.shm_size == 0 {
            host.shm_size = config.default_shm_size;
        }
        if host.runtime.is_empty() {
            host.runtime = config.default_runtime().into();
        }
        self.0.known_runtime(&host.runtime)?;
        spec::resources::fill_swap(&mut host.resources);
        // Version 2 has nothing of the kind.
        host.resources.oom_kill_disable = match self.0.host.cgroup_v2 {
            true => None,
            false => Some(host.resources.oom_kill_disable.unwrap_or(false)),
        };
        // Kernels have no such limits any more; Docker forgets the wish, too.
        host.resources.kernel_memory = 0;
        host.resources.kernel_memory_tcp = 0;
        // What clients send for "not given".
        host.resources.memory_swappiness.take_if(|value| *value == -1);
        host.resources.pids_limit.take_if(|limit| *limit <= 0);
        if !self.0.host.blkio_weight {
            host.resources.blkio_weight = 0;
            host.resources.blkio_weight_device.iter_mut().for_each(Vec::clear);
        }
        apply_default_ulimits(host, &config.default_ulimits);
        Ok(())
    }

    fn default_hostname(&self, host: &HostConfig, id: &str) -> String {
        let hosts = rustix::system::uname().nodename().to_string_lossy().into_owned();
        if host.network_mode == "host" || host.uts_mode == "host" {
            hosts
        } else {
            id[..12].to_owned()
        }
    }

    /// `--volumes-from`: `container[:ro|rw]`.
    fn inherited_mounts(&self, host: &HostConfig) -> Result<Vec<mounts::MountPoint>> {
        let mut inherited = Vec::new();
        for wish in host.volumes_from.iter().flatten() {
            if wish.is_empty() {
                return Err(Error::invalid("volumes-from specification cannot be an empty string"));
            }
            let (container, mode) = wish.split_once(':').unwrap_or((wish, ""));
            // Not what clients take for an image that is missing.
            let missing = |error: Error| Error { kind: Kind::Invalid, ..error };
            let from = || Ok(self.find(container).map_err(missing)?.record());
            inherited.extend(mounts::inherited(mode, from)?);
        }
        Ok(inherited)
    }

    async fn image(&self, reference: &str, platform: &str) -> Result<super::disk::Image> {
        if reference.is_empty() {
            return Err(Error::invalid("config cannot be empty in order to create a container"));
        }
        let platform = match platform {
            "" => None,
            text => Some(Platform::parse(text).map_err(|error| Error::invalid(error.to_string()))?),
        };
        let (disk, wanted) = (self.0.disk.clone(), reference.to_owned());
        blocking(move || match platform {
            None => disk.image(&wanted),
            Some(platform) => disk.image_for(&wanted, &platform),
        })
        .await
    }
}

fn apply_default_ulimits(
    host: &mut HostConfig,
    defaults: &BTreeMap<String, crate::config::Ulimit>,
) {
    if defaults.is_empty() {
        return;
    }
    let ulimits = host.resources.ulimits.get_or_insert_default();
    for (name, limit) in defaults {
        if !ulimits.iter().any(|ulimit| ulimit.name == *name) {
            let (soft, hard) = (limit.soft, limit.hard);
            ulimits.push(api::containers::Ulimit { name: name.clone(), soft, hard });
        }
    }
}

/// As Docker words an image that is not there: clients pull it then.
pub fn no_such_image(reference: &str) -> Error {
    let tagged = match reference.rsplit_once('/').map_or(reference, |(_, last)| last) {
        last if last.contains(':') || last.contains('@') => reference.to_owned(),
        _ => format!("{reference}:latest"),
    };
    Error::new(Kind::NotFound, format!("No such image: {tagged}"))
}
