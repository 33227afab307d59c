//! The rtnetlink messages we send: links, addresses, routes.

use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_core::{
    Emitable, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NetlinkDeserializable, NetlinkHeader,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind, InfoVeth, LinkAttribute,
    LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
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
    let attributes = vec![
        LinkAttribute::IfName(name.into()),
        LinkAttribute::Group(group),
        // A bridge without an address of its own takes its ports' lowest, and changes with them.
        LinkAttribute::Address(mac.0.to_vec()),
        LinkAttribute::Mtu(mtu),
        LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)]),
    ];
    push(batch, RouteNetlinkMessage::NewLink(link(attributes)), NLM_F_CREATE | NLM_F_EXCL);
}

/// One message: both ends made and named, the host's enslaved, grouped and up.
pub(crate) fn create_veth(batch: &mut Batch, pair: &VethPair<'_>) {
    // Not up: the kernel opens a veth only when its peer is there.
    let peer = link(vec![
        LinkAttribute::IfName(pair.container_link.into()),
        LinkAttribute::Address(pair.mac.0.to_vec()),
        LinkAttribute::Mtu(pair.mtu),
        LinkAttribute::NetNsFd(pair.netns.as_raw_fd()),
    ]);
    let mut host = link(vec![
        LinkAttribute::IfName(pair.host_link.into()),
        LinkAttribute::Mtu(pair.mtu),
        LinkAttribute::Group(pair.group),
        LinkAttribute::Controller(pair.bridge),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ]);
    set_up(&mut host);
    push(batch, RouteNetlinkMessage::NewLink(host), NLM_F_CREATE | NLM_F_EXCL);
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

pub(crate) fn add_address(batch: &mut Batch, link: u32, ip: Ipv4Addr, subnet: Subnet) {
    push(
        batch,
        RouteNetlinkMessage::NewAddress(address(link, ip, subnet)),
        NLM_F_CREATE | NLM_F_REPLACE,
    );
}

pub(crate) fn remove_address(batch: &mut Batch, link: u32, ip: Ipv4Addr, subnet: Subnet) {
    push(batch, RouteNetlinkMessage::DelAddress(address(link, ip, subnet)), 0);
}

pub(crate) fn add_default_route(batch: &mut Batch, gateway: Ipv4Addr) {
    let mut route = RouteMessage::default();
    route.header = RouteHeader {
        address_family: AddressFamily::Inet,
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Boot,
        scope: RouteScope::Universe,
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    route.attributes = vec![RouteAttribute::Gateway(RouteAddress::Inet(gateway))];
    push(batch, RouteNetlinkMessage::NewRoute(route), NLM_F_CREATE | NLM_F_EXCL);
}

/// The index of the link of that name; ENODEV if there is none.
pub(crate) fn link_index(socket: &mut Socket, name: &str) -> Result<u32, Error> {
    let mut batch = Batch::default();
    push(
        &mut batch,
        RouteNetlinkMessage::GetLink(link(vec![LinkAttribute::IfName(name.into())])),
        0,
    );
    let messages = socket.transact(batch)?;
    // struct ifinfomsg: the index is its second word.
    let index = messages.first().and_then(|message| message.payload.get(4..8)?.try_into().ok());
    index.map(u32::from_ne_bytes).ok_or_else(|| rustix::io::Errno::NODEV.into())
}

/// Lets the link that has just got its peer carry packets at once. The kernel's link watch would see to that a moment
/// later, and a container's first packets, sent before, would be lost. Asking for the link makes it so (Linux 6.8);
/// earlier kernels take their moment.
pub(crate) fn settle_carrier(socket: &mut Socket, name: &str) -> Result<(), Error> {
    link_index(socket, name).map(drop)
}

pub(crate) fn links(socket: &mut Socket) -> Result<Vec<Link>, Error> {
    let messages = dump(socket, RouteNetlinkMessage::GetLink(LinkMessage::default()))?;
    Ok(messages.into_iter().filter_map(read_link).collect())
}

/// The IPv4 addresses of the link, with their subnets.
pub(crate) fn addresses(socket: &mut Socket, link: u32) -> Result<Vec<(Ipv4Addr, Subnet)>, Error> {
    let mut request = AddressMessage::default();
    request.header.family = AddressFamily::Inet;
    let messages = dump(socket, RouteNetlinkMessage::GetAddress(request))?;
    Ok(messages.into_iter().filter_map(|message| read_address(message, link)).collect())
}

/// The subnets that the host has routes to, the default route left out.
pub(crate) fn routed_subnets(socket: &mut Socket) -> Result<Vec<Subnet>, Error> {
    let mut request = RouteMessage::default();
    request.header.address_family = AddressFamily::Inet;
    let messages = dump(socket, RouteNetlinkMessage::GetRoute(request))?;
    Ok(messages.into_iter().filter_map(read_route).collect())
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

fn address(link: u32, ip: Ipv4Addr, subnet: Subnet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = AddressFamily::Inet;
    message.header.prefix_len = subnet.prefix_len();
    message.header.index = link;
    message.attributes = vec![
        AddressAttribute::Local(IpAddr::V4(ip)),
        AddressAttribute::Address(IpAddr::V4(ip)),
        AddressAttribute::Broadcast(subnet.broadcast()),
    ];
    message
}

fn push(batch: &mut Batch, message: RouteNetlinkMessage, flags: u16) {
    batch.push(message.message_type(), flags, |bytes| {
        let start = bytes.len();
        bytes.resize(start + message.buffer_len(), 0);
        message.emit(&mut bytes[start..]);
    });
}

fn dump(
    socket: &mut Socket,
    request: RouteNetlinkMessage,
) -> Result<Vec<RouteNetlinkMessage>, Error> {
    let mut payload = vec![0; request.buffer_len()];
    request.emit(&mut payload);
    let messages = socket.dump(request.message_type(), &payload)?;
    // An object which the decoder does not understand is not one that we made.
    Ok(messages.iter().filter_map(decode).collect())
}

fn decode(message: &Message) -> Option<RouteNetlinkMessage> {
    let mut header = NetlinkHeader::default();
    header.message_type = message.kind;
    RouteNetlinkMessage::deserialize(&header, &message.payload).ok()
}

fn read_link(message: RouteNetlinkMessage) -> Option<Link> {
    let RouteNetlinkMessage::NewLink(message) = message else { return None };
    let mut link =
        Link { index: message.header.index, name: String::new(), group: 0, is_bridge: false };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Group(group) => link.group = group,
            LinkAttribute::LinkInfo(info) => {
                link.is_bridge = info.contains(&LinkInfo::Kind(InfoKind::Bridge))
            }
            _ => {}
        }
    }
    Some(link)
}

fn read_address(message: RouteNetlinkMessage, link: u32) -> Option<(Ipv4Addr, Subnet)> {
    let RouteNetlinkMessage::NewAddress(message) = message else { return None };
    if message.header.index != link {
        return None;
    }
    message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(IpAddr::V4(ip)) => {
            Some((*ip, Subnet::around(*ip, message.header.prefix_len)))
        }
        _ => None,
    })
}

fn read_route(message: RouteNetlinkMessage) -> Option<Subnet> {
    let RouteNetlinkMessage::NewRoute(message) = message else { return None };
    let prefix_len = message.header.destination_prefix_length;
    message.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(ip)) if prefix_len > 0 => {
            Some(Subnet::around(*ip, prefix_len))
        }
        _ => None,
    })
}
