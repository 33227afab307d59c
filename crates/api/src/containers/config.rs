//! The portable half of a container's configuration, also an image's defaults.

use std::collections::BTreeMap;

use crate::go::{Empty, Nilable, StrSlice, is_empty, none_or_empty, wire};

wire! {
    pub struct Config {
        pub hostname: String,
        pub domainname: String,
        pub user: String,
        pub attach_stdin: bool,
        pub attach_stdout: bool,
        pub attach_stderr: bool,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub exposed_ports: Option<BTreeMap<String, Empty>>,
        pub tty: bool,
        pub open_stdin: bool,
        pub stdin_once: bool,
        pub env: Option<Vec<String>>,
        pub cmd: Option<StrSlice>,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub healthcheck: Option<HealthConfig>,
        #[serde(skip_serializing_if = "is_empty")]
        pub args_escaped: bool,
        pub image: String,
        pub volumes: Option<BTreeMap<String, Empty>>,
        pub working_dir: String,
        pub entrypoint: Option<StrSlice>,
        #[serde(skip_serializing_if = "is_empty")]
        pub network_disabled: bool,
        #[serde(skip_serializing_if = "is_empty")]
        pub mac_address: String,
        /// Omitted from 1.52 where there is none.
        #[serde(skip_serializing_if = "Nilable::is_omitted")]
        pub on_build: Nilable<Vec<String>>,
        pub labels: Option<BTreeMap<String, String>>,
        #[serde(skip_serializing_if = "is_empty")]
        pub stop_signal: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub stop_timeout: Option<i64>,
        #[serde(skip_serializing_if = "none_or_empty")]
        pub shell: Option<StrSlice>,
    }

    /// Durations in nanoseconds; 0 means "as the image says".
    pub struct HealthConfig {
        #[serde(skip_serializing_if = "is_empty")]
        pub test: Vec<String>,
        #[serde(skip_serializing_if = "is_empty")]
        pub interval: i64,
        #[serde(skip_serializing_if = "is_empty")]
        pub timeout: i64,
        #[serde(skip_serializing_if = "is_empty")]
        pub start_period: i64,
        #[serde(skip_serializing_if = "is_empty")]
        pub start_interval: i64,
        #[serde(skip_serializing_if = "is_empty")]
        pub retries: i64,
    }
}
