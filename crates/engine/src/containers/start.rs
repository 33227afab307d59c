//! `start`: the network, the container's files and the monitor are brought up side by side, then the monitor is told to
//! start.
//!
//! ```text
//! join the network, hosts file, ports  ---.
//! root, user, spec  ----------------------> begin -> early clients -> start -> running
//! monitor  -------------------------------'
//! ```
//!
//! Whatever fails, nothing of the attempt is left, and the failure is in the container's state.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Instant;

use api::containers::Status;
use network::dns::Sockets;
use network::publish::{Mapping, Published, Reservation};
use network::{Interface, Joined, Wish};
use runtime::monitor::protocol::{Command, ErrorKind, Failure};

use super::actor::{Actor, Run};
use super::bundle::{self, Bundle, Monitor};
use super::dns;
use super::link::{self, Link};
use super::name;
use super::networks::not_joined;
use super::publish;
use super::record::Record;
use super::request::{Remove, Request, Started};
use super::restart_policy::Backoff;
use super::state::{Action, Verdict, may};
use super::timestamp;
use super::{Containers, Shared};
use crate::error::{Error, Kind, Result};

impl Containers {
    /// `NotModified` if it runs already.
    pub async fn start(&self, wanted: &str) -> Result<()> {
        match self.find(wanted)?.ask(|reply| Request::Start { reply }).await? {
            Started::Now => Ok(()),
            Started::Already => Err(Error::new(Kind::NotModified, "container already started")),
        }
    }
}

/// Why a container does not run, and the exit code that says so.
struct NotStarted {
    error: Error,
    /// None where it did not come to a process: then the last one's stays.
    code: Option<i64>,
}

/// Not about the executable.
const OTHER: i64 = 128;

impl From<Error> for NotStarted {
    fn from(error: Error) -> Self {
        Self { error, code: None }
    }
}

/// A place in the network.
struct Place {
    /// None for the host's.
    netns: Option<OwnedFd>,
    interfaces: Vec<Interface>,
    ports: Vec<Mapping>,
    reservations: Vec<Reservation>,
    dns: Option<Sockets>,
}

impl Actor {
    /// A start that somebody asked for: counters begin anew.
    pub async fn start_by_hand(&mut self) -> Result<Started> {
        if may(Action::Start, self.record.subject())? == Verdict::Nothing {
            return Ok(Started::Already);
        }
        self.restart = None;
        self.backoff = Backoff::default();
        self.record.restart_count = 0;
        self.record.stopped_by_hand = false;
        match self.start().await {
            Ok(()) => Ok(Started::Now),
            Err(error) => {
                self.announce_failed_start().await;
                Err(error)
            }
        }
    }

    /// A container that was to remove itself does so also when it never ran.
    async fn announce_failed_start(&mut self) {
        self.early_clients.clear();
        if self.record.host_config.auto_remove {
            // The task goes on, so that whoever asked hears why; the next request finds it removed.
            let options = Remove { force: false, volumes: true };
            if let Err(error) = self.remove(options).await {
                tracing::error!(container = self.record.id, "cannot remove it: {error}");
            }
        }
    }

    /// Brings it up, by hand or by policy.
    pub async fn start(&mut self) -> Result<()> {
        self.asked_to_end = false;
        // The kernel gives a writable layer to one mount.
        let root = Arc::clone(&self.root);
        let _not_written_meanwhile = root.lock().await;
        match self.bring_up().await {
            Ok(()) => Ok(()),
            Err(NotStarted { error, code }) => {
                self.leave_network();
                self.leave_volumes().await;
                self.clear_exec_directory().await;
                let state = &mut self.record.state;
                state.pid = 0;
                state.exit_code = match (code, state.exit_code) {
                    (Some(code), _) => code,
                    (None, 0) => OTHER,
                    (None, last) => last,
                };
                state.error = error.to_string();
                self.save_or_warn().await;
                Err(error)
            }
        }
    }

    /// Whoever shares a container's network goes by its host name.
    fn take_name_of_lender(&mut self) -> Result<()> {
        if let Some(lender) = self.record.network_of() {
            let lender = self.shared.index.find(lender)?.record();
            self.record.config.hostname.clone_from(&lender.config.hostname);
            self.record.config.domainname.clone_from(&lender.config.domainname);
        }
        Ok(())
    }

    async fn bring_up(&mut self) -> Result<(), NotStarted> {
        let joins = bundle::joins(&self.shared, &self.record)?;
        self.take_name_of_lender()?;
        let bundle = Bundle::new(&self.shared, &self.record, joins.clone())?;
        self.record.state.cgroup.clone_from(&bundle.cgroup_path);
        let (place, monitor) =
            tokio::join!(join_network(self, joins.network), Monitor::spawn(&self.shared, bundle));
        if let Ok(place) = &place {
            self.record.state.interfaces.clone_from(&place.interfaces);
            self.record.state.ports.clone_from(&place.ports);
            self.record.state.has_dns = place.dns.is_some();
        }
        let (mut monitor, place) = match (monitor, place) {
            (Ok(monitor), Ok(place)) => (monitor, place),
            (Ok(monitor), Err(error)) => {
                monitor.end();
                return Err(error.into());
            }
            (Err(error), _) => return Err(error.into()),
        };
        match self.go(&mut monitor, place).await {
            Ok(()) => {
                monitor.leave_running();
                Ok(())
            }
            Err(failed) => {
                monitor.end();
                Err(failed)
            }
        }
    }

    async fn go(&mut self, monitor: &mut Monitor, place: Place) -> Result<(), NotStarted> {
        let (link, news) = Link::start(monitor.connection()?)
            .map_err(|cause| Error::system("cannot talk to the monitor").because(cause))?;
        self.hand_over_early_clients(&link).await;
        publish::hold(&link, &place.reservations).await.map_err(in_dockers_words)?;
        if let Some(sockets) = place.dns {
            // Its first process is to find others, and itself.
            self.shared.show_names(&self.record);
            dns::hold(&link, &sockets).await.map_err(in_dockers_words)?;
            self.serve_names(sockets)?;
        }
        let size =
            self.record.host_config.console_size.map(|side| u16::try_from(side).unwrap_or(0));
        let command = Command::Start { console_size: (size != [0, 0]).then_some(size) };
        let fds: Vec<_> = place.netns.iter().map(AsFd::as_fd).collect();
        let done = link.call(command, &fds).await.map_err(in_dockers_words)?;
        self.started(link, news, done.pid.unwrap_or(0)).await;
        Ok(())
    }

    async fn started(&mut self, link: Link, news: link::Receiver, pid: i32) {
        let running = self.shared.cheap_moves.hold();
        self.run = Some(Run { link, news, started: Instant::now(), _running: running });
        let state = &mut self.record.state;
        state.status = Status::Running;
        state.pid = pid;
        state.exit_code = 0;
        state.oom_killed = false;
        state.error = String::new();
        state.started_at = timestamp::now();
        state.sandbox = name::random_id();
        self.begin_checks();
        self.name_endpoints();
        // Whoever hears of it looks at once, and is to see it.
        self.show();
        self.tell_networks("connect");
        self.tell_mounts();
        self.tell("start", []);
        self.save_or_warn().await;
        self.tell_linked().await;
    }

    /// Gives the network's place back, and its ports before it; harmless without one.
    pub fn leave_network(&mut self) {
        self.unpublish();
        self.leave_dns();
        if !self.record.state.interfaces.is_empty() {
            self.shared.network.leave(&self.record.id);
            self.tell_networks("disconnect");
            self.record.state.interfaces.clear();
        }
    }
}

/// The network's part, with the hosts file that shows it, on a thread that may block.
async fn join_network(actor: &Actor, wish: bundle::NetworkWish) -> Result<Place> {
    let (shared, record) = (Arc::clone(&actor.shared), actor.record.share());
    crate::error::blocking(move || match wish {
        bundle::NetworkWish::Host => shared.join_without_interfaces(&record, None),
        bundle::NetworkWish::Of(pid) => {
            shared.join_without_interfaces(&record, Some(other_containers_network(pid)?))
        }
        bundle::NetworkWish::Join(wishes) => shared.join_networks(&record, &wishes),
    })
    .await
}

impl Shared {
    fn join_without_interfaces(&self, record: &Record, netns: Option<OwnedFd>) -> Result<Place> {
        bundle::write_hosts(self, record, &[])?;
        Ok(Place {
            netns,
            interfaces: Vec::new(),
            ports: Vec::new(),
            reservations: Vec::new(),
            dns: None,
        })
    }

    /// All of it, or nothing.
    fn join_networks(&self, record: &Record, wishes: &[Wish]) -> Result<Place> {
        let Joined { netns, interfaces, dns } =
            self.network.join(&record.id, wishes).map_err(not_joined)?;
        let published = bundle::write_hosts(self, record, &interfaces)
            .and_then(|()| self.publish(record, &interfaces))
            .inspect_err(|_| self.network.leave(&record.id))?;
        let Published { mappings: ports, reservations } = published;
        Ok(Place { netns: Some(netns), interfaces, ports, reservations, dns })
    }
}

fn other_containers_network(pid: i32) -> Result<OwnedFd> {
    let namespace = std::fs::File::open(format!("/proc/{pid}/ns/net")).map_err(|cause| {
        Error::conflict("cannot join the network of the other container").because(cause)
    })?;
    Ok(namespace.into())
}

const CHAIN: &str = "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: ";
const CHAINS_END: &str = ": unknown";
const WRONG_TYPE: &str = ": Are you trying to mount a directory onto a file (or vice-versa)? Check if the specified host path exists and is the expected type";

/// The runtime's own words in the text of a start that failed.
pub fn without_chain(text: &str) -> &str {
    let text = text.strip_prefix(CHAIN).unwrap_or(text);
    text.rsplit_once(CHAINS_END).map_or(text, |(own, _)| own)
}

/// Docker's long chain, which clients search for their words.
fn in_dockers_words(failure: Failure) -> NotStarted {
    let (code, kind) = match failure.kind {
        ErrorKind::NotFound => (127, Kind::Invalid),
        ErrorKind::Permission => (126, Kind::Invalid),
        _ => (OTHER, Kind::System),
    };
    let text = format!("{CHAIN}unable to start container process: {failure}{CHAINS_END}");
    if failure.message.contains("not a directory") {
        let error = Error::invalid(format!("{text}{WRONG_TYPE}"));
        return NotStarted { error, code: Some(127) };
    }
    let text = if failure.message.ends_with("is a directory") {
        format!("{text}: permission denied")
    } else {
        text
    };
    NotStarted { error: Error::new(kind, text), code: Some(code) }
}
