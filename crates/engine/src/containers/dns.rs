//! A container's part in names: what others find it by, and the sockets that its own questions arrive at. Its monitor holds
//! them, so that questions wait while an engine is replaced.

use std::fs;
use std::os::fd::AsFd;
use std::time::SystemTime;

use api::containers::HostConfig;
use network::dns::Sockets;
use network::files::{DnsOptions, Resolver};
use network::{Interface, Wish};
use runtime::monitor::protocol::{Command, Failure};

use super::Shared;
use super::actor::Actor;
use super::link::Link;
use super::record::Record;
use super::timestamp;
use crate::config::Config;
use crate::error::{Error, Result, blocking};
use crate::networks::dns::{Endpoint, Manners, Presence, Wishes};
use crate::networks::endpoint;
use crate::networks::record::Record as Network;

/// The names under which a monitor holds them.
const NAMES: [&str; 2] = ["dns udp", "dns tcp"];

fn names() -> Vec<String> {
    NAMES.map(str::to_owned).into()
}

/// Gives them to the monitor. Nobody waits for its reply: commands are performed in their order.
pub async fn hold(link: &Link, sockets: &Sockets) -> Result<(), Failure> {
    let fds = [sockets.udp.as_fd(), sockets.tcp.as_fd()];
    link.post(Command::Hold { names: names() }, &fds).await
}

/// The container's wishes, each of which replaces the engine's of its kind.
pub fn options(engine: &Config, host: &HostConfig) -> DnsOptions {
    let or = |own: &Option<Vec<String>>, engine: &[String]| match own.as_deref() {
        Some([]) | None => engine.to_vec(),
        Some(own) => own.to_vec(),
    };
    let own: Vec<_> = host.dns.iter().flatten().filter_map(|ip| ip.parse().ok()).collect();
    DnsOptions {
        servers: if own.is_empty() { engine.dns.clone() } else { own },
        search: or(&host.dns_search, &engine.dns_search),
        options: or(&host.dns_options, &engine.dns_opts),
    }
}

impl Shared {
    /// Whether who joins these has the engine's name server.
    pub fn is_served(&self, wishes: &[Wish]) -> bool {
        let default = &self.network.default_network().id;
        wishes.iter().any(|wish| wish.network != *default)
    }

    /// Others find the container as its record says.
    pub fn show_names(&self, record: &Record) {
        let state = &record.state;
        let is_there = state.pid != 0 || !state.interfaces.is_empty();
        self.dns.set(&record.id, is_there.then(|| self.presence(record)));
    }

    fn presence(&self, record: &Record) -> Presence {
        let mut presence = Presence::default();
        for interface in &record.state.interfaces {
            let Some(network) = self.networks.by_id(&interface.network_id) else { continue };
            presence.leads_out |= !network.internal;
            presence.endpoints.extend(endpoint_of(record, interface, &network));
        }
        presence
    }
}

/// None on a network without names.
fn endpoint_of(record: &Record, interface: &Interface, network: &Network) -> Option<Endpoint> {
    let settings = record.endpoints.get(&network.name).cloned().unwrap_or_default();
    let (name, id, hostname) = (&record.name, &record.id, &record.config.hostname);
    let links = settings.links.iter().flatten().map(|link| match link.split_once(':') {
        Some((name, alias)) => (alias.to_owned(), name.to_owned()),
        None => (link.clone(), link.clone()),
    });
    let links = links.collect();
    Some(Endpoint {
        names: endpoint::dns_names(network, &settings, name, id, hostname)?,
        network: network.id.clone(),
        network_name: network.name.clone(),
        addresses: interface.addresses().collect(),
        links,
    })
}

impl Actor {
    /// Answers what arrives there.
    pub fn serve_names(&self, sockets: Sockets) -> Result<()> {
        self.shared.dns.serve(&self.record.id, sockets, &self.wishes_for_names())
    }

    fn wishes_for_names(&self) -> Wishes {
        let options = options(&self.shared.config, &self.record.host_config);
        let host = network::files::host_resolv_conf().unwrap_or_default();
        let completes_names = network::files::completes_names(&host, &options);
        Wishes { servers: options.servers, manners: Manners { completes_names } }
    }

    /// Of a container that runs and joins its first user-defined network.
    pub async fn open_dns(&mut self, network: &Network) -> Result<()> {
        if network.is_builtin || self.record.state.has_dns {
            return Ok(());
        }
        let Some(namespace) = self.namespace()? else { return Ok(()) };
        let shared = self.shared.clone();
        let sockets = blocking(move || {
            let failed =
                |cause| Error::system("cannot set up the container's name server").because(cause);
            shared.network.open_dns(namespace.as_fd()).map_err(failed)
        })
        .await?;
        hold(&self.link()?, &sockets).await.map_err(not_held)?;
        self.shared.show_names(&self.record);
        self.serve_names(sockets)?;
        self.record.state.has_dns = true;
        self.rewrite_resolv_conf().await;
        Ok(())
    }

    /// As Docker does, unless the container has changed the file.
    async fn rewrite_resolv_conf(&self) {
        let path = self.record.files(&self.shared.config.data_root).join("resolv.conf");
        let options = options(&self.shared.config, &self.record.host_config);
        let started = timestamp::parse(&self.record.state.started_at).map(SystemTime::from);
        let written = blocking(move || {
            let failed =
                |cause| Error::system("cannot rewrite the container's resolv.conf").because(cause);
            let changed = fs::metadata(&path).and_then(|file| file.modified()).map_err(failed)?;
            if started.is_some_and(|started| changed > started) {
                return Ok(());
            }
            let host = network::files::host_resolv_conf().unwrap_or_default();
            let text = network::files::resolv_conf(&host, Resolver::Engine, &options);
            fs::write(&path, text).map_err(failed)
        });
        if let Err(error) = written.await {
            tracing::warn!(container = self.record.id, "{error}");
        }
    }

    /// Asks its monitor for the sockets, and does not wait: one that hangs is no reason for others to.
    pub fn adopt_dns(&self) {
        let Some(run) = self.run.as_ref().filter(|_| self.record.state.has_dns) else { return };
        let (link, dns, id) = (run.link.clone(), self.shared.dns.clone(), self.record.id.clone());
        let wishes = self.wishes_for_names();
        tokio::spawn(async move {
            let adopted = match link.borrow(names()).await {
                Ok(sockets) => match <[_; 2]>::try_from(sockets) {
                    Ok([udp, tcp]) => dns.serve(&id, Sockets { udp, tcp }, &wishes),
                    Err(_) => Err(Error::system("its monitor lends other sockets")),
                },
                Err(failure) => Err(not_held(failure)),
            };
            if let Err(error) = adopted {
                tracing::warn!(container = id, "its questions for names stay open: {error}");
            }
        });
    }

    /// It ends: nobody finds it any more.
    pub fn leave_dns(&mut self) {
        self.record.state.has_dns = false;
        self.shared.dns.set(&self.record.id, None);
    }
}

fn not_held(failure: Failure) -> Error {
    Error::system("the container's monitor does not hold its name server's sockets")
        .because(failure)
}
