//! GET /networks/why/{to}, which Docker does not have: what becomes of the first packet of a connection, step by step.
//!
//! Nothing is sent. Each step is something that is looked up now: the record, the kernel's maps, switches, everybody's
//! rules, the sockets inside.

mod inside;
mod path;
mod story;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use api::networks::Explanation;
use network::Interface;
use network::publish::{self, Mapping, Protocol};

use self::path::{From, Path};
use self::story::Story;
use super::Networks;
use crate::containers::{Record, is_up, target};
use crate::error::{Error, Result};

/// Where a packet is to go.
enum Place {
    Address(IpAddr),
    /// Any address of the host.
    Anywhere,
    Container(Arc<Record>),
}

impl Networks {
    /// `to` is `ADDRESS:PORT`, `CONTAINER:PORT` or `:PORT`; `protocol` is TCP, and `from` whoever it may be, unless they
    /// are given. Blocks.
    pub fn why(&self, to: &str, protocol: &str, from: &str) -> Result<Explanation> {
        let (place, port) = self.place(to)?;
        let protocol = match protocol {
            "" => Protocol::Tcp,
            text => {
                text.parse().map_err(|()| Error::invalid(format!("invalid protocol: {text:?}")))?
            }
        };
        let from = self.from(from, &place)?;
        let mut path = Path { networks: self, protocol, from, story: Story::default(), ufw: None };
        let container = match place {
            Place::Container(record) => path.reach_container(&record, port),
            Place::Anywhere => path.reach_host(None, port),
            Place::Address(ip) => match self.owner_of(ip) {
                Some((record, interface)) => path.reach_interface(&record, &interface, port),
                None => path.reach_elsewhere(ip, port),
            },
        };
        let Path { from, story, ufw, .. } = path;
        Ok(Explanation {
            to: to.to_owned(),
            protocol: protocol.as_str().to_owned(),
            from: from.to_string(),
            container,
            verdict: story.verdict().to_owned(),
            steps: story.steps,
            ufw,
        })
    }

    fn place(&self, to: &str) -> Result<(Place, u16)> {
        let invalid = || Error::invalid(format!("invalid address: {to:?} is not HOST:PORT"));
        let (place, port) = to.rsplit_once(':').ok_or_else(invalid)?;
        let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(invalid)?;
        let bare = place.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        let place = match bare.unwrap_or(place) {
            "" | "0.0.0.0" | "::" => Place::Anywhere,
            "localhost" => Place::Address(Ipv4Addr::LOCALHOST.into()),
            text => match text.parse() {
                Ok(ip) => Place::Address(ip),
                Err(_) => Place::Container(self.containers.find(text)?.record()),
            },
        };
        Ok((place, port))
    }

    fn from(&self, from: &str, to: &Place) -> Result<From> {
        let is_loopback = matches!(to, Place::Address(ip) if ip.is_loopback());
        match from {
            "" if is_loopback => Ok(From::Host),
            "" | "outside" => Ok(From::Outside),
            "host" => Ok(From::Host),
            name => {
                let record = self.containers.find(name)?.record();
                if !is_up(record.state.status) {
                    return Err(Error::conflict(format!(
                        "container {} is not running",
                        record.name
                    )));
                }
                Ok(From::Container(record))
            }
        }
    }

    fn owner_of(&self, ip: IpAddr) -> Option<(Arc<Record>, Interface)> {
        self.running().into_iter().find_map(|record| {
            let own = |interface: &&Interface| interface.addresses().any(|own| own == ip);
            let interface = record.state.interfaces.iter().find(own)?.clone();
            Some((record, interface))
        })
    }

    /// Whose port it is, of those that lead to containers.
    fn mapping(
        &self,
        protocol: Protocol,
        ip: Option<IpAddr>,
        port: u16,
    ) -> Option<(Arc<Record>, Mapping)> {
        let is_meant = |mapping: &&Mapping| {
            let reached = ip.is_none_or(|ip| {
                mapping.ip == ip
                    || mapping.ip.is_unspecified() && mapping.ip.is_ipv4() == ip.is_ipv4()
            });
            mapping.protocol == protocol && mapping.host.contains(port) && reached
        };
        self.running().into_iter().find_map(|record| {
            let mapping = *record.state.ports.iter().find(is_meant)?;
            Some((record, mapping))
        })
    }

    fn running(&self) -> Vec<Arc<Record>> {
        let all = self.containers.index().all().into_iter().map(|handle| handle.record());
        all.filter(|record| is_up(record.state.status)).collect()
    }
}

impl Path<'_> {
    fn reach_container(&mut self, record: &Arc<Record>, port: u16) -> String {
        if !is_up(record.state.status) {
            let status = record.state.status.as_str();
            self.story.block("container", format!("{} is not running: {status}", record.name));
            return record.name.clone();
        }
        match record.host_config.network_mode.as_str() {
            "host" => {
                self.story.pass("network", "the container uses the host's network".to_owned());
                self.reach_program(None, port);
                self.listener(record, IpAddr::V4(Ipv4Addr::UNSPECIFIED), port);
                return record.name.clone();
            }
            mode if mode.starts_with("container:") => {
                let other = mode.trim_start_matches("container:");
                self.story.note("network", format!("it shares the network of container {other}"));
                return match self.networks.containers.find(other) {
                    Ok(handle) => self.reach_container(&handle.record(), port),
                    Err(error) => {
                        self.story.block("network", error.to_string());
                        record.name.clone()
                    }
                };
            }
            _ => {}
        }
        let published = record.state.ports.iter().find(|mapping| {
            mapping.protocol == self.protocol && mapping.container().contains(port)
        });
        match (published, self.common_interface(record)) {
            (_, Some(interface)) => self.reach_interface(record, &interface, port),
            (Some(mapping), None) => {
                let host_port = mapping.host.first + (port - mapping.container_port);
                let ip = Some(mapping.ip).filter(|ip| !ip.is_unspecified());
                self.reach_host(ip, host_port)
            }
            (None, None) => match self.main_interface(record) {
                Some(interface) => self.reach_interface(record, &interface, port),
                None => {
                    self.story.block("network", format!("{} has no network", record.name));
                    record.name.clone()
                }
            },
        }
    }

    /// To an address that no container has: this host's, or for a container another one's.
    fn reach_elsewhere(&mut self, ip: IpAddr, port: u16) -> String {
        match &self.from {
            From::Container(asking) if !publish::is_of_host(ip).unwrap_or(true) => {
                let asking = Arc::clone(asking);
                self.leaves(&asking, ip, port);
                String::new()
            }
            _ => self.reach_host(Some(ip), port),
        }
    }

    /// By its port of the host.
    fn reach_host(&mut self, ip: Option<IpAddr>, port: u16) -> String {
        if let Some(ip) = ip
            && !publish::is_of_host(ip).unwrap_or(true)
        {
            self.story.block("address", format!("{ip} is no address of this host"));
        }
        let Some((record, mapping)) = self.networks.mapping(self.protocol, ip, port) else {
            self.not_published(ip, port);
            return String::new();
        };
        let inner = mapping.behind(port);
        let text = format!("{mapping} leads to port {inner} of container {}", record.name);
        self.story.pass("mapping", text);
        if mapping.ip.is_loopback() && !matches!(self.from, From::Host) {
            let text = format!("published on {}: for clients on this host alone", mapping.ip);
            self.story.block("mapping", text);
        }
        self.redirected(&record, &mapping, ip, port);
        record.name.clone()
    }

    fn not_published(&mut self, ip: Option<IpAddr>, port: u16) {
        let all = ip.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let holder = publish::holder(self.protocol, all, port);
        let text = match holder {
            Some(holder) => format!("no container has port {port}; {holder} does"),
            None => format!("port {port} is not published by any container that runs"),
        };
        self.story.block("mapping", text);
        for record in self.networks.containers.index().all().iter().map(|handle| handle.record()) {
            let bindings = record.host_config.port_bindings.iter().flatten();
            let mut all = bindings.flat_map(|(_, bindings)| bindings.iter().flatten());
            if !is_up(record.state.status) && all.any(|one| one.host_port == port.to_string()) {
                self.story
                    .note("mapping", format!("{} would have it, but is not running", record.name));
            }
        }
    }

    fn main_interface(&self, record: &Record) -> Option<Interface> {
        let (ipv4, ipv6) = network::default_interfaces(&record.state.interfaces);
        ipv4.or(ipv6).or(record.state.interfaces.first()).cloned()
    }

    /// Where whoever asks and the container meet.
    fn common_interface(&self, record: &Record) -> Option<Interface> {
        let From::Container(asking) = &self.from else { return None };
        let of_network = |interface: &&Interface| {
            let own = &asking.state.interfaces;
            own.iter().any(|own| own.network_id == interface.network_id)
        };
        record.state.interfaces.iter().find(of_network).cloned()
    }

    /// The container's address that the mapping leads to.
    fn inner_address(record: &Record, mapping: &Mapping) -> Option<IpAddr> {
        let target = target(&record.state.interfaces);
        let ipv6 = target.ipv6.filter(|_| !mapping.ip.is_ipv4()).map(IpAddr::V6);
        ipv6.or(target.ipv4.map(IpAddr::V4))
    }
}
