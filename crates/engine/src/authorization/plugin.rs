//! One plugin: where it is found, and how it is asked. Docker's plugin protocol is JSON by POST, over a unix socket in
//! `/run/docker/plugins` or at the address that a file in `/etc/docker/plugins` or `/usr/lib/docker/plugins` gives.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use dial::Trust;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

/// How long a plugin may take to answer; Docker's clients wait as long.
const PATIENCE: Duration = Duration::from_secs(30);
/// A verdict is a line; a plugin is nobody who may fill the engine's memory.
const MAX_ANSWER: usize = 1 << 20;
const PROTOCOL: &str = "application/vnd.docker.plugins.v1.2+json";

/// Where plugins are looked for.
#[derive(Clone, Debug)]
pub struct Folders {
    /// Sockets `NAME.sock` and `NAME/NAME.sock`.
    pub sockets: PathBuf,
    /// Files `NAME.spec` with an address and `NAME.json` with a description.
    pub specifications: Vec<PathBuf>,
}

impl Default for Folders {
    fn default() -> Self {
        Self {
            sockets: "/run/docker/plugins".into(),
            specifications: ["/etc/docker/plugins", "/usr/lib/docker/plugins"]
                .map(Into::into)
                .into(),
        }
    }
}

#[derive(Debug)]
pub struct Plugin {
    pub name: String,
    address: Address,
}

#[derive(Debug, PartialEq)]
enum Address {
    Unix(PathBuf),
    Tcp(String, u16),
    /// Boxed: few plugins are met that way.
    Tls(String, u16, Box<Trust>),
}

/// What a plugin said of a request.
#[derive(Debug, Default, Deserialize)]
pub struct Verdict {
    #[serde(rename = "Allow", default)]
    pub allow: bool,
    #[serde(rename = "Msg", default)]
    pub message: String,
    #[serde(rename = "Err", default)]
    error: String,
}

#[derive(Deserialize)]
struct Activation {
    #[serde(rename = "Implements", default)]
    implements: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Specification {
    addr: String,
    #[serde(rename = "TLSConfig", default)]
    tls: TlsConfig,
}

/// Docker's, all of which may be left out.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct TlsConfig {
    insecure_skip_verify: bool,
    #[serde(rename = "CAFile")]
    ca_file: PathBuf,
    cert_file: PathBuf,
    key_file: PathBuf,
}

impl From<TlsConfig> for Trust {
    fn from(config: TlsConfig) -> Self {
        let named = |path: PathBuf| Some(path).filter(|path| !path.as_os_str().is_empty());
        Self {
            ca: named(config.ca_file),
            cert: named(config.cert_file),
            key: named(config.key_file),
            anybody: config.insecure_skip_verify,
        }
    }
}

impl Plugin {
    /// Looks for a plugin and shakes hands with it.
    pub async fn find(name: &str, folders: &Folders) -> Result<Self, String> {
        let address = locate(name, folders)?.ok_or_else(|| format!("plugin {name:?} not found"))?;
        let plugin = Self { name: name.to_owned(), address };
        let answer = plugin.post("Plugin.Activate", Bytes::new()).await?;
        let Activation { implements } = api::json::decode(&answer).map_err(|e| e.to_string())?;
        if !implements.iter().any(|subsystem| subsystem == "authz") {
            return Err(format!("plugin {name:?} does not implement \"authz\""));
        }
        Ok(plugin)
    }

    pub async fn ask(&self, method: &str, question: Bytes) -> Result<Verdict, String> {
        let answer = self.post(method, question).await?;
        let verdict: Verdict = api::json::decode(&answer).map_err(|error| error.to_string())?;
        if verdict.error.is_empty() { Ok(verdict) } else { Err(verdict.error) }
    }

    /// One connection a call: a plugin that was restarted is met again without further ado.
    async fn post(&self, method: &str, body: Bytes) -> Result<Bytes, String> {
        let exchange = async {
            match &self.address {
                Address::Unix(path) => {
                    post(UnixStream::connect(path).await.map_err(text)?, method, body).await
                }
                Address::Tcp(host, port) => {
                    post(dial::connect(host, *port).await.map_err(text)?, method, body).await
                }
                Address::Tls(host, port, trust) => {
                    let name = ServerName::try_from(host.clone()).map_err(text)?;
                    let stream = dial::connect(host, *port).await.map_err(text)?;
                    let stream = trust.connector()?.connect(name, stream).await.map_err(text)?;
                    post(stream, method, body).await
                }
            }
        };
        tokio::time::timeout(PATIENCE, exchange)
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {PATIENCE:?}")))
            .map_err(|why| format!("{method}: {why}"))
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

async fn post<S>(stream: S, method: &str, body: Bytes) -> Result<Bytes, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(text)?;
    // It ends with the sender, at the end of this function.
    tokio::spawn(connection);
    let request = hyper::Request::post(format!("/{method}"))
        .header(HOST, "plugin.moby.localhost")
        .header(ACCEPT, PROTOCOL)
        .header(CONTENT_TYPE, PROTOCOL)
        .body(Full::new(body))
        .map_err(text)?;
    let response = sender.send_request(request).await.map_err(text)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await.map_err(text)?;
    let body = body.to_bytes();
    if status.is_success() {
        return Ok(body);
    }
    Err(String::from_utf8_lossy(&body).trim().chars().take(1024).collect())
}

fn locate(name: &str, folders: &Folders) -> Result<Option<Address>, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    if !name.bytes().all(plain) || name.starts_with('.') || name.is_empty() {
        return Ok(None);
    }
    let socket = format!("{name}.sock");
    let sockets = [folders.sockets.join(&socket), folders.sockets.join(name).join(&socket)];
    if let Some(path) = sockets.into_iter().find(|path| path.exists()) {
        return Ok(Some(Address::Unix(path)));
    }
    for folder in &folders.specifications {
        if let Some(text) = read(&folder.join(format!("{name}.spec")))? {
            return parse_address(text.trim(), Trust::default()).map(Some);
        }
        if let Some(text) = read(&folder.join(format!("{name}.json")))? {
            let specification: Specification =
                api::json::decode(text.as_bytes()).map_err(|error| error.to_string())?;
            return parse_address(&specification.addr, specification.tls.into()).map(Some);
        }
    }
    Ok(None)
}

fn read(path: &Path) -> Result<Option<String>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

/// TLS is for `https` alone, as with Docker.
fn parse_address(text: &str, trust: Trust) -> Result<Address, String> {
    let parsed = match text.split_once("://") {
        Some(("unix", path)) if path.starts_with('/') => Some(Address::Unix(path.into())),
        Some(("tcp" | "http", rest)) => {
            host_and_port(rest, 80).map(|(host, port)| Address::Tcp(host, port))
        }
        Some(("https", rest)) => {
            host_and_port(rest, 443).map(|(host, port)| Address::Tls(host, port, Box::new(trust)))
        }
        _ => None,
    };
    parsed.ok_or_else(|| {
        format!(
            "plugin address {text:?}: unix:///PATH, tcp://HOST:PORT or https://HOST:PORT is needed"
        )
    })
}

fn host_and_port(text: &str, default: u16) -> Option<(String, u16)> {
    let authority = text.split('/').next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().ok()?),
        _ => (authority, default),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']');
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plugins_are_found_as_docker_finds_them() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let folders = Folders { sockets: at("run"), specifications: vec![at("etc"), at("lib")] };
        for folder in ["run/nested", "etc", "lib"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        for (file, text) in [
            ("run/socket.sock", ""),
            ("run/nested/nested.sock", ""),
            ("etc/spec.spec", "unix:///run/x.sock\n"),
            ("lib/tcp.spec", "tcp://localhost:7"),
            ("lib/described.json", r#"{"Name":"described","Addr":"unix:///y"}"#),
            (
                "lib/tls.json",
                r#"{"Name":"tls","Addr":"https://[::1]:5/p","TLSConfig":{"CAFile":"/ca","CertFile":"/c","KeyFile":"/k"}}"#,
            ),
            ("etc/wrong.spec", "nonsense"),
        ] {
            std::fs::write(at(file), text).unwrap();
        }
        let find = |name: &str| locate(name, &folders);
        assert_eq!(find("socket"), Ok(Some(Address::Unix(at("run/socket.sock")))));
        assert_eq!(find("nested"), Ok(Some(Address::Unix(at("run/nested/nested.sock")))));
        assert_eq!(find("spec"), Ok(Some(Address::Unix("/run/x.sock".into()))));
        assert_eq!(find("tcp"), Ok(Some(Address::Tcp("localhost".into(), 7))));
        let trust = Trust {
            ca: Some("/ca".into()),
            cert: Some("/c".into()),
            key: Some("/k".into()),
            anybody: false,
        };
        assert_eq!(find("tls"), Ok(Some(Address::Tls("::1".into(), 5, Box::new(trust)))));
        assert_eq!(find("described"), Ok(Some(Address::Unix("/y".into()))));
        for nowhere in ["nope", "", "..", "../etc/spec", "a/b", ".spec"] {
            assert_eq!(find(nowhere), Ok(None), "{nowhere}");
        }
        assert!(find("wrong").unwrap_err().contains("unix:///PATH"));
    }

    /// Answers one activation, over TLS, to whoever shows a certificate of the authority.
    async fn serve_once(listener: tokio::net::TcpListener, config: rustls::ServerConfig) {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (stream, _) = listener.accept().await.unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(std::sync::Arc::new(config));
        let Ok(mut stream) = acceptor.accept(stream).await else { return };
        let mut head = vec![0; 4096];
        let _ = stream.read(&mut head).await.unwrap();
        let body = r#"{"Implements":["authz"]}"#;
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        stream.write_all(answer.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn a_plugin_is_asked_over_tls_and_both_sides_are_checked() {
        use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject};
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new([]).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = params.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(params, authority_key);
        std::fs::write(at("ca.pem"), authority.pem()).unwrap();
        for name in ["127.0.0.1", "engine"] {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
            params.distinguished_name.push(rcgen::DnType::CommonName, name);
            let certificate = params.signed_by(&key, &issuer).unwrap();
            std::fs::write(at(&format!("{name}.pem")), certificate.pem()).unwrap();
            std::fs::write(at(&format!("{name}.key")), key.serialize_pem()).unwrap();
        }
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(at("ca.pem")).unwrap()).unwrap();
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(
            roots.into(),
            std::sync::Arc::clone(&provider),
        )
        .build()
        .unwrap();
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(
                vec![CertificateDer::from_pem_file(at("127.0.0.1.pem")).unwrap()],
                PrivateKeyDer::from_pem_file(at("127.0.0.1.key")).unwrap(),
            )
            .unwrap();
        let folders = Folders { sockets: at("run"), specifications: vec![place.path().into()] };
        for (ca, cert, accepted) in
            [("ca.pem", "engine", true), ("ca.pem", "", false), ("", "engine", false)]
        {
            let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let named = |name: &str, end: &str| match name {
                "" => String::new(),
                name => at(&format!("{name}{end}")).display().to_string(),
            };
            let description = serde_json::json!({"Addr": format!("https://127.0.0.1:{port}"), "TLSConfig": {
                "CAFile": named(ca, ""), "CertFile": named(cert, ".pem"), "KeyFile": named(cert, ".key")}});
            std::fs::write(at("judge.json"), description.to_string()).unwrap();
            let server = tokio::spawn(serve_once(listener, config.clone()));
            let found = Plugin::find("judge", &folders).await;
            assert_eq!(found.is_ok(), accepted, "{ca} {cert}: {found:?}");
            server.await.unwrap();
        }
    }
}
