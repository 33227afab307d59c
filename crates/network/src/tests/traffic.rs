//! Who reaches whom, shown with real connections.

use std::fs;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::net::{AddressFamily, SendFlags, SocketType, ipproto, sendto, socket, sockopt};

use super::host::{Neighbour, connect, ip, is_reachable, listen, port, set_sysctl, sysctl};
use super::{Container, default_bridge, default_subnet, gateway, isolated, open, open_with};
use crate::{Network, Options};

#[test]
fn containers_reach_the_host_and_one_another() {
    isolated(|| {
        let network = open("one");
        let (one, two) = (Container::join(&network, "c1"), Container::join(&network, "c2"));
        let at_host = listen(gateway(&network));
        one.run(|| connect(gateway(&network), port(&at_host))).expect("the host");
        let at_two = two.run(|| listen(two.ip()));
        one.run(|| connect(two.ip(), port(&at_two))).expect("the other container");
        connect(two.ip(), port(&at_two)).expect("the host reaches the container");
    });
}

#[test]
fn containers_leave_with_the_hosts_address() {
    isolated(|| {
        let neighbour = Neighbour::connect("uplink", 100);
        let network = open("one");
        let container = Container::join(&network, "c1");
        let there = neighbour.run(|| listen(neighbour.ip));
        let _connection =
            container.run(|| connect(neighbour.ip, port(&there))).expect("the world outside");
        let (_, from) = there.accept().expect("the connection");
        assert_eq!(from.ip(), neighbour.our_ip);
    });
}

#[test]
fn without_masquerading_they_leave_with_their_own_and_are_still_not_reachable() {
    isolated(|| {
        let neighbour = Neighbour::connect("uplink", 100);
        let network = open_with("one", Options { ip_masq: false, ..Options::default() });
        let container = Container::join(&network, "c1");
        let there = neighbour.run(|| listen(neighbour.ip));
        let _connection =
            container.run(|| connect(neighbour.ip, port(&there))).expect("the world outside");
        let (_, from) = there.accept().expect("the connection");
        assert_eq!(from.ip(), container.ip());
        let listener = container.run(|| listen(container.ip()));
        assert!(!neighbour.run(|| is_reachable(container.ip(), port(&listener))));
    });
}

#[test]
fn unpublished_addresses_are_not_reachable_by_direct_routing() {
    isolated(|| {
        let neighbour = Neighbour::connect("uplink", 100);
        let network = open("one");
        let container = Container::join(&network, "c1");
        let listener = container.run(|| listen(container.ip()));
        assert!(!neighbour.run(|| is_reachable(container.ip(), port(&listener))));
    });
}

/// The test above means something only if the packets would arrive otherwise.
#[test]
fn direct_routing_works_where_nothing_forbids_it() {
    isolated(|| {
        let (near, far) = (Neighbour::connect("near", 100), Neighbour::connect("far", 101));
        set_sysctl("ipv4/ip_forward", "1");
        let listener = far.run(|| listen(far.ip));
        near.run(|| connect(far.ip, port(&listener))).expect("a host that forwards");
    });
}

#[test]
fn the_host_does_not_become_a_router_between_its_own_links() {
    isolated(|| {
        let (near, far) = (Neighbour::connect("near", 100), Neighbour::connect("far", 101));
        let listener = far.run(|| listen(far.ip));
        let reach = || near.run(|| is_reachable(far.ip, port(&listener)));
        let network = open("one");
        assert_eq!(sysctl("ipv4/ip_forward"), "1");
        assert!(!reach());
        drop(network);
        let _network = open("one");
        assert!(!reach(), "the next engine knows that forwarding was ours");
    });
}

#[test]
fn a_host_that_was_a_router_stays_one() {
    isolated(|| {
        let (near, far) = (Neighbour::connect("near", 100), Neighbour::connect("far", 101));
        set_sysctl("ipv4/ip_forward", "1");
        let listener = far.run(|| listen(far.ip));
        let _network = open("one");
        near.run(|| connect(far.ip, port(&listener))).expect("as before");
    });
}

/// A network with IPv6 turns on the host's forwarding of it: for our bridges, not for the host's own links.
#[test]
fn a_network_with_ipv6_makes_no_router_of_the_host() {
    isolated(|| {
        let (near, far) = (Neighbour::connect("near", 100), Neighbour::connect("far", 101));
        set_sysctl("ipv4/ip_forward", "1");
        set_sysctl("ipv6/conf/all/forwarding", "0");
        let name = |neighbour: &Neighbour| format!("fd00:{}::", neighbour.ip.octets()[2]);
        for (neighbour, link) in [(&near, "near"), (&far, "far")] {
            let prefix = name(neighbour);
            ip(&format!("addr add {prefix}1/64 dev {link} nodad"));
            neighbour.run(|| {
                ip(&format!("addr add {prefix}2/64 dev cable nodad"));
                ip(&format!("route add default via {prefix}1"));
            });
        }
        set_sysctl("ipv6/conf/near/accept_ra", "1");
        let address = SocketAddr::new(format!("{}2", name(&far)).parse().expect("one"), 80);
        let _listener = far.run(|| TcpListener::bind(address).expect("listen"));
        let reach = || {
            near.run(|| TcpStream::connect_timeout(&address, Duration::from_millis(700)).is_ok())
        };
        let network = open("one");
        let _six = super::create(&network, "six", &[], &["fd05::/64"]);
        assert_eq!(sysctl("ipv6/conf/all/forwarding"), "1");
        assert_eq!(sysctl("ipv6/conf/near/accept_ra"), "2", "it still listens to its routers");
        assert!(!reach(), "between the host's own links");
        let listener = far.run(|| listen(far.ip));
        near.run(|| connect(far.ip, port(&listener))).expect("IPv4 is forwarded as before");
        drop(network);
        let _network = open("one");
        assert!(!reach(), "the next engine knows");
    });
}

#[test]
fn engines_do_not_reach_one_anothers_containers() {
    isolated(|| {
        let (one, two) = (open("one"), open("two"));
        let (here, there) = (Container::join(&one, "c1"), Container::join(&two, "c2"));
        let listener = there.run(|| listen(there.ip()));
        assert!(!here.run(|| is_reachable(there.ip(), port(&listener))));
    });
}

#[test]
fn icc_off_separates_containers_but_not_from_the_host() {
    isolated(|| {
        let network = open_with("one", Options { icc: false, ..Options::default() });
        let (one, two) = (Container::join(&network, "c1"), Container::join(&network, "c2"));
        let listener = two.run(|| listen(two.ip()));
        assert!(!one.run(|| is_reachable(two.ip(), port(&listener))));
        let at_host = listen(gateway(&network));
        one.run(|| connect(gateway(&network), port(&at_host))).expect("the host");
    });
}

#[test]
fn cve_2020_13401_router_advertisements_ignored() {
    isolated(|| {
        let network = open("one");
        // One that may configure its network: what others send does not even get this far (spoofing.rs).
        let rogue = Container::join_unguarded(&network, "rogue");
        let victim = Container::join(&network, "victim");
        advertise(&rogue);
        thread::sleep(Duration::from_millis(200));
        assert!(!has_advertised_route(), "the host");
        assert!(!victim.run(has_advertised_route), "another container");

        // The advertisement is one that a link which listens would follow.
        listen_to_advertisements(&network);
        advertise(&rogue);
        let followed = (0..50).any(|_| {
            thread::sleep(Duration::from_millis(20));
            has_advertised_route()
        });
        assert!(followed, "a valid advertisement was sent");
    });
}

fn listen_to_advertisements(network: &Network) {
    let bridge = default_bridge(network);
    for (key, value) in [("accept_dad", "0"), ("accept_ra", "2"), ("disable_ipv6", "0")] {
        set_sysctl(&format!("ipv6/conf/{bridge}/{key}"), value);
    }
}

/// Sends a router advertisement for 2001:db8::/64 to all nodes, as root in the container can.
fn advertise(rogue: &Container) {
    const HEADER: [u8; 16] = [134, 0, 0, 0, 64, 0, 0x07, 0x08, 0, 0, 0, 0, 0, 0, 0, 0];
    const PREFIX_OPTION: [u8; 16] = [3, 4, 64, 0xc0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    const PREFIX: [u8; 16] = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0).octets();
    rogue.run(|| {
        for key in ["all/accept_dad", "eth0/accept_dad", "eth0/disable_ipv6"] {
            set_sysctl(&format!("ipv6/conf/{key}"), "0");
        }
        let index = crate::route::link_index(&mut super::host::socket(), "eth0").expect("eth0");
        let raw = socket(AddressFamily::INET6, SocketType::RAW, Some(ipproto::ICMPV6))
            .expect("a raw socket");
        sockopt::set_ipv6_multicast_hops(&raw, 255).expect("set the hop limit");
        let all_nodes = SocketAddrV6::new(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1), 0, 0, index);
        let message = [HEADER, PREFIX_OPTION, PREFIX].concat();
        // The kernel gives the link its own address a moment later.
        let sent = (0..50).any(|_| {
            thread::sleep(Duration::from_millis(20));
            sendto(&raw, &message, SendFlags::empty(), &all_nodes).is_ok()
        });
        assert!(sent, "the container may send what it likes");
    });
}

fn has_advertised_route() -> bool {
    let routes = fs::read_to_string("/proc/thread-self/net/ipv6_route").expect("read routes");
    routes.contains("20010db8")
}

#[test]
fn the_subnet_is_not_one_that_the_host_uses() {
    isolated(|| {
        let _neighbour = Neighbour::connect("uplink", 100);
        let mut batch = sys::netlink::Batch::default();
        let mut socket = super::host::socket();
        let uplink = crate::route::link_index(&mut socket, "uplink").expect("the uplink");
        let address = Ipv4Addr::new(172, 17, 3, 1);
        crate::route::add_address(&mut batch, uplink, address.into(), 16);
        socket.transact(batch).expect("add an address");
        assert_eq!(default_subnet(&open("one")).to_string(), "172.16.0.0/24");
    });
}
