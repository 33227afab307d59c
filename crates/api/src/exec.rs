//! Processes run in a container that is already running.

use crate::go::{StrSlice, is_empty, wire};

wire! {
    /// The body of `POST /containers/{id}/exec`.
    pub struct CreateRequest {
        pub user: String,
        pub privileged: bool,
        pub tty: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub console_size: Option<[u32; 2]>,
        pub attach_stdin: bool,
        pub attach_stderr: bool,
        pub attach_stdout: bool,
        pub detach: bool,
        /// The Python SDK has its own spelling, which Go takes for the same.
        #[serde(alias = "detachKeys")]
        pub detach_keys: String,
        pub env: Option<Vec<String>>,
        pub working_dir: String,
        pub cmd: Option<StrSlice>,
    }

    /// The body of `POST /exec/{id}/start`.
    pub struct StartRequest {
        pub detach: bool,
        pub tty: bool,
        /// Height, width.
        #[serde(skip_serializing_if = "Option::is_none")]
        pub console_size: Option<[u32; 2]>,
    }

    /// `GET /exec/{id}/json`.
    pub struct Inspect {
        #[serde(rename = "ID")]
        pub id: String,
        pub running: bool,
        /// `null` until it has ended.
        pub exit_code: Option<i64>,
        pub process_config: ProcessConfig,
        pub open_stdin: bool,
        pub open_stderr: bool,
        pub open_stdout: bool,
        pub can_remove: bool,
        #[serde(rename = "ContainerID")]
        pub container_id: String,
        #[serde(rename = "DetachKeys")]
        pub detach_keys: String,
        pub pid: i64,
    }

    pub struct ProcessConfig {
        #[serde(rename = "tty")]
        pub tty: bool,
        #[serde(rename = "entrypoint")]
        pub entrypoint: String,
        #[serde(rename = "arguments")]
        pub arguments: Vec<String>,
        #[serde(rename = "privileged", skip_serializing_if = "Option::is_none")]
        pub privileged: Option<bool>,
        #[serde(rename = "user", skip_serializing_if = "is_empty")]
        pub user: String,
    }
}
