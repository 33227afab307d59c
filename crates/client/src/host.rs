//! Where an engine listens: `unix:///run/gantry/gantry.sock`, `tcp://10.0.0.1:2376`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::ssh::Ssh;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    Unix(PathBuf),
    Tcp { name: String, port: u16 },
    Ssh(Ssh),
}

/// Not an address that this client can reach.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidHost {
    #[error("unable to parse docker host `{0}`")]
    Malformed(String),
    #[error("ssh host connection is not valid: {0}")]
    Ssh(&'static str),
    #[error("invalid bind address format: {0}")]
    Scheme(String),
}

const PLAIN_PORT: u16 = 2375;

impl FromStr for Host {
    type Err = InvalidHost;

    fn from_str(text: &str) -> Result<Self, InvalidHost> {
        let malformed = || InvalidHost::Malformed(text.to_owned());
        let (scheme, rest) = text.split_once("://").ok_or_else(malformed)?;
        match scheme {
            "unix" if rest.is_empty() => Err(malformed()),
            "unix" => Ok(Self::Unix(rest.into())),
            "tcp" | "http" | "https" => tcp(rest).ok_or_else(malformed),
            "ssh" => Ssh::parse(rest).map(Self::Ssh),
            _ => Err(InvalidHost::Scheme(text.to_owned())),
        }
    }
}

fn tcp(rest: &str) -> Option<Host> {
    let authority = rest.split('/').next().unwrap_or_default();
    let (name, port) = match authority.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()?),
        _ => (authority, PLAIN_PORT),
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    let name = if name.is_empty() { "127.0.0.1" } else { name };
    Some(Host::Tcp { name: name.to_owned(), port })
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { name, port } if name.contains(':') => write!(f, "tcp://[{name}]:{port}"),
            Self::Tcp { name, port } => write!(f, "tcp://{name}:{port}"),
            Self::Ssh(ssh) => ssh.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_read_as_docker_writes_them() {
        let host = |text: &str| text.parse::<Host>().unwrap().to_string();
        assert_eq!(host("unix:///run/x.sock"), "unix:///run/x.sock");
        assert_eq!(host("tcp://10.0.0.1:2376"), "tcp://10.0.0.1:2376");
        assert_eq!(host("tcp://build"), "tcp://build:2375");
        assert_eq!(host("tcp://[::1]:99"), "tcp://[::1]:99");
        assert_eq!(host("tcp://:99"), "tcp://127.0.0.1:99");
        assert_eq!(host("ssh://me@box:22/run/x.sock"), "ssh://me@box:22/run/x.sock");
    }

    #[test]
    fn what_cannot_be_reached_is_refused_by_name() {
        assert!(matches!("ssh://a:b@c".parse::<Host>(), Err(InvalidHost::Ssh(_))));
        assert!(matches!("npipe://a".parse::<Host>(), Err(InvalidHost::Scheme(_))));
        for text in ["", "unix://", "tcp://a:b", "/run/x.sock"] {
            assert!(text.parse::<Host>().is_err(), "{text:?}");
        }
    }
}
