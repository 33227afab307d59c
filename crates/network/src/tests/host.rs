//! The machine around an engine: its links, its neighbours, what is to be seen in its namespace.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::Command;
use std::time::Duration;

use netlink_packet_core::{Emitable, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use sys::netlink::{Batch, Protocol, Socket};

use crate::route::{self, Link};

pub(super) fn socket() -> Socket {
    Socket::open(Protocol::Route).expect("open a netlink socket")
}

pub(super) fn loopback_up() {
    let mut batch = Batch::default();
    route::set_loopback_up(&mut batch);
    socket().transact(batch).expect("bring loopback up");
}

pub(super) fn links() -> Vec<Link> {
    route::links(&mut socket()).expect("list links")
}

pub(super) fn has_link(name: &str) -> bool {
    links().iter().any(|link| link.name == name)
}

pub(super) fn sysctl(key: &str) -> String {
    fs::read_to_string(format!("/proc/sys/net/{key}")).expect("read a sysctl").trim().to_owned()
}

pub(super) fn set_sysctl(key: &str, value: &str) {
    fs::write(format!("/proc/sys/net/{key}"), value).expect("write a sysctl");
}

/// Another machine on a cable of its own to this one: 198.51.100.1 on our side, .2 on its side for `link` a, and so
/// on. It routes everything by us.
pub(super) struct Neighbour {
    pub(super) netns: OwnedFd,
    pub(super) ip: Ipv4Addr,
    pub(super) our_ip: Ipv4Addr,
}

impl Neighbour {
    pub(super) fn connect(link: &str, third_octet: u8) -> Self {
        let address = |last| Ipv4Addr::new(198, 51, third_octet, last);
        let (our_ip, ip) = (address(1), address(2));
        let (netns, mut inside) = sys::netns::create(|| {
            loopback_up();
            Ok(socket())
        })
        .expect("make the neighbour's namespace");
        cable(link, netns.as_fd());
        configure(&mut socket(), link, our_ip);
        configure(&mut inside, "cable", ip);
        route::settle_carrier(&mut socket(), link).expect("the cable carries");
        let mut batch = Batch::default();
        route::set_default_route(&mut batch, our_ip.into());
        inside.transact(batch).expect("add the neighbour's route");
        Self { netns, ip, our_ip }
    }

    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        sys::netns::within(self.netns.as_fd(), || Ok(work())).expect("enter the neighbour")
    }
}

fn cable(link: &str, netns: BorrowedFd<'_>) {
    let mut peer = LinkMessage::default();
    peer.attributes =
        vec![LinkAttribute::IfName("cable".into()), LinkAttribute::NetNsFd(netns.as_raw_fd())];
    let mut ours = LinkMessage::default();
    ours.header.flags = LinkFlags::Up;
    ours.header.change_mask = LinkFlags::Up;
    ours.attributes = vec![
        LinkAttribute::IfName(link.into()),
        LinkAttribute::LinkInfo(vec![
            LinkInfo::Kind(InfoKind::Veth),
            LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
        ]),
    ];
    let message = RouteNetlinkMessage::NewLink(ours);
    let mut batch = Batch::default();
    batch.push(message.message_type(), NLM_F_CREATE | NLM_F_EXCL, |bytes| {
        bytes.resize(bytes.len() + message.buffer_len(), 0);
        let start = bytes.len() - message.buffer_len();
        message.emit(&mut bytes[start..]);
    });
    socket().transact(batch).expect("lay a cable");
}

fn configure(socket: &mut Socket, link: &str, ip: Ipv4Addr) {
    let index = route::link_index(socket, link).expect("find the link");
    let mut batch = Batch::default();
    route::add_address(&mut batch, index, ip.into(), 24);
    route::set_link_up(&mut batch, index);
    socket.transact(batch).expect("add an address");
}

/// A listener that tells who connected to it.
pub(super) fn listen(ip: Ipv4Addr) -> TcpListener {
    TcpListener::bind((ip, 0)).expect("listen")
}

/// The port of the listener.
pub(super) fn port(listener: &TcpListener) -> u16 {
    listener.local_addr().expect("a bound listener").port()
}

/// Connects, however long a busy machine takes.
pub(super) fn connect(ip: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    TcpStream::connect_timeout(&SocketAddr::from((ip, port)), Duration::from_secs(20))
}

/// Whether there is a way. What the firewall drops is a time-out, longer than a packet could take here.
pub(super) fn is_reachable(ip: Ipv4Addr, port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from((ip, port)), Duration::from_millis(700)).is_ok()
}

/// Runs `nft`, in the calling thread's namespace; says so where there is none.
pub(super) fn nft(arguments: &[&str]) -> Option<String> {
    match Command::new("nft").args(arguments).output() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            testkit::skip(
                "network: tests that read the table",
                "there is no nft command on this machine",
            );
            None
        }
        output => {
            let output = output.expect("run nft");
            assert!(output.status.success(), "nft: {}", String::from_utf8_lossy(&output.stderr));
            Some(String::from_utf8_lossy(&output.stdout).into_owned())
        }
    }
}

/// Runs `ip`, in the calling thread's namespace.
#[track_caller]
pub(super) fn ip(arguments: &str) -> String {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("run ip");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// In the calling thread's namespace: loopback addresses are looked for at that router, not here.
pub(super) fn route_loopback_by(router: Ipv4Addr) {
    ip("rule add pref 1000 lookup local");
    ip("rule del pref 0");
    ip(&format!("route add 127.0.0.0/8 via {router} table 100"));
    ip("rule add pref 1 to 127.0.0.0/8 lookup 100");
}
