//! Proxies between here and registries: which server is asked through which, and the way through one.
//!
//! The rules are those of Go's `httpproxy`, which dockerd has them from: the loopback is never asked through a proxy, and
//! what NO_PROXY lists is a domain with those below it, an address, a network, each with a port or without, or `*`.

use std::net::IpAddr;
use std::sync::Arc;

use api::base64;
use hyper::header::HeaderValue;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::network::Network;
use super::origin::{Origin, Scheme, host_and_port};

/// Of what a proxy answers to CONNECT.
const MAX_HEAD: usize = 16 << 10;

/// Which proxies there are, and what is asked without one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Proxies {
    http: Option<Arc<Proxy>>,
    https: Option<Arc<Proxy>>,
    exempt: Vec<Exempt>,
}

/// A proxy's address and how it is told who asks.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Proxy {
    pub(super) way: Way,
    pub(super) host: String,
    pub(super) port: u16,
    authorization: Option<HeaderValue>,
}

/// How a proxy itself is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Way {
    Plain,
    Tls,
    /// A scheme that is not known here.
    Unknown(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Exempt {
    Everything,
    Network(Network),
    Address(IpAddr, Option<u16>),
    /// `.example.com`, and `example.com` itself unless only what is below it was meant.
    Domain {
        suffix: String,
        itself: bool,
        port: Option<u16>,
    },
}

impl Proxies {
    /// Addresses of proxies for each scheme, and the list of what does without. What is no address is no proxy.
    pub fn new(http: &str, https: &str, exempt: &str) -> Self {
        let list = exempt.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        Self {
            http: Proxy::parse(http).map(Arc::new),
            https: Proxy::parse(https).map(Arc::new),
            exempt: list.filter_map(Exempt::parse).collect(),
        }
    }

    /// Of this process's environment.
    pub fn of_environment() -> Self {
        let value = |name: &str| proxy_variable(name, |name| std::env::var(name).ok());
        Self::new(&value("HTTP_PROXY"), &value("HTTPS_PROXY"), &value("NO_PROXY"))
    }

    /// The proxy that a server is asked through.
    pub(super) fn of(&self, origin: &Origin) -> Option<&Proxy> {
        let proxy = match origin.scheme {
            Scheme::Http => self.http.as_deref(),
            Scheme::Https => self.https.as_deref(),
        }?;
        let address = origin.host.parse::<IpAddr>().ok();
        let here = origin.host == "localhost" || address.is_some_and(|ip| ip.is_loopback());
        let without = || self.exempt.iter().any(|one| one.means(origin, address));
        (!here && !without()).then_some(proxy)
    }
}

/// The value of a variable by its name in capital letters, else in small ones.
pub fn proxy_variable(name: &str, variable: impl Fn(&str) -> Option<String>) -> String {
    let value = variable(name).filter(|value| !value.is_empty());
    value.or_else(|| variable(&name.to_lowercase())).unwrap_or_default()
}

impl Exempt {
    fn parse(entry: &str) -> Option<Self> {
        let entry = entry.to_lowercase();
        if entry == "*" {
            return Some(Self::Everything);
        }
        if let Some(network) = Network::parse(&entry) {
            return Some(Self::Network(network));
        }
        let (host, port) = host_and_port(&entry)?;
        if let Ok(address) = host.parse() {
            return Some(Self::Address(address, port));
        }
        let name = host.strip_prefix('*').filter(|rest| rest.starts_with('.')).unwrap_or(host);
        let itself = !name.starts_with('.');
        let suffix = if itself { format!(".{name}") } else { name.to_owned() };
        Some(Self::Domain { suffix, itself, port })
    }

    fn means(&self, origin: &Origin, address: Option<IpAddr>) -> bool {
        let is_port = |port: &Option<u16>| port.is_none_or(|port| port == origin.port);
        match self {
            Self::Everything => true,
            Self::Network(network) => address.is_some_and(|address| network.contains(address)),
            Self::Address(own, port) => address == Some(*own) && is_port(port),
            Self::Domain { suffix, itself, port } => {
                let is_it = *itself && origin.host == suffix[1..];
                (is_it || origin.host.ends_with(suffix)) && is_port(port)
            }
        }
    }
}

impl Proxy {
    fn parse(address: &str) -> Option<Self> {
        let address = address.trim();
        let (scheme, rest) = match address.split_once("://") {
            Some((scheme, rest)) if is_scheme(scheme) => (scheme, rest),
            _ => ("http", address),
        };
        let (way, usual) = match scheme.to_ascii_lowercase().as_str() {
            "http" => (Way::Plain, 80),
            "https" => (Way::Tls, 443),
            other => (Way::Unknown(other.to_owned()), 0),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (Some(user), place),
            None => (None, authority),
        };
        let (host, port) = host_and_port(place)?;
        let authorization = user.and_then(basic);
        Some(Self { way, host: host.to_owned(), port: port.unwrap_or(usual), authorization })
    }

    /// Who asks, as the proxy wants to be told.
    pub(super) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Has the proxy connect to a server. What is said from then on is between it and us.
    ///
    /// # Errors
    /// The proxy's own words.
    pub(super) async fn tunnel(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        origin: &Origin,
    ) -> Result<(), String> {
        let place = origin.address();
        let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n").into_bytes();
        if let Some(value) = &self.authorization {
            request.extend_from_slice(b"Proxy-Authorization: ");
            request.extend_from_slice(value.as_bytes());
            request.extend_from_slice(b"\r\n");
        }
        request.extend_from_slice(b"\r\n");
        let failed = |error: std::io::Error| format!("proxyconnect tcp: {error}");
        stream.write_all(&request).await.map_err(failed)?;
        let head = head(stream).await.map_err(failed)?;
        connected(&head)
    }
}

/// Credentials are in no log.
impl std::fmt::Debug for Proxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Proxy({:?} {}:{})", self.way, self.host, self.port)
    }
}

/// What else stands there may hold credentials (RFC 3986, section 3.1).
fn is_scheme(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// Of the `user:password` of an address.
fn basic(user: &str) -> Option<HeaderValue> {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let pair = [decoded(name), vec![b':'], decoded(password)].concat();
    let mut value = HeaderValue::try_from(format!("Basic {}", base64::encode(&pair))).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// Without `%40` and the like.
fn decoded(text: &str) -> Vec<u8> {
    let digit =
        |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    while let Some((first, rest)) = bytes.split_first() {
        let escaped = match rest {
            [high, low, ..] if *first == b'%' => digit(high).zip(digit(low)),
            _ => None,
        };
        plain.push(escaped.map_or(*first, |(high, low)| high << 4 | low));
        bytes = if escaped.is_some() { &rest[2..] } else { rest };
    }
    plain
}

/// An answer up to the empty line, and no byte of what follows it.
async fn head(stream: &mut (impl AsyncRead + Unpin)) -> std::io::Result<Vec<u8>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() == MAX_HEAD {
            return Err(std::io::Error::other("the proxy's answer has no end"));
        }
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                return Err(std::io::Error::other("unexpected EOF"));
            }
            Err(error) => return Err(error),
        }
    }
    Ok(head)
}

fn connected(head: &[u8]) -> Result<(), String> {
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = super::error::printable(&String::from_utf8_lossy(line));
    let malformed = || format!("malformed HTTP response {line:?}");
    let rest = line.strip_prefix("HTTP/1.").ok_or_else(malformed)?;
    let (_, status) = rest.split_once(' ').ok_or_else(malformed)?;
    let (code, words) = status.split_once(' ').unwrap_or((status, "unknown status code"));
    match code {
        "200" => Ok(()),
        _ if code.len() == 3 && code.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(words.to_owned())
        }
        _ => Err(malformed()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn goes_through(exempt: &str, url: &str) -> bool {
        let proxies = Proxies::new("http://p:1", "p:2", exempt);
        let origin = Origin::of(&url.parse().unwrap()).unwrap();
        let proxy = proxies.of(&origin);
        let port = if origin.scheme == Scheme::Http { 1 } else { 2 };
        proxy.inspect(|proxy| assert_eq!(proxy.port, port)).is_some()
    }

    #[test]
    fn what_is_exempt_is_asked_directly() {
        let list = " Reg.example, .below.example,*.star.example:8443,10.0.0.0/8,192.0.2.7,192.0.2.8:5000,fd00::/8,[2001:db8::1]:5000,,";
        for direct in [
            "https://reg.example",
            "https://a.reg.example:5000",
            "http://x.below.example",
            "https://x.star.example:8443",
            "http://10.1.2.3",
            "http://192.0.2.7:99",
            "http://192.0.2.8:5000",
            "https://[fd00::7]",
            "https://[2001:db8::1]:5000",
            "http://localhost:5000",
            "https://127.8.8.8",
            "https://[::1]:5000",
        ] {
            assert!(!goes_through(list, direct), "{direct}");
        }
        for proxied in [
            "https://areg.example",
            "https://below.example",
            "https://x.star.example",
            "http://11.1.2.3",
            "http://192.0.2.8",
            "https://[2001:db8::1]",
            "https://localhost.example",
        ] {
            assert!(goes_through(list, proxied), "{proxied}");
        }
        assert!(!goes_through("x,*", "https://reg.example"));
        assert!(goes_through("", "https://reg.example"));
    }

    #[test]
    fn a_proxys_address_may_lack_its_scheme_and_have_credentials() {
        let proxy = |text| Proxy::parse(text).unwrap();
        let shown = |text| format!("{:?}", proxy(text));
        assert_eq!(shown("proxy:3128"), "Proxy(Plain proxy:3128)");
        assert_eq!(shown("HTTPS://proxy/x"), "Proxy(Tls proxy:443)");
        assert_eq!(shown("http://[fd00::1]"), "Proxy(Plain fd00::1:80)");
        assert_eq!(proxy("socks5://p:1").way, Way::Unknown("socks5".into()));
        let known = proxy("http://ann:p%40ss@proxy:1");
        let expected = format!("Basic {}", base64::encode(b"ann:p@ss"));
        assert_eq!(known.authorization().unwrap(), expected.as_str());
        assert!(!format!("{known:?} {:?}", known.authorization()).contains("Basic"));
        for none in ["", "http://", "http://:80", "http://a:b:c", "http://h:99999"] {
            assert!(Proxy::parse(none).is_none(), "{none}");
        }
    }

    #[test]
    fn a_proxy_that_refuses_is_quoted() {
        assert_eq!(connected(b"HTTP/1.1 200 Connection established\r\n\r\n"), Ok(()));
        assert_eq!(connected(b"HTTP/1.0 200\r\n\r\n"), Ok(()));
        let refused = connected(b"HTTP/1.1 407 Proxy Authentication \x1bRequired\r\nX: y\r\n\r\n");
        assert_eq!(refused, Err("Proxy Authentication Required".into()));
        for no_http in ["SSH-2.0-x\r\n\r\n", "HTTP/1.1\r\n\r\n", "HTTP/1.1 20 x\r\n\r\n"] {
            assert!(connected(no_http.as_bytes()).unwrap_err().contains("malformed"), "{no_http}");
        }
    }

    #[tokio::test]
    async fn an_answer_is_read_to_its_end_and_no_further() {
        let mut whole: &[u8] = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nmore";
        assert!(head(&mut whole).await.is_ok());
        assert_eq!(whole, b"more");
        let mut cut: &[u8] = b"HTTP/1.1 200 OK\r\n";
        assert!(head(&mut cut).await.is_err());
        let endless = vec![b'x'; 2 * MAX_HEAD];
        assert!(head(&mut endless.as_slice()).await.is_err());
    }
}
