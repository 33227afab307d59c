//! GET /metrics on an address of its own (`--metrics-addr`): no TLS and no authorisation, as with dockerd, and nothing
//! else is there.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener as StdTcpListener};
use std::sync::Arc;
use std::time::Duration;

use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::listen::pause_after;
use super::{Body, Response, Server};
use crate::error::{Error, Result, blocking};

/// Scrapers are few.
const MAX_CONNECTIONS: usize = 16;
const HEAD_PATIENCE: Duration = Duration::from_secs(10);

/// `127.0.0.1:9323`, `:9323`, `localhost:9323`.
pub fn bind(address: &str) -> Result<StdTcpListener> {
    let fail = |cause: Box<dyn std::error::Error + Send + Sync>| {
        Error::invalid(format!("cannot serve metrics on {address}")).because(cause)
    };
    let numeric = address.replace("localhost", "127.0.0.1");
    let numeric = if numeric.starts_with(':') { format!("0.0.0.0{numeric}") } else { numeric };
    let parsed: SocketAddr = numeric.parse().map_err(|error| fail(Box::new(error)))?;
    let listener = StdTcpListener::bind(parsed).map_err(|error| fail(Box::new(error)))?;
    listener.set_nonblocking(true).map_err(|error| fail(Box::new(error)))?;
    Ok(listener)
}

/// Answers until the runtime ends.
pub fn serve(listener: StdTcpListener, server: Arc<Server>) -> std::io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    tracing::info!("metrics API listening on {}", listener.local_addr()?);
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    tokio::spawn(async move {
        loop {
            let slot = Arc::clone(&slots).acquire_owned().await;
            match listener.accept().await {
                Ok((stream, _)) => {
                    let server = Arc::clone(&server);
                    let service = service_fn(move |request| {
                        let server = Arc::clone(&server);
                        async move { Ok::<_, Infallible>(answer(&server, &request).await) }
                    });
                    let connection = http1::Builder::new()
                        .timer(TokioTimer::new())
                        .header_read_timeout(HEAD_PATIENCE)
                        .max_buf_size(16 << 10)
                        .serve_connection(TokioIo::new(stream), service);
                    tokio::spawn(async move {
                        if let Err(error) = connection.await {
                            tracing::debug!("metrics connection ended: {error}");
                        }
                        drop(slot);
                    });
                }
                Err(error) => pause_after(error).await,
            }
        }
    });
    Ok(())
}

async fn answer(server: &Arc<Server>, request: &hyper::Request<hyper::body::Incoming>) -> Response {
    if request.method() != Method::GET || request.uri().path() != "/metrics" {
        return status(StatusCode::NOT_FOUND);
    }
    let server = Arc::clone(server);
    match blocking(move || server.metrics_page()).await {
        Ok(page) => {
            let mut response = Response::new(Body::from(page));
            let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
            response.headers_mut().insert(CONTENT_TYPE, kind);
            response
        }
        Err(error) => {
            tracing::warn!("cannot tell metrics: {error}");
            status(StatusCode::INTERNAL_SERVER_ERROR)
        }
    }
}

fn status(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
