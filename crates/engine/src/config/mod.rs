//! The engine's configuration: dockerd's flags and its configuration file, where they mean something here.
//!
//! What there is and what becomes of it: `options`. Flags and file each become one JSON object with the file's keys
//! (`flags`, `file`). A key in both is refused, as by dockerd; so is one that nobody knows. The union is decoded into
//! `Config`. What a reload changes: `live`.

mod builder;
mod file;
mod flags;
mod live;
mod options;
mod places;
mod values;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use registry::client::proxy_variable;
use serde::Deserialize;
use serde_json::{Map, Value};

use options::Meaning;

use crate::builds::cache::gc_policy;

pub use builder::{Builder, Gc, Rule as GcRule};
pub use flags::{Action, Invocation, parse};
pub use live::Live;
pub use options::help;
pub use places::Places;
pub use values::{AddressPool, Runtime, Ulimit, masked, parse_size};

pub type Object = Map<String, Value>;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{0}\nSee 'gantryd --help'.")]
    Usage(String),
    #[error("unable to configure the Docker daemon with file {file}: {why}")]
    File { file: String, why: String },
    #[error("{0}")]
    Invalid(String),
}

/// Field names are the file's keys.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(default, rename_all = "kebab-case")]
pub struct Config {
    /// Where things are by default, for this engine's user.
    #[serde(skip)]
    pub places: Places,
    pub hosts: Vec<String>,
    pub group: Option<String>,
    pub data_root: PathBuf,
    pub exec_root: PathBuf,
    pub pidfile: Option<PathBuf>,
    pub debug: bool,
    pub log_level: String,
    /// `text` or `json`.
    pub log_format: String,
    pub labels: Vec<String>,
    pub authorization_plugins: Vec<String>,
    pub audit_log: Option<PathBuf>,
    /// Empty for none.
    pub metrics_addr: String,
    /// Seconds that requests get which must be carried out when the engine ends; negative is without end.
    pub shutdown_timeout: i64,
    pub experimental: bool,
    pub features: BTreeMap<String, bool>,
    pub builder: Builder,

    pub tls: Option<bool>,
    pub tlsverify: Option<bool>,
    pub tlscacert: Option<PathBuf>,
    pub tlscert: Option<PathBuf>,
    pub tlskey: Option<PathBuf>,

    pub bip: String,
    /// Empty for one of the engine's own.
    pub bridge: String,
    pub fixed_cidr: String,
    pub fixed_cidr_v6: String,
    pub ipv6: bool,
    pub default_gateway: Option<IpAddr>,
    pub default_gateway_v6: Option<IpAddr>,
    /// By driver.
    pub default_network_opts: BTreeMap<String, BTreeMap<String, String>>,
    /// 0 is the default.
    pub mtu: i64,
    pub icc: bool,
    pub ip_forward: bool,
    pub ip_masq: bool,
    pub default_address_pools: Vec<AddressPool>,
    pub dns: Vec<IpAddr>,
    pub dns_opts: Vec<String>,
    pub dns_search: Vec<String>,
    pub host_gateway_ip: Option<IpAddr>,
    pub ip: Option<IpAddr>,
    /// Whether the engine writes firewall tables.
    pub iptables: bool,
    #[serde(rename = "publish.default_bind")]
    pub publish_default_bind: Option<IpAddr>,
    /// Empty for `firewall`.
    #[serde(rename = "publish.mode")]
    pub publish_mode: String,

    pub allow_nondistributable_artifacts: Vec<String>,
    pub insecure_registries: Vec<String>,
    pub registry_mirrors: Vec<String>,
    pub max_concurrent_downloads: i64,
    pub max_concurrent_uploads: i64,
    pub max_download_attempts: i64,
    pub http_proxy: String,
    pub https_proxy: String,
    pub no_proxy: String,

    pub cdi_spec_dirs: Vec<PathBuf>,
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
    pub storage_opts: Vec<String>,

    pub log_driver: String,
    pub log_opts: BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Self {
        let places = Places::default();
        Self {
            hosts: Vec::new(),
            group: None,
            data_root: places.data_root.clone(),
            exec_root: places.exec_root.clone(),
            places,
            pidfile: None,
            debug: false,
            log_level: "info".into(),
            log_format: "text".into(),
            labels: Vec::new(),
            authorization_plugins: Vec::new(),
            audit_log: None,
            metrics_addr: String::new(),
            shutdown_timeout: 15,
            experimental: false,
            features: BTreeMap::new(),
            builder: Builder::default(),
            tls: None,
            tlsverify: None,
            tlscacert: None,
            tlscert: None,
            tlskey: None,
            bip: String::new(),
            bridge: String::new(),
            fixed_cidr: String::new(),
            fixed_cidr_v6: String::new(),
            ipv6: false,
            default_gateway: None,
            default_gateway_v6: None,
            default_network_opts: BTreeMap::new(),
            mtu: 1500,
            icc: true,
            ip_forward: true,
            ip_masq: true,
            default_address_pools: Vec::new(),
            dns: Vec::new(),
            dns_opts: Vec::new(),
            dns_search: Vec::new(),
            host_gateway_ip: None,
            ip: None,
            iptables: true,
            publish_default_bind: None,
            publish_mode: String::new(),
            allow_nondistributable_artifacts: Vec::new(),
            insecure_registries: Vec::new(),
            registry_mirrors: Vec::new(),
            max_concurrent_downloads: 3,
            max_concurrent_uploads: 5,
            max_download_attempts: 5,
            http_proxy: String::new(),
            https_proxy: String::new(),
            no_proxy: String::new(),
            cdi_spec_dirs: vec!["/etc/cdi".into(), "/var/run/cdi".into()],
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
            storage_opts: Vec::new(),
            log_driver: "json-file".into(),
            log_opts: BTreeMap::new(),
        }
    }
}

/// Gantry's own runtime, which the monitor contains.
pub const OWN_RUNTIME: &str = "gantry-runtime";
/// The names that it answers to, unless another one was registered under them: Docker's, which clients ask for.
pub const OWN_NAMES: [&str; 3] = [OWN_RUNTIME, DEFAULT_RUNTIME, "io.containerd.runc.v2"];
pub const DEFAULT_RUNTIME: &str = "runc";

impl Config {
    /// Merges the flags with the configuration file, which is read again on SIGHUP.
    pub fn load(invocation: &Invocation) -> Result<Self, Error> {
        let Invocation { config_file, flags, places, .. } = invocation;
        let Some(object) = file::read(config_file)? else {
            let config = Self::decode(flags.clone(), places);
            return config.and_then(Self::checked).map_err(Error::Invalid);
        };
        file::refuse_conflicts(config_file, flags, &object)?;
        let fail = |why| file::file_error(config_file, why);
        let config = Self::decode(file::merge(object, flags), places).map_err(fail)?;
        config.checked().map_err(|why| {
            fail(format!(
                "merged configuration validation from file and command line flags failed: {why}"
            ))
        })
    }

    fn decode(mut object: Object, places: &Places) -> Result<Self, String> {
        for (key, value) in &object {
            let Some(option) = options::find(key) else { continue };
            if option.meaning != Meaning::Works {
                option.check_type(value)?;
            }
            option.refuse(value)?;
        }
        places.complete(&mut object);
        let config: Self =
            serde_json::from_value(Value::Object(object.clone())).map_err(|error| {
                // Which key it is that serde did not like, it does not say.
                let alone = |(key, value): (&String, &Value)| {
                    let object = Object::from_iter([(key.clone(), value.clone())]);
                    let error = serde_json::from_value::<Self>(Value::Object(object)).err()?;
                    Some(wrong_type(&error.to_string(), key))
                };
                object.iter().find_map(alone).unwrap_or_else(|| error.to_string())
            })?;
        Ok(Self { places: places.clone(), ..config })
    }

    /// Takes the proxies that options do not name from variables, in capital or small letters.
    pub fn with_proxies_of(mut self, variable: impl Fn(&str) -> Option<String>) -> Self {
        let named = [
            ("HTTP_PROXY", &mut self.http_proxy),
            ("HTTPS_PROXY", &mut self.https_proxy),
            ("NO_PROXY", &mut self.no_proxy),
        ];
        for (name, value) in named.into_iter().filter(|(_, value)| value.is_empty()) {
            *value = proxy_variable(name, &variable);
        }
        self
    }

    /// The runtime of containers that ask for none.
    pub fn default_runtime(&self) -> &str {
        if self.default_runtime.is_empty() { DEFAULT_RUNTIME } else { &self.default_runtime }
    }

    /// Whether a runtime of this name can be asked for.
    pub fn has_runtime(&self, name: &str) -> bool {
        name.is_empty() || OWN_NAMES.contains(&name) || self.runtimes.contains_key(name)
    }

    /// `overlay2.size`: what a container may write at most, in bytes, unless it says otherwise; 0 is no limit.
    pub fn container_size(&self) -> u64 {
        let sizes =
            self.storage_opts.iter().filter_map(|option| option.strip_prefix("overlay2.size="));
        let last = sizes.filter_map(parse_size).next_back();
        last.and_then(|size| u64::try_from(size).ok()).unwrap_or(0)
    }

    pub fn pidfile(&self) -> PathBuf {
        self.pidfile.clone().unwrap_or_else(|| self.exec_root.join("gantry.pid"))
    }

    fn checked(self) -> Result<Self, String> {
        for path in [&self.data_root, &self.exec_root] {
            if !path.is_absolute() {
                return Err(format!("{} is not an absolute path", path.display()));
            }
        }
        values::labels(&self.labels)?;
        for host in &self.hosts {
            values::host(host)?;
        }
        self.check_numbers()?;
        self.check_words()?;
        for option in &self.storage_opts {
            values::storage_option(option)?;
        }
        gc_policy(&self.builder.gc)?;
        if let Some(domain) = self.dns_search.iter().find(|domain| !values::is_domain(domain)) {
            return Err(format!("{domain} is not a valid domain"));
        }
        if !self.has_runtime(&self.default_runtime) {
            return Err(format!(
                "specified default runtime {:?} does not exist",
                self.default_runtime
            ));
        }
        Ok(self)
    }

    fn check_numbers(&self) -> Result<(), String> {
        let bounds = [
            ("default MTU", self.mtu, 0..=65_535),
            ("max concurrent downloads", self.max_concurrent_downloads, 0..=i64::MAX),
            ("max concurrent uploads", self.max_concurrent_uploads, 0..=i64::MAX),
            ("max download attempts", self.max_download_attempts, 0..=i64::MAX),
        ];
        match bounds.iter().find(|(_, value, bounds)| !bounds.contains(value)) {
            Some((name, value, _)) => Err(format!("invalid {name}: {value}")),
            None => Ok(()),
        }
    }

    fn check_words(&self) -> Result<(), String> {
        let (level, format) = (self.log_level.as_str(), self.log_format.as_str());
        if !matches!(level, "debug" | "info" | "warn" | "error" | "fatal") {
            return Err(format!("invalid logging level: {level}"));
        }
        if !matches!(format, "text" | "json") {
            return Err(format!("invalid log format: {format}"));
        }
        if !matches!(self.storage_driver.as_str(), "" | "overlay2") {
            return Err(format!("storage driver {} is not supported", self.storage_driver));
        }
        let mode = self.publish_mode.as_str();
        if !matches!(mode, "" | "firewall" | "host-policy") {
            return Err(format!(
                "publish mode ({mode}) is invalid; use \"firewall\" or \"host-policy\""
            ));
        }
        let mode = self.default_cgroupns_mode.as_str();
        if !matches!(mode, "" | "host" | "private") {
            return Err(format!(
                "default cgroup namespace mode ({mode}) is invalid; use \"host\" or \"private\""
            ));
        }
        let mode = self.default_ipc_mode.as_str();
        if !matches!(mode, "shareable" | "private") {
            return Err(format!(
                "IPC mode \"{mode}\" is not supported as default value; use \"shareable\" or \"private\""
            ));
        }
        Ok(())
    }
}

/// serde's words for a value under `key`, in Go's.
fn wrong_type(error: &str, key: &str) -> String {
    if error.starts_with("invalid type") || error.starts_with("invalid value: integer") {
        return api::json::mismatch(error, &format!("Config.{key}"));
    }
    error.to_owned()
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
        flags::parse(arguments.into_iter().map(str::to_owned), Places::default())
            .and_then(|invocation| Config::load(&invocation))
            .map_err(|error| error.to_string().replace(path, "FILE"))
    }

    #[test]
    fn proxies_are_options_else_variables() {
        let config = Config { http_proxy: "http://option".into(), ..Config::default() };
        let config = config.with_proxies_of(|name| match name {
            "HTTP_PROXY" | "https_proxy" => Some(format!("http://{name}")),
            "NO_PROXY" => Some(String::new()),
            "no_proxy" => Some("a,b".into()),
            _ => None,
        });
        assert_eq!(config.http_proxy, "http://option");
        assert_eq!(config.https_proxy, "http://https_proxy");
        assert_eq!(config.no_proxy, "a,b");
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
            "unable to configure the Docker daemon with file FILE: the following directives are specified both as a \
             flag and in the configuration file: debug: (from flag: true, from file: true), \
             labels: (from flag: [b=1], from file: [a=1])"
        );
        let file = r#"{"proxies": {"http-proxy": "http://x"}, "log-opts": {"max-size": "1m"}}"#;
        assert_eq!(
            load(file, &["--http-proxy=http://y", "--log-opt=max-file=2"]).unwrap_err(),
            "unable to configure the Docker daemon with file FILE: the following directives are specified both as a \
             flag and in the configuration file: http-proxy: (from flag: http://y, from file: http://x), \
             log-opts: (from flag: map[max-file:2], from file: map[max-size:1m])"
        );
        let file = r#"{"runtimes": {"a": {"path": "/a"}}}"#;
        let config = load(file, &["--add-runtime", "b=/b"]).unwrap();
        assert_eq!(config.runtimes.keys().collect::<Vec<_>>(), ["a", "b"]);
    }

    /// What dockerd 26 says of such files, but for the names of Go's types.
    #[test]
    fn a_file_that_is_wrong_is_refused_in_dockers_words() {
        let merged = "merged configuration validation from file and command line flags failed: ";
        let table = [
            (
                r#"{"nope":1,"nada":{"x":1}}"#,
                "the following directives don't match any configuration option: x, nope",
            ),
            ("{", "unexpected end of JSON input"),
            ("[]", "json: cannot unmarshal array into Go value of type map[string]interface {}"),
            (r#"{"debug":true} x"#, "invalid character 'x' after top-level value"),
            (
                r#"{"DEBUG":true}"#,
                "the following directives don't match any configuration option: DEBUG",
            ),
            (
                r#"{"debug":"yes"}"#,
                "json: cannot unmarshal string into Go struct field Config.debug of type bool",
            ),
            (
                r#"{"ipv6":1}"#,
                "json: cannot unmarshal number into Go struct field Config.ipv6 of type bool",
            ),
            (
                r#"{"mtu":"x"}"#,
                "json: cannot unmarshal string into Go struct field Config.mtu of type int64",
            ),
            (
                r#"{"features":{"a":1}}"#,
                "json: cannot unmarshal number into Go struct field Config.features of type bool",
            ),
            (r#"{"labels":["a"]}"#, "MERGED bad attribute format: a"),
            (r#"{"labels":["a=1","a=2"]}"#, "MERGED conflict labels for a=2 and a=1"),
            (
                r#"{"hosts":["foo://x"]}"#,
                "MERGED invalid bind address (foo://x): unsupported proto 'foo'",
            ),
            (r#"{"log-level":"loud"}"#, "MERGED invalid logging level: loud"),
            (r#"{"log-format":"xml"}"#, "MERGED invalid log format: xml"),
            (r#"{"max-concurrent-downloads":-1}"#, "MERGED invalid max concurrent downloads: -1"),
            (r#"{"max-concurrent-uploads":-1}"#, "MERGED invalid max concurrent uploads: -1"),
            (r#"{"max-download-attempts":-1}"#, "MERGED invalid max download attempts: -1"),
            (r#"{"mtu":-1}"#, "MERGED invalid default MTU: -1"),
            (r#"{"dns-search":["a b"]}"#, "MERGED a b is not a valid domain"),
            (
                r#"{"default-ipc-mode":"host"}"#,
                "MERGED IPC mode \"host\" is not supported as default value; use \"shareable\" or \"private\"",
            ),
            (
                r#"{"default-cgroupns-mode":"x"}"#,
                "MERGED default cgroup namespace mode (x) is invalid; use \"host\" or \"private\"",
            ),
            (
                r#"{"default-runtime":"nope"}"#,
                "MERGED specified default runtime \"nope\" does not exist",
            ),
            (
                r#"{"storage-opts":["overlay2.nope=1"]}"#,
                "MERGED overlay2: unknown option overlay2.nope",
            ),
            (r#"{"default-shm-size":"1x"}"#, "invalid size: '1x'"),
            (
                r#"{"selinux-enabled":true}"#,
                "selinux-enabled is not supported: it comes with labels of all containers",
            ),
        ];
        for (file, expected) in table {
            let expected = expected.replace("MERGED ", merged);
            let expected =
                format!("unable to configure the Docker daemon with file FILE: {expected}");
            assert_eq!(load(file, &[]).unwrap_err(), expected, "{file}");
        }
    }

    #[test]
    fn what_dockerd_lets_pass_passes() {
        for file in [
            "",
            "  \n",
            "\u{feff}{}",
            r#"{"debug":null}"#,
            r#"{"debug":true,"debug":false}"#,
            r#"{"labels":["a=1","a=1"]}"#,
            r#"{"ipv6":false,"bridge":"","userns-remap":"","iptables":true,"node-generic-resources":[]}"#,
            r#"{"live-restore":false,"userland-proxy":false,"containerd":"/x","swarm-default-advertise-addr":"1.2.3.4"}"#,
            r#"{"builder":{"gc":{"enabled":true,"defaultKeepStorage":"10GB"}}}"#,
            r#"{"builder":{"gc":{"enabled":false},"entitlements":{"network-host":true}}}"#,
            r#"{"default-runtime":"runc"}"#,
            r#"{"runtimes":{"runc":{"path":"/usr/bin/runc"}}}"#,
        ] {
            load(file, &[]).unwrap_or_else(|error| panic!("{file}: {error}"));
        }
        assert!(
            !load(r#"{"debug":true,"debug":false}"#, &[]).unwrap().debug,
            "the last one counts"
        );
    }

    #[test]
    fn flags_that_nobody_knows_are_refused() {
        assert_eq!(
            load("{}", &["--nope"]).unwrap_err(),
            "unknown flag: --nope\nSee 'gantryd --help'."
        );
        assert_eq!(
            load("{}", &["word"]).unwrap_err(),
            "\"gantryd\" accepts no argument(s).\nSee 'gantryd --help'."
        );
    }

    /// Where there is no file, its name is not in the message.
    #[test]
    fn without_a_file_only_what_is_wrong_is_said() {
        let mut invocation =
            flags::parse(["--log-level=loud".to_owned()], Places::default()).unwrap();
        invocation.config_file.path = "/nonexistent/daemon.json".into();
        let error = |invocation: &Invocation| Config::load(invocation).unwrap_err().to_string();
        assert_eq!(error(&invocation), "invalid logging level: loud");
        invocation.config_file.asked_for = true;
        assert_eq!(
            error(&invocation),
            "unable to configure the Docker daemon with file /nonexistent/daemon.json: \
             open /nonexistent/daemon.json: no such file or directory"
        );
    }
}
