//! A registry over a storage: uploads, blobs, manifests, tags and referrers (docs/design/0015-registry-server.md).
//!
//! All state is in the storage, so that several processes over one storage serve the same content. Requests reach
//! [`Registry`] through [`http`], which knows connections; which paths there are is [`route`]; what becomes of each is in
//! the module of its noun; where things lie is [`layout`].

mod access;
mod blobs;
mod body;
mod bucket;
mod catalog;
mod chunk;
mod connection;
mod crowd;
mod directory;
mod error;
#[cfg(test)]
mod fuzz;
mod gc;
mod http;
mod layout;
mod locks;
mod manifest;
mod manifests;
mod metrics;
mod names;
mod notices;
mod options;
mod page;
mod patience;
mod query;
mod quotas;
mod range;
mod referrers;
mod registry;
mod retention;
mod route;
mod storage;
mod tags;
mod tls;
mod upload;
mod uploads;
mod upstream;

use std::future::Future;
use std::io;
use std::net::TcpListener;
use std::sync::Arc;

pub use access::Config;
pub use options::{Invalid, Options};
use registry::Registry;

type Response = hyper::Response<body::Body>;

/// A registry with its socket bound: connections wait until it is served.
pub struct Server {
    listener: TcpListener,
    registry: Arc<Registry>,
}

impl Server {
    /// Opens the storage and binds the address.
    ///
    /// # Errors
    /// Those of the folder and of the address, each with its name.
    pub fn open(options: Options) -> io::Result<Self> {
        let listener = TcpListener::bind(options.address)
            .map_err(|error| named(&format!("cannot listen on {}", options.address), &error))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener, registry: Arc::new(Registry::open(options)?) })
    }

    /// Where it listens, the port that the kernel chose included.
    ///
    /// # Errors
    /// The kernel's.
    pub fn address(&self) -> io::Result<std::net::SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `stop` completes; requests that are carried out then get a while to end.
    ///
    /// # Errors
    /// The listener cannot be used.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> io::Result<()> {
        let listener = tokio::net::TcpListener::from_std(self.listener)?;
        connection::serve(listener, self.registry, stop).await;
        Ok(())
    }
}

fn named(what: &str, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{what}: {error}"))
}
