//! `inspect`: a container's document as Docker shows it.

use std::collections::BTreeMap;
use std::path::Path;

use api::containers::{
    GraphDriver, HostConfig, Inspect, LegacyNetworkSettings, NetworkSettings, State, Status,
};
use api::networks::EndpointSettings;

use network::Interface;

use super::health::Health;
use super::index::Handle;
use super::mounts::{Kind, MountPoint};
use super::networks::Endpoints;
use super::ports::port_map;
use super::record::Record;
use super::spec::security::{self, SecurityOptions};
use super::state::is_up;
use super::{Containers, Shared};
use crate::apparmor::{Confinement, profile};
use crate::error::Result;

impl Containers {
    pub async fn inspect(&self, wanted: &str, with_size: bool) -> Result<Inspect> {
        let handle = self.find(wanted)?;
        let record = handle.record();
        let networks = networks(&record, &self.0);
        let mut inspect = document(&record, &self.0.config.data_root, networks, self.0.confinement);
        inspect.host_config.links = self.0.shown_links(&record);
        inspect.graph_driver = self.graph_driver(&handle).await;
        if with_size {
            let sizes = self.0.disk.sizes(&record.id).await?;
            inspect.size_rw = i64::try_from(sizes.rw).ok();
            inspect.size_root_fs = i64::try_from(sizes.root).ok();
        }
        Ok(inspect)
    }

    /// A snapshot that is being removed has none.
    async fn graph_driver(&self, handle: &Handle) -> GraphDriver {
        let data = self.0.disk.directories(&handle.record()).await.ok();
        GraphDriver { data, name: "overlay2".into() }
    }
}

/// All of it that is in the record.
fn document(
    record: &Record,
    data_root: &Path,
    networks: Endpoints,
    confinement: Confinement,
) -> Inspect {
    let files = record.files(data_root);
    let path = |name: &str| files.join(name).to_string_lossy().into_owned();
    let (program, arguments) = record
        .args
        .split_first()
        .map_or((String::new(), Vec::new()), |(p, a)| (p.clone(), a.to_vec()));
    let security = record.host_config.security_opt.as_deref().unwrap_or_default();
    let never_started = super::timestamp::parse(&record.state.started_at).is_none();
    let apparmor = SecurityOptions::parse(security).unwrap_or_default().apparmor;
    let apparmor = match never_started {
        true => apparmor,
        false => profile(&apparmor, record.host_config.privileged, confinement).to_owned(),
    };
    // Docker makes these with the first start.
    let started = |path: String| if never_started { String::new() } else { path };
    Inspect {
        id: record.id.clone(),
        created: record.created.clone(),
        path: program,
        args: arguments,
        state: state(record),
        image: record.image.clone(),
        resolv_conf_path: started(path("resolv.conf")),
        hostname_path: started(path("hostname")),
        hosts_path: started(path("hosts")),
        log_path: log_path(record, data_root, never_started),
        name: format!("/{}", record.name),
        restart_count: record.restart_count.into(),
        driver: "overlay2".into(),
        platform: "linux".into(),
        app_armor_profile: apparmor,
        exec_ids: Some(record.exec_ids.clone()).filter(|ids| !ids.is_empty()),
        host_config: host_config(record),
        mounts: record.mounts.iter().filter_map(mount_point).collect(),
        config: config(record),
        network_settings: network_settings(record, networks),
        ..Inspect::default()
    }
}

/// With the defaults that are not kept with each container.
fn host_config(record: &Record) -> HostConfig {
    let mut host = record.host_config.clone();
    host.masked_paths = security::masked_paths(&host);
    host.readonly_paths = security::readonly_paths(&host);
    host
}

fn config(record: &Record) -> api::containers::Config {
    let mut config = record.config.clone();
    config.labels.get_or_insert_default();
    // For clients that know no addresses of endpoints; the engine is asked for it either way.
    if config.mac_address.is_empty()
        && let Some(first) = record.endpoints.get(&record.host_config.network_mode)
    {
        config.mac_address.clone_from(&first.mac_address);
    }
    config
}

fn log_path(record: &Record, data_root: &Path, never_started: bool) -> String {
    match record.host_config.log_config.driver.as_str() {
        "json-file" if !never_started => record.log_path(data_root).to_string_lossy().into_owned(),
        _ => String::new(),
    }
}

fn state(record: &Record) -> State {
    let state = &record.state;
    State {
        status: state.status,
        running: is_up(state.status),
        paused: state.status == Status::Paused,
        restarting: state.status == Status::Restarting,
        oom_killed: state.oom_killed,
        dead: state.status == Status::Dead,
        pid: state.pid.into(),
        exit_code: state.exit_code,
        error: state.error.clone(),
        started_at: state.started_at.clone(),
        finished_at: state.finished_at.clone(),
        health: state.health.as_ref().map(Health::shown),
    }
}

/// tmpfs of `--tmpfs` is in the HostConfig alone.
pub fn mount_point(point: &MountPoint) -> Option<api::containers::MountPoint> {
    if point.kind == Kind::Tmpfs && !point.from_mounts {
        return None;
    }
    let is_volume = point.kind == Kind::Volume;
    let is_named = is_volume || point.kind == Kind::Image;
    Some(api::containers::MountPoint {
        kind: point.kind.as_str().into(),
        name: if is_named { point.name.clone() } else { String::new() },
        source: point.source.clone(),
        destination: point.destination.clone(),
        driver: if is_volume { "local".into() } else { String::new() },
        mode: point.mode.clone(),
        rw: !point.read_only,
        propagation: point.propagation.clone(),
    })
}

fn network_settings(record: &Record, networks: Endpoints) -> NetworkSettings {
    let legacy = networks.get("bridge").map_or_else(LegacyNetworkSettings::default, |endpoint| {
        LegacyNetworkSettings {
            endpoint_id: endpoint.endpoint_id.clone(),
            gateway: endpoint.gateway.clone(),
            ip_address: endpoint.ip_address.clone(),
            ip_prefix_len: endpoint.ip_prefix_len,
            mac_address: endpoint.mac_address.clone(),
            ..LegacyNetworkSettings::default()
        }
    });
    let runs = record.state.pid > 0;
    NetworkSettings {
        bridge: Some(String::new()),
        sandbox_id: record.state.sandbox.clone(),
        sandbox_key: if runs {
            format!("/proc/{}/ns/net", record.state.pid)
        } else {
            String::new()
        },
        ports: Some(if runs { port_map(record) } else { BTreeMap::new() }),
        legacy: Some(legacy),
        networks: Some(networks),
    }
}

/// A container's endpoints; without most of their parts while it does not run.
pub fn networks(record: &Record, shared: &Shared) -> Endpoints {
    let up = record.state.pid > 0;
    let shown = record.endpoints.iter().map(|(name, asked)| {
        let mut endpoint = asked.clone();
        endpoint.gw_priority.get_or_insert(0);
        let interface = record.state.interfaces.iter().find(|interface| interface.network == *name);
        match interface {
            Some(interface) => fill(&mut endpoint, interface),
            // host and none have no interface.
            None if up && !endpoint.network_id.is_empty() => {
                endpoint.endpoint_id = shared.identity_of(&record.state.sandbox);
            }
            None => {}
        }
        (name.clone(), endpoint)
    });
    shown.collect()
}

fn fill(endpoint: &mut EndpointSettings, interface: &Interface) {
    endpoint.network_id.clone_from(&interface.network_id);
    endpoint.endpoint_id.clone_from(&interface.endpoint_id);
    endpoint.mac_address = interface.mac.to_string();
    if let Some(address) = &interface.ipv4 {
        endpoint.gateway = address.gateway.map(|ip| ip.to_string()).unwrap_or_default();
        endpoint.ip_address = address.ip.to_string();
        endpoint.ip_prefix_len = address.prefix_len.into();
    }
    if let Some(address) = &interface.ipv6 {
        endpoint.ipv6_gateway = address.gateway.map(|ip| ip.to_string()).unwrap_or_default();
        endpoint.global_ipv6_address = address.ip.to_string();
        endpoint.global_ipv6_prefix_len = address.prefix_len.into();
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn a_container_that_never_ran() {
        let inspect =
            document(&record("ab"), Path::new("/data"), Endpoints::new(), Confinement::Absent);
        assert_eq!((inspect.path.as_str(), inspect.args.len()), ("sleep", 1));
        assert_eq!(inspect.name, "/name-ab");
        assert_eq!(inspect.hosts_path, "");
        assert_eq!(inspect.state.started_at, "0001-01-01T00:00:00Z");
        let json = serde_json::to_value(&inspect).unwrap();
        assert_eq!(json["ExecIDs"], serde_json::Value::Null);
        assert_eq!(json["NetworkSettings"]["IPAddress"], "");
        assert_eq!(json["HostConfig"]["PortBindings"], serde_json::Value::Null);
    }

    #[test]
    fn mounts_are_shown_as_docker_shows_them() {
        let bind = super::super::mounts::parse_bind("/tmp:/t:ro").unwrap();
        let shown = serde_json::to_string(&mount_point(&bind).unwrap()).unwrap();
        assert_eq!(
            shown,
            r#"{"Type":"bind","Source":"/tmp","Destination":"/t","Mode":"ro","RW":false,"Propagation":"rprivate"}"#
        );
    }
}
