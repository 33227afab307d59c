//! The way through the host: hooks, switches, networks.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use api::containers::Status;
use api::networks::UfwRule;
use network::diagnosis::{Hook, Keeper, Obstacle, Packet};
use network::publish::{Mapping, Protocol};
use network::{Config, Driver, Interface};

use super::inside;
use super::story::Story;
use crate::containers::{Record, target};
use crate::networks::Networks;
use crate::system::host;

/// Whose packet it is.
pub(super) enum From {
    /// Another host's.
    Outside,
    Host,
    Container(Arc<Record>),
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outside => f.write_str("another host"),
            Self::Host => f.write_str("this host"),
            Self::Container(record) => write!(f, "container {}", record.name),
        }
    }
}

pub(super) struct Path<'a> {
    pub(super) networks: &'a Networks,
    pub(super) protocol: Protocol,
    pub(super) from: From,
    pub(super) story: Story,
    /// What would have ufw let it through.
    pub(super) ufw: Option<UfwRule>,
}

impl Path<'_> {
    /// To a published port: the engine's table changes the destination, or the proxy takes the connection.
    pub(super) fn redirected(
        &mut self,
        record: &Record,
        mapping: &Mapping,
        ip: Option<IpAddr>,
        port: u16,
    ) {
        let has_table = self.networks.network.leads_ports();
        if has_table {
            self.table_leads(record, mapping, port);
        }
        let Some(inner) = Self::inner_address(record, mapping) else {
            self.story.block("network", format!("{} has no address", record.name));
            return;
        };
        let Some(interface) = interface_of(record, inner) else { return };
        let inner_port = mapping.behind(port);
        let outer = ip.unwrap_or(mapping.ip);
        let by_proxy = !has_table || outer.is_ipv6() && (inner.is_ipv4() || outer.is_loopback());
        if has_table && by_proxy && self.protocol == Protocol::Sctp {
            let text = "the proxy, which carries on what comes here, knows no SCTP".to_owned();
            self.story.block("proxy", text);
        }
        let first = if matches!(self.from, From::Host) { Hook::Output } else { Hook::Prerouting };
        self.hook(first, &self.packet(outer, port, None, false), None);
        match (by_proxy, &self.from) {
            (true, _) => {
                self.story.note("proxy", "the engine's proxy carries it on".to_owned());
                if !matches!(self.from, From::Host) {
                    // Where the table sends it to the proxy, it does so before.
                    self.hook(Hook::Input, &self.packet(outer, port, None, has_table), None);
                }
            }
            (false, From::Host) => self.loopback_is_routed(outer, &interface),
            (false, _) => self.forwarded(&interface, inner, inner_port, true),
        }
        self.arrives(record, &interface, inner, inner_port);
    }

    fn table_leads(&mut self, record: &Record, mapping: &Mapping, port: u16) {
        let target = target(&record.state.interfaces);
        match self.networks.network.leads(mapping, target, port) {
            Ok(true) => self.story.pass("table", "the engine's table has it".to_owned()),
            Ok(false) => self.story.block(
                "table",
                "the engine's table lacks it: somebody has changed it; restart gantryd".to_owned(),
            ),
            Err(error) => self.story.doubt("table", error.to_string()),
        }
    }

    /// To a container's own address.
    pub(super) fn reach_interface(
        &mut self,
        record: &Arc<Record>,
        interface: &Interface,
        port: u16,
    ) -> String {
        let name = record.name.clone();
        let Some(ip) = interface.addresses().next() else {
            self.story.block("network", format!("{name} has no address there"));
            return name;
        };
        let text = format!("{ip} is {}'s on network {}", name, interface.network);
        self.story.pass("network", text);
        match &self.from {
            From::Host => self.hook(
                Hook::Output,
                &self.packet(ip, port, bridge(self, interface), false),
                None,
            ),
            From::Outside => {
                self.hook(Hook::Prerouting, &self.packet(ip, port, None, false), Some(interface));
                self.forwarded(interface, ip, port, false);
            }
            From::Container(asking) => {
                let asking = Arc::clone(asking);
                self.between(&asking, interface, ip, port);
            }
        }
        self.arrives(record, interface, ip, port);
        name
    }

    /// From a container to another host.
    pub(super) fn leaves(&mut self, container: &Record, ip: IpAddr, port: u16) {
        let (ipv4, ipv6) = network::default_interfaces(&container.state.interfaces);
        let Some(interface) = (if ip.is_ipv4() { ipv4 } else { ipv6 }) else {
            let text = format!("{} has no network with a way to {ip}", container.name);
            return self.story.block("network", text);
        };
        let text = format!("{} leaves by network {}", container.name, interface.network);
        self.story.pass("network", text);
        self.is_forwarding(ip);
        self.hook(Hook::Forward, &self.packet(ip, port, None, false), Some(interface));
    }

    /// To a program of the host itself.
    pub(super) fn reach_program(&mut self, ip: Option<IpAddr>, port: u16) {
        let ip = ip.unwrap_or(IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED));
        if !matches!(self.from, From::Host) {
            self.hook(Hook::Prerouting, &self.packet(ip, port, None, false), None);
            self.hook(Hook::Input, &self.packet(ip, port, None, false), None);
        }
    }

    fn between(&mut self, asking: &Record, interface: &Interface, ip: IpAddr, port: u16) {
        let own = &asking.state.interfaces;
        let common = own.iter().find(|own| own.network_id == interface.network_id);
        let config = self.config(interface);
        let options = config.as_ref().and_then(|config| match &config.driver {
            Driver::Bridge(options) => Some(options.clone()),
            Driver::Macvlan(_) | Driver::Ipvlan(_) => None,
        });
        match (common, options) {
            (Some(_), Some(options)) if !options.icc => {
                let text =
                    format!("network {} keeps its containers apart (icc)", interface.network);
                self.story.block("network", text);
            }
            (Some(_), _) => {
                let text = format!("both are on network {}", interface.network);
                self.story.pass("network", text);
                if host::sysctl("net/bridge/bridge-nf-call-iptables") {
                    self.forwarded(interface, ip, port, false);
                }
            }
            (None, _) => self.forwarded(interface, ip, port, false),
        }
    }

    fn forwarded(&mut self, interface: &Interface, ip: IpAddr, port: u16, redirected: bool) {
        self.is_forwarding(ip);
        let output = bridge(self, interface);
        let packet = self.packet(ip, port, output, redirected);
        self.hook(Hook::Forward, &packet, Some(interface));
    }

    fn is_forwarding(&mut self, ip: IpAddr) {
        let key = match ip {
            IpAddr::V4(_) => "net/ipv4/ip_forward",
            IpAddr::V6(_) => "net/ipv6/conf/all/forwarding",
        };
        match host::sysctl(key) {
            true => self.story.pass("forwarding", format!("{key} is on")),
            false => self.story.block("forwarding", format!("{key} is off")),
        }
    }

    fn loopback_is_routed(&mut self, outer: IpAddr, interface: &Interface) {
        let Some(bridge) = bridge(self, interface).filter(|_| outer.is_loopback()) else { return };
        let key = format!("net/ipv4/conf/{bridge}/route_localnet");
        if !host::sysctl(&key) {
            self.story.block("forwarding", format!("{key} is off: 127.0.0.1 does not get there"));
        }
    }

    /// What the container itself makes of it.
    fn arrives(&mut self, record: &Record, interface: &Interface, ip: IpAddr, port: u16) {
        if record.state.status == Status::Paused {
            self.story.block("container", format!("{} is paused", record.name));
        }
        let mut packet = self.packet(ip, port, None, false);
        packet.input = Some(interface.name.clone());
        let found = inside::obstacles(record.state.pid, &packet);
        match found {
            Ok(found) => found.iter().for_each(|obstacle| {
                self.obstacle("inside", obstacle, "in the container's own firewall, ");
            }),
            Err(error) => self.story.doubt("inside", error.to_string()),
        }
        self.listener(record, ip, port);
    }

    pub(super) fn listener(&mut self, record: &Record, ip: IpAddr, port: u16) {
        let (name, protocol) = (&record.name, self.protocol);
        match inside::listeners(record.state.pid, protocol, port) {
            Err(error) => self.story.doubt("listener", error.to_string()),
            // The kernel does not list them in the same way.
            Ok(_) if protocol == Protocol::Sctp => {}
            Ok(found) if found.is_empty() => {
                let text = format!("nothing in {name} listens on port {port}/{protocol}");
                self.story.block("listener", text);
            }
            Ok(found) if found.iter().any(|on| inside::serves(*on, ip)) => {
                let text = format!("something in {name} listens on port {port}/{protocol}");
                self.story.pass("listener", text);
            }
            Ok(found) => {
                let places: Vec<_> = found.iter().map(IpAddr::to_string).collect();
                let text = format!(
                    "port {port}/{protocol} is listened to on {} alone, not on {ip}",
                    places.join(", ")
                );
                self.story.block("listener", text);
            }
        }
    }

    fn packet(&self, to: IpAddr, port: u16, output: Option<String>, redirected: bool) -> Packet {
        let (source, input) = match &self.from {
            From::Outside | From::Host => (None, None),
            From::Container(record) => {
                let (ipv4, ipv6) = network::default_interfaces(&record.state.interfaces);
                let interface = if to.is_ipv4() { ipv4 } else { ipv6 };
                let own = |ip: &IpAddr| ip.is_ipv4() == to.is_ipv4();
                let source = interface.and_then(|interface| interface.addresses().find(own));
                (source, interface.and_then(|interface| bridge(self, interface)))
            }
        };
        Packet { protocol: self.protocol, source, destination: to, port, input, output, redirected }
    }

    fn hook(&mut self, hook: Hook, packet: &Packet, to: Option<&Interface>) {
        let found = match self.networks.network.obstacles(hook, packet) {
            Ok(found) => found,
            Err(error) => return self.story.doubt(hook.as_str(), error.to_string()),
        };
        if found.is_empty() {
            self.story.pass(hook.as_str(), "no chain of the firewall drops it".to_owned());
        }
        let keeps = |keeper| found.iter().any(|obstacle| obstacle.keeper == keeper);
        if keeps(Keeper::Ufw) && !keeps(Keeper::Own) {
            self.ask_ufw(hook, packet);
        }
        for obstacle in found {
            match to.filter(|_| obstacle.keeper == Keeper::Own && obstacle.is_certain) {
                Some(interface) => {
                    let text = self.own_reason(interface);
                    self.story.block(hook.as_str(), text);
                }
                None => self.obstacle(hook.as_str(), &obstacle, ""),
            }
        }
    }

    fn ask_ufw(&mut self, hook: Hook, packet: &Packet) {
        let route = match (hook, &packet.output, &packet.input) {
            (Hook::Input, ..) => String::new(),
            (Hook::Forward, Some(bridge), _) => format!("out on {bridge}"),
            (Hook::Forward, None, Some(bridge)) => format!("in on {bridge}"),
            _ => return,
        };
        let protocol = packet.protocol.as_str().to_owned();
        self.ufw = Some(UfwRule { route, port: packet.port, protocol });
    }

    fn own_reason(&self, to: &Interface) -> String {
        let network = &to.network;
        let is_internal = self.config(to).is_some_and(|config| config.internal);
        match &self.from {
            _ if is_internal => format!("network {network} is internal: nothing gets in or out"),
            From::Container(_) => {
                format!("networks are kept apart: connect both containers to {network}")
            }
            From::Outside | From::Host => {
                "containers' own addresses are not reached from outside: publish the port"
                    .to_owned()
            }
        }
    }

    fn obstacle(&mut self, subject: &str, obstacle: &Obstacle, place: &str) {
        let Obstacle { chain, by, .. } = obstacle;
        match obstacle.is_certain {
            true => self.story.block(subject, format!("{place}chain {chain} drops it {by}")),
            false => self.story.doubt(
                subject,
                format!("{place}chain {chain} may drop it {by}, whose conditions cannot be told"),
            ),
        }
    }

    fn config(&self, interface: &Interface) -> Option<Config> {
        self.networks.directory.by_id(&interface.network_id)?.made.clone()
    }
}

fn bridge(path: &Path<'_>, interface: &Interface) -> Option<String> {
    match path.config(interface)?.driver {
        Driver::Bridge(options) => Some(options.name),
        Driver::Macvlan(_) | Driver::Ipvlan(_) => None,
    }
}

fn interface_of(record: &Record, ip: IpAddr) -> Option<Interface> {
    let has = |interface: &&Interface| interface.addresses().any(|own| own == ip);
    record.state.interfaces.iter().find(has).cloned()
}
