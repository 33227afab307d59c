//! Names of containers: what each of them asks at 127.0.0.11 (docs/design/0013-dns.md).
//!
//! - who has which name, and what a question means for who asks it: [`table`], pure
//! - messages: [`message`], pure
//! - one container's sockets: [`server`]
//! - other name servers: [`upstream`]

mod message;
mod server;
mod table;
#[cfg(test)]
mod tests;
mod upstream;

use std::collections::HashMap;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use network::dns::Sockets;
use tokio::task::AbortHandle;

use self::server::Server;
use self::table::Table;
use self::upstream::{Route, Upstream};
use crate::error::{Error, Result};

pub use self::table::{Endpoint, Manners, Presence};
pub use self::upstream::Servers;

/// A handle that is cheap to copy.
#[derive(Clone, Default)]
pub struct Dns(Arc<Shared>);

#[derive(Default)]
struct Shared {
    table: RwLock<Table>,
    servers: Mutex<HashMap<String, Running>>,
    upstream: Upstream,
    turn: AtomicUsize,
}

/// A server that ends with this.
struct Running(AbortHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// How a container was told to resolve names.
#[derive(Clone, Debug, Default)]
pub struct Wishes {
    /// `--dns`; none: the host's.
    pub servers: Vec<IpAddr>,
    pub manners: Manners,
}

impl Dns {
    /// From now on the container is found so by others; `None` where it does not run, which ends its server too.
    pub fn set(&self, container: &str, presence: Option<Presence>) {
        if presence.is_some() {
            return self.0.table_mut().set(container, presence);
        }
        if self.0.table().is_present(container) {
            self.0.table_mut().set(container, None);
        }
        // After that, so that none is started meanwhile.
        self.0.servers().remove(container);
    }

    /// Answers what arrives at the container's sockets, as long as it is present; in place of an earlier server.
    pub fn serve(&self, container: &str, sockets: Sockets, wishes: &Wishes) -> Result<()> {
        let failed = |cause: std::io::Error| {
            Error::system("cannot answer the container's questions for names").because(cause)
        };
        let namespace = sys::netns::of_socket(sockets.udp.as_fd()).map_err(failed)?;
        let server = Server {
            shared: Arc::clone(&self.0),
            container: container.to_owned(),
            manners: wishes.manners,
            route: Route { servers: Servers::given(&wishes.servers), namespace },
        };
        self.start(server, sockets);
        Ok(())
    }

    fn start(&self, server: Server, sockets: Sockets) {
        let container = server.container.clone();
        // Held meanwhile, so that whoever takes the container away finds its server.
        let mut servers = self.0.servers();
        if !self.0.table().is_present(&container) {
            return;
        }
        let name = container.clone();
        let task = tokio::spawn(async move {
            if let Err(error) = server.run(sockets).await {
                tracing::error!(container = name, "its questions for names stay open: {error}");
            }
        });
        servers.insert(container, Running(task.abort_handle()));
    }
}

impl Shared {
    fn table(&self) -> RwLockReadGuard<'_, Table> {
        // Containers are put in and taken out whole: a panic elsewhere leaves nothing half-made.
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn servers(&self) -> MutexGuard<'_, HashMap<String, Running>> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }
}
