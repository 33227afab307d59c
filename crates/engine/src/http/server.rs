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
}

impl Server {
    pub fn new(engine: Arc<Engine>, router: Router) -> Self {
        Self {
            engine,
            router,
            slots: Arc::new(Semaphore::new(max_connections())),
            stopping: watch::Sender::new(false),
            unfinished: watch::Sender::new(0),
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
