//! A container's published ports: taken while it starts, held by its monitor, given back with its network.

use std::os::fd::AsFd;

use api::containers::{Config, HostConfig};
use network::publish::{Mapping, Published, Refused, Reservation, Target, Wish};
use network::{Driver, Interface};
use runtime::monitor::protocol::{Command, Failure, MAX_FDS};

use super::actor::Actor;
use super::link::Link;
use super::ports;
use super::record::Record;
use super::request::PortChanges;
use super::{Containers, Shared, proxy};
use crate::error::{Error, Result, blocking};

/// Where the container is reached: by the interfaces that lead to the rest of the world.
pub fn target(interfaces: &[Interface]) -> Target {
    let (ipv4, ipv6) = network::default_interfaces(interfaces);
    Target {
        ipv4: ipv4.and_then(|interface| Some(interface.ipv4?.ip)),
        ipv6: ipv6.and_then(|interface| Some(interface.ipv6?.ip)),
    }
}

impl Shared {
    /// Publishes all that the record asks for. In networks where nothing can be published Docker discards the wish, and
    /// so do we. Blocks.
    pub fn publish(&self, record: &Record, interfaces: &[Interface]) -> Result<Published> {
        let wishes = ports::wishes(&record.config, &record.host_config)?;
        self.publish_wishes(record, interfaces, &wishes)
    }

    pub fn publish_wishes(
        &self,
        record: &Record,
        interfaces: &[Interface],
        wishes: &[Wish],
    ) -> Result<Published> {
        let target = target(interfaces);
        if wishes.is_empty() || target == Target::default() {
            return Ok(Published { mappings: Vec::new(), reservations: Vec::new() });
        }
        if self.proxy.serves_host() {
            self.lead_to_proxy();
        }
        let wishes = self.bound(interfaces, wishes);
        let published = self.network.publish(&record.id, target, &wishes);
        let published =
            published.map_err(|refused| self.not_published(&record.name, interfaces, refused))?;
        if !self.proxy.serves_host() && proxy::is_needed(&published.mappings) {
            self.lead_to_proxy();
        }
        Ok(published)
    }

    /// Where the network says where ports are published that are not told.
    fn bound(&self, interfaces: &[Interface], wishes: &[Wish]) -> Vec<Wish> {
        let (first, _) = network::default_interfaces(interfaces);
        let network = first.and_then(|interface| self.networks.by_id(&interface.network_id));
        let binding = network.and_then(|network| match network.made.as_ref()?.driver {
            Driver::Bridge(ref options) => options.host_binding,
            Driver::Macvlan(_) | Driver::Ipvlan(_) => None,
        });
        let binding = binding.filter(|ip| !ip.is_unspecified());
        wishes.iter().map(|wish| Wish { ip: wish.ip.or(binding), ..wish.clone() }).collect()
    }

    /// Without it only clients over IPv6 are the worse for it.
    fn lead_to_proxy(&self) {
        let port = self.proxy.port().map_err(|error| error.to_string());
        let led = port.and_then(|port| self.network.set_proxy(port).map_err(|e| e.to_string()));
        if let Err(why) = led {
            tracing::warn!("published ports are not reached over IPv6: {why}");
        }
    }

    /// In Docker's words, with the name of the container that has the port.
    fn not_published(&self, name: &str, interfaces: &[Interface], refused: Refused) -> Error {
        let owner = match &refused {
            Refused::Allocated { container, .. } | Refused::Overlaps { container, .. } => {
                self.index.find(container).ok().map(|handle| handle.record().name.clone())
            }
            _ => None,
        };
        let by = owner.map_or_else(String::new, |name| format!(" by container {name}"));
        let endpoint = interfaces.first().map_or("", |interface| interface.endpoint_id.as_str());
        Error::system(format!(
            "driver failed programming external connectivity on endpoint {name} ({endpoint}): {refused}{by}"
        ))
    }
}

/// Gives the monitor the sockets that hold the container's ports.
pub async fn hold(link: &Link, reservations: &[Reservation]) -> Result<(), Failure> {
    for some in reservations.chunks(MAX_FDS) {
        let names = some.iter().map(|reservation| reservation.name.clone()).collect();
        let sockets: Vec<_> = some.iter().map(|reservation| reservation.socket.as_fd()).collect();
        link.post(Command::Hold { names }, &sockets).await?;
    }
    Ok(())
}

/// `run` warns of ports on the host's network, and discards them; here nothing else was asked for.
fn has_ports_of_its_own(network_mode: &str) -> Result<()> {
    match network_mode {
        "host" => {
            Err(Error::invalid("conflicting options: port publishing and the host's network"))
        }
        mode if mode.starts_with("container:") => Err(Error::invalid(
            "conflicting options: port publishing and the container type network mode",
        )),
        _ => Ok(()),
    }
}

fn not_held(failure: Failure) -> Error {
    Error::system("the container's monitor does not hold its ports").because(failure)
}

impl Actor {
    /// Publishes other ports than so far, at once where it runs; all of the changes or none. Connections that are there
    /// go on.
    pub async fn change_ports(&mut self, changes: PortChanges) -> Result<()> {
        let mut host = self.record.host_config.clone();
        if !changes.add.is_empty() {
            has_ports_of_its_own(&host.network_mode)?;
        }
        let bindings = host.port_bindings.get_or_insert_default();
        ports::remove(bindings, &changes.remove)
            .map_err(|why| Error::invalid(format!("{why} for {}", self.record.name)))?;
        for (key, more) in &changes.add {
            let entry = bindings.entry(key.clone()).or_default().get_or_insert_default();
            entry.extend(more.iter().flatten().cloned());
        }
        if self.run.is_some() {
            self.change_published(&changes).await?;
        }
        self.record.host_config = host;
        let exposed = self.record.config.exposed_ports.get_or_insert_default();
        exposed.extend(changes.add.into_keys().map(|key| (key, api::Empty {})));
        Ok(())
    }

    async fn change_published(&mut self, changes: &PortChanges) -> Result<()> {
        let (gone, left) = ports::cut(&self.record.state.ports, &changes.remove);
        let added =
            HostConfig { port_bindings: Some(changes.add.clone()), ..HostConfig::default() };
        let more = ports::wishes(&Config::default(), &added)?;
        let wishes: Vec<Wish> = left.iter().map(ports::again).chain(more).collect();
        let before: Vec<Wish> = gone.iter().map(ports::again).collect();
        self.take_back(gone).await?;
        match self.publish_more(wishes).await {
            Ok(()) => Ok(()),
            Err(error) => {
                // As it was: what has just been free is so still, unless somebody was very quick.
                if let Err(error) = self.publish_more(before).await {
                    tracing::error!(container = self.record.id, "its ports are lost: {error}");
                }
                Err(error)
            }
        }
    }

    async fn take_back(&mut self, gone: Vec<Mapping>) -> Result<()> {
        let names: Vec<String> = gone.iter().filter_map(Mapping::reservation).collect();
        self.record.state.ports.retain(|mapping| !gone.contains(mapping));
        let (shared, id) = (self.shared.clone(), self.record.id.clone());
        blocking(move || {
            shared
                .network
                .unpublish(&id, &gone)
                .map_err(|cause| Error::system("cannot take back published ports").because(cause))
        })
        .await?;
        if !names.is_empty() {
            self.link()?.call(Command::Release { names }, &[]).await.map_err(not_held)?;
        }
        Ok(())
    }

    async fn publish_more(&mut self, wishes: Vec<Wish>) -> Result<()> {
        let (shared, record) = (self.shared.clone(), self.record.share());
        let published =
            blocking(move || shared.publish_wishes(&record, &record.state.interfaces, &wishes))
                .await?;
        self.record.state.ports.extend(&published.mappings);
        hold(&self.link()?, &published.reservations).await.map_err(not_held)
    }

    /// It is on other networks than before. Ports lead to where it is reached now; on its first network on which they can
    /// be they are published, off its last one they are taken back.
    pub async fn lead_ports(&mut self) -> Result<()> {
        let target = target(&self.record.state.interfaces);
        match (self.record.state.ports.is_empty(), target == Target::default()) {
            (true, true) => Ok(()),
            (true, false) => {
                let wishes = ports::wishes(&self.record.config, &self.record.host_config)?;
                self.publish_more(wishes).await
            }
            (false, true) => self.take_back(self.record.state.ports.clone()).await,
            (false, false) => self.retarget_ports(target).await,
        }
    }

    async fn retarget_ports(&self, target: Target) -> Result<()> {
        let (shared, id) = (self.shared.clone(), self.record.id.clone());
        let retarget = move || {
            let led = shared.network.retarget(&id, target);
            led.map_err(|cause| {
                Error::system("cannot lead published ports elsewhere").because(cause)
            })
        };
        blocking(retarget).await
    }

    /// Takes its ports back; harmless without any. What fails must not keep it from ending.
    pub fn unpublish(&mut self) {
        let ports = std::mem::take(&mut self.record.state.ports);
        if ports.is_empty() {
            return;
        }
        if let Err(error) = self.shared.network.unpublish(&self.record.id, &ports) {
            tracing::warn!(container = self.record.id, "its ports are still published: {error}");
        }
    }
}

impl Containers {
    /// What stands between other hosts and the ports that are to be published.
    pub fn firewall_warnings(&self, host: &HostConfig) -> Vec<String> {
        let has_bindings = host.port_bindings.as_ref().is_some_and(|bindings| !bindings.is_empty());
        let is_bridged = !matches!(host.network_mode.as_str(), "host" | "none")
            && !host.network_mode.starts_with("container:");
        // What the proxy serves is not forwarded.
        let is_forwarded = self.0.network.leads_ports();
        if !is_bridged || !is_forwarded || !(has_bindings || host.publish_all_ports) {
            return Vec::new();
        }
        let warning = |chain: &String| {
            format!(
                "The firewall's chain {chain} drops what it does not accept: \
                 other hosts may not reach published ports"
            )
        };
        // A warning is not worth a failure.
        let chains = self.0.network.dropping_chains().unwrap_or_default();
        chains.iter().map(warning).collect()
    }

    /// After a restart of the engine: the ports of those who live.
    pub fn recover_ports<'a>(&self, alive: impl Iterator<Item = &'a Record>) -> Result<()> {
        let published = alive.filter(|record| !record.state.ports.is_empty());
        let ports: Vec<(String, Target, Vec<Mapping>)> = published
            .map(|record| {
                let target = target(&record.state.interfaces);
                (record.id.clone(), target, record.state.ports.clone())
            })
            .collect();
        let proxy = &self.0.proxy;
        let needs_proxy =
            ports.iter().any(|(.., mappings)| proxy.serves_host() || proxy::is_needed(mappings));
        let port = match needs_proxy {
            true => proxy.port().inspect_err(|error| {
                tracing::warn!("published ports are not all reached: {error}");
            }),
            // One that runs for nobody is led to all the same, as before.
            false => proxy.running(),
        };
        let open: Vec<(Target, Mapping)> = ports
            .iter()
            .flat_map(|(_, target, mappings)| mappings.iter().map(|mapping| (*target, *mapping)))
            .collect();
        self.0.network.recover_ports(ports, port.ok()).map_err(|cause| {
            Error::system("cannot take over the containers' published ports").because(cause)
        })?;
        self.0.proxy.recover(open.iter().map(|(target, mapping)| (*target, mapping)));
        Ok(())
    }
}
