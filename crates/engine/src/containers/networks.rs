//! A container's networks: what it asks of each, what it is given when it starts, and what changes while it runs.
//!
//! `record.endpoints` has what was asked, by the network's name; `record.state.interfaces` what came of it.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;

use api::containers::{Config, HostConfig, Status};
use api::networks::EndpointSettings;
use network::{Interface, MacAddress, Wish};

use super::actor::Actor;
use super::index::Handle;
use super::record::Record;
use super::request::Request;
use super::spec::capabilities::Wishes as Capabilities;
use super::{Containers, Shared, bundle};
use crate::error::{Error, Kind, Result, blocking};
use crate::events;
use crate::networks::record::Record as Network;
use crate::networks::{asked, endpoint};

/// By network name.
pub type Endpoints = BTreeMap<String, EndpointSettings>;

impl Containers {
    pub async fn connect(
        &self,
        handle: &Handle,
        network: Arc<Network>,
        settings: EndpointSettings,
    ) -> Result<()> {
        let settings = Box::new(settings);
        handle.ask(|reply| Request::Connect { network, settings, reply }).await
    }

    /// What others find it by on a network that it is on; its address and what is under way stay.
    pub async fn set_aliases(
        &self,
        handle: &Handle,
        network: Arc<Network>,
        aliases: Option<Vec<String>>,
    ) -> Result<()> {
        handle.ask(|reply| Request::SetAliases { network, aliases, reply }).await
    }

    pub async fn disconnect(&self, handle: &Handle, network: Arc<Network>) -> Result<()> {
        handle.ask(|reply| Request::Disconnect { network, reply }).await
    }

    /// One that is not there any more.
    pub async fn forget_network(&self, handle: &Handle, name: &str) -> Result<()> {
        let name = name.to_owned();
        handle.ask(|reply| Request::ForgetNetwork { name, reply }).await
    }
}

impl Shared {
    /// What a new container asks, under the names of the networks as far as they are there. The first one is that of the
    /// network mode.
    pub fn endpoints(
        &self,
        config: &Config,
        host: &HostConfig,
        wished: BTreeMap<String, EndpointSettings>,
    ) -> Result<Endpoints> {
        let mode = host.network_mode.as_str();
        if config.network_disabled || mode.starts_with("container:") {
            return Ok(Endpoints::new());
        }
        let mut endpoints = Endpoints::new();
        for (name, settings) in wished {
            let (name, network) = self.named(&name);
            endpoint::check(network.as_deref(), &name, &settings).map_err(|error| {
                Error::new(error.kind, format!("invalid config for network {name}: {}", error.what))
            })?;
            endpoints.insert(name, asked(settings));
        }
        let first = self.named(mode).0;
        if endpoints.is_empty() {
            endpoints.insert(first.clone(), EndpointSettings::default());
        }
        // Networks that were named are all; the mode is not one more.
        let Some(first) = endpoints.get(&first) else { return Ok(endpoints) };
        let own = &config.mac_address;
        if !own.is_empty() && own.parse::<MacAddress>().is_err() {
            let network = self.named(mode).0;
            return Err(Error::invalid(format!(
                "invalid config for network {network}: invalid MAC address {own}"
            )));
        }
        if !own.is_empty() && !first.mac_address.is_empty() && *own != first.mac_address {
            return Err(Error::invalid(
                "the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty",
            ));
        }
        Ok(endpoints)
    }

    /// The network's own name and the network, if it is there.
    fn named(&self, wanted: &str) -> (String, Option<Arc<Network>>) {
        let wanted = if wanted == "default" { "bridge" } else { wanted };
        match self.networks.find(wanted) {
            Ok(network) => (network.name.clone(), Some(network)),
            Err(_) => (wanted.to_owned(), None),
        }
    }

    /// What the container is to join, that of its network mode first. A container that is not of the first start stays
    /// with the networks it had: one that was removed is missed, though there be another of its name.
    pub fn wishes(&self, record: &Record) -> Result<Vec<Wish>> {
        if record.config.network_disabled {
            return Ok(Vec::new());
        }
        let mode = self.named(&record.host_config.network_mode).0;
        let only = EndpointSettings::default();
        let mut wanted: Vec<(&str, &EndpointSettings)> =
            record.endpoints.iter().map(|(name, settings)| (name.as_str(), settings)).collect();
        if wanted.is_empty() {
            wanted.push((&mode, &only));
        }
        wanted.sort_by_key(|(name, _)| (*name != mode, *name));
        let guarded = is_guarded(&record.host_config)?;
        let mut wishes = Vec::new();
        for (name, settings) in wanted {
            let network = self.network_of(name, settings)?;
            if network.is_none() {
                continue;
            }
            may_join(&network)?;
            let mac = if name == mode { record.config.mac_address.as_str() } else { "" };
            let wish = endpoint::wish(&network, settings, mac, guarded);
            wishes.push(wish.map_err(|error| Error::invalid(error.to_string()))?);
        }
        Ok(wishes)
    }

    fn network_of(&self, name: &str, settings: &EndpointSettings) -> Result<Arc<Network>> {
        match settings.network_id.as_str() {
            "" => self.networks.find(name),
            id => self
                .networks
                .by_id(id)
                .ok_or_else(|| Error::not_found(format!("network {id} not found"))),
        }
    }
}

fn may_join(network: &Network) -> Result<()> {
    if network.is_config_only() {
        let why = "cannot create endpoint on configuration-only network";
        return Err(Error::new(Kind::Forbidden, why));
    }
    Ok(())
}

/// Whoever may configure a network may give itself addresses: nested engines, routers, VPNs do.
fn is_guarded(host: &HostConfig) -> Result<bool> {
    let list = |names: &Option<Vec<String>>| names.clone().unwrap_or_default();
    let capabilities = Capabilities::parse(&list(&host.cap_add), &list(&host.cap_drop))?;
    let granted = capabilities.set(host.privileged, u64::MAX);
    Ok(!granted.iter().any(|name| name == "CAP_NET_ADMIN"))
}

impl Actor {
    pub async fn connect(
        &mut self,
        network: Arc<Network>,
        settings: EndpointSettings,
    ) -> Result<()> {
        self.may_connect(&network)?;
        let joined = match self.namespace()? {
            Some(namespace) => {
                let on = |interface: &Interface| interface.network_id == network.id;
                if self.record.state.interfaces.iter().any(on) {
                    return Err(Error::new(
                        Kind::Forbidden,
                        format!(
                            "endpoint with name {} already exists in network {}",
                            self.record.name, network.name
                        ),
                    ));
                }
                Some(self.join_running(namespace, &network, &settings).await?)
            }
            None => None,
        };
        if joined.is_some()
            && let Err(error) = self.open_dns(&network).await
        {
            self.leave_running(&network).await;
            return Err(error);
        }
        let before = self.record.endpoints.insert(network.name.clone(), settings);
        if let Some(interface) = &joined {
            self.record.state.interfaces.push(interface.clone());
        }
        self.name_endpoint(&network);
        if let Err(error) = self.settle_connect(joined.is_some()).await {
            self.restore_endpoint(&network, before);
            if joined.is_some() {
                self.leave_running(&network).await;
                self.lead_ports_or_warn().await;
            }
            return Err(error);
        }
        if let Some(interface) = joined {
            self.change_hosts(interface, bundle::HostsChange::Add).await;
            self.tell_of_network(&network, "connect");
        }
        Ok(())
    }

    async fn settle_connect(&mut self, is_running: bool) -> Result<()> {
        if is_running {
            self.lead_ports().await?;
        }
        self.save().await
    }

    async fn lead_ports_or_warn(&mut self) {
        if let Err(error) = self.lead_ports().await {
            tracing::warn!(container = self.record.id, "{error}");
        }
    }

    pub async fn set_aliases(
        &mut self,
        network: &Network,
        aliases: Option<Vec<String>>,
    ) -> Result<()> {
        let missing = Error::system(self.not_connected(&network.name));
        let settings = self.record.endpoints.get_mut(&network.name).ok_or(missing)?;
        let before = std::mem::replace(&mut settings.aliases, aliases);
        self.name_endpoint(network);
        let saved = self.save().await;
        if saved.is_err()
            && let Some(settings) = self.record.endpoints.get_mut(&network.name)
        {
            settings.aliases = before;
            self.name_endpoint(network);
        }
        saved
    }

    pub async fn disconnect(&mut self, network: Arc<Network>) -> Result<()> {
        if network.is_host() && self.record.host_config.network_mode == "host" {
            return Err(host_stays());
        }
        let Some(settings) = self.record.endpoints.remove(&network.name) else {
            return Err(Error::system(self.not_connected(&network.name)));
        };
        let running = self.namespace()?.is_some();
        if running {
            self.leave_running(&network).await;
        }
        let interfaces = &mut self.record.state.interfaces;
        let position = interfaces.iter().position(|interface| interface.network_id == network.id);
        let interface = position.map(|position| interfaces.remove(position));
        if interface.is_some() {
            self.lead_ports_or_warn().await;
        }
        if let Err(error) = self.save().await {
            // It is out of the network; the record says so with the next change.
            self.show();
            tracing::error!(container = self.record.id, "still on {}: {settings:?}", network.name);
            return Err(error);
        }
        if let Some(interface) = interface {
            self.change_hosts(interface, bundle::HostsChange::Remove).await;
        }
        if running {
            self.tell_of_network(&network, "disconnect");
        }
        Ok(())
    }

    pub async fn forget_network(&mut self, name: &str) -> Result<()> {
        let Some(settings) = self.record.endpoints.remove(name) else {
            let id = &self.record.id;
            let why = format!("container {id} is not connected to the network {name}");
            return Err(Error::system(why));
        };
        let saved = self.save().await;
        if saved.is_err() {
            self.record.endpoints.insert(name.to_owned(), settings);
        }
        saved
    }

    fn not_connected(&self, network: &str) -> String {
        let the = if self.record.state.pid > 0 { "" } else { "the " };
        format!("container {} is not connected to {the}network {network}", self.record.id)
    }

    fn may_connect(&self, network: &Network) -> Result<()> {
        let record = &self.record;
        if matches!(self.status(), Status::Removing | Status::Dead) {
            let id = &record.id;
            let why = format!(
                "container {id} is marked for removal and cannot be connected or disconnected to the network {}",
                network.name
            );
            return Err(Error::new(Kind::Forbidden, why));
        }
        may_join(network)?;
        if record.network_of().is_some() || record.host_config.network_mode == "host" {
            return Err(Error::invalid(
                "container sharing network namespace with another container or host cannot be connected to any other network",
            ));
        }
        if network.is_host() {
            return Err(host_stays());
        }
        let others = record.endpoints.keys().filter(|name| **name != network.name);
        let mut others = others.peekable();
        let has_others = others.peek().is_some();
        if (network.is_none() && has_others) || others.any(|name| name == "none") {
            return Err(Error::invalid(
                "container cannot be connected to multiple networks with one of the networks in private (none) mode",
            ));
        }
        Ok(())
    }

    /// Of a container that runs.
    pub fn namespace(&self) -> Result<Option<OwnedFd>> {
        let pid = self.record.state.pid;
        if pid == 0 {
            return Ok(None);
        }
        let failed = |cause| Error::system("cannot enter the container's network").because(cause);
        Ok(Some(File::open(format!("/proc/{pid}/ns/net")).map_err(failed)?.into()))
    }

    async fn join_running(
        &self,
        namespace: OwnedFd,
        network: &Network,
        settings: &EndpointSettings,
    ) -> Result<Interface> {
        let guarded = is_guarded(&self.record.host_config)?;
        let wish = endpoint::wish(network, settings, "", guarded)
            .map_err(|error| Error::invalid(error.to_string()))?;
        let (shared, id) = (Arc::clone(&self.shared), self.record.id.clone());
        blocking(move || shared.network.connect(&id, namespace.as_fd(), &wish).map_err(not_joined))
            .await
    }

    /// Keeps going: what cannot be undone inside goes with the namespace.
    async fn leave_running(&self, network: &Network) {
        let namespace = self.namespace().ok().flatten();
        let (shared, container) = (Arc::clone(&self.shared), self.record.id.clone());
        let id = network.id.clone();
        let left = blocking(move || {
            let namespace = namespace.as_ref().map(AsFd::as_fd);
            shared
                .network
                .disconnect(&container, namespace, &id)
                .map_err(|cause| Error::system("cannot leave the network").because(cause))
        });
        if let Err(error) = left.await {
            tracing::warn!(container = self.record.id, "{error}");
        }
    }

    fn restore_endpoint(&mut self, network: &Network, before: Option<EndpointSettings>) {
        match before {
            Some(settings) => self.record.endpoints.insert(network.name.clone(), settings),
            None => self.record.endpoints.remove(&network.name),
        };
        self.record.state.interfaces.retain(|interface| interface.network_id != network.id);
    }

    /// Writes down which networks it is on and by what names; with each start, connect and rename.
    pub fn name_endpoints(&mut self) {
        for network in self.shared.networks.all() {
            if self.record.endpoints.contains_key(&network.name) {
                self.name_endpoint(&network);
            }
        }
    }

    fn name_endpoint(&mut self, network: &Network) {
        let record = &self.record;
        let (name, id, hostname) = (&record.name, &record.id, &record.config.hostname);
        let Some(settings) = record.endpoints.get(&network.name) else { return };
        let names = endpoint::dns_names(network, settings, name, id, hostname);
        let up = record.state.pid > 0;
        let Some(settings) = self.record.endpoints.get_mut(&network.name) else { return };
        settings.dns_names = names;
        if up {
            settings.network_id.clone_from(&network.id);
        }
    }

    async fn change_hosts(&self, interface: Interface, change: bundle::HostsChange) {
        if let Err(error) =
            bundle::change_hosts(&self.shared, &self.record, interface, change).await
        {
            tracing::warn!(container = self.record.id, "{error}");
        }
    }

    /// Of all networks that it joins or leaves with its process.
    pub fn tell_networks(&self, action: &str) {
        for interface in &self.record.state.interfaces {
            if let Some(network) = self.shared.networks.by_id(&interface.network_id) {
                self.tell_of_network(&network, action);
            }
        }
    }

    fn tell_of_network(&self, network: &Network, action: &str) {
        if self.record.is_step() {
            return;
        }
        let attributes = [
            ("container", self.record.id.as_str()),
            ("name", &network.name),
            ("type", &network.driver),
        ];
        let attributes = attributes.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let attributes = attributes.into_iter().collect();
        self.shared.events.publish(events::Kind::Network, action, &network.id, attributes);
    }
}

/// In Docker's words and kinds where it has some.
pub fn not_joined(error: network::Error) -> Error {
    let kind = match &error {
        network::Error::AddressInUse | network::Error::AlreadyJoined { .. } => Kind::Forbidden,
        network::Error::NoSuchNetwork(_) => Kind::NotFound,
        network::Error::NoAddressLeft { .. } => Kind::System,
        _ => return Error::system("failed to set up container networking").because(error),
    };
    Error::new(kind, error.to_string())
}

fn host_stays() -> Error {
    Error::invalid(
        "container cannot be disconnected from host network or connected to host network",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_configure_a_network_is_not_guarded() {
        let guarded = |host: HostConfig| is_guarded(&host).unwrap();
        assert!(guarded(HostConfig::default()));
        assert!(!guarded(HostConfig { privileged: true, ..HostConfig::default() }));
        let add =
            |name: &str| HostConfig { cap_add: Some(vec![name.into()]), ..HostConfig::default() };
        assert!(!guarded(add("NET_ADMIN")) && !guarded(add("ALL")) && guarded(add("SYS_PTRACE")));
    }
}
