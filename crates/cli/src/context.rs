//! What every command starts from: the global flags, the config file, and the way to the engine.

use std::cell::OnceCell;
use std::env;
use std::path::PathBuf;

use api::Version;
use client::{Client, Host, Options, TlsFiles, Verify};

use crate::config_file::ConfigFile;
use crate::daemon;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};

/// Where an engine of this machine listens.
pub(crate) const DEFAULT_SOCKET: &str = "/run/gantry/gantry.sock";

/// The flags before the command.
pub(crate) const GLOBAL_FLAGS: &[Flag] = &[
    Flag::string("config", "Directory of the client's config files (default \"~/.docker\")"),
    Flag::string("context", "Context to connect with; only \"default\" is known so far").short('c'),
    Flag::bool("debug", "Enable debug mode").short('D'),
    Flag::list("host", "Engine socket to connect to").short('H'),
    Flag::string(
        "log-level",
        "Level of messages (\"debug\", \"info\", \"warn\", \"error\", \"fatal\")",
    )
    .short('l')
    .default("info")
    .check(log_level),
    Flag::bool("tls", "Use TLS; implied by --tlsverify"),
    Flag::string(
        "tlscacert",
        "Trust certificates signed by this CA only (default \"~/.docker/ca.pem\")",
    ),
    Flag::string("tlscert", "TLS certificate file (default \"~/.docker/cert.pem\")"),
    Flag::string("tlskey", "TLS key file (default \"~/.docker/key.pem\")"),
    Flag::bool("tlsverify", "Use TLS and verify the engine"),
    Flag::bool("version", "Print version information and quit").short('v'),
];

fn log_level(level: &str) -> Result<(), String> {
    let known = ["debug", "info", "warn", "error", "fatal", "panic", "trace", "warning"];
    if known.contains(&level) {
        Ok(())
    } else {
        Err(format!("not a valid logrus Level: {level:?}"))
    }
}

pub(crate) struct Context {
    globals: Parsed,
    config: OnceCell<ConfigFile>,
}

impl Context {
    pub(crate) fn new(globals: Parsed) -> Self {
        Self { globals, config: OnceCell::new() }
    }

    pub(crate) fn config(&self) -> &ConfigFile {
        self.config.get_or_init(|| ConfigFile::load(&self.config_directory()))
    }

    pub(crate) fn config_directory(&self) -> PathBuf {
        let given = self.globals.str("config");
        if !given.is_empty() {
            return given.into();
        }
        env::var_os("DOCKER_CONFIG").map_or_else(
            || PathBuf::from(env::var_os("HOME").unwrap_or_default()).join(".docker"),
            PathBuf::from,
        )
    }

    /// Connects to the engine; starts one where none listens on the default socket.
    pub(crate) async fn connect(&self) -> Result<Client> {
        self.check_context()?;
        let chosen = self.host()?;
        let host = chosen.clone().unwrap_or_else(|| Host::Unix(DEFAULT_SOCKET.into()));
        match Client::connect(&host, self.options(&host)?).await {
            Err(error) if error.is_nobody_listening() && chosen.is_none() => {
                daemon::start().map_err(|why| Failure::new(format!("{error}\n{why}")))?;
                Ok(Client::connect(&host, self.options(&host)?).await?)
            }
            result => Ok(result?),
        }
    }

    fn check_context(&self) -> Result<()> {
        let from_env = env::var("DOCKER_CONTEXT").unwrap_or_default();
        let name =
            if self.globals.is_set("context") { self.globals.str("context") } else { &from_env };
        match name {
            "" | "default" => Ok(()),
            other => Err(Failure::new(format!(
                "context {other:?}: contexts come with a later version; use --host or DOCKER_HOST"
            ))),
        }
    }

    /// The host that was asked for, if any was.
    fn host(&self) -> Result<Option<Host>> {
        let given = self.globals.list("host");
        if given.len() > 1 {
            return Err(Failure::new("specify only one -H"));
        }
        let from_env =
            ["GANTRY_HOST", "DOCKER_HOST"].into_iter().find_map(|name| env::var(name).ok());
        let text = given.into_iter().next().or(from_env).unwrap_or_default();
        match text.as_str() {
            "" => Ok(None),
            text if !text.contains("://") && !text.starts_with('/') => {
                Ok(Some(parse_host(&format!("tcp://{text}"))?))
            }
            text => Ok(Some(parse_host(text)?)),
        }
    }

    fn options(&self, host: &Host) -> Result<Options> {
        let version = match env::var("DOCKER_API_VERSION") {
            Ok(text) if !text.is_empty() => {
                Some(text.parse::<Version>().map_err(|error| Failure::new(error.to_string()))?)
            }
            _ => None,
        };
        let headers = self.config().http_headers.clone().into_iter().collect();
        let tls = matches!(host, Host::Tcp { .. }).then(|| self.tls()).flatten();
        Ok(Options { tls, version, headers })
    }

    fn tls(&self) -> Option<TlsFiles> {
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
        wanted.then(|| TlsFiles {
            ca: file("tlscacert", "ca.pem"),
            cert: file("tlscert", "cert.pem"),
            key: file("tlskey", "key.pem"),
            verify: if verify { Verify::Full } else { Verify::Nothing },
        })
    }
}

fn parse_host(text: &str) -> Result<Host> {
    text.parse().map_err(|error: client::InvalidHost| Failure::new(error.to_string()))
}
