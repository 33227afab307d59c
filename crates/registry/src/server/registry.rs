//! The registry itself: a storage and its bounds. What it does is in the modules of its nouns.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hyper::StatusCode;
use hyper::header::HeaderName;
use tokio_rustls::TlsAcceptor;

use super::access::Access;
use super::crowd::Crowd;
use super::error::Error;
use super::http::{json, typed};
use super::metrics::Metrics;
use super::notices::Notices;
use super::options::Options;
use super::quotas::Quotas;
use super::storage::Storage;
use super::upstream::Upstream;
use super::{Response, gc, layout, retention};

pub(super) const CONTENT_DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// Connections served at once, where descriptors allow: a connection needs two, its own and a file's.
const MAX_CONNECTIONS: usize = 2048;

pub(super) struct Registry {
    pub(super) storage: Storage,
    pub(super) max_connections: usize,
    pub(super) crowd: Crowd,
    pub(super) access: Access,
    pub(super) tls: Option<TlsAcceptor>,
    /// The registry whose content this one keeps.
    pub(super) upstream: Option<Upstream>,
    pub(super) notices: Notices,
    pub(super) quotas: Arc<Quotas>,
    pub(super) read_only: bool,
    pub(super) access_log: bool,
    pub(super) max_uploads: usize,
    pub(super) upload_age: Duration,
    retention: Arc<[retention::Rule]>,
    gc_interval: Duration,
    gc_grace: Duration,
    /// Held while uploads are counted and one more begins.
    pub(super) beginning: Arc<Mutex<()>>,
    pub(super) metrics: Arc<Metrics>,
}

impl Registry {
    pub(super) fn open(options: Options) -> io::Result<Self> {
        let storage = Storage::open(&options)?;
        let max_connections = max_connections();
        let retention = options.access.retention.clone();
        retention.iter().try_for_each(retention::Rule::check).map_err(io::Error::other)?;
        Ok(Self {
            storage,
            max_connections,
            crowd: Crowd::new(max_connections / 2),
            access: Access::open(&options.access).map_err(io::Error::other)?,
            tls: options.tls_acceptor().map_err(io::Error::other)?,
            upstream: Upstream::of(&options).map_err(io::Error::other)?,
            notices: Notices::open(&options.access.notifications).map_err(io::Error::other)?,
            quotas: Arc::new(Quotas::new(options.access.quotas.clone())),
            read_only: options.read_only,
            access_log: options.access_log,
            max_uploads: options.max_uploads,
            upload_age: options.upload_age,
            retention: retention.into(),
            gc_interval: options.gc_interval,
            gc_grace: options.gc_grace,
            beginning: Arc::default(),
            metrics: Arc::default(),
        })
    }

    /// Whether the storage can be read.
    pub(super) async fn health(&self) -> Result<Response, Error> {
        let listed = self.storage.blocking(|storage| storage.list(&layout::staging())).await;
        match listed {
            Ok(_) => Ok(json(r#"{"status":"ok"}"#)),
            Err(error) => Err(Error::from(error).with_status(StatusCode::SERVICE_UNAVAILABLE)),
        }
    }

    pub(super) async fn metrics_page(&self) -> Result<Response, Error> {
        let uploads = self.storage.blocking(|storage| storage.list(&layout::uploads())).await?;
        let text = self.metrics.text(uploads.len(), self.crowd.count());
        Ok(typed(text, "text/plain; version=0.0.4"))
    }

    /// Removes from time to time what nobody goes on with; ends with the task.
    pub(super) async fn keep_clean(self: Arc<Self>) {
        let pause =
            (self.upload_age / 4).clamp(Duration::from_millis(100), Duration::from_secs(3600));
        loop {
            let age = self.upload_age;
            let swept = self.storage.blocking(move |storage| storage.sweep(age)).await;
            match swept {
                Ok(0) => {}
                Ok(count) => tracing::info!("removed {count} uploads that nobody went on with"),
                Err(error) => tracing::warn!("cannot remove old uploads: {error}"),
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Collects garbage from time to time; ends with the task.
    pub(super) async fn keep_collecting(self: Arc<Self>) {
        if self.gc_interval.is_zero() || self.read_only {
            return;
        }
        loop {
            tokio::time::sleep(self.gc_interval).await;
            let grace = self.gc_grace;
            let rules = Arc::clone(&self.retention);
            let collect = move |storage: &Storage| gc::collect(storage, &rules, grace);
            let collected = self.storage.blocking(collect).await;
            match collected {
                Ok(Some(removed)) if removed != gc::Removed::default() => {
                    let gc::Removed { tags, manifests, links, blobs, bytes } = removed;
                    tracing::info!(tags, manifests, links, blobs, bytes, "collected garbage");
                    self.metrics.collected(blobs, bytes);
                }
                Ok(_) => {}
                Err(error) => tracing::warn!("cannot collect garbage: {error}"),
            }
        }
    }
}

fn max_connections() -> usize {
    let open = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    let half = open.map_or(MAX_CONNECTIONS, |open| usize::try_from(open / 3).unwrap_or(usize::MAX));
    half.clamp(16, MAX_CONNECTIONS)
}
