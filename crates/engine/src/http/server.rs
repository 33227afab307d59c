//! Connections and what every request and response has in common.

use std::convert::Infallible;
use std::future::Future;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::Version;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue, LOCATION};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};

use super::call::{JSON, RequestBody, media_type};
use super::idle::Idle;
use super::peer::{Crowd, Peer};
use super::query::{Plus, cleaned, decode, encode_path, is_well_escaped};
use super::router::Route;
use super::{Body, Call, OnDisconnect, Query, Response, Router, error, version};
use crate::audit::Entry;
use crate::authorization::{self, Exchange, Plugin};
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::metrics::{Metrics, Seen};
use crate::readiness::hung_up;
use crate::system::Usage;

/// How long a client may take to send a request's head, idle time of a kept connection included.
const HEAD_PATIENCE: Duration = Duration::from_secs(60);
/// A request's head; longer ones are answered with 431. The number of headers is bounded by hyper (100).
const MAX_HEAD: usize = 64 << 10;
/// Connections served at once, where descriptors allow.
const MAX_CONNECTIONS: usize = 2048;

pub struct Server {
    engine: Arc<Engine>,
    router: Router,
    slots: Arc<Semaphore>,
    stopping: watch::Sender<bool>,
    /// How many requests are being carried out that must be; `stop` waits for them.
    unfinished: watch::Sender<usize>,
    idle: Idle,
    metrics: Metrics,
    /// Which connections there are.
    pub crowd: Crowd,
}

impl Server {
    pub fn new(engine: Arc<Engine>, router: Router) -> Self {
        Self {
            router,
            slots: Arc::new(Semaphore::new(max_connections())),
            crowd: Crowd::new(max_connections() / 4),
            stopping: watch::Sender::new(false),
            unfinished: watch::Sender::new(0),
            idle: Idle::watch(&engine),
            engine,
            metrics: Metrics::default(),
        }
    }

    /// Waits until one more connection may be served.
    pub async fn slot(&self) -> tokio::sync::OwnedSemaphorePermit {
        Arc::clone(&self.slots).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Serves a connection by unix socket until either side closes it. A client that has closed its half gets its answer,
    /// as from dockerd (`nc -N`); one that is gone is not waited for.
    pub async fn unix_connection(self: Arc<Self>, stream: UnixStream, peer: Peer) {
        let gone = hung_up(stream.as_fd().try_clone_to_owned());
        self.serve(stream, peer, HalfClose::IsNoEnd, gone).await;
    }

    /// Serves any other one. Over TCP a closed half cannot be told from a client that is gone, which must not keep what it
    /// asked for running.
    pub async fn connection<S>(self: Arc<Self>, stream: S, peer: Peer)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        self.serve(stream, peer, HalfClose::IsTheEnd, std::future::pending()).await;
    }

    async fn serve<S>(
        self: Arc<Self>,
        stream: S,
        peer: Peer,
        half_close: HalfClose,
        gone: impl Future<Output = ()>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut stopping = self.stopping.subscribe();
        let _busy_once_more = self.idle.at_the_end();
        let peer = Arc::new(peer);
        let service = service_fn(move |request| {
            let (server, peer) = (Arc::clone(&self), Arc::clone(&peer));
            async move { Ok::<_, Infallible>(server.answer(&peer, request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .max_buf_size(MAX_HEAD)
            .half_close(half_close == HalfClose::IsNoEnd)
            // As Go writes them; scripts match on that.
            .title_case_headers(true)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let result = tokio::select! {
            // In this order: what a client sent before it went away is read and begun.
            biased;
            result = connection.as_mut() => result,
            () = gone => return,
            () = stop(&mut stopping) => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = result {
            tracing::debug!("connection ended: {error}");
        }
    }

    /// Lets requests in flight end, and waits at most `patience` for those that must be carried out.
    pub async fn stop(&self, patience: Duration) {
        self.stopping.send_replace(true);
        let mut unfinished = self.unfinished.subscribe();
        let finished = unfinished.wait_for(|count| *count == 0);
        if tokio::time::timeout(patience, finished).await.is_err() {
            tracing::warn!("requests are cut off: they took longer than {patience:?}");
        }
    }

    async fn answer(&self, peer: &Peer, mut request: hyper::Request<Incoming>) -> Response {
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, body) = request.into_parts();
        let body = RequestBody::new(body);
        let raw = head.uri.path();
        if !raw.starts_with('/') && raw != "*" || !is_well_escaped(raw) {
            return error::bad_request();
        }
        let path = decode(raw, Plus::IsPlus);
        if let Some(clean) = cleaned(&path) {
            return moved(&clean, head.uri.query());
        }
        let (asked, short) = version::split(&path);
        let Some((route, name)) = self.router.find(&head.method, short) else {
            return error::response(&Error::not_found("page not found"));
        };
        self.idle.busy();
        let query = Query::parse(head.uri.query().unwrap_or(""));
        let entry = self.audit_entry(peer, &head.method, short, name, &query);
        let mut call = match version::negotiate(asked) {
            Ok(version) => {
                let engine = Arc::clone(&self.engine);
                Call { engine, version, query, name: name.to_owned(), head, body, upgrade }
            }
            Err(error) => return self.finish(error::response(&error), entry),
        };
        let response = match self.engine.authorization.asked() {
            None => self.run(route, call, entry).await,
            Some(plugins) => match authorise(&plugins, peer, &path, short, &mut call).await {
                Ok(exchange) => {
                    let response = self.run(route, call, entry).await;
                    authorise_answer(&plugins, exchange, response).await
                }
                Err(error) => return self.finish(error::response(&error), entry),
            },
        };
        self.finish(response, None)
    }

    /// What every answer has that a route gave, and the end of its line in the audit log.
    fn finish(&self, mut response: Response, entry: Option<Entry>) -> Response {
        if let Some(entry) = entry {
            entry.end(response.status().as_u16());
        }
        self.idle.busy();
        self.metrics.answered(response.status().as_u16());
        add_headers(&mut response);
        response
    }

    fn audit_entry(
        &self,
        peer: &Peer,
        method: &Method,
        path: &str,
        name: &str,
        query: &Query,
    ) -> Option<Entry> {
        let audit = self.engine.audit.as_ref()?;
        // POST, PUT and DELETE change something, but for these.
        let reads = method.is_safe() || path.ends_with("/wait") || path.ends_with("/resize");
        let object = if name.is_empty() { query.get("name") } else { name };
        (!reads).then(|| audit.begin(peer.who.clone(), method.as_str(), path, object))
    }

    async fn run(&self, route: &Route, call: Call, entry: Option<Entry>) -> Response {
        let handler = (route.handler)(call);
        let answer = async move {
            let response = handler.await.unwrap_or_else(|error| error::response(&error));
            if let Some(entry) = entry {
                entry.end(response.status().as_u16());
            }
            response
        };
        let began = Instant::now();
        let response = self.carry_out(route, answer).await;
        if let Some(action) = route.action {
            self.metrics.acted(action, began.elapsed());
        }
        response.unwrap_or_else(|error| error::response(&error))
    }

    /// What `--metrics-addr` shows.
    pub fn metrics_page(&self) -> Result<String> {
        let engine = &self.engine;
        Ok(self.metrics.text(&Seen {
            health_checks: engine.containers.health_checks(),
            facts: engine.system.facts(),
            usage: Usage::read(),
            containers: engine.containers.counts(),
            images: engine.images.count()?,
            events: engine.events.newest(),
            listeners: engine.events.listeners(),
            connections: self.crowd.count(),
            transactions: engine.system.transactions(),
        }))
    }

    async fn carry_out(
        &self,
        route: &Route,
        answer: impl Future<Output = Response> + Send + 'static,
    ) -> Result<Response> {
        match route.on_disconnect {
            OnDisconnect::Cancel => Ok(answer.await),
            OnDisconnect::Finish => {
                let counted = Counted::one(&self.unfinished);
                let task = tokio::spawn(async move {
                    let response = answer.await;
                    drop(counted);
                    response
                });
                task.await
                    .map_err(|panicked| Error::system("the request was aborted").because(panicked))
            }
        }
    }
}

/// To the one spelling of a path; nothing is done under any other.
fn moved(path: &str, query: Option<&str>) -> Response {
    let query = query.map_or(String::new(), |query| format!("?{query}"));
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::MOVED_PERMANENTLY;
    if let Ok(place) = HeaderValue::try_from(encode_path(path) + &query) {
        response.headers_mut().insert(LOCATION, place);
    }
    response
}

/// Asks the plugins, of exactly what the handler will get.
async fn authorise(
    plugins: &[Plugin],
    peer: &Peer,
    path: &str,
    short: &str,
    call: &mut Call,
) -> Result<Exchange> {
    let mut shown = Bytes::new();
    if media_type(&call.head.headers) == JSON {
        let document = call.body.document().await?;
        call.body = RequestBody::read(document.clone());
        // Credentials are for the engine alone, as with Docker.
        if short != "/auth" {
            shown = document;
        }
    }
    let mut uri = encode_path(path);
    if let Some(query) = call.head.uri.query() {
        uri = format!("{uri}?{query}");
    }
    let (method, headers) = (call.head.method.as_str(), &call.head.headers);
    let exchange = Exchange::request(peer.user(), method, uri, headers, &shown);
    authorization::allow_request(plugins, &exchange).await?;
    Ok(exchange)
}

/// Asks the plugins about an answer before anything of it is sent. Of one that is streamed they see the head.
async fn authorise_answer(
    plugins: &[Plugin],
    mut exchange: Exchange,
    mut answer: Response,
) -> Response {
    add_headers(&mut answer);
    exchange.answered(answer.status().as_u16(), answer.headers(), &answer.body().known());
    match authorization::allow_response(plugins, &exchange).await {
        Ok(()) => answer,
        Err(error) => error::response(&error),
    }
}

fn add_headers(response: &mut Response) {
    let headers = response.headers_mut();
    add(headers, "api-version", &Version::MAX.to_string());
    add(headers, "docker-experimental", "false");
    add(headers, "ostype", "linux");
    add(headers, "server", concat!("Gantry/", env!("CARGO_PKG_VERSION"), " (linux)"));
}

#[derive(Clone, Copy, PartialEq)]
enum HalfClose {
    IsTheEnd,
    IsNoEnd,
}

/// A connection costs two descriptors, and containers need some, too: at most half of what this process may open.
fn max_connections() -> usize {
    let open = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let half = open.map_or(MAX_CONNECTIONS, |open| usize::try_from(open / 4).unwrap_or(usize::MAX));
    half.clamp(16, MAX_CONNECTIONS)
}

/// Counts for as long as it lives, through a panic, too.
struct Counted(watch::Sender<usize>);

impl Counted {
    fn one(counter: &watch::Sender<usize>) -> Self {
        counter.send_modify(|count| *count += 1);
        Self(counter.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

async fn stop(stopping: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is an end, too.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

fn add(headers: &mut HeaderMap, name: &'static str, value: &str) {
    let value = HeaderValue::from_str(value).expect("our own header values are plain ASCII");
    headers.insert(HeaderName::from_static(name), value);
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::config::Config;
    use crate::http::json::json;
    use crate::http::{Hijack, routes};
    use crate::runtime_binary::RuntimeBinary;

    /// An engine on roots of its own, and a client's end of a connection to it.
    struct Api {
        server: Arc<Server>,
        _roots: tempfile::TempDir,
    }

    impl Api {
        async fn new(router: Router) -> Self {
            Self::with(router, |_| ()).await
        }

        /// Of an engine that is changed before anybody shares it.
        async fn with(router: Router, change: impl FnOnce(&mut Engine)) -> Self {
            // The engine's bridge must not appear on the host. Threads made from here on inherit the namespace.
            sys::namespace::unshare(sys::namespace::NETWORK).unwrap();
            let roots = tempfile::tempdir().unwrap();
            let config = Config {
                data_root: roots.path().join("data"),
                exec_root: roots.path().join("exec"),
                ..Config::default()
            };
            std::fs::create_dir(&config.data_root).unwrap();
            std::fs::create_dir(&config.exec_root).unwrap();
            let runtime = RuntimeBinary::open(Path::new("/bin/true")).unwrap();
            let mut engine = Engine::open(config, runtime, None).await.unwrap();
            change(&mut engine);
            Self { server: Arc::new(Server::new(Arc::new(engine), router)), _roots: roots }
        }

        fn connect(&self) -> UnixStream {
            let (client, server) = UnixStream::pair().unwrap();
            let peer = Peer::of_unix(&server);
            tokio::spawn(Arc::clone(&self.server).unix_connection(server, peer));
            client
        }

        /// The whole answer to one request.
        async fn ask(&self, request: impl AsRef<[u8]>) -> String {
            let mut client = self.connect();
            // The engine may answer and close before it has read everything.
            let _ = client.write_all(request.as_ref()).await;
            let mut answer = Vec::new();
            let _ = client.read_to_end(&mut answer).await;
            String::from_utf8(answer).unwrap()
        }
    }

    const CLOSE: &str = "Host: x\r\nConnection: close\r\n\r\n";

    fn echo() -> Router {
        let mut router = Router::default();
        router.post("/echo", |mut call: Call| async move {
            let value: serde_json::Value = call.json().await?;
            Ok(json(&value))
        });
        router
    }

    #[tokio::test]
    async fn every_answer_says_what_engine_gave_it() {
        let api = Api::new(routes()).await;
        let answer = api.ask(format!("GET /v1.40/_ping HTTP/1.1\r\n{CLOSE}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        for header in ["Api-Version: 1.54", "Ostype: linux", "Docker-Experimental: false"] {
            assert!(answer.contains(&format!("\r\n{header}\r\n")), "{answer}");
        }
        let answer = api.ask(format!("GET /v1.23/_ping HTTP/1.1\r\n{CLOSE}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
        assert!(answer.contains("client version 1.23 is too old"), "{answer}");
    }

    #[tokio::test]
    async fn unknown_paths_and_methods_are_not_found() {
        let api = Api::new(routes()).await;
        for request in ["GET /nope", "POST /version", "GET /v1.40"] {
            let answer = api.ask(format!("{request} HTTP/1.1\r\n{CLOSE}")).await;
            assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{request}: {answer}");
            assert!(answer.ends_with("{\"message\":\"page not found\"}\n"), "{request}: {answer}");
        }
    }

    /// As dockerd 26 answers, and no handler is called.
    #[tokio::test]
    async fn a_path_has_one_spelling_and_others_lead_to_it() {
        let api = Api::new(routes()).await;
        for (path, place) in [
            ("//version", "/version"),
            ("/v1.45/./info?x=%zz", "/v1.45/info?x=%zz"),
            ("/v1.45/containers/../info", "/v1.45/info"),
            ("/v1.45/containers/%2e%2e/json", "/v1.45/json"),
            ("/v1.45/containers//json", "/v1.45/containers/json"),
            ("/../../a%20b/", "/a%20b/"),
        ] {
            for method in ["GET", "POST", "DELETE"] {
                let answer = api.ask(format!("{method} {path} HTTP/1.1\r\n{CLOSE}")).await;
                assert!(answer.starts_with("HTTP/1.1 301 "), "{path}: {answer}");
                let location = format!("location: {place}\r\n");
                assert!(
                    answer.to_lowercase().contains(&location.to_lowercase()),
                    "{path}: {answer}"
                );
            }
        }
    }

    #[tokio::test]
    async fn a_path_that_cannot_be_read_is_refused_and_options_are_nobodys_secret() {
        let api = Api::new(routes()).await;
        for path in ["/%", "/v1.45/containers/%zz/json", "/info%2", "info"] {
            let answer = api.ask(format!("GET {path} HTTP/1.1\r\n{CLOSE}")).await;
            assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("400 Bad Request"));
        }
        for path in ["/", "/v1.45/info", "/nope"] {
            let answer = api.ask(format!("OPTIONS {path} HTTP/1.1\r\n{CLOSE}")).await;
            assert!(
                answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"),
                "{answer}"
            );
        }
    }

    #[tokio::test]
    async fn a_million_headers_are_refused_without_being_kept() {
        let api = Api::new(routes()).await;
        let headers = "a: b\r\n".repeat(1_000_000);
        let answer = api.ask(format!("GET /_ping HTTP/1.1\r\n{headers}{CLOSE}")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
        // One less than what is too many, and the next client, get their answers.
        let headers = "a: b\r\n".repeat(90);
        let answer = api.ask(format!("GET /_ping HTTP/1.1\r\n{headers}{CLOSE}")).await;
        assert!(answer.ends_with("\r\n\r\nOK"), "{answer}");
    }

    #[tokio::test]
    async fn a_json_body_of_2_gib_is_refused_after_its_first_megabytes() {
        let api = Api::new(echo()).await;
        let mut client = api.connect();
        let head = "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                    Content-Length: 2147483648\r\n\r\n";
        client.write_all(head.as_bytes()).await.unwrap();
        let megabyte = vec![b' '; 1 << 20];
        let mut sent = 0;
        while sent < 64 && client.write_all(&megabyte).await.is_ok() {
            sent += 1;
        }
        assert!(sent < 64, "the engine went on reading");
        let mut answer = Vec::new();
        let _ = client.read_to_end(&mut answer).await;
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn cve_2024_41110_a_body_is_what_the_handler_sees() {
        let api = Api::new(echo()).await;
        let post =
            |rest: &str| format!("POST /echo HTTP/1.1\r\nConnection: close\r\nHost: x\r\n{rest}");
        let answer = api.ask(post("Content-Length: 0\r\n\r\n")).await;
        assert!(answer.contains("invalid JSON: got EOF while reading request body"), "{answer}");
        let answer = api.ask(post("Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}")).await;
        assert!(
            answer.contains(
                "unsupported Content-Type header (text/plain): must be 'application/json'"
            ),
            "{answer}"
        );
        let both = "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\
                    Content-Type: application/json\r\n\r\n2\r\n[]\r\n0\r\n\r\n";
        let answer = api.ask(post(both)).await;
        // Smuggling by two lengths: refused, or read by the one that wins by the standard.
        assert!(answer.starts_with("HTTP/1.1 400 ") || answer.ends_with("[]\n"), "{answer}");
    }

    #[tokio::test]
    async fn a_head_that_trickles_in_is_given_up() {
        let api = Api::new(routes()).await;
        tokio::time::pause();
        let mut client = api.connect();
        client.write_all(b"GET /_ping HTTP/1.1\r\nA: ").await.unwrap();
        let mut sent = 0;
        while client.write_all(b"a").await.is_ok() {
            sent += 1;
            assert!(sent < 10, "the engine still listens");
            tokio::time::sleep(HEAD_PATIENCE / 5).await;
        }
    }

    #[tokio::test]
    async fn a_body_that_stops_coming_is_given_up() {
        let api = Api::new(echo()).await;
        tokio::time::pause();
        let head =
            "POST /echo HTTP/1.1\r\nConnection: close\r\nHost: x\r\nContent-Length: 100\r\n\r\n{";
        let mut client = api.connect();
        client.write_all(head.as_bytes()).await.unwrap();
        let mut answer = String::new();
        let _ = client.read_to_string(&mut answer).await;
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
    }

    #[tokio::test]
    async fn an_error_before_the_body_was_read_still_arrives() {
        let api = Api::new(routes()).await;
        let body = vec![b' '; 200 << 10];
        let head = format!("POST /nope HTTP/1.1\r\nContent-Length: {}\r\n{CLOSE}", body.len());
        let mut client = api.connect();
        client.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        client.write_all(&body).await.unwrap();
        let mut answer = Vec::new();
        client.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 404 Not Found\r\n"));
    }

    #[tokio::test]
    async fn what_must_be_carried_out_is_when_its_client_goes_away() {
        let (started, finished) = (watch::Sender::new(false), watch::Sender::new(false));
        let mut router = Router::default();
        let (begin, end) = (started.clone(), finished.clone());
        router.post("/work", move |_| {
            let (begin, end) = (begin.clone(), end.clone());
            async move {
                begin.send_replace(true);
                tokio::time::sleep(Duration::from_millis(50)).await;
                end.send_replace(true);
                Ok(json(&()))
            }
        });
        let api = Api::new(router).await;
        let mut client = api.connect();
        client.write_all(b"POST /work HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        started.subscribe().wait_for(|started| *started).await.unwrap();
        drop(client);
        api.server.stop(Duration::from_secs(5)).await;
        assert!(*finished.borrow());
    }

    #[tokio::test]
    async fn a_hijacked_stream_carries_what_was_sent_early() {
        let mut router = Router::default();
        router.post("/raw", |call| async {
            let (response, hijack) = Hijack::begin(call, "application/vnd.docker.raw-stream");
            tokio::spawn(async move {
                let stream = hijack.stream().await.unwrap().socket;
                // As a monitor does: blocking, on a thread of its own.
                std::thread::spawn(move || {
                    use std::io::{Read, Write};
                    let (mut reader, mut writer) = (stream.try_clone().unwrap(), stream);
                    let mut word = [0; 5];
                    reader.read_exact(&mut word).unwrap();
                    writer.write_all(&word).unwrap();
                });
            });
            Ok(response)
        });
        let api = Api::new(router).await;
        let upgraded =
            "POST /raw HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\nhello";
        let answer = api.ask(upgraded).await;
        assert!(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"), "{answer}");
        assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
        let plain =
            "POST /raw HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
        let answer = api.ask(plain).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert!(answer.contains("hello"), "{answer}");
    }

    /// A plugin on a socket of its own. It refuses requests whose JSON says so, breaks down when asked to, and notes what
    /// it was told.
    struct TestPlugin {
        folder: tempfile::TempDir,
        told: Arc<std::sync::Mutex<Vec<String>>>,
    }

    impl TestPlugin {
        fn start() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let listener =
                tokio::net::UnixListener::bind(folder.path().join("judge.sock")).unwrap();
            let told = Arc::new(std::sync::Mutex::new(Vec::new()));
            let notes = Arc::clone(&told);
            tokio::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    let notes = Arc::clone(&notes);
                    let service = service_fn(move |request| judge(request, Arc::clone(&notes)));
                    let connection =
                        http1::Builder::new().serve_connection(TokioIo::new(stream), service);
                    tokio::spawn(connection);
                }
            });
            Self { folder, told }
        }

        /// By which an engine asks it.
        async fn required(&self) -> authorization::Authorization {
            let folders = authorization::Folders {
                sockets: self.folder.path().to_owned(),
                specifications: vec![],
            };
            let authorization = authorization::Authorization::new(folders);
            authorization.require(&["judge".to_owned()]).await.unwrap();
            authorization
        }

        async fn rules_over(&self, router: Router) -> Api {
            let authorization = self.required().await;
            Api::with(router, |engine| engine.authorization = authorization).await
        }

        fn last_told(&self) -> serde_json::Value {
            serde_json::from_str(self.told.lock().unwrap().last().unwrap()).unwrap()
        }

        fn asked(&self) -> usize {
            self.told.lock().unwrap().len()
        }
    }

    async fn judge(
        request: hyper::Request<Incoming>,
        notes: Arc<std::sync::Mutex<Vec<String>>>,
    ) -> Result<hyper::Response<String>, Infallible> {
        use http_body_util::BodyExt;
        let activate = request.uri().path() == "/Plugin.Activate";
        let question = request.into_body().collect().await.unwrap().to_bytes();
        if activate {
            return Ok(hyper::Response::new(r#"{"Implements":["authz"]}"#.to_owned()));
        }
        let question = String::from_utf8(question.into()).unwrap();
        notes.lock().unwrap().push(question.clone());
        let verdict = match question {
            // Base64 of `{"deny"`.
            q if q.contains("eyJkZW55I") => r#"{"Allow":false,"Msg":"no way"}"#,
            q if q.contains("garbage") => "garbage",
            q if q.contains("broken") => r#"{"Allow":true,"Err":"it broke"}"#,
            q if q.contains("denyanswer") && q.contains("ResponseStatusCode") => {
                r#"{"Allow":false,"Msg":"not that"}"#
            }
            q if q.contains("silence") => std::future::pending().await,
            _ => r#"{"Allow":true}"#,
        };
        Ok(hyper::Response::new(verdict.to_owned()))
    }

    fn posted(path: &str, headers: &str, body: &str) -> String {
        let length = body.len();
        format!(
            "POST {path} HTTP/1.1\r\nConnection: close\r\nHost: x\r\n{headers}Content-Length: {length}\r\n\r\n{body}"
        )
    }

    const AS_JSON: &str = "Content-Type: application/json\r\n";

    #[tokio::test]
    async fn a_plugin_that_refuses_or_fails_refuses_in_dockers_words() {
        let plugin = TestPlugin::start();
        let api = plugin.rules_over(echo()).await;
        let ask = async |path: &str, body: &str| {
            let answer = api.ask(posted(path, AS_JSON, body)).await;
            let status = answer.split(' ').nth(1).unwrap().to_owned();
            (status, answer.rsplit("\r\n\r\n").next().unwrap().trim().to_owned())
        };
        let says =
            |status: &str, text: &str| (status.to_owned(), format!("{{\"message\":\"{text}\"}}"));
        assert_eq!(ask("/echo", "[1]").await, ("200".to_owned(), "[1]".to_owned()));
        let denied = says("403", "authorization denied by plugin judge: no way");
        assert_eq!(ask("/echo", r#"{"deny":1}"#).await, denied);
        let denied = says("403", "authorization denied by plugin judge: not that");
        assert_eq!(ask("/echo?denyanswer", "[1]").await, denied);
        let failed = "plugin judge failed with error: ";
        let garbage = format!("{failed}invalid character 'g' looking for beginning of value");
        assert_eq!(ask("/echo?garbage", "[1]").await, says("500", &garbage));
        assert_eq!(ask("/echo?broken", "[1]").await, says("500", &format!("{failed}it broke")));
        std::fs::remove_file(plugin.folder.path().join("judge.sock")).unwrap();
        let (status, text) = ask("/echo", "[1]").await;
        assert_eq!(status, "500");
        assert!(
            text.contains("plugin judge failed with error: AuthZPlugin.AuthZReq: No such file"),
            "{text}"
        );
    }

    #[tokio::test]
    async fn a_plugin_that_says_nothing_refuses() {
        let plugin = TestPlugin::start();
        let api = plugin.rules_over(echo()).await;
        tokio::time::pause();
        let answer = api.ask(posted("/echo?silence", AS_JSON, "[1]")).await;
        assert!(
            answer.contains(
                "plugin judge failed with error: AuthZPlugin.AuthZReq: no answer within 30s"
            ),
            "{answer}"
        );
    }

    #[tokio::test]
    async fn a_plugin_that_is_missing_is_named() {
        let api = Api::new(echo()).await;
        let error = api.server.engine.authorization.require(&["nosuchplugin".to_owned()]).await;
        assert_eq!(
            error.unwrap_err().to_string(),
            "failed to validate authorization plugin: plugin \"nosuchplugin\" not found"
        );
    }

    /// The plugin decided on a request without a body, the handler had one.
    #[tokio::test]
    async fn cve_2024_41110_a_plugin_sees_the_body_whatever_length_is_claimed() {
        let plugin = TestPlugin::start();
        let api = plugin.rules_over(echo()).await;
        let body = r#"{"deny":1}"#;
        let chunked =
            "POST /echo HTTP/1.1\r\nConnection: close\r\nHost: x\r\nTransfer-Encoding: chunked\r\n";
        let chunks = "4\r\n{\"de\r\n6\r\nny\":1}\r\n0\r\n\r\n";
        for request in [
            posted("/echo", AS_JSON, body),
            posted("/%65cho", AS_JSON, body),
            posted("/v1.45/echo", "Content-Type: application/json; charset=utf-8\r\n", body),
            format!("{chunked}{AS_JSON}\r\n{chunks}"),
        ] {
            let answer = api.ask(&request).await;
            assert!(answer.contains("authorization denied by plugin judge"), "{request}: {answer}");
            let uri = plugin.last_told()["RequestUri"].as_str().unwrap().to_owned();
            assert!(uri.ends_with("/echo"), "{uri}");
        }
        // Without a length there is no body: neither the plugin nor the handler see one.
        let none =
            format!("POST /echo HTTP/1.1\r\nConnection: close\r\nHost: x\r\n{AS_JSON}\r\n{body}");
        let answer = api.ask(&none).await;
        assert!(answer.contains("got EOF while reading request body"), "{answer}");
        // What is not called JSON is not shown, and no handler reads it as JSON.
        for kind in ["", "Content-Type: text/plain\r\n", "Content-Type: application/x-tar\r\n"] {
            let before = plugin.asked();
            let answer = api.ask(posted("/echo", kind, body)).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
            assert!(plugin.asked() > before && plugin.last_told()["RequestBody"].is_null());
        }
    }

    /// The plugin was shown no body of more than 1 MiB, the handler read it.
    #[tokio::test]
    async fn cve_2026_34040_a_large_body_is_shown_whole_or_refused() {
        let plugin = TestPlugin::start();
        let api = plugin.rules_over(echo()).await;
        let large = |bytes: usize| format!(r#"{{"deny":"{}"}}"#, "x".repeat(bytes));
        let answer = api.ask(posted("/echo", AS_JSON, &large(3 << 20))).await;
        assert!(answer.contains("authorization denied by plugin judge: no way"), "{answer}");
        let shown = plugin.last_told()["RequestBody"].as_str().unwrap().len();
        assert!(shown > 4 << 20, "base64 of all of it, not {shown}");
        let asked = plugin.asked();
        let answer = api.ask(posted("/echo", AS_JSON, &large(5 << 20))).await;
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
        assert_eq!(plugin.asked(), asked);
    }

    #[tokio::test]
    async fn credentials_are_shown_to_no_plugin() {
        let plugin = TestPlugin::start();
        let api = plugin.rules_over(routes()).await;
        let headers = format!("{AS_JSON}X-Registry-Auth: c2VjcmV0\r\n");
        for path in ["/auth", "/v1.45/auth", "/v1.45/%61uth"] {
            api.ask(posted(path, &headers, r#"{"password":"secret"}"#)).await;
            let told = plugin.told.lock().unwrap().concat();
            assert!(told.contains("RequestUri"), "it was asked: {told}");
            assert!(!told.contains("RequestBody") && !told.contains("c2VjcmV0"), "{told}");
        }
        assert_eq!(plugin.asked(), 6, "of each request and of its answer");
    }

    #[tokio::test]
    async fn the_audit_log_has_what_changes_and_what_was_refused_but_no_secret() {
        let plugin = TestPlugin::start();
        let path = plugin.folder.path().join("audit.log");
        let authorization = plugin.required().await;
        let api = Api::with(routes(), |engine| {
            engine.authorization = authorization;
            engine.audit = Some(crate::audit::Audit::open(&path).unwrap());
        })
        .await;
        api.ask(format!("GET /info HTTP/1.1\r\n{CLOSE}")).await;
        let create = "/v1.45/containers/create?name=web&token=hush";
        api.ask(posted(create, AS_JSON, r#"{"Image":"none","Env":["PASSWORD=hush"]}"#)).await;
        api.ask(posted(create, AS_JSON, r#"{"deny":"hush"}"#)).await;
        api.ask(posted("/v1.1/containers/box/kill", "", "")).await;
        api.ask(format!("DELETE /containers/box?force=1 HTTP/1.1\r\n{CLOSE}")).await;
        let text = std::fs::read_to_string(&path).unwrap();
        let told: Vec<_> =
            text.lines().map(|line| line.split_once(",\"method\"").unwrap().1).collect();
        assert_eq!(
            told,
            [
                r#":"POST","path":"/containers/create","object":"web","status":404}"#,
                r#":"POST","path":"/containers/create","object":"web","status":403}"#,
                r#":"POST","path":"/containers/box/kill","object":"box","status":400}"#,
                r#":"DELETE","path":"/containers/box","object":"box","status":404}"#,
            ]
        );
        let ids = format!("\"uid\":0,\"gid\":0,\"pid\":{}", std::process::id());
        assert!(text.lines().all(|line| line.contains(&ids)), "{text}");
    }
}
