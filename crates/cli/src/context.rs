//! What every command starts from: the global flags, the config file, and the way to the engine.

use std::cell::OnceCell;
use std::env;
use std::path::PathBuf;

use api::Version;
use client::{Client, Host, Options, Trust};

use crate::config_file::ConfigFile;
use crate::contexts::{self, Store};
use crate::daemon;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};

/// The flags before the command.
pub(crate) const GLOBAL_FLAGS: &[Flag] = &[
    Flag::string("config", "Location of client config files").default("~/.docker"),
    Flag::string(
        "context",
        "Name of the context to use to connect to the daemon (overrides \
        DOCKER_HOST env var and default context set with \"docker context \
        use\")",
    )
    .short('c'),
    Flag::bool("debug", "Enable debug mode").short('D'),
    Flag::list("host", "Daemon socket to connect to").short('H'),
    Flag::string(
        "log-level",
        "Set the logging level (\"debug\", \"info\", \"warn\", \"error\", \
        \"fatal\")",
    )
    .short('l')
    .default("info"),
    Flag::bool("tls", "Use TLS; implied by --tlsverify"),
    Flag::string("tlscacert", "Trust certs signed only by this CA").default("~/.docker/ca.pem"),
    Flag::string("tlscert", "Path to TLS certificate file").default("~/.docker/cert.pem"),
    Flag::string("tlskey", "Path to TLS key file").default("~/.docker/key.pem"),
    Flag::bool("tlsverify", "Use TLS and verify the remote"),
    Flag::bool("version", "Print version information and quit").short('v'),
];

/// Ours has no log, and a script that sets its level may have mistyped it.
pub(crate) fn check_log_level(globals: &Parsed) -> Result<()> {
    let level = globals.str("log-level");
    let known = ["", "debug", "info", "warn", "error", "fatal", "panic", "trace", "warning"];
    if known.contains(&level.to_ascii_lowercase().as_str()) {
        return Ok(());
    }
    Err(Failure::new(format!("Unable to parse logging level: {level}")))
}

pub(crate) struct Context {
    globals: Parsed,
    /// The flags between a noun and its verb.
    group: Parsed,
    config: OnceCell<ConfigFile>,
}

impl Context {
    pub(crate) fn new(globals: Parsed) -> Self {
        Self::with_group(globals, Parsed::default())
    }

    pub(crate) fn with_group(globals: Parsed, group: Parsed) -> Self {
        Self { globals, group, config: OnceCell::new() }
    }

    /// What was said before the verb.
    pub(crate) fn group(&self) -> &Parsed {
        &self.group
    }

    pub(crate) fn config(&self) -> &ConfigFile {
        self.config.get_or_init(|| ConfigFile::load(&self.config_directory()))
    }

    pub(crate) fn config_directory(&self) -> PathBuf {
        if self.globals.is_set("config") {
            return self.globals.str("config").into();
        }
        env::var_os("DOCKER_CONFIG").map_or_else(
            || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".docker"),
            PathBuf::from,
        )
    }

    pub(crate) fn contexts(&self) -> Store {
        Store::of(&self.config_directory())
    }

    /// The name of the context in force: a flag's, unless a host is given otherwise the variable's or the config file's.
    pub(crate) fn name(&self) -> String {
        let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        if self.globals.is_set("context") {
            return self.globals.string("context");
        }
        if self.globals.is_set("host") || self.host_from_environment().is_some() {
            return contexts::DEFAULT.to_owned();
        }
        let configured =
            || Some(self.config().current_context.clone()).filter(|name| !name.is_empty());
        set("DOCKER_CONTEXT").or_else(configured).unwrap_or_else(|| contexts::DEFAULT.to_owned())
    }

    /// Whether `DOCKER_HOST` makes the current context mean nothing.
    pub(crate) fn is_overridden_by_environment(&self) -> bool {
        !self.globals.is_set("context") && self.host_from_environment().is_some()
    }

    /// Where the context `default` leads.
    pub(crate) fn default_host(&self) -> Result<String> {
        let host = self.host()?.unwrap_or_else(|| Host::Unix(daemon::default_socket()));
        Ok(host.to_string())
    }

    /// Where the context in force leads, as far as that is known; for what depends on the engine's host.
    pub(crate) fn host_text(&self) -> String {
        self.endpoint().map(|(host, ..)| host.to_string()).unwrap_or_default()
    }

    /// Connects to the engine; starts one where none listens on the default socket.
    pub(crate) async fn connect(&self) -> Result<Client> {
        let (host, tls, is_default) = self.endpoint()?;
        match Client::connect(&host, self.options(tls.clone())?).await {
            Err(error) if error.is_nobody_listening() && is_default => {
                daemon::start().map_err(|why| Failure::new(format!("{error}\n{why}")))?;
                Ok(Client::connect(&host, self.options(tls)?).await?)
            }
            result => Ok(result?),
        }
    }

    /// As [`connect`](Self::connect), but an engine that is not there stays where it is.
    pub(crate) async fn connect_if_there(&self) -> Result<Client> {
        let (host, tls, _) = self.endpoint()?;
        Ok(Client::connect(&host, self.options(tls)?).await?)
    }

    /// The engine of the context in force, and whether it is the one of this machine that nobody had to name.
    fn endpoint(&self) -> Result<(Host, Option<Trust>, bool)> {
        if self.globals.is_set("context") && self.globals.is_set("host") {
            return Err(Failure::new(
                "conflicting options: either specify --host or --context, not both",
            ));
        }
        let name = self.name();
        if name == contexts::DEFAULT {
            let chosen = self.host()?;
            let is_default = chosen.is_none();
            let host = chosen.unwrap_or_else(|| Host::Unix(daemon::default_socket()));
            let tls = self.tls()?.filter(|_| matches!(host, Host::Tcp { .. }));
            return Ok((host, tls, is_default));
        }
        let store = self.contexts();
        let endpoint = store.load(&name).map_err(unresolved)?.engine();
        let (host, is_default) = match endpoint.host.as_str() {
            "" => (Host::Unix(daemon::default_socket()), true),
            text => (parse_host(text).map_err(unresolved)?, false),
        };
        let directory = store.tls_directory(&name).join(contexts::ENGINE);
        let [ca, cert, key] =
            contexts::TLS_FILES.map(|file| Some(directory.join(file)).filter(|path| path.exists()));
        let wanted = endpoint.skip_tls_verify || ca.is_some() || cert.is_some();
        let anybody = endpoint.skip_tls_verify;
        let tls = (wanted && matches!(host, Host::Tcp { .. })).then_some(Trust {
            ca,
            cert,
            key,
            anybody,
        });
        Ok((host, tls, is_default))
    }

    fn host_from_environment(&self) -> Option<String> {
        let set = |name| env::var(name).ok().filter(|host| !host.is_empty());
        ["GANTRY_HOST", "DOCKER_HOST"].into_iter().find_map(set)
    }

    /// The host that was asked for, if any was.
    fn host(&self) -> Result<Option<Host>> {
        let given = self.globals.list("host");
        if given.len() > 1 {
            return Err(Failure::new("specify only one -H"));
        }
        let text = given.into_iter().next().or_else(|| self.host_from_environment());
        match text.unwrap_or_default().as_str() {
            "" => Ok(None),
            text if !text.contains("://") && !text.starts_with('/') => {
                Ok(Some(parse_host(&format!("tcp://{text}")).map_err(unresolved)?))
            }
            text => Ok(Some(parse_host(text).map_err(unresolved)?)),
        }
    }

    fn options(&self, tls: Option<Trust>) -> Result<Options> {
        let version = match env::var("DOCKER_API_VERSION") {
            Ok(text) if !text.is_empty() => {
                Some(text.parse::<Version>().map_err(|error| Failure::new(error.to_string()))?)
            }
            _ => None,
        };
        let headers = self.config().http_headers.clone().into_iter().collect();
        Ok(Options { tls, version, headers })
    }

    /// Without a CA's certificate that is none, as in Docker, and for all hosts: who asked for TLS is not to go without.
    fn tls(&self) -> Result<Option<Trust>> {
        let verify = if self.globals.is_set("tlsverify") {
            self.globals.bool("tlsverify")
        } else {
            env::var_os("DOCKER_TLS_VERIFY").is_some_and(|value| !value.is_empty())
        };
        let wanted = verify || self.globals.bool("tls") || env::var_os("DOCKER_TLS").is_some();
        let directory =
            env::var_os("DOCKER_CERT_PATH").map_or_else(|| self.config_directory(), PathBuf::from);
        let file = |flag: &str, name: &str| {
            if self.globals.is_set(flag) {
                return Some(PathBuf::from(self.globals.str(flag)));
            }
            Some(directory.join(name)).filter(|path| path.exists())
        };
        if !wanted {
            return Ok(None);
        }
        let ca = file("tlscacert", "ca.pem").unwrap_or_else(|| directory.join("ca.pem"));
        if !ca.exists() {
            let why = format!("open {}: no such file or directory", ca.display());
            return Err(unresolved(Failure::new(why)));
        }
        Ok(Some(Trust {
            ca: Some(ca),
            cert: file("tlscert", "cert.pem"),
            key: file("tlskey", "key.pem"),
            // `--tls` alone: encrypted, but to whoever answers. Docker's meaning of the flag.
            anybody: !verify,
        }))
    }
}

fn parse_host(text: &str) -> Result<Host> {
    text.parse().map_err(|error: client::InvalidHost| Failure::new(error.to_string()))
}

fn unresolved(why: Failure) -> Failure {
    let resolving =
        if why.message.starts_with("ssh ") { "" } else { "unable to resolve docker endpoint: " };
    Failure::new(format!("Failed to initialize: {resolving}{why}"))
}
