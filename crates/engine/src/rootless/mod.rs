//! The engine of an ordinary user.
//!
//! It is root in a user namespace, with mounts and a network of its own, and from there on an engine like any other.
//! The namespaces belong to a process that does nothing (`keeper`), so that they are still there for the next engine
//! when this one is killed while containers run. The user's subordinate ids come in by `newuidmap` (`ids`), the way out
//! of the network is another program's (`way_out`).
//!
//! ```text
//! gantryd ── forks ── gantry-runtime helper keep     the namespaces
//!    │ ───── spawns ─ pasta or slirp4netns           between their network and the host's
//!    └ joins the keeper's namespaces, and goes on as root
//!         but for one thread, which stays in the host's network ([`Host`])
//! ```

mod ids;
mod keeper;
mod way_out;

use std::path::{Path, PathBuf};

use network::publish::HostThread;

use crate::error::{Error, Result};
use keeper::Keeper;

/// What an ordinary user's engine has beside itself; None for root's.
pub struct Rootless {
    exec_root: PathBuf,
    host: Host,
}

/// Where the host's ports are, and where the containers are that they lead to.
#[derive(Clone, Debug)]
pub struct Host {
    pub thread: HostThread,
    /// Where to find the network that the containers are in.
    pub containers: PathBuf,
}

impl Host {
    /// Of an engine whose containers are in the host's network as well.
    ///
    /// # Errors
    /// The kernel gives us no thread.
    pub fn of_root() -> Result<Self> {
        let thread = HostThread::stay_here().map_err(|error| {
            Error::system("cannot start a thread for published ports").because(error)
        })?;
        Ok(Self { thread, containers: "/proc/self/ns/net".into() })
    }
}

impl Rootless {
    /// Where root is not root, goes on in namespaces where it is: those of an engine before, or new ones. To be called
    /// before this process has a second thread.
    ///
    /// # Errors
    /// What the user lacks, and how to get it.
    pub fn enter(exec_root: &Path) -> Result<Option<Self>> {
        if rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        if let Err(error) = runtime::cgroup::own::enter_delegated() {
            tracing::warn!("containers get no limits: {error}");
        }
        let keeper = match Keeper::of(exec_root) {
            Some(keeper) => keeper,
            None => new_keeper(exec_root)?,
        };
        // An engine that was killed may have left one without.
        if let Err(error) = way_out::ensure(exec_root, keeper.pid()) {
            tracing::warn!("containers have no way out: {error}");
        }
        let thread = keeper.join().map_err(|error| {
            Error::system("cannot enter the user namespace of this user's engine").because(error)
        })?;
        let host = Host { thread, containers: keeper.network() };
        Ok(Some(Self { exec_root: exec_root.to_owned(), host }))
    }

    pub fn host(&self) -> Host {
        self.host.clone()
    }

    /// Ends the namespaces, once nothing runs in them any more.
    pub fn end(self) {
        way_out::end(&self.exec_root);
        keeper::end(&self.exec_root);
    }
}

fn new_keeper(exec_root: &Path) -> Result<Keeper> {
    // One whose namespaces are gone has nothing to do any more.
    way_out::end(exec_root);
    Keeper::start(exec_root, &ids::Ids::of_this_user()?, way_out::Program::find().is_some())
}
