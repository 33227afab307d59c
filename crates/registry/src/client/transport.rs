//! HTTP/1.1 to the servers of one operation: connections are kept for the next request and closed with the operation.
//! Nothing is waited for without end: not for a connection, not for an answer's head, not for its next byte.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use dial::Trust;
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{
    AUTHORIZATION, HOST, HeaderMap, HeaderValue, LOCATION, PROXY_AUTHORIZATION, USER_AGENT,
};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::content::{Content, Sent};
use super::error::{Error, Result};
use super::origin::{Origin, Places, Scheme, place};
use super::proxy::{Proxy, Way};
use super::{MAX_REDIRECTS, resolve};

const AGENT: &str = concat!("gantry/", env!("CARGO_PKG_VERSION"));
/// Bytes a second; a server that sends less for as long as one may be silent stalls on purpose or by fault.
const SLOWEST: u64 = 64;

/// How long a server may keep us waiting.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    pub connect: Duration,
    /// Without a byte.
    pub silence: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { connect: Duration::from_secs(30), silence: Duration::from_secs(60) }
    }
}

pub(crate) struct Transport {
    places: Places,
    patience: Patience,
    idle: Mutex<HashMap<Origin, Vec<SendRequest<Sent>>>>,
    connectors: Mutex<HashMap<Origin, TlsConnector>>,
}

/// What to ask of a server.
pub(crate) struct Question<'q> {
    pub(crate) method: Method,
    pub(crate) origin: &'q Origin,
    /// Path and query.
    pub(crate) path: &'q str,
    pub(crate) headers: &'q HeaderMap,
    pub(crate) content: &'q Content,
}

/// An answer whose body is read piece by piece.
pub(crate) struct Answer<'t> {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) origin: Origin,
    body: Incoming,
    /// Given back once the body is read to its end.
    sender: Option<SendRequest<Sent>>,
    transport: &'t Transport,
    pace: Pace,
    asked: (Method, String),
}

/// What came in the time that was spent waiting.
#[derive(Default)]
struct Pace {
    waited: Duration,
    bytes: u64,
}

impl Transport {
    pub(crate) fn new(places: Places, patience: Patience) -> Self {
        Self { places, patience, idle: Mutex::default(), connectors: Mutex::default() }
    }

    /// Asks once; on a connection that was kept and turns out to be closed, once more on another.
    pub(crate) async fn ask(&self, question: &Question<'_>) -> Result<Answer<'_>> {
        if let Some(mut sender) = self.take(question.origin)
            && sender.ready().await.is_ok()
        {
            match self.ask_on(sender, question).await {
                // A part of what is added to an upload may have arrived.
                Err(_) if question.method != Method::PATCH => {}
                result => return result,
            }
        }
        let sender = self.connect(question.origin).await.map_err(|why| question.failed(why))?;
        self.ask_on(sender, question).await
    }

    /// Goes where the answer to a question without consequences says. Credentials are for the registry alone.
    pub(crate) async fn follow(&self, question: &Question<'_>) -> Result<Answer<'_>> {
        let mut origin = question.origin.clone();
        let mut path = question.path.to_owned();
        let mut headers = question.headers.clone();
        for _ in 0..=MAX_REDIRECTS {
            let hop = Question {
                method: question.method.clone(),
                origin: &origin,
                path: &path,
                headers: &headers,
                content: question.content,
            };
            let answer = self.ask(&hop).await?;
            let is_safe = matches!(question.method, Method::GET | Method::HEAD);
            let location = answer.header(LOCATION).map(str::to_owned);
            let (true, true, Some(location)) = (is_safe, answer.status.is_redirection(), location)
            else {
                return Ok(answer);
            };
            let (next, next_path) = resolve(&origin, &path, &location)?;
            if next != origin {
                headers.remove(AUTHORIZATION);
            }
            if origin.scheme == Scheme::Https && next.scheme == Scheme::Http {
                return Err(Error::invalid(format!(
                    "{origin} leads to {next}, which is not encrypted"
                )));
            }
            (origin, path) = (next, next_path);
        }
        Err(Error::invalid(format!(
            "{} {}: stopped after {MAX_REDIRECTS} redirects",
            question.origin, question.path
        )))
    }

    async fn ask_on(
        &self,
        mut sender: SendRequest<Sent>,
        question: &Question<'_>,
    ) -> Result<Answer<'_>> {
        let (body, progress) = question.content.send();
        let request = question.request(body, self.places.proxies.of(question.origin))?;
        let answered = sender.send_request(request);
        tokio::pin!(answered);
        let mut sent = progress.bytes();
        let response = loop {
            match timeout(self.patience.silence, &mut answered).await {
                Ok(answered) => break answered.map_err(|error| question.failed(told(&error)))?,
                // What is still being sent is no silence.
                Err(_) if progress.bytes() > sent => sent = progress.bytes(),
                Err(_) => return Err(question.failed("timeout awaiting response headers".into())),
            }
        };
        let (head, body) = response.into_parts();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            origin: question.origin.clone(),
            body,
            sender: Some(sender),
            transport: self,
            pace: Pace::default(),
            asked: (question.method.clone(), question.url()),
        })
    }

    async fn connect(&self, origin: &Origin) -> Result<SendRequest<Sent>, String> {
        let Some(proxy) = self.places.proxies.of(origin) else {
            let stream = self.dial(&origin.host, origin.port).await?;
            return match origin.scheme {
                Scheme::Http => handshake(stream).await,
                Scheme::Https => handshake(self.secure(origin, stream).await?).await,
            };
        };
        let stream = self.dial_proxy(proxy).await.map_err(|why| format!("proxyconnect tcp: {why}"));
        let mut stream = stream?;
        if origin.scheme == Scheme::Http {
            return handshake(stream).await;
        }
        timeout(self.patience.silence, proxy.tunnel(&mut stream, origin))
            .await
            .map_err(|_| "proxyconnect tcp: i/o timeout".to_owned())??;
        handshake(self.secure(origin, stream).await?).await
    }

    async fn dial_proxy(&self, proxy: &Proxy) -> Result<Box<dyn Stream>, String> {
        if let Way::Unknown(scheme) = &proxy.way {
            return Err(format!("unsupported proxy scheme {scheme:?}"));
        }
        let stream = self.dial(&proxy.host, proxy.port).await?;
        if proxy.way == Way::Plain {
            return Ok(Box::new(stream));
        }
        let connector = Trust::default().connector()?;
        Ok(Box::new(self.shake_hands(&connector, &proxy.host, stream).await?))
    }

    async fn dial(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        let place = place(host, port);
        let stream = match timeout(self.patience.connect, dial::connect(host, port)).await {
            Err(_) => return Err(format!("dial tcp {place}: i/o timeout")),
            Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(format!("dial tcp: {error}"));
            }
            Ok(Err(error)) => return Err(format!("dial tcp {place}: connect: {}", worded(&error))),
            Ok(Ok(stream)) => stream,
        };
        // A segment that waits for another's acknowledgement helps nobody.
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(stream)
    }

    async fn secure<S: Stream>(&self, origin: &Origin, stream: S) -> Result<TlsStream<S>, String> {
        self.shake_hands(&self.connector(origin)?, &origin.host, stream).await
    }

    async fn shake_hands<S: Stream>(
        &self,
        connector: &TlsConnector,
        host: &str,
        stream: S,
    ) -> Result<TlsStream<S>, String> {
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| format!("invalid server name {host}"))?;
        timeout(self.patience.connect, connector.connect(name, stream))
            .await
            .map_err(|_| "net/http: TLS handshake timeout".to_owned())?
            .map_err(|error| format!("tls: {error}"))
    }

    fn connector(&self, origin: &Origin) -> Result<TlsConnector, String> {
        let mut connectors = lock(&self.connectors);
        if let Some(connector) = connectors.get(origin) {
            return Ok(connector.clone());
        }
        let connector = self.places.trust(origin).connector()?;
        connectors.insert(origin.clone(), connector.clone());
        Ok(connector)
    }

    fn take(&self, origin: &Origin) -> Option<SendRequest<Sent>> {
        let mut idle = lock(&self.idle);
        let senders = idle.get_mut(origin)?;
        senders.retain(|sender| !sender.is_closed());
        senders.pop()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Whole values are put in and taken out: a panic elsewhere spoils nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A connection, whatever it is made of.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> Stream for S {}

async fn handshake(stream: impl Stream) -> Result<SendRequest<Sent>, String> {
    let (sender, connection) =
        http1::handshake(TokioIo::new(stream)).await.map_err(|error| told(&error))?;
    // It ends with its sender; what went wrong on it, the request tells.
    tokio::spawn(async { drop(connection.await) });
    Ok(sender)
}

impl Question<'_> {
    /// Through a tunnel a server is asked as ever; a proxy that is to pass a question on is told to whom.
    fn request(&self, body: Sent, proxy: Option<&Proxy>) -> Result<Request<Sent>> {
        let proxy = proxy.filter(|_| self.origin.scheme == Scheme::Http);
        let mut request = Request::new(body);
        *request.method_mut() = self.method.clone();
        let uri = match proxy {
            Some(_) => format!("{}{}", self.origin, self.path).parse::<Uri>(),
            None => self.path.parse(),
        };
        *request.uri_mut() =
            uri.map_err(|_| Error::invalid(format!("invalid address {}", self.path)))?;
        let headers = request.headers_mut();
        headers.clone_from(self.headers);
        let host = HeaderValue::from_str(&self.origin.authority());
        headers.insert(HOST, host.map_err(|_| Error::invalid("invalid host name"))?);
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        if let Some(value) = proxy.and_then(Proxy::authorization) {
            headers.insert(PROXY_AUTHORIZATION, value.clone());
        }
        Ok(request)
    }

    fn url(&self) -> String {
        // The query may hold a signature of somebody's.
        let path = self.path.split('?').next().unwrap_or_default();
        format!("{}{path}", self.origin)
    }

    fn failed(&self, why: String) -> Error {
        Error::Unreachable { method: method_name(&self.method), url: self.url(), why }
    }
}

/// As Go writes it in errors.
pub(crate) fn method_name(method: &Method) -> String {
    let name = method.as_str();
    name[..1].to_owned() + &name[1..].to_lowercase()
}

impl Answer<'_> {
    /// The next piece, `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Result<Option<Bytes>> {
        loop {
            let silence = self.transport.patience.silence;
            let since = Instant::now();
            let frame = timeout(silence, self.body.frame()).await;
            let frame = match frame {
                Err(_) => return Err(self.failed("timeout awaiting response body".into())),
                Ok(None) => {
                    self.give_back();
                    return Ok(None);
                }
                Ok(Some(frame)) => frame.map_err(|error| self.failed(told(&error)))?,
            };
            let Ok(data) = frame.into_data() else { continue };
            if !self.pace.goes_on(since.elapsed(), data.len() as u64, silence) {
                return Err(self.failed("the response body comes too slowly".into()));
            }
            return Ok(Some(data));
        }
    }

    /// The whole body; more than `limit` bytes are an error.
    pub(crate) async fn whole(mut self, limit: usize) -> Result<Bytes> {
        let mut whole = BytesMut::new();
        while let Some(chunk) = self.chunk().await? {
            if whole.len() + chunk.len() > limit {
                let (_, url) = &self.asked;
                return Err(Error::invalid(format!("{url}: more than {limit} bytes")));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    pub(crate) fn header(&self, name: impl hyper::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn failed(&self, why: String) -> Error {
        let (method, url) = &self.asked;
        Error::Unreachable { method: method_name(method), url: url.clone(), why }
    }

    fn give_back(&mut self) {
        if let Some(sender) = self.sender.take().filter(|sender| !sender.is_closed()) {
            lock(&self.transport.idle).entry(self.origin.clone()).or_default().push(sender);
        }
    }
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        if self.body.is_end_stream() {
            self.give_back();
        }
    }
}

impl Pace {
    fn goes_on(&mut self, waited: Duration, bytes: u64, silence: Duration) -> bool {
        self.waited += waited;
        self.bytes += bytes;
        if self.waited < silence {
            return true;
        }
        let enough = self.bytes as f64 >= SLOWEST as f64 * self.waited.as_secs_f64();
        *self = Self::default();
        enough
    }
}

/// The cause that says most.
fn told(error: &hyper::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        text = inner.to_string();
        cause = inner.source();
    }
    if error.is_incomplete_message() { "unexpected EOF".to_owned() } else { text }
}

/// As C and Go word it, without Rust's number.
fn worded(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trickle_is_no_progress_and_a_slow_link_is() {
        let silence = Duration::from_secs(10);
        let second = Duration::from_secs(1);
        let mut pace = Pace::default();
        let trickle: Vec<bool> = (0..10).map(|_| pace.goes_on(second, 1, silence)).collect();
        assert!(!trickle[9] && trickle[..9].iter().all(|good| *good));
        let mut pace = Pace::default();
        assert!((0..30).all(|_| pace.goes_on(second, 1000, silence)));
    }
}
