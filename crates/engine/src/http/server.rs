//! Connections and what every request and response has in common.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use api::Version;
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Semaphore, watch};

use super::call::RequestBody;
use super::idle::Idle;
use super::query::{Plus, decode};
use super::router::Route;
use super::{Call, OnDisconnect, Query, Response, Router, error, version};
use crate::engine::Engine;
use crate::error::{Error, Result};

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
}

impl Server {
    pub fn new(engine: Arc<Engine>, router: Router) -> Self {
        Self {
            engine,
            router,
            slots: Arc::new(Semaphore::new(max_connections())),
            stopping: watch::Sender::new(false),
            unfinished: watch::Sender::new(0),
            idle: Idle::watch(),
        }
    }

    /// Waits until one more connection may be served.
    pub async fn slot(&self) -> tokio::sync::OwnedSemaphorePermit {
        Arc::clone(&self.slots).acquire_owned().await.expect("the semaphore is never closed")
    }

    /// Serves one connection until either side closes it.
    pub async fn connection<S>(self: Arc<Self>, stream: S)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut stopping = self.stopping.subscribe();
        let service = service_fn(move |request| {
            let server = Arc::clone(&self);
            async move { Ok::<_, Infallible>(server.answer(request).await) }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_PATIENCE)
            .max_buf_size(MAX_HEAD)
            // As Go writes them; scripts match on that.
            .title_case_headers(true)
            .serve_connection(TokioIo::new(stream), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let result = tokio::select! {
            result = connection.as_mut() => result,
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

    async fn answer(&self, mut request: hyper::Request<Incoming>) -> Response {
        let upgrade = hyper::upgrade::on(&mut request);
        let (head, body) = request.into_parts();
        let body = RequestBody::new(body);
        let path = decode(head.uri.path(), Plus::IsPlus);
        let (asked, path) = version::split(&path);
        let Some((route, name)) = self.router.find(&head.method, path) else {
            return error::response(&Error::not_found("page not found"));
        };
        let mut response = match version::negotiate(asked) {
            Ok(version) => {
                let query = Query::parse(head.uri.query().unwrap_or(""));
                let engine = Arc::clone(&self.engine);
                let name = name.to_owned();
                let call = Call { engine, version, query, name, head, body, upgrade };
                let mut response =
                    self.run(route, call).await.unwrap_or_else(|error| error::response(&error));
                add(response.headers_mut(), "docker-experimental", "false");
                response
            }
            Err(error) => error::response(&error),
        };
        self.idle.busy();
        let headers = response.headers_mut();
        add(headers, "api-version", &Version::MAX.to_string());
        add(headers, "ostype", "linux");
        add(headers, "server", concat!("Gantry/", env!("CARGO_PKG_VERSION"), " (linux)"));
        response
    }

    async fn run(&self, route: &Route, call: Call) -> Result<Response> {
        let answer = (route.handler)(call);
        match route.on_disconnect {
            OnDisconnect::Cancel => answer.await,
            OnDisconnect::Finish => {
                let counted = Counted::one(&self.unfinished);
                let task = tokio::spawn(async move {
                    let result = answer.await;
                    drop(counted);
                    result
                });
                task.await.unwrap_or_else(|panicked| {
                    Err(Error::system("the request was aborted").because(panicked))
                })
            }
        }
    }
}

/// A connection costs a descriptor, and containers need some, too: at most half of what this process may open.
fn max_connections() -> usize {
    let open = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let half = open.map_or(MAX_CONNECTIONS, |open| usize::try_from(open / 2).unwrap_or(usize::MAX));
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
    use tokio::net::UnixStream;

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
            let engine = Arc::new(Engine::open(config, runtime).await.unwrap());
            Self { server: Arc::new(Server::new(engine, router)), _roots: roots }
        }

        fn connect(&self) -> UnixStream {
            let (client, server) = UnixStream::pair().unwrap();
            tokio::spawn(Arc::clone(&self.server).connection(server));
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
        for request in ["GET /nope", "POST /version", "GET //version", "GET /v1.40"] {
            let answer = api.ask(format!("{request} HTTP/1.1\r\n{CLOSE}")).await;
            assert!(answer.starts_with("HTTP/1.1 404 Not Found\r\n"), "{request}: {answer}");
            assert!(answer.ends_with("{\"message\":\"page not found\"}\n"), "{request}: {answer}");
        }
    }

    #[tokio::test]
    async fn a_million_headers_are_refused_without_being_kept() {
        let api = Api::new(routes()).await;
        let headers = "a: b\r\n".repeat(1_000_000);
        let answer = api.ask(format!("GET /_ping HTTP/1.1\r\n{headers}{CLOSE}")).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
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
                let stream = hijack.stream().await.unwrap();
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
}
