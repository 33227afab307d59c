//! Which servers a repository's registry may be, and how each is to be reached and believed. Policy alone.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use dial::Trust;
use hyper::Uri;

use super::error::{Error, Result};
use super::network::Network;
use super::proxy::Proxies;

const HUB: &str = "docker.io";
const HUB_SERVER: &str = "registry-1.docker.io";
const LOOPBACK: &str = "127.0.0.0/8";

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Scheme {
    Http,
    Https,
}

/// A server's address; connections belong to one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    pub(crate) scheme: Scheme,
    /// Without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// One place to ask for a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    pub(super) origin: Origin,
    /// What stands before `/v2/`.
    pub(super) prefix: String,
    /// Somebody else's copy: it gets no credentials, and what it lacks the next place may have.
    pub(super) mirror: bool,
}

/// What the engine's options say of registries.
#[derive(Debug, Clone)]
pub struct Places {
    /// Names and networks of registries that need no TLS, or none that can be verified.
    pub insecure: Vec<String>,
    /// Addresses of copies of Docker Hub.
    pub mirrors: Vec<String>,
    /// A folder for each registry with its CA and the certificates to show it.
    pub certificates: PathBuf,
    /// What stands between here and them.
    pub proxies: Proxies,
}

impl Default for Places {
    fn default() -> Self {
        let certificates = "/etc/docker/certs.d".into();
        let (insecure, mirrors) = (Vec::new(), Vec::new());
        Self { insecure, mirrors, certificates, proxies: Proxies::default() }
    }
}

impl Origin {
    /// Of an absolute address; of `http` and `https` alone.
    pub(crate) fn of(uri: &Uri) -> Result<Self> {
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err(Error::invalid(format!("unsupported protocol scheme in {uri}"))),
        };
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_ascii_lowercase();
        if host.is_empty() {
            return Err(Error::invalid(format!("no host in {uri}")));
        }
        let port = uri.port_u16().unwrap_or(scheme.port());
        Ok(Self { scheme, host, port })
    }

    fn of_domain(scheme: Scheme, domain: &str) -> Result<Self> {
        let text = format!("{}://{domain}/", scheme.name());
        let invalid = |_| Error::invalid(format!("invalid registry name {domain}"));
        Self::of(&text.parse().map_err(invalid)?)
    }

    /// As the `Host` header has it.
    pub(crate) fn authority(&self) -> String {
        let address = self.address();
        let usual = format!(":{}", self.scheme.port());
        match address.strip_suffix(&usual) {
            Some(host) => host.to_owned(),
            None => address,
        }
    }

    /// With the port, whichever it is.
    pub(crate) fn address(&self) -> String {
        place(&self.host, self.port)
    }
}

/// As addresses have it: IPv6 in brackets.
pub(super) fn place(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// Of `host`, `host:port`, an address, `[address]:port`; the host without brackets.
pub(super) fn host_and_port(text: &str) -> Option<(&str, Option<u16>)> {
    if text.parse::<IpAddr>().is_ok() {
        return Some((text, None));
    }
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(host, port)| (host, port.strip_prefix(':')))?,
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.filter(|port| !port.is_empty()).map(str::parse).transpose().ok()?;
    (!host.is_empty()).then_some((host, port))
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme.name(), self.authority())
    }
}

impl Places {
    /// Where to pull a repository of `domain` from, the first that has it.
    pub(super) fn to_pull(&self, domain: &str) -> Result<Vec<Endpoint>> {
        let mut endpoints = Vec::new();
        if domain == HUB {
            for mirror in &self.mirrors {
                let invalid = |_| Error::invalid(format!("invalid mirror {mirror}"));
                let uri: Uri = mirror.parse().map_err(invalid)?;
                let prefix = uri.path().trim_end_matches('/').to_owned();
                endpoints.push(Endpoint { origin: Origin::of(&uri)?, prefix, mirror: true });
            }
        }
        endpoints.extend(self.itself(domain)?);
        Ok(endpoints)
    }

    /// The registry of `domain`: by TLS, and without only where that is said to be good enough.
    pub(super) fn itself(&self, domain: &str) -> Result<Vec<Endpoint>> {
        let server = if domain == HUB { HUB_SERVER } else { domain };
        let mut schemes = vec![Scheme::Https];
        if self.is_insecure(server) {
            schemes.push(Scheme::Http);
        }
        let endpoint = |scheme| {
            let origin = Origin::of_domain(scheme, server)?;
            Ok(Endpoint { origin, prefix: String::new(), mirror: false })
        };
        schemes.into_iter().map(endpoint).collect()
    }

    /// Whom to believe to be that server: its own CA where there is a folder for it, else the host's.
    pub(super) fn trust(&self, origin: &Origin) -> Trust {
        let authority = origin.authority();
        let mut trust = own_certificates(&self.certificates.join(&authority));
        if trust.ca.is_none() {
            trust.anybody = self.is_insecure(&authority);
        }
        trust
    }

    fn is_insecure(&self, authority: &str) -> bool {
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => authority,
        };
        let host = host.trim_matches(['[', ']']);
        let address = match host {
            "localhost" => Some(IpAddr::from([127, 0, 0, 1])),
            _ => host.parse().ok(),
        };
        let means = |entry: &str| {
            entry == authority
                || entry == host
                || address.is_some_and(|ip| Network::parse(entry).is_some_and(|n| n.contains(ip)))
        };
        means(LOOPBACK)
            || address.is_some_and(|ip| ip.is_loopback())
            || self.insecure.iter().any(|entry| means(entry))
    }
}

/// `*.crt` is a CA, `x.cert` with `x.key` what to show; of several the first by name.
fn own_certificates(folder: &Path) -> Trust {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut files: Vec<_> = entries.map(|entry| entry.path()).collect();
    files.sort();
    let first = |extension: &str| {
        files.iter().find(|file| file.extension().is_some_and(|e| e == extension)).cloned()
    };
    let cert = first("cert");
    let key = cert.as_ref().map(|cert| cert.with_extension("key")).filter(|key| key.exists());
    Trust { ca: first("crt"), cert: cert.filter(|_| key.is_some()), key, anybody: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(insecure: &[&str]) -> Places {
        let insecure = insecure.iter().map(|&name| name.to_owned()).collect();
        Places { insecure, ..Places::default() }
    }

    fn asked(places: &Places, domain: &str) -> Vec<String> {
        let endpoints = places.to_pull(domain).unwrap();
        endpoints.iter().map(|one| format!("{}{}", one.origin, one.prefix)).collect()
    }

    #[test]
    fn tls_is_done_without_only_where_it_is_allowed() {
        let none = places(&[]);
        assert_eq!(asked(&none, "reg.example"), ["https://reg.example"]);
        assert_eq!(asked(&none, "docker.io"), ["https://registry-1.docker.io"]);
        assert_eq!(
            asked(&none, "127.0.0.1:5000"),
            ["https://127.0.0.1:5000", "http://127.0.0.1:5000"]
        );
        assert_eq!(asked(&none, "localhost:5000").len(), 2);
        assert_eq!(asked(&none, "10.0.0.1:5000").len(), 1);
        let some = places(&["reg.example:5000", "10.0.0.0/8", "fd00::/8"]);
        assert_eq!(asked(&some, "reg.example:5000").len(), 2);
        assert_eq!(asked(&some, "reg.example").len(), 1);
        assert_eq!(asked(&some, "10.1.2.3").len(), 2);
        assert_eq!(asked(&some, "[fd00::1]:5000").len(), 2);
        assert_eq!(asked(&some, "11.0.0.1").len(), 1);
    }

    #[test]
    fn copies_of_docker_hub_are_asked_first_and_for_it_alone() {
        let mirrors = vec!["http://127.0.0.1:5001/copy/".to_owned()];
        let places = Places { mirrors, ..Places::default() };
        assert_eq!(
            asked(&places, "docker.io"),
            ["http://127.0.0.1:5001/copy", "https://registry-1.docker.io"]
        );
        assert_eq!(asked(&places, "reg.example"), ["https://reg.example"]);
    }

    #[test]
    fn a_folder_of_its_own_has_a_registrys_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("reg.example:5000");
        std::fs::create_dir(&own).unwrap();
        for file in ["ca.crt", "client.cert", "client.key"] {
            std::fs::write(own.join(file), "").unwrap();
        }
        let places = Places { certificates: folder.path().into(), ..Places::default() };
        let origin = |domain| Origin::of_domain(Scheme::Https, domain).unwrap();
        let trust = places.trust(&origin("reg.example:5000"));
        assert_eq!(trust.ca, Some(own.join("ca.crt")));
        assert_eq!(
            (trust.cert, trust.key),
            (Some(own.join("client.cert")), Some(own.join("client.key")))
        );
        assert_eq!(places.trust(&origin("reg.example")), Trust::default());
        assert!(places.trust(&origin("127.0.0.1:5000")).anybody);
    }

    #[test]
    fn other_protocols_lead_nowhere() {
        for text in ["file:///etc/passwd", "ftp://x/", "/x"] {
            let uri: Result<Uri, _> = text.parse();
            assert!(uri.is_err() || Origin::of(&uri.unwrap()).is_err(), "{text}");
        }
    }
}
