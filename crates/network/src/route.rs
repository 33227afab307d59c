//! The rtnetlink messages we send: links, addresses, routes.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{Emitable, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use netlink_packet_route::address::{AddressAttribute, AddressHeaderFlags, AddressMessage};
use netlink_packet_route::link::{
    InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute,
    LinkExtentMask, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use rustix::io::Errno;
use sys::netlink::attributes::{find, items};
use sys::netlink::{Batch, Error, Message, Socket};

use crate::mac::MacAddress;
use crate::subnet::Subnet;

/// Index of `lo`, the first link of every namespace.
const LOOPBACK: u32 = 1;

/// A link as far as we look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) index: u32,
    pub(crate) name: String,
    pub(crate) group: u32,
    pub(crate) is_bridge: bool,
    /// The bridge it is a port of.
    pub(crate) controller: Option<u32>,
}

/// A pair of links, one end in the host's namespace on a bridge, the other one in the container's.
pub(crate) struct VethPair<'a> {
    pub(crate) host_link: &'a str,
    pub(crate) bridge: u32,
    pub(crate) group: u32,
    pub(crate) netns: BorrowedFd<'a>,
    pub(crate) container_link: &'a str,
    pub(crate) mac: MacAddress,
    pub(crate) mtu: u32,
}

pub(crate) fn create_bridge(batch: &mut Batch, name: &str, group: u32, mac: MacAddress, mtu: u32) {
    let mut attributes = vec![
        LinkAttribute::IfName(name.into()),
        LinkAttribute::Group(group),
        // A bridge without an address of its own takes its ports' lowest, and changes with them.
        LinkAttribute::Address(mac.0.to_vec()),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
    ];
    attributes.extend(mtu_of(mtu));
    push(batch, RouteNetlinkMessage::NewLink(link(attributes)), NLM_F_CREATE | NLM_F_EXCL);
}

/// One message: both ends made and named, the host's enslaved, grouped and up.
pub(crate) fn create_veth(batch: &mut Batch, pair: &VethPair<'_>) {
    // Not up: the kernel opens a veth only when its peer is there.
    let mut peer = link(vec![
        LinkAttribute::IfName(pair.container_link.into()),
        LinkAttribute::Address(pair.mac.0.to_vec()),
        LinkAttribute::NetNsFd(pair.netns.as_raw_fd()),
    ]);
    peer.attributes.extend(mtu_of(pair.mtu));
    let mut host = link(vec![
        LinkAttribute::IfName(pair.host_link.into()),
        LinkAttribute::Group(pair.group),
        LinkAttribute::Controller(pair.bridge),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ]);
    host.attributes.extend(mtu_of(pair.mtu));
    set_up(&mut host);
    push(batch, RouteNetlinkMessage::NewLink(host), NLM_F_CREATE | NLM_F_EXCL);
}

/// A link in the container's namespace on top of one of the host's.
pub(crate) struct ChildLink<'a> {
    pub(crate) parent: u32,
    pub(crate) netns: BorrowedFd<'a>,
    pub(crate) container_link: &'a str,
    /// None where it has its parent's.
    pub(crate) mac: Option<MacAddress>,
    pub(crate) kind: Vec<LinkInfo>,
}

pub(crate) fn create_child(batch: &mut Batch, child: ChildLink<'_>) {
    let mut attributes = vec![
        LinkAttribute::IfName(child.container_link.into()),
        LinkAttribute::Link(child.parent),
        LinkAttribute::NetNsFd(child.netns.as_raw_fd()),
        LinkAttribute::LinkInfo(child.kind),
    ];
    attributes.extend(child.mac.map(|mac| LinkAttribute::Address(mac.0.to_vec())));
    push(batch, RouteNetlinkMessage::NewLink(link(attributes)), NLM_F_CREATE | NLM_F_EXCL);
}

/// A link of the host's own to put others on: a VLAN of `parent`, or one that leads nowhere.
pub(crate) fn create_parent(
    batch: &mut Batch,
    name: &str,
    group: u32,
    parent: Option<u32>,
    kind: Vec<LinkInfo>,
) {
    let mut message = link(vec![
        LinkAttribute::IfName(name.into()),
        LinkAttribute::Group(group),
        LinkAttribute::LinkInfo(kind),
    ]);
    message.attributes.extend(parent.map(LinkAttribute::Link));
    set_up(&mut message);
    push(batch, RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL);
}

/// Makes the link a port of the bridge, and brings it up.
pub(crate) fn enslave(batch: &mut Batch, name: &str, bridge: u32) {
    let attributes = vec![LinkAttribute::IfName(name.into()), LinkAttribute::Controller(bridge)];
    let mut message = link(attributes);
    set_up(&mut message);
    push(batch, RouteNetlinkMessage::SetLink(message), 0);
}

pub(crate) fn delete_link(batch: &mut Batch, name: &str) {
    let attributes = vec![LinkAttribute::IfName(name.into())];
    push(batch, RouteNetlinkMessage::DelLink(link(attributes)), 0);
}

/// Frames from this port of a bridge go to the bridge itself, but not to other isolated ports.
pub(crate) fn isolate_port(batch: &mut Batch, name: &str) {
    change_port(batch, name, InfoBridgePort::Isolated(true));
}

/// A frame may leave by this port of a bridge although it came by it.
pub(crate) fn hairpin_port(batch: &mut Batch, name: &str) {
    change_port(batch, name, InfoBridgePort::HairpinMode(true));
}

fn change_port(batch: &mut Batch, name: &str, change: InfoBridgePort) {
    let port = link(vec![
        LinkAttribute::IfName(name.into()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::PortKind(InfoPortKind::Bridge),
            LinkInfo::PortData(InfoPortData::BridgePort(vec![change])),
        ]),
    ]);
    push(batch, RouteNetlinkMessage::NewLink(port), 0);
}

pub(crate) fn set_link_up(batch: &mut Batch, index: u32) {
    let mut message = LinkMessage::default();
    message.header.index = index;
    set_up(&mut message);
    push(batch, RouteNetlinkMessage::SetLink(message), 0);
}

pub(crate) fn set_loopback_up(batch: &mut Batch) {
    set_link_up(batch, LOOPBACK);
}

pub(crate) fn set_group(batch: &mut Batch, name: &str, group: u32) {
    let attributes = vec![LinkAttribute::IfName(name.into()), LinkAttribute::Group(group)];
    push(batch, RouteNetlinkMessage::SetLink(link(attributes)), 0);
}

/// Deletes all links of the group together; ENODEV if there is none.
pub(crate) fn delete_group(batch: &mut Batch, group: u32) {
    push(batch, RouteNetlinkMessage::DelLink(link(vec![LinkAttribute::Group(group)])), 0);
}

/// In use at once: nobody is asked whether somebody has it already, that is the books' matter.
pub(crate) fn add_address(batch: &mut Batch, link: u32, ip: IpAddr, prefix_len: u8) {
    let mut message = address(link, ip, prefix_len);
    match ip {
        IpAddr::V4(_) => {
            if let IpAddr::V4(last) = Subnet::around(ip, prefix_len).last() {
                // Pairs and single addresses have none.
                let broadcast = AddressAttribute::Broadcast(last);
                message.attributes.extend((prefix_len <= 30).then_some(broadcast));
            }
        }
        IpAddr::V6(_) => message.header.flags = AddressHeaderFlags::Nodad,
    }
    push(batch, RouteNetlinkMessage::NewAddress(message), NLM_F_CREATE | NLM_F_REPLACE);
}

pub(crate) fn remove_address(batch: &mut Batch, link: u32, ip: IpAddr, prefix_len: u8) {
    push(batch, RouteNetlinkMessage::DelAddress(address(link, ip, prefix_len)), 0);
}

/// In place of the default route of that family, if there is one.
pub(crate) fn set_default_route(batch: &mut Batch, gateway: IpAddr) {
    let mut route = default_route(gateway.is_ipv4());
    route.attributes = vec![RouteAttribute::Gateway(match gateway {
        IpAddr::V4(ip) => RouteAddress::Inet(ip),
        IpAddr::V6(ip) => RouteAddress::Inet6(ip),
    })];
    push(batch, RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE | NLM_F_REPLACE);
}

/// To one neighbour on the link.
#[cfg(test)]
pub(crate) fn add_neighbour_route(batch: &mut Batch, link: u32, ip: std::net::Ipv4Addr) {
    let mut route = default_route(true);
    route.header.scope = RouteScope::Link;
    route.header.destination_prefix_length = 32;
    route.attributes =
        vec![RouteAttribute::Destination(RouteAddress::Inet(ip)), RouteAttribute::Oif(link)];
    push(batch, RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE | NLM_F_REPLACE);
}

/// By the link, to whoever answers there.
pub(crate) fn set_default_link(batch: &mut Batch, is_ipv4: bool, link: u32) {
    let mut route = default_route(is_ipv4);
    route.header.scope = RouteScope::Link;
    route.attributes = vec![RouteAttribute::Oif(link)];
    push(batch, RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE | NLM_F_REPLACE);
}

pub(crate) fn remove_default_route(batch: &mut Batch, is_ipv4: bool) {
    push(batch, RouteNetlinkMessage::DelRoute(default_route(is_ipv4)), 0);
}

fn default_route(is_ipv4: bool) -> RouteMessage {
    let mut route = RouteMessage::default();
    route.header = RouteHeader {
        address_family: if is_ipv4 { AddressFamily::Inet } else { AddressFamily::Inet6 },
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Boot,
        scope: RouteScope::Universe,
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    route
}

/// The index of the link of that name; ENODEV if there is none.
pub(crate) fn link_index(socket: &mut Socket, name: &str) -> Result<u32, Error> {
    let messages = ask_for(socket, name)?;
    // struct ifinfomsg: the index is its second word.
    let index = messages.first().and_then(|message| number(message.payload.get(4..8)?));
    index.ok_or_else(|| Errno::NODEV.into())
}

fn ask_for(socket: &mut Socket, name: &str) -> Result<Vec<Message>, Error> {
    let mut batch = Batch::default();
    let request = link(vec![LinkAttribute::IfName(name.into())]);
    push(&mut batch, RouteNetlinkMessage::GetLink(request), 0);
    socket.transact(batch)
}

/// Lets the link that has just got its peer carry packets at once. The kernel's link watch would see to that a moment
/// later, and a container's first packets, sent before, would be lost. Asking for the link makes it so (Linux 6.8);
/// earlier kernels take their moment.
pub(crate) fn settle_carrier(socket: &mut Socket, name: &str) -> Result<(), Error> {
    link_index(socket, name).map(drop)
}

pub(crate) fn links(socket: &mut Socket) -> Result<Vec<Link>, Error> {
    let request = link(vec![LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats])]);
    let messages = dump(socket, RouteNetlinkMessage::GetLink(request))?;
    Ok(messages.iter().filter_map(read_link).collect())
}

/// The link of that name, if there is one.
pub(crate) fn link_named(socket: &mut Socket, name: &str) -> Result<Option<Link>, Error> {
    match ask_for(socket, name) {
        Ok(messages) => Ok(messages.first().and_then(read_link)),
        Err(error) if error.errno == Errno::NODEV => Ok(None),
        Err(error) => Err(error),
    }
}

/// The addresses of the link, with the lengths of their prefixes, those left out that the kernel gives each link.
pub(crate) fn addresses(socket: &mut Socket, link: u32) -> Result<Vec<(IpAddr, u8)>, Error> {
    let messages = dump(socket, RouteNetlinkMessage::GetAddress(AddressMessage::default()))?;
    Ok(messages.iter().filter_map(|message| read_address(message, link)).collect())
}

/// The subnets that the host has routes to, the default routes left out.
pub(crate) fn routed_subnets(socket: &mut Socket) -> Result<Vec<Subnet>, Error> {
    let mut subnets = Vec::new();
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        let mut request = RouteMessage::default();
        request.header.address_family = family;
        let messages = dump(socket, RouteNetlinkMessage::GetRoute(request))?;
        subnets.extend(messages.iter().filter_map(read_route));
    }
    Ok(subnets)
}

fn link(attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.attributes = attributes;
    message
}

fn set_up(message: &mut LinkMessage) {
    message.header.flags = LinkFlags::Up;
    message.header.change_mask = LinkFlags::Up;
}

/// The link's own idea of how large a packet may be unless one is given.
fn mtu_of(mtu: u32) -> Option<LinkAttribute> {
    (mtu > 0).then_some(LinkAttribute::Mtu(mtu))
}

fn address(link: u32, ip: IpAddr, prefix_len: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.prefix_len = prefix_len;
    message.header.index = link;
    message.attributes = vec![AddressAttribute::Local(ip), AddressAttribute::Address(ip)];
    message
}

fn push(batch: &mut Batch, message: RouteNetlinkMessage, flags: u16) {
    batch.push(message.message_type(), flags, |bytes| {
        let start = bytes.len();
        bytes.resize(start + message.buffer_len(), 0);
        message.emit(&mut bytes[start..]);
    });
}

fn dump(socket: &mut Socket, request: RouteNetlinkMessage) -> Result<Vec<Message>, Error> {
    let mut payload = vec![0; request.buffer_len()];
    request.emit(&mut payload);
    socket.dump(request.message_type(), &payload)
}

/// Of struct ifinfomsg and its attributes what we look at: a host may have hundreds of links, with a kilobyte about each.
fn read_link(message: &Message) -> Option<Link> {
    const HEADER: usize = 16;
    const NAME: u16 = 3;
    const CONTROLLER: u16 = 10;
    const INFO: u16 = 18;
    const INFO_KIND: u16 = 1;
    const GROUP: u16 = 27;
    let (index, name) = (number(message.payload.get(4..8)?)?, String::new());
    let mut link = Link { index, name, group: 0, is_bridge: false, controller: None };
    for (kind, value) in items(message.payload.get(HEADER..)?) {
        match kind {
            NAME => link.name = text(value),
            GROUP => link.group = number(value)?,
            CONTROLLER => link.controller = number(value).filter(|index| *index > 0),
            INFO => {
                link.is_bridge = find(value, INFO_KIND).is_some_and(|kind| text(kind) == "bridge");
            }
            _ => {}
        }
    }
    Some(link)
}

/// Of struct ifaddrmsg and its attributes.
fn read_address(message: &Message, link: u32) -> Option<(IpAddr, u8)> {
    const HEADER: usize = 8;
    const ADDRESS: u16 = 1;
    const LOCAL: u16 = 2;
    const SCOPE_LINK: u8 = 253;
    let (prefix_len, scope) = (*message.payload.get(1)?, *message.payload.get(3)?);
    if number(message.payload.get(4..HEADER)?)? != link || scope == SCOPE_LINK {
        return None;
    }
    let attributes = &message.payload[HEADER..];
    // IPv6 addresses have no local end besides.
    let ip = find(attributes, LOCAL).or_else(|| find(attributes, ADDRESS))?;
    Some((address_of(ip)?, prefix_len))
}

/// Of struct rtmsg and its attributes.
fn read_route(message: &Message) -> Option<Subnet> {
    const HEADER: usize = 12;
    const DESTINATION: u16 = 1;
    let prefix_len = *message.payload.get(1)?;
    let destination = find(message.payload.get(HEADER..)?, DESTINATION)?;
    (prefix_len > 0).then_some(Subnet::around(address_of(destination)?, prefix_len))
}

fn number(bytes: &[u8]) -> Option<u32> {
    bytes.try_into().ok().map(u32::from_ne_bytes)
}

/// The kernel ends it with a zero byte.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\0').to_owned()
}

fn address_of(bytes: &[u8]) -> Option<IpAddr> {
    let ipv4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    <[u8; 16]>::try_from(bytes).map(IpAddr::from).or_else(|_| ipv4()).ok()
}
