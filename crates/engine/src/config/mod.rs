//! The engine's configuration: dockerd's flags and its configuration file, where they mean something here.
//!
//! Flags and file each become one JSON object with the file's keys (`flags`, `file`). A key in both is refused, as by
//! dockerd; so is one that nobody knows. The union is decoded into `Config`.

mod file;
mod flags;
mod values;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::Deserialize;
use serde_json::{Map, Value};

pub use flags::{Action, HELP, Invocation, parse};
pub use values::{AddressPool, Runtime, Ulimit, parse_size};

pub type Object = Map<String, Value>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}\nSee 'gantryd --help'.")]
    Usage(String),
    #[error("unable to configure the engine with file {file}: {why}")]
    File { file: String, why: String },
    #[error("invalid configuration: {0}")]
    Invalid(String),
}

/// Field names are the file's keys.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    pub hosts: Vec<String>,
    pub group: Option<String>,
    pub data_root: PathBuf,
    pub exec_root: PathBuf,
    pub pidfile: Option<PathBuf>,
    pub debug: bool,
    pub log_level: String,
    pub labels: Vec<String>,
    pub shutdown_timeout: i64,

    pub tls: Option<bool>,
    pub tlsverify: Option<bool>,
    pub tlscacert: Option<PathBuf>,
    pub tlscert: Option<PathBuf>,
    pub tlskey: Option<PathBuf>,

    pub bip: String,
    pub mtu: u32,
    pub icc: bool,
    pub ip_forward: bool,
    pub ip_masq: bool,
    pub default_address_pools: Vec<AddressPool>,
    pub dns: Vec<IpAddr>,
    pub dns_opts: Vec<String>,
    pub dns_search: Vec<String>,

    pub default_runtime: String,
    pub runtimes: BTreeMap<String, Runtime>,
    pub exec_opts: Vec<String>,
    pub cgroup_parent: String,
    pub default_cgroupns_mode: String,
    pub default_ipc_mode: String,
    #[serde(deserialize_with = "values::size")]
    pub default_shm_size: i64,
    pub default_ulimits: BTreeMap<String, Ulimit>,
    pub init: bool,
    pub no_new_privileges: bool,
    pub seccomp_profile: String,
    pub storage_driver: String,

    pub log_driver: String,
    pub log_opts: BTreeMap<String, String>,

    /// Accepted for its name: containers always outlive the engine.
    pub live_restore: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hosts: Vec::new(),
            group: None,
            data_root: "/var/lib/gantry".into(),
            exec_root: DEFAULT_EXEC_ROOT.into(),
            pidfile: None,
            debug: false,
            log_level: "info".into(),
            labels: Vec::new(),
            shutdown_timeout: 15,
            tls: None,
            tlsverify: None,
            tlscacert: None,
            tlscert: None,
            tlskey: None,
            bip: String::new(),
            mtu: 1500,
            icc: true,
            ip_forward: true,
            ip_masq: true,
            default_address_pools: Vec::new(),
            dns: Vec::new(),
            dns_opts: Vec::new(),
            dns_search: Vec::new(),
            default_runtime: String::new(),
            runtimes: BTreeMap::new(),
            exec_opts: Vec::new(),
            cgroup_parent: String::new(),
            default_cgroupns_mode: String::new(),
            default_ipc_mode: "private".into(),
            default_shm_size: 64 << 20,
            default_ulimits: BTreeMap::new(),
            init: false,
            no_new_privileges: false,
            seccomp_profile: "builtin".into(),
            storage_driver: String::new(),
            log_driver: "json-file".into(),
            log_opts: BTreeMap::new(),
            live_restore: true,
        }
    }
}

pub const DEFAULT_EXEC_ROOT: &str = "/run/gantry";

impl Config {
    /// Merges the flags with the configuration file, which is read again on SIGHUP.
    pub fn load(invocation: &Invocation) -> Result<Self, Error> {
        let mut object = file::read(&invocation.config_file)?;
        file::refuse_conflicts(&invocation.config_file, &invocation.flags, &object)?;
        object.extend(invocation.flags.clone());
        let config: Self = serde_json::from_value(Value::Object(object))
            .map_err(|error| Error::Invalid(error.to_string()))?;
        config.check()?;
        Ok(config)
    }

    pub fn pidfile(&self) -> PathBuf {
        self.pidfile.clone().unwrap_or_else(|| self.exec_root.join("gantry.pid"))
    }

    fn check(&self) -> Result<(), Error> {
        let invalid = |text: String| Err(Error::Invalid(text));
        for path in [&self.data_root, &self.exec_root] {
            if !path.is_absolute() {
                return invalid(format!("{} is not an absolute path", path.display()));
            }
        }
        if let Some(label) = self.labels.iter().find(|label| !label.contains('=')) {
            return invalid(format!("bad attribute format: {label}"));
        }
        if !matches!(self.log_level.as_str(), "debug" | "info" | "warn" | "error" | "fatal") {
            return invalid(format!("invalid logging level: {}", self.log_level));
        }
        if !matches!(self.storage_driver.as_str(), "" | "overlay2") {
            return invalid(format!("storage driver {} is not supported", self.storage_driver));
        }
        if !matches!(self.default_cgroupns_mode.as_str(), "" | "host" | "private") {
            return invalid(format!(
                "default cgroup namespace mode ({}) is invalid; use \"host\" or \"private\"",
                self.default_cgroupns_mode
            ));
        }
        if !matches!(self.default_ipc_mode.as_str(), "shareable" | "private") {
            return invalid(format!(
                "IPC \"{}\" is not supported as default value",
                self.default_ipc_mode
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(file: &str, arguments: &[&str]) -> Result<Config, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("daemon.json");
        std::fs::write(&path, file).unwrap();
        let path = path.to_str().unwrap();
        let arguments = [&["--config-file", path], arguments].concat();
        flags::parse(arguments.into_iter().map(str::to_owned))
            .and_then(|invocation| Config::load(&invocation))
            .map_err(|error| error.to_string().replace(path, "FILE"))
    }

    #[test]
    fn flags_and_file_mean_the_same() {
        let by_file = r#"{"debug": true, "labels": ["a=1"], "default-shm-size": "1g", "dns": ["1.1.1.1"],
            "default-ulimits": {"nofile": {"Name": "nofile", "Soft": 1, "Hard": 2}},
            "runtimes": {"crun": {"path": "/usr/bin/crun"}}, "log-opts": {"max-size": "1m"},
            "default-address-pools": [{"base": "10.0.0.0/8", "size": 24}]}"#;
        let by_file = load(by_file, &[]).unwrap();
        let by_flags = load(
            "{}",
            &[
                "-D",
                "--label",
                "a=1",
                "--default-shm-size=1g",
                "--dns",
                "1.1.1.1",
                "--default-ulimit",
                "nofile=1:2",
                "--add-runtime",
                "crun=/usr/bin/crun",
                "--log-opt",
                "max-size=1m",
                "--default-address-pool",
                "base=10.0.0.0/8,size=24",
            ],
        )
        .unwrap();
        assert_eq!(format!("{by_file:?}"), format!("{by_flags:?}"));
        assert_eq!(by_file.default_shm_size, 1 << 30);
    }

    #[test]
    fn a_key_in_both_is_refused() {
        assert_eq!(
            load(r#"{"debug": true, "labels": ["a=1"]}"#, &["-D", "--label", "b=1"]).unwrap_err(),
            "unable to configure the engine with file FILE: the following directives are specified both as a flag \
             and in the configuration file: debug: (from flag: true, from file: true), \
             labels: (from flag: [b=1], from file: [a=1])"
        );
    }

    #[test]
    fn what_nobody_knows_is_refused() {
        assert_eq!(
            load(r#"{"debug": true, "nope": 1}"#, &[]).unwrap_err(),
            "unable to configure the engine with file FILE: \
             the following directives don't match any configuration option: nope"
        );
        assert_eq!(
            load("{}", &["--nope"]).unwrap_err(),
            "unknown flag: --nope\nSee 'gantryd --help'."
        );
        assert_eq!(
            load("{}", &["word"]).unwrap_err(),
            "\"gantryd\" accepts no argument(s).\nSee 'gantryd --help'."
        );
        assert!(load("{", &[]).unwrap_err().contains("with file FILE"));
        assert!(load(r#"{"debug": "yes"}"#, &[]).unwrap_err().contains("expected a boolean"));
        assert_eq!(
            load("{}", &["--log-level", "foo"]).unwrap_err(),
            "invalid configuration: invalid logging level: foo"
        );
    }
}
