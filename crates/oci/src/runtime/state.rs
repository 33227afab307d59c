//! The state document: what `state` prints and what hooks read on stdin.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct State {
    #[serde(rename = "ociVersion")]
    pub version: String,
    pub id: String,
    pub status: Status,
    /// Zero once the container has stopped.
    #[serde(default)]
    pub pid: i32,
    pub bundle: PathBuf,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
}

/// What a seccomp agent is told with the descriptors of a process (`listenerPath`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ContainerProcessState {
    #[serde(rename = "ociVersion")]
    pub version: String,
    /// The names of the descriptors that come with it, in their order.
    pub fds: Vec<String>,
    /// The process's, which need not be the container's first.
    pub pid: i32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub metadata: String,
    pub state: State,
}

/// The name of the descriptor that notifications arrive at.
pub const SECCOMP_FD_NAME: &str = "seccompFd";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Creating,
    Created,
    Running,
    /// Not of the specification, but what every runtime reports for a frozen container.
    Paused,
    Stopped,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Status::Creating => "creating",
            Status::Created => "created",
            Status::Running => "running",
            Status::Paused => "paused",
            Status::Stopped => "stopped",
        }
    }
}
