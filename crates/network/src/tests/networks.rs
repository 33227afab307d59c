//! User-defined networks: made, joined, connected and disconnected, taken over, removed.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

use super::host::{
    Neighbour, connect, has_link, is_reachable, links, listen, nft, port, socket, sysctl,
};
use super::{Container, create, draft, isolated, open, wish};
use crate::route;
use crate::{Config, Error, Identity, Interface, Network, Options, Recovery, Wish};

fn links_inside(container: &Container) -> Vec<String> {
    container.run(|| links().into_iter().map(|link| link.name).collect())
}

/// The gateway of the IPv4 default route.
fn default_gateway(container: &Container) -> Option<Ipv4Addr> {
    let text = container.run(|| fs::read_to_string("/proc/thread-self/net/route").expect("routes"));
    let line = text.lines().find(|line| line.split_whitespace().nth(1) == Some("00000000"))?;
    let hex = line.split_whitespace().nth(2)?;
    Some(Ipv4Addr::from_bits(u32::from_str_radix(hex, 16).ok()?.swap_bytes()))
}

#[test]
fn a_network_has_a_bridge_of_its_own_with_dockers_name() {
    isolated(|| {
        let network = open("one");
        let created = create(&network, "web", &[], &[]);
        let bridge = format!("br-{}", &created.id[..12]);
        assert!(has_link(&bridge));
        assert_eq!(created.pools[0].subnet.to_string(), "172.17.1.0/24");
        let container = Container::join_with(&network, "c1", wish(&created));
        assert_eq!(container.ip(), Ipv4Addr::new(172, 17, 1, 2));
        assert_eq!(default_gateway(&container), Some(Ipv4Addr::new(172, 17, 1, 1)));
        let in_use = network.remove(&created.id);
        assert!(matches!(in_use, Err(Error::InUse { .. })), "{in_use:?}");
        network.leave("c1");
        network.remove(&created.id).expect("remove");
        network.settle();
        assert!(!has_link(&bridge) && !has_link(&container.interface.host_link));
        let again = create(&network, "web2", &[], &[]);
        assert_eq!(again.pools, created.pools, "its subnet is free");
    });
}

#[test]
fn containers_of_one_network_reach_each_other_and_those_of_others_do_not() {
    isolated(|| {
        let neighbour = Neighbour::connect("uplink", 100);
        let network = open("one");
        let (a, b) = (create(&network, "a", &[], &[]), create(&network, "b", &[], &[]));
        let one = Container::join_with(&network, "c1", wish(&a));
        let two = Container::join_with(&network, "c2", wish(&a));
        let other = Container::join_with(&network, "c3", wish(&b));
        let default = Container::join(&network, "c4");
        let listener = two.run(|| listen(two.ip()));
        one.run(|| connect(two.ip(), port(&listener))).expect("the same network");
        for stranger in [&other, &default] {
            assert!(!stranger.run(|| is_reachable(two.ip(), port(&listener))));
        }
        assert!(!neighbour.run(|| is_reachable(two.ip(), port(&listener))), "by direct routing");
        let there = neighbour.run(|| listen(neighbour.ip));
        let _connection = one.run(|| connect(neighbour.ip, port(&there))).expect("outside");
        let (_, from) = there.accept().expect("the connection");
        assert_eq!(from.ip(), neighbour.our_ip, "masqueraded");
    });
}

#[test]
fn internal_networks_have_no_way_in_or_out() {
    isolated(|| {
        let neighbour = Neighbour::connect("uplink", 100);
        let network = open("one");
        let mut draft = draft("bridge", "inside", &[], &[]);
        draft.internal = true;
        let inside = network.create(draft).expect("create");
        let one = Container::join_with(&network, "c1", wish(&inside));
        let two = Container::join_with(&network, "c2", wish(&inside));
        assert_eq!(default_gateway(&one), None);
        let listener = two.run(|| listen(two.ip()));
        one.run(|| connect(two.ip(), port(&listener))).expect("one another");
        // Even a container that may set routes does not get out.
        let gateway = Ipv4Addr::new(172, 17, 1, 1);
        one.run(|| {
            let mut batch = sys::netlink::Batch::default();
            route::set_default_route(&mut batch, gateway.into());
            socket().transact(batch).expect("set a route");
        });
        let there = neighbour.run(|| listen(neighbour.ip));
        assert!(!one.run(|| is_reachable(neighbour.ip, port(&there))));
    });
}

#[test]
fn without_icc_not_even_the_bridge_routes_between_containers() {
    isolated(|| {
        let network = open("one");
        let off = [("com.docker.network.bridge.enable_icc", "false")];
        let quiet = create(&network, "quiet", &off, &["10.5.0.0/24"]);
        let one = Container::join_with(&network, "c1", wish(&quiet));
        let two = Container::join_with(&network, "c2", wish(&quiet));
        let listener = two.run(|| listen(two.ip()));
        assert!(!one.run(|| is_reachable(two.ip(), port(&listener))), "by the bridge");
        // By way of the gateway, which is allowed to hear both.
        for container in [&one, &two] {
            container.run(|| {
                let link = route::link_index(&mut socket(), "eth0").expect("eth0");
                let mut batch = sys::netlink::Batch::default();
                route::remove_address(&mut batch, link, container.ip().into(), 24);
                route::add_address(&mut batch, link, container.ip().into(), 32);
                route::add_neighbour_route(&mut batch, link, Ipv4Addr::new(10, 5, 0, 1));
                route::set_default_route(&mut batch, Ipv4Addr::new(10, 5, 0, 1).into());
                socket().transact(batch).expect("route by the gateway");
            });
        }
        let listener = two.run(|| listen(two.ip()));
        assert!(!one.run(|| is_reachable(two.ip(), port(&listener))), "by the gateway");
        let at_host = listen(Ipv4Addr::new(10, 5, 0, 1));
        one.run(|| connect(Ipv4Addr::new(10, 5, 0, 1), port(&at_host))).expect("the host");
    });
}

#[test]
fn several_networks_are_several_links_and_one_way_out() {
    isolated(|| {
        let network = open("one");
        let (a, b) = (create(&network, "a", &[], &[]), create(&network, "b", &[], &[]));
        let joined = network.join("c1", &[wish(&b), wish(&a)]).expect("join");
        let container = Container { netns: joined.netns, interface: joined.interfaces[0].clone() };
        assert_eq!(links_inside(&container), ["lo", "eth0", "eth1"]);
        assert_eq!(joined.interfaces[0].network, "b");
        assert_eq!(default_gateway(&container), Some(Ipv4Addr::new(172, 17, 1, 1)), "a's");

        // A third with a priority, while it runs.
        let c = create(&network, "c", &[], &[]);
        let preferred = Wish { priority: 1, ..wish(&c) };
        let interface =
            network.connect("c1", container.netns.as_fd(), &preferred).expect("connect");
        assert_eq!(interface.name, "eth2");
        assert_eq!(default_gateway(&container), Some(Ipv4Addr::new(172, 17, 3, 1)));
        let twice = network.connect("c1", container.netns.as_fd(), &wish(&c));
        assert!(matches!(twice, Err(Error::AlreadyJoined { .. })), "{twice:?}");

        network.disconnect("c1", Some(container.netns.as_fd()), &c.id).expect("disconnect");
        assert_eq!(links_inside(&container), ["lo", "eth0", "eth1"]);
        assert_eq!(default_gateway(&container), Some(Ipv4Addr::new(172, 17, 1, 1)));
        assert!(!has_link(&interface.host_link));
        for id in [&a.id, &b.id] {
            network.disconnect("c1", Some(container.netns.as_fd()), id).expect("disconnect");
        }
        assert_eq!((links_inside(&container).len(), default_gateway(&container)), (1, None));
        for config in [a, b, c] {
            network.remove(&config.id).expect("nobody has joined it any more");
        }
    });
}

#[test]
fn ipv6_is_spoken_where_the_network_has_it() {
    isolated(|| {
        let network = open("one");
        let six = create(&network, "six", &[], &["fd05::/64"]);
        let bridge = format!("br-{}", &six.id[..12]);
        assert_eq!(sysctl(&format!("ipv6/conf/{bridge}/accept_ra")), "0");
        let one = Container::join_with(&network, "c1", wish(&six));
        let two = Container::join_with(&network, "c2", wish(&six));
        let address = two.interface.ipv6.expect("an IPv6 address");
        assert_eq!(
            (address.cidr(), address.gateway),
            ("fd05::3/64".into(), "fd05::1".parse().ok())
        );
        let listener = two.run(|| TcpListener::bind((address.ip, 0)).expect("listen"));
        let target = SocketAddr::new(address.ip.into(), port(&listener));
        one.run(|| TcpStream::connect_timeout(&target, Duration::from_secs(20)))
            .expect("the other container");
        TcpStream::connect_timeout(&target, Duration::from_secs(20)).expect("the host reaches it");
        let routes =
            one.run(|| fs::read_to_string("/proc/thread-self/net/ipv6_route").expect("routes"));
        assert!(routes.contains("fd050000000000000000000000000001"), "a default route: {routes}");
        // Side by side with a link that has none.
        let plain = network
            .connect("c1", one.netns.as_fd(), &wish(network.default_network()))
            .expect("connect");
        one.run(|| assert_eq!(sysctl(&format!("ipv6/conf/{}/disable_ipv6", plain.name)), "1"));
        one.run(|| assert_eq!(sysctl("ipv6/conf/default/disable_ipv6"), "0"));
    });
}

#[test]
fn ipv6_of_the_engines_choice_is_a_local_subnet() {
    isolated(|| {
        let network = open("one");
        let mut draft = draft("bridge", "six", &[], &[]);
        draft.wanted.ipv6 = true;
        let six = network.create(draft).expect("create");
        let subnet = six.pools[1].subnet;
        assert!(subnet.to_string().starts_with("fd") && subnet.prefix_len() == 64, "{subnet}");
    });
}

#[test]
fn gateway_modes() {
    isolated(|| {
        let neighbour = Neighbour::connect("uplink", 100);
        let network = open("one");
        let mode = |mode| [("com.docker.network.bridge.gateway_mode_ipv4", mode)];
        let routed = create(&network, "routed", &mode("routed"), &[]);
        let open = create(&network, "open", &mode("nat-unprotected"), &[]);
        let isolated = create(&network, "isolated", &mode("isolated"), &[]);

        let container = Container::join_with(&network, "c1", wish(&routed));
        let there = neighbour.run(|| listen(neighbour.ip));
        let _connection = container.run(|| connect(neighbour.ip, port(&there))).expect("outside");
        assert_eq!(
            there.accept().expect("the connection").1.ip(),
            container.ip(),
            "its own address"
        );
        let listener = container.run(|| listen(container.ip()));
        assert!(!neighbour.run(|| is_reachable(container.ip(), port(&listener))), "unpublished");

        let container = Container::join_with(&network, "c2", wish(&open));
        let listener = container.run(|| listen(container.ip()));
        neighbour.run(|| connect(container.ip(), port(&listener))).expect("everything is open");

        let container = Container::join_with(&network, "c3", wish(&isolated));
        assert_eq!(default_gateway(&container), None);
        let bridge = format!("br-{}", &isolated.id[..12]);
        let index = route::link_index(&mut socket(), &bridge).expect("the bridge");
        assert_eq!(route::addresses(&mut socket(), index).expect("addresses"), []);
    });
}

#[test]
fn options_of_a_bridge_are_kept() {
    isolated(|| {
        let network = open("one");
        let options = [
            ("com.docker.network.bridge.name", "mybridge"),
            ("com.docker.network.driver.mtu", "1400"),
            ("com.docker.network.container_iface_prefix", "lan"),
        ];
        let mine = create(&network, "mine", &options, &[]);
        let container = Container::join_with(&network, "c1", wish(&mine));
        assert_eq!(links_inside(&container), ["lo", "lan0"]);
        assert_eq!(container.interface.mtu, 1400);
        assert!(has_link("mybridge"));
        let conflict = network.create(draft("bridge", "other", &options[..1], &[]));
        let said = conflict.expect_err("one bridge, two networks").to_string();
        assert!(said.contains("(mybridge): conflicts with network"), "{said}");
        network.leave("c1");
        network.remove(&mine.id).expect("remove");
        // Made again at once: it is not deleted under our hands.
        create(&network, "again", &options[..1], &[]);
        network.settle();
        assert!(has_link("mybridge"));
    });
}

#[test]
fn a_bridge_that_is_not_ours_is_used_and_left_alone() {
    isolated(|| {
        let network = open("one");
        let mut batch = sys::netlink::Batch::default();
        let mac = crate::MacAddress([2, 0, 0, 0, 0, 9]);
        route::create_bridge(&mut batch, "lan", 0, mac, 0);
        socket().transact(batch).expect("make a bridge");
        let name = [("com.docker.network.bridge.name", "lan")];
        let mine = create(&network, "mine", &name, &[]);
        network.remove(&mine.id).expect("remove");
        network.settle();
        assert!(has_link("lan"));
        let name = [("com.docker.network.bridge.name", "lo")];
        let refused = network.create(draft("bridge", "loop", &name, &[])).expect_err("no bridge");
        assert!(matches!(refused, Error::NoBridge(_)), "{refused}");
    });
}

#[test]
fn a_veth_deleted_by_hand_is_no_ones_trouble() {
    isolated(|| {
        let network = open("one");
        let container = Container::join(&network, "c1");
        delete(&container.interface.host_link);
        network
            .disconnect("c1", Some(container.netns.as_fd()), &network.default_network().id.clone())
            .expect("disconnect");
        let again =
            network.connect("c1", container.netns.as_fd(), &wish(network.default_network()));
        assert_eq!(again.expect("connect").name, "eth0");
    });
}

#[test]
fn a_bridge_deleted_by_hand_comes_back_with_its_containers() {
    isolated(|| {
        let network = open("one");
        let web = create(&network, "web", &[], &[]);
        let one = Container::join_with(&network, "c1", wish(&web));
        delete(&format!("br-{}", &web.id[..12]));
        let two = Container::join_with(&network, "c2", wish(&web));
        let listener = one.run(|| listen(one.ip()));
        two.run(|| connect(one.ip(), port(&listener))).expect("who was there before");
        delete(&format!("br-{}", &web.id[..12]));
        network.leave("c1");
        network.leave("c2");
        network.remove(&web.id).expect("remove");
        assert!(network.destroy().is_empty());
    });
}

fn delete(link: &str) {
    let mut batch = sys::netlink::Batch::default();
    route::delete_link(&mut batch, link);
    socket().transact(batch).expect("delete a link");
}

fn reopen(networks: &[Config], interfaces: &[(&str, &Interface)]) -> (Network, Vec<Error>) {
    let interfaces = interfaces.iter().map(|(id, i)| ((*id).to_owned(), (*i).clone())).collect();
    let recovery = Recovery { networks: networks.to_vec(), interfaces };
    let (network, failures) =
        Network::open(Identity::new("one"), Options::default(), recovery).expect("open");
    network.recover_ports([], None).expect("put up the table");
    (network, failures)
}

#[test]
fn the_next_engine_takes_over_networks_and_who_is_on_them() {
    isolated(|| {
        let network = open("one");
        let (kept, gone) = (create(&network, "kept", &[], &[]), create(&network, "gone", &[], &[]));
        let one = Container::join_with(&network, "c1", wish(&kept));
        let two = Container::join_with(&network, "c2", wish(&kept));
        let table = Identity::new("one").table();
        let rules = || nft(&["list", "table", "inet", &table]);
        network.remove(&gone.id).expect("remove");
        let before = rules();
        drop(network);

        let (network, failures) =
            reopen(std::slice::from_ref(&kept), &[("c1", &one.interface), ("c2", &two.interface)]);
        assert!(failures.is_empty(), "{failures:?}");
        assert_eq!(rules(), before);
        let listener = one.run(|| listen(one.ip()));
        two.run(|| connect(one.ip(), port(&listener))).expect("as before");
        let three = Container::join_with(&network, "c3", wish(&kept));
        assert!(three.ip() != one.ip() && three.ip() != two.ip());
        let another = create(&network, "another", &[], &[]);
        assert!(!another.pools[0].subnet.overlaps(&kept.pools[0].subnet));
    });
}

/// An engine was killed after it had made the bridge, before the record was there; and another whose record was there
/// when the host was restarted.
#[test]
fn bridges_without_a_record_go_and_records_without_a_bridge_get_one() {
    isolated(|| {
        let network = open("one");
        let half_made = create(&network, "half-made", &[], &[]);
        let recorded = create(&network, "recorded", &[], &[]);
        drop(network);
        let bridge = |config: &Config| format!("br-{}", &config.id[..12]);
        delete(&bridge(&recorded));
        let (network, failures) = reopen(std::slice::from_ref(&recorded), &[]);
        assert!(failures.is_empty(), "{failures:?}");
        network.settle();
        assert!(has_link(&bridge(&recorded)) && !has_link(&bridge(&half_made)));
    });
}

#[test]
fn overlapping_subnets_and_exhausted_pools_are_refused_and_leave_nothing() {
    isolated(|| {
        let network = open("one");
        create(&network, "a", &[], &["10.5.0.0/16"]);
        let before = links().len();
        let overlap =
            network.create(draft("bridge", "b", &[], &["10.5.7.0/24"])).expect_err("taken");
        assert_eq!(overlap.to_string(), "Pool overlaps with other one on this address space");
        let options = Options {
            pools: vec!["base=10.7.0.0/23,size=24".parse().expect("a pool")],
            ..Options::default()
        };
        let small = super::open_with("two", options);
        create(&small, "c", &[], &[]);
        let full = small.create(draft("bridge", "d", &[], &[])).expect_err("full").to_string();
        assert!(full.starts_with("could not find an available, non-overlapping IPv4"), "{full}");
        assert_eq!(links().len(), before + 2, "the second engine's two bridges");
    });
}

#[test]
fn clients_who_create_and_remove_at_once_leave_nothing() {
    isolated(|| {
        let network = open("one");
        let table = Identity::new("one").table();
        let rules = || nft(&["list", "table", "inet", &table]);
        let (before, rules_before) = (links(), rules());
        std::thread::scope(|scope| {
            for client in 0..16 {
                let network = &network;
                scope.spawn(move || {
                    for round in 0..4 {
                        let name = format!("n{client}-{round}");
                        let made = create(network, &name, &[], &[]);
                        let container = Container::join_with(network, &name, wish(&made));
                        assert!(made.pools[0].subnet.contains(IpAddr::V4(container.ip())));
                        network.leave(&name);
                        network.remove(&made.id).expect("remove");
                    }
                });
            }
        });
        network.settle();
        assert_eq!(links(), before);
        assert_eq!(rules(), rules_before);
    });
}
