//! The host's links that macvlan and ipvlan networks are on.

use netlink_packet_route::link::{
    InfoData, InfoIpVlan, InfoKind, InfoMacVlan, InfoVlan, IpVlanFlags, IpVlanMode, LinkInfo,
    MacVlanMode,
};
use sys::netlink::{Batch, Socket};

use crate::books::HostLink;
use crate::config::{Config, Driver, IpvlanFlag, IpvlanLayer, IpvlanMode, MacvlanMode};
use crate::error::{Context, Error, Result};
use crate::identity::Identity;
use crate::route;

/// The link of a macvlan or ipvlan network; none of a bridge.
pub(crate) fn name(config: &Config) -> Option<String> {
    let own = |prefix: &str| format!("{prefix}-{}", config.id.get(..12).unwrap_or(&config.id));
    match &config.driver {
        Driver::Bridge(_) => None,
        Driver::Macvlan(options) if options.parent.is_empty() => Some(own("dm")),
        Driver::Ipvlan(options) if options.parent.is_empty() => Some(own("di")),
        Driver::Macvlan(options) => Some(options.parent.clone()),
        Driver::Ipvlan(options) => Some(options.parent.clone()),
    }
}

/// Finds the parent, or makes it: a VLAN `eth0.10`, or a link that leads nowhere where none was named.
pub(crate) fn ensure(
    socket: &mut Socket,
    identity: &Identity,
    config: &Config,
    name: &str,
) -> Result<HostLink> {
    let action = || format!("set up the parent link {name}");
    let links = route::links(socket).context(|| "list the host's links".to_owned())?;
    let find = |name: &str| links.iter().find(|link| link.name == name);
    if let Some(link) = find(name) {
        let is_ours = link.group == identity.link_group();
        return Ok(HostLink { name: name.to_owned(), index: link.index, is_ours });
    }
    let is_own = match &config.driver {
        Driver::Macvlan(options) => options.parent.is_empty(),
        Driver::Ipvlan(options) => options.parent.is_empty(),
        Driver::Bridge(_) => false,
    };
    let mut batch = Batch::default();
    if is_own {
        let kind = vec![LinkInfo::Kind(InfoKind::Dummy)];
        route::create_parent(&mut batch, name, identity.link_group(), None, kind);
    } else {
        let (below, id) = vlan(name).ok_or_else(|| Error::NoVlan(name.to_owned()))?;
        let below = find(below).ok_or_else(|| Error::NoParent(below.to_owned()))?;
        let data = InfoData::Vlan(vec![InfoVlan::Id(id)]);
        let kind = vec![LinkInfo::Kind(InfoKind::Vlan), LinkInfo::Data(data)];
        route::create_parent(&mut batch, name, identity.link_group(), Some(below.index), kind);
    }
    socket.transact(batch).context(action)?;
    let index = route::link_index(socket, name).context(action)?;
    Ok(HostLink { name: name.to_owned(), index, is_ours: true })
}

/// `eth0.10` is VLAN 10 of `eth0`.
fn vlan(name: &str) -> Option<(&str, u16)> {
    let (below, id) = name.rsplit_once('.')?;
    let id = id.parse().ok().filter(|id| (1..4095).contains(id))?;
    Some((below, id)).filter(|_| !below.is_empty())
}

/// What is put into the containers; none for a bridge's.
pub(crate) fn child(driver: &Driver) -> Option<Vec<LinkInfo>> {
    match driver {
        Driver::Bridge(_) => None,
        Driver::Macvlan(options) => {
            let data = InfoData::MacVlan(vec![InfoMacVlan::Mode(macvlan(options.mode))]);
            Some(vec![LinkInfo::Kind(InfoKind::MacVlan), LinkInfo::Data(data)])
        }
        Driver::Ipvlan(options) => {
            let IpvlanMode { layer, flag } = options.mode;
            let data = vec![InfoIpVlan::Mode(ipvlan(layer)), InfoIpVlan::Flags(ipvlan_flags(flag))];
            Some(vec![LinkInfo::Kind(InfoKind::IpVlan), LinkInfo::Data(InfoData::IpVlan(data))])
        }
    }
}

fn macvlan(mode: MacvlanMode) -> MacVlanMode {
    match mode {
        MacvlanMode::Bridge => MacVlanMode::Bridge,
        MacvlanMode::Private => MacVlanMode::Private,
        MacvlanMode::Vepa => MacVlanMode::Vepa,
        MacvlanMode::Passthru => MacVlanMode::Passthrough,
    }
}

fn ipvlan(layer: IpvlanLayer) -> IpVlanMode {
    match layer {
        IpvlanLayer::L2 => IpVlanMode::L2,
        IpvlanLayer::L3 => IpVlanMode::L3,
        IpvlanLayer::L3s => IpVlanMode::L3S,
    }
}

fn ipvlan_flags(flag: IpvlanFlag) -> IpVlanFlags {
    match flag {
        IpvlanFlag::Bridge => IpVlanFlags::empty(),
        IpvlanFlag::Private => IpVlanFlags::Private,
        IpvlanFlag::Vepa => IpVlanFlags::Vepa,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vlan_is_named_after_its_link_and_number() {
        assert_eq!(vlan("eth0.10"), Some(("eth0", 10)));
        assert_eq!(vlan("a.b.4094"), Some(("a.b", 4094)));
        for name in ["eth0", "eth0.", "eth0.0", "eth0.4095", ".10", "eth0.x"] {
            assert_eq!(vlan(name), None, "{name}");
        }
    }
}
