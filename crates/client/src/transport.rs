//! Connecting, asking, and reading answers.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Mutex, OnceLock};

use api::registry::{AUTH_HEADER, AuthConfig};
use api::{ErrorResponse, Version};
use bytes::Bytes;
use dial::Trust;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONNECTION, CONTENT_TYPE, HOST, HeaderName, HeaderValue, UPGRADE, USER_AGENT};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use crate::body::{Body, Upload};
use crate::error::{Error, Result};
use crate::hijack::Hijacked;
use crate::host::Host;
use crate::query::is_askable;
use crate::stream::Stream;

const AGENT: &str = concat!("Gantry-Client/", env!("CARGO_PKG_VERSION"), " (linux)");

/// How to talk to an engine.
#[derive(Debug, Clone, Default)]
pub struct Options {
    pub tls: Option<Trust>,
    /// Fixes the API version, so that it is not asked for.
    pub version: Option<Version>,
    /// Sent with every request.
    pub headers: Vec<(String, String)>,
}

const AUTH: HeaderName = HeaderName::from_static(AUTH_HEADER);
const REGISTRY_CONFIG: HeaderName = HeaderName::from_static("x-registry-config");
const PATH_STAT: HeaderName = HeaderName::from_static(api::containers::PATH_STAT);

/// A client of one engine. Cheap until its first request.
pub struct Client {
    host: Host,
    tls: Option<(tokio_rustls::TlsConnector, rustls::pki_types::ServerName<'static>)>,
    headers: Vec<(HeaderName, HeaderValue)>,
    version: OnceLock<Version>,
    idle: Mutex<Option<SendRequest<Upload>>>,
}

impl Client {
    /// Connects, so that a missing engine is known before anything is asked of it.
    pub async fn connect(host: &Host, options: Options) -> Result<Self> {
        let version = OnceLock::new();
        if let Some(fixed) = options.version {
            version.get_or_init(|| fixed);
        }
        let tls = options.tls.as_ref().map(|trust| connector(host, trust)).transpose()?;
        let headers = parse_headers(&options.headers)?;
        let client = Self { host: host.clone(), tls, headers, version, idle: Mutex::default() };
        let sender = client.open().await?;
        client.keep(sender);
        Ok(client)
    }

    #[must_use]
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// The version both sides speak: the engine's newest, or ours where that is older.
    pub async fn version(&self) -> Result<Version> {
        if let Some(version) = self.version.get() {
            return Ok(*version);
        }
        let theirs = self.ping().await?.api_version;
        // An engine that does not say is older than version negotiation itself.
        let agreed = theirs.unwrap_or(Version::MIN).min(Version::MAX);
        Ok(*self.version.get_or_init(|| agreed))
    }

    pub(crate) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.json(Method::GET, path, Upload::empty()).await
    }

    /// The answer as the engine wrote it.
    pub(crate) async fn get_raw(&self, path: &str) -> Result<Bytes> {
        self.short(Method::GET, path, Upload::empty()).await
    }

    /// As `get_raw`, in a form that newer versions no longer have.
    pub(crate) async fn get_raw_until(&self, newest: Version, path: &str) -> Result<Bytes> {
        let version = self.version().await?.min(newest);
        self.ask(Method::GET, &format!("/v{version}{path}"), Upload::empty()).await
    }

    pub(crate) async fn delete<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.json(Method::DELETE, path, Upload::empty()).await
    }

    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        let body = Upload::Bytes(Some(serde_json::to_vec(body)?.into()));
        self.json(Method::POST, path, body).await
    }

    /// A POST whose parameters are all in its query.
    pub(crate) async fn post_query<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.json(Method::POST, path, Upload::empty()).await
    }

    /// A request without a body whose answer has none that matters.
    pub(crate) async fn act(&self, method: Method, path: &str) -> Result<()> {
        self.short(method, path, Upload::empty()).await.map(drop)
    }

    /// A request whose answer has no body that matters.
    pub(crate) async fn tell(&self, path: &str, body: &impl Serialize) -> Result<()> {
        let body = Upload::Bytes(Some(serde_json::to_vec(body)?.into()));
        self.short(Method::POST, path, body).await.map(drop)
    }

    async fn json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Upload,
    ) -> Result<T> {
        Ok(serde_json::from_slice(&self.short(method, path, body).await?)?)
    }

    /// Asks on the idle connection and keeps it for the next question.
    ///
    /// The first question is asked in our newest version without asking for the engine's before, which
    /// is one round trip less wherever the two are of an age. An older engine refuses it unread.
    async fn short(&self, method: Method, path: &str, body: Upload) -> Result<Bytes> {
        let body = match (self.version.get(), body) {
            (None, Upload::Bytes(bytes)) => {
                let newest = format!("/v{}{path}", Version::MAX);
                match self.ask(method.clone(), &newest, Upload::Bytes(bytes.clone())).await {
                    Err(error) if is_too_new(&error) => Upload::Bytes(bytes),
                    result => {
                        self.version.get_or_init(|| Version::MAX);
                        return result;
                    }
                }
            }
            (_, body) => body,
        };
        let path = format!("/v{}{path}", self.version().await?);
        self.ask(method, &path, body).await
    }

    async fn ask(&self, method: Method, path: &str, body: Upload) -> Result<Bytes> {
        let mut sender = self.take().await?;
        let response = self.send(&mut sender, self.request(method, path, body)?).await?;
        let keep = !response.status().is_server_error();
        let response = check(response).await?;
        let bytes = response.into_body().collect().await?.to_bytes();
        if keep {
            self.keep(sender);
        }
        Ok(bytes)
    }

    /// Asks an unversioned path and returns the head of the answer (for `/_ping`).
    pub(crate) async fn head(&self, path: &str) -> Result<Response<Incoming>> {
        let mut sender = self.take().await?;
        let request = self.request(Method::HEAD, path, Upload::empty())?;
        let response = check(self.send(&mut sender, request).await?).await?;
        self.keep(sender);
        Ok(response)
    }

    /// Asks for an answer that is read piece by piece.
    pub(crate) async fn stream(&self, method: Method, path: &str, body: Upload) -> Result<Body> {
        let path = format!("/v{}{path}", self.version().await?);
        self.streamed(self.request(method, &path, body)?).await
    }

    /// As [`stream`](Self::stream), with what a registry is to be shown. It has no body.
    pub(crate) async fn stream_as(
        &self,
        auth: &AuthConfig,
        method: Method,
        path: &str,
    ) -> Result<Body> {
        let path = format!("/v{}{path}", self.version().await?);
        let mut request = self.request(method, &path, Upload::empty())?;
        request.headers_mut().insert(AUTH, secret(&auth.to_header())?);
        self.streamed(request).await
    }

    /// As [`stream`](Self::stream), with what every registry is to be shown.
    pub(crate) async fn stream_with_auths(
        &self,
        auths: &BTreeMap<String, AuthConfig>,
        path: &str,
        body: Upload,
    ) -> Result<Body> {
        let path = format!("/v{}{path}", self.version().await?);
        let mut request = self.request(Method::POST, &path, body)?;
        let auths = api::base64::encode(&serde_json::to_vec(auths)?);
        request.headers_mut().insert(REGISTRY_CONFIG, secret(&auths)?);
        self.streamed(request).await
    }

    async fn streamed(&self, request: Request<Upload>) -> Result<Body> {
        let mut sender = self.take().await?;
        let response = check(self.send(&mut sender, request).await?).await?;
        let content_type = header(&response, &CONTENT_TYPE);
        let path_stat = header(&response, &PATH_STAT);
        Ok(Body { incoming: response.into_body(), content_type, path_stat })
    }

    /// Asks for the connection itself. `multiplexed` is what the stream is before 1.42, when engines
    /// did not say.
    pub(crate) async fn hijack(
        &self,
        path: &str,
        body: Upload,
        multiplexed: bool,
    ) -> Result<Hijacked> {
        let response = self.upgraded(path, body, "tcp").await?;
        let multiplexed = match header(&response, &CONTENT_TYPE).as_str() {
            api::stream::MULTIPLEXED => true,
            api::stream::RAW if *self.version.get().unwrap_or(&Version::MIN) >= Version::v1(42) => {
                false
            }
            _ => multiplexed,
        };
        Hijacked::new(hyper::upgrade::on(response).await?, multiplexed)
    }

    /// Asks that the connection speak something else from now on.
    pub(crate) async fn upgraded(
        &self,
        path: &str,
        body: Upload,
        protocol: &'static str,
    ) -> Result<Response<Incoming>> {
        let path = format!("/v{}{path}", self.version().await?);
        let mut request = self.request(Method::POST, &path, body)?;
        request.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        request.headers_mut().insert(UPGRADE, HeaderValue::from_static(protocol));
        let mut sender = self.take().await?;
        let response = check(self.send(&mut sender, request).await?).await?;
        match response.status() {
            StatusCode::SWITCHING_PROTOCOLS => Ok(response),
            _ => Err(Error::NotUpgraded("a raw stream")),
        }
    }

    fn request(&self, method: Method, path: &str, body: Upload) -> Result<Request<Upload>> {
        if !is_askable(path) {
            return Err(Error::no_such_page());
        }
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "api.gantry.localhost")
            .header(USER_AGENT, AGENT);
        match &body {
            Upload::Bytes(Some(_)) => request = request.header(CONTENT_TYPE, "application/json"),
            Upload::Bytes(None) => {}
            Upload::Reader(_) | Upload::Chunks(_) => {
                request = request.header(CONTENT_TYPE, "application/x-tar");
            }
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        Ok(request.body(body)?)
    }

    async fn send(
        &self,
        sender: &mut SendRequest<Upload>,
        request: Request<Upload>,
    ) -> Result<Response<Incoming>> {
        sender.send_request(request).await.map_err(|error| match &self.host {
            Host::Ssh(_) => Error::Ssh { host: self.host.to_string() },
            _ => error.into(),
        })
    }

    /// A connection of its own to the engine, before anything was said on it.
    pub async fn connection(&self) -> Result<impl AsyncRead + AsyncWrite> {
        self.dial().await
    }

    async fn take(&self) -> Result<SendRequest<Upload>> {
        let idle = self.idle.lock().expect("no code panics while it holds this lock").take();
        if let Some(mut sender) = idle
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        self.open().await
    }

    fn keep(&self, sender: SendRequest<Upload>) {
        *self.idle.lock().expect("no code panics while it holds this lock") = Some(sender);
    }

    async fn open(&self) -> Result<SendRequest<Upload>> {
        let io = TokioIo::new(self.dial().await?);
        let (sender, connection) = http1::handshake(io).await?;
        tokio::spawn(connection.with_upgrades());
        Ok(sender)
    }

    async fn dial(&self) -> Result<Stream> {
        match &self.host {
            Host::Unix(path) => {
                UnixStream::connect(path).await.map(Stream::Unix).map_err(|e| self.refused(e))
            }
            Host::Ssh(ssh) => {
                let stream = ssh.dial().map_err(|e| self.refused(e))?;
                Ok(Stream::Unix(UnixStream::from_std(stream)?))
            }
            Host::Tcp { name, port } => {
                let tcp = dial::connect(name, *port).await.map_err(|e| self.refused(e))?;
                tcp.set_nodelay(true)?;
                let Some((connector, name)) = &self.tls else { return Ok(Stream::Tcp(tcp)) };
                let tls =
                    connector.connect(name.clone(), tcp).await.map_err(|e| self.tls_failed(&e))?;
                Ok(Stream::Tls(Box::new(tls)))
            }
        }
    }

    fn refused(&self, source: io::Error) -> Error {
        let host = self.host.to_string();
        match (&self.host, source.kind()) {
            (Host::Unix(path), io::ErrorKind::PermissionDenied) => {
                Error::Permission { path: path.display().to_string(), host, source }
            }
            (Host::Ssh(_), _) => source.into(),
            _ => Error::Connect { host, source },
        }
    }

    fn tls_failed(&self, error: &io::Error) -> Error {
        Error::Tls { host: self.host.to_string(), message: error.to_string() }
    }
}

fn secret(text: &str) -> Result<HeaderValue> {
    let mut value = HeaderValue::try_from(text).map_err(hyper::http::Error::from)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Docker's refusal of a version it does not know yet.
fn is_too_new(error: &Error) -> bool {
    error.status() == Some(400) && error.to_string().contains("is too new")
}

fn connector(
    host: &Host,
    trust: &Trust,
) -> Result<(tokio_rustls::TlsConnector, rustls::pki_types::ServerName<'static>)> {
    let failed = |message: String| Error::Tls { host: host.to_string(), message };
    let Host::Tcp { name, .. } = host else {
        return Err(failed("TLS is for tcp:// hosts".to_owned()));
    };
    let connector = trust.connector().map_err(failed)?;
    let name = name.clone().try_into().map_err(|_| failed(format!("invalid name {name}")))?;
    Ok((connector, name))
}

fn parse_headers(headers: &[(String, String)]) -> Result<Vec<(HeaderName, HeaderValue)>> {
    let parse = |(name, value): &(String, String)| -> Result<_> {
        let name = name.parse::<HeaderName>().map_err(hyper::http::Error::from)?;
        Ok((name, value.parse::<HeaderValue>().map_err(hyper::http::Error::from)?))
    };
    headers.iter().map(parse).collect()
}

pub(crate) fn header(response: &Response<Incoming>, name: &HeaderName) -> String {
    response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned()
}

/// Errors have a JSON body with a message; what is not JSON (a proxy's page) is shown as it is.
async fn check(response: Response<Incoming>) -> Result<Response<Incoming>> {
    let status = response.status();
    // 304 is "already so": success, as Docker's client takes it.
    if status.is_success() || status.is_informational() || status == StatusCode::NOT_MODIFIED {
        return Ok(response);
    }
    let body = response.into_body().collect().await?.to_bytes();
    let message = match serde_json::from_slice::<ErrorResponse>(&body) {
        Ok(error) if !error.message.is_empty() => error.message.trim().to_owned(),
        _ => String::from_utf8_lossy(&body).trim().to_owned(),
    };
    let message = if message.is_empty() { status.to_string() } else { message };
    Err(Error::Status { status: status.as_u16(), message })
}
