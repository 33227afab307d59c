//! `monitor.json`: what the engine tells a monitor beside the OCI bundle.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The whole file. Written by the engine before it starts the monitor, read once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// The container's full id.
    pub id: String,
    pub rootfs: Rootfs,
    /// Keep stdin open for attached clients (`OpenStdin`); otherwise init reads `/dev/null`.
    /// Whether there is a terminal is `process.terminal` in `config.json`.
    #[serde(default)]
    pub open_stdin: bool,
    /// The first attached client that ends its stdin ends the container's (`StdinOnce`).
    #[serde(default)]
    pub stdin_once: bool,
    #[serde(default)]
    pub cgroup_driver: CgroupDriver,
    pub log: LogConfig,
    /// Another OCI runtime (`--runtime`); absent: Gantry's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runtime: Option<ExternalRuntime>,
}

/// Where init's root comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rootfs {
    /// An existing directory, or a mount the engine keeps.
    Path(PathBuf),
    /// An overlay that only the container will see.
    Overlay(Overlay),
}

/// The parts of `sys::overlay::Overlay`, as data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    /// Top layer first.
    pub lower: Vec<PathBuf>,
    pub upper: PathBuf,
    pub work: PathBuf,
    /// Never sync the upper directory: for containers that are removed when they exit.
    #[serde(default)]
    pub volatile: bool,
}

impl Overlay {
    /// What can be mounted.
    pub fn description(&self) -> sys::overlay::Overlay {
        sys::overlay::Overlay {
            lower: self.lower.clone(),
            upper: Some(self.upper.clone()),
            work: Some(self.work.clone()),
            volatile: self.volatile,
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CgroupDriver {
    #[default]
    Cgroupfs,
    Systemd,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogConfig {
    pub driver: LogDriver,
    /// The current file; rotated ones get `.1`, `.2`, ... appended, the newest being `.1`.
    /// Not used by [`LogDriver::None`].
    #[serde(default)]
    pub path: PathBuf,
    /// Bytes after which the file is rotated; absent: never.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_size: Option<u64>,
    /// Files kept, the current one included. With one, a full file is emptied.
    #[serde(default = "one")]
    pub max_file: u32,
    /// Written into every json-file entry (`labels`, `env` and `tag` of the log options).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub attrs: BTreeMap<String, String>,
}

fn one() -> u32 {
    1
}

/// What the monitor writes. Remote drivers are fed by the engine from one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogDriver {
    /// Docker's `json-file`: one JSON object a line.
    JsonFile,
    /// Docker's `local`: length-prefixed protobuf entries.
    Local,
    None,
}

/// An OCI runtime with runc's command line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalRuntime {
    pub path: PathBuf,
    /// Put between the path and the command, like `--root` or `--systemd-cgroup`.
    #[serde(default)]
    pub args: Vec<String>,
}
