//! Connections: how many, how long, and what of each reaches the registry.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::io::Errno;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::crowd::Place;
use super::http;
use super::patience::Patient;
use super::registry::Registry;

/// How long a client may take to send a request's head, idle time of a kept connection included, and how long it may
/// take nothing of an answer.
const PATIENCE: Duration = Duration::from_secs(60);
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// A request's head, and what is read or written at once of a body. Longer heads are answered with 431; the number of
/// headers is bounded by hyper (100).
const MAX_BUFFER: usize = 128 << 10;
/// How long requests in flight may take once the server is told to stop.
const LAST_REQUESTS: Duration = Duration::from_secs(10);
const CROWDED: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// What a connection holds while it lives.
struct Seat {
    _slot: OwnedSemaphorePermit,
    _place: Place,
}

pub(super) async fn serve(
    listener: TcpListener,
    registry: Arc<Registry>,
    stop: impl Future<Output = ()>,
) {
    let slots = Arc::new(Semaphore::new(registry.max_connections));
    let stopping = watch::Sender::new(false);
    let janitor = tokio::spawn(Arc::clone(&registry).keep_clean());
    let collector = tokio::spawn(Arc::clone(&registry).keep_collecting());
    // They end with this.
    let _tellers = registry.notices.deliver(&registry.storage, &registry.metrics);
    tokio::select! {
        () = accept(&listener, &registry, &slots, &stopping) => {}
        () = stop => {}
    }
    janitor.abort();
    collector.abort();
    drop(listener);
    stopping.send_replace(true);
    if tokio::time::timeout(LAST_REQUESTS, stopping.closed()).await.is_err() {
        tracing::warn!("requests are cut off: they took longer than {LAST_REQUESTS:?}");
    }
}

async fn accept(
    listener: &TcpListener,
    registry: &Arc<Registry>,
    slots: &Arc<Semaphore>,
    stopping: &watch::Sender<bool>,
) {
    loop {
        let slot = Arc::clone(slots).acquire_owned().await.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, peer)) => {
                let Some(place) = registry.crowd.admit(peer.ip()) else {
                    if registry.tls.is_none() {
                        // Whether it is read is the client's affair.
                        let _ = stream.try_write(CROWDED);
                    }
                    continue;
                };
                let seat = Seat { _slot: slot, _place: place };
                let (registry, stopping) = (Arc::clone(registry), stopping.subscribe());
                tokio::spawn(async move {
                    begin(stream, peer, registry, stopping).await;
                    drop(seat);
                });
            }
            Err(error) => pause_after(error).await,
        }
    }
}

async fn begin(
    stream: TcpStream,
    peer: SocketAddr,
    registry: Arc<Registry>,
    stopping: watch::Receiver<bool>,
) {
    // Answers are written whole; nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    let Some(tls) = registry.tls.clone() else {
        return speak(stream, peer, registry, stopping).await;
    };
    match tokio::time::timeout(HANDSHAKE_PATIENCE, tls.accept(stream)).await {
        Ok(Ok(stream)) => speak(stream, peer, registry, stopping).await,
        Ok(Err(error)) => tracing::info!("TLS handshake of {peer} failed: {error}"),
        Err(_) => tracing::info!("TLS handshake of {peer} took too long"),
    }
}

async fn speak<S>(
    stream: S,
    peer: SocketAddr,
    registry: Arc<Registry>,
    mut stopping: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let service = service_fn(move |request| {
        let registry = Arc::clone(&registry);
        async move { Ok::<_, Infallible>(http::answer(&registry, peer, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(MAX_BUFFER)
        .serve_connection(TokioIo::new(Patient::new(stream, PATIENCE)), service);
    let mut connection = std::pin::pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = told(&mut stopping) => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!("connection of {peer} ended: {error}");
    }
}

async fn told(stopping: &mut watch::Receiver<bool>) {
    // An error means that the server is gone, which is as good as being told.
    let _ = stopping.wait_for(|stopping| *stopping).await;
}

/// Without descriptors or memory the next accept would fail at once, and trying on would take a processor. Nothing
/// tells when there are some again.
async fn pause_after(error: io::Error) {
    let shortages = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM];
    tracing::warn!("cannot accept a connection: {error}");
    if shortages.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error())) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
