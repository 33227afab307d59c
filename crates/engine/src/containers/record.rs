//! A container's document: all that the engine must know of it after a restart, in Docker's terms.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use api::containers::{Config, HostConfig, Status};
use api::networks::EndpointSettings;
use network::Interface;
use network::publish::Mapping;
use oci::Digest;
use serde::{Deserialize, Serialize};

use super::health::Health;
use super::links::Link;
use super::mounts::MountPoint;
use super::state::Subject;
use super::timestamp;
use crate::logs::remote::is_remote;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    /// Without the leading slash.
    pub name: String,
    pub created: String,
    /// The image's id.
    pub image: String,
    /// With the image's defaults merged in.
    pub config: Config,
    /// With the engine's defaults applied.
    pub host_config: HostConfig,
    /// Entrypoint and command, as started.
    pub args: Vec<String>,
    pub mounts: Vec<MountPoint>,
    /// What was asked of the networks, by network name.
    pub endpoints: BTreeMap<String, EndpointSettings>,
    /// On the default bridge.
    #[serde(default)]
    pub links: Vec<Link>,
    pub state: State,
    /// Restarts by policy since it was last started by hand.
    pub restart_count: u32,
    /// Somebody stopped or killed it; survives the engine.
    pub stopped_by_hand: bool,
    /// Of a step of a build, the layers that it is made from in place of an image, bottom first. Nobody but the engine
    /// knows of such a container, and it does not outlive its engine.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Vec<Digest>>,
    /// The execs that inspect lists.
    #[serde(skip)]
    pub exec_ids: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    pub status: Status,
    /// 0 while there is none.
    pub pid: i32,
    pub exit_code: i64,
    pub oom_killed: bool,
    pub error: String,
    pub started_at: String,
    pub finished_at: String,
    /// What it has while it runs, in the order of the names in it: `eth0`, `eth1`.
    #[serde(default)]
    pub interfaces: Vec<Interface>,
    /// Ports of the host that lead to it while it runs.
    #[serde(default)]
    pub ports: Vec<Mapping>,
    /// Its monitor holds the sockets of its name server.
    #[serde(default)]
    pub has_dns: bool,
    /// 64 hexadecimal digits, new with each start.
    pub sandbox: String,
    /// The cgroup that its processes are in.
    pub cgroup: String,
    /// It is paused for something that the engine does, and goes on after that.
    #[serde(default)]
    pub held: bool,
    /// Since its first start with a health check.
    #[serde(default)]
    pub health: Option<Health>,
}

impl Default for State {
    fn default() -> Self {
        Self {
            status: Status::Created,
            pid: 0,
            exit_code: 0,
            oom_killed: false,
            error: String::new(),
            started_at: timestamp::NEVER.into(),
            finished_at: timestamp::NEVER.into(),
            interfaces: Vec::new(),
            ports: Vec::new(),
            has_dns: false,
            sandbox: String::new(),
            cgroup: String::new(),
            held: false,
            health: None,
        }
    }
}

impl State {
    /// By the network's id.
    pub fn interface_on(&self, network: &str) -> Option<&Interface> {
        self.interfaces.iter().find(|interface| interface.network_id == network)
    }
}

impl Record {
    pub fn subject(&self) -> Subject<'_> {
        Subject { id: &self.id, name: &self.name, status: self.state.status }
    }

    pub fn is_step(&self) -> bool {
        self.step.is_some()
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.config.labels.as_ref()?.get(key).map(String::as_str)
    }

    /// What every event of it carries: its labels, its image and its name, which win over labels of these names.
    pub fn event_attributes(&self) -> BTreeMap<String, String> {
        let mut attributes = self.config.labels.clone().unwrap_or_default();
        attributes.insert("image".into(), self.config.image.clone());
        attributes.insert("name".into(), self.name.clone());
        attributes
    }

    /// The container whose network it shares, if any.
    pub fn network_of(&self) -> Option<&str> {
        self.host_config.network_mode.strip_prefix("container:")
    }

    pub fn files(&self, data_root: &Path) -> PathBuf {
        data_root.join("containers").join(&self.id)
    }

    /// Docker's place for it.
    pub fn log_path(&self, data_root: &Path) -> PathBuf {
        let directory = self.files(data_root);
        match self.host_config.log_config.driver.as_str() {
            "local" => directory.join("local-logs").join("container.log"),
            driver if is_remote(driver) => directory.join("container-cached.log"),
            _ => directory.join(format!("{}-json.log", self.id)),
        }
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;

    pub fn record(id: &str) -> Record {
        Record {
            id: id.into(),
            name: format!("name-{id}"),
            created: "2026-11-21T04:10:21.201470318Z".into(),
            image: "sha256:8178".into(),
            config: Config::default(),
            host_config: HostConfig::default(),
            args: vec!["sleep".into(), "1000".into()],
            mounts: Vec::new(),
            endpoints: BTreeMap::new(),
            links: Vec::new(),
            state: State::default(),
            restart_count: 0,
            stopped_by_hand: false,
            step: None,
            exec_ids: Vec::new(),
        }
    }

    #[test]
    fn a_document_reads_back_as_written() {
        let written = serde_json::to_string(&record("ab")).unwrap();
        let read: Record = serde_json::from_str(&written).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
    }

    #[test]
    fn events_carry_labels_image_and_name() {
        let mut record = record("ab");
        record.config.image = "busybox".into();
        record.config.labels = Some([("name".into(), "x".into()), ("k".into(), "v".into())].into());
        let attributes = record.event_attributes();
        assert_eq!(attributes["name"], "name-ab");
        assert_eq!(attributes["image"], "busybox");
        assert_eq!(attributes["k"], "v");
    }
}
