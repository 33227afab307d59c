//! One plugin: where it is found, and how it is asked. Docker's plugin protocol is JSON by POST, over a unix socket in
//! `/run/docker/plugins` or at the address that a file in `/etc/docker/plugins` or `/usr/lib/docker/plugins` gives.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

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
    Tcp(SocketAddr),
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
    tls: Option<serde_json::Value>,
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
                Address::Tcp(address) => {
                    post(TcpStream::connect(address).await.map_err(text)?, method, body).await
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
            return parse_address(text.trim()).map(Some);
        }
        if let Some(text) = read(&folder.join(format!("{name}.json")))? {
            let specification: Specification =
                api::json::decode(text.as_bytes()).map_err(|error| error.to_string())?;
            if specification.tls.is_some() {
                return Err(format!("plugin {name:?}: TLSConfig is not supported"));
            }
            return parse_address(&specification.addr).map(Some);
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

fn parse_address(text: &str) -> Result<Address, String> {
    let unusable = || format!("plugin address {text:?}: unix:///PATH or tcp://IP:PORT is needed");
    match text.split_once("://") {
        Some(("unix", path)) if path.starts_with('/') => Ok(Address::Unix(path.into())),
        Some(("tcp", address)) => address
            .replace("localhost", "127.0.0.1")
            .parse()
            .map(Address::Tcp)
            .map_err(|_| unusable()),
        _ => Err(unusable()),
    }
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
            ("lib/tls.json", r#"{"Name":"tls","Addr":"tcp://1.2.3.4:5","TLSConfig":{}}"#),
            ("etc/wrong.spec", "nonsense"),
        ] {
            std::fs::write(at(file), text).unwrap();
        }
        let find = |name: &str| locate(name, &folders);
        assert_eq!(find("socket"), Ok(Some(Address::Unix(at("run/socket.sock")))));
        assert_eq!(find("nested"), Ok(Some(Address::Unix(at("run/nested/nested.sock")))));
        assert_eq!(find("spec"), Ok(Some(Address::Unix("/run/x.sock".into()))));
        assert_eq!(find("tcp"), Ok(Some(Address::Tcp(([127, 0, 0, 1], 7).into()))));
        assert_eq!(find("described"), Ok(Some(Address::Unix("/y".into()))));
        for nowhere in ["nope", "", "..", "../etc/spec", "a/b", ".spec"] {
            assert_eq!(find(nowhere), Ok(None), "{nowhere}");
        }
        assert!(find("tls").unwrap_err().contains("TLSConfig"));
        assert!(find("wrong").unwrap_err().contains("unix:///PATH"));
    }
}
