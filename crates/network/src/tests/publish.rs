//! Published ports, shown with real connections.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use super::host::{Neighbour, connect, is_reachable, nft, set_sysctl};
use super::{Container, isolated, open, open_with};
use crate::publish::{HostPorts, Ports, Protocol, Published, Refused, Target, Wish};
use crate::{Network, Options};

const LOCAL: Ipv4Addr = Ipv4Addr::LOCALHOST;

fn wish(ip: Option<&str>, host: HostPorts, container: Ports) -> Wish {
    let ip = ip.map(|ip| ip.parse().expect("an address"));
    Wish { protocol: Protocol::Tcp, container, ip, host }
}

fn single(ip: Option<&str>, host: u16, container: u16) -> Wish {
    wish(ip, HostPorts::Exactly(Ports::one(host)), Ports::one(container))
}

fn range(first: u16, last: u16, container: u16) -> Wish {
    let host = Ports { first, last };
    let container = Ports { first: container, last: container + (last - first) };
    wish(None, HostPorts::Exactly(host), container)
}

impl Container {
    fn target(&self) -> Target {
        Target { ipv4: Some(self.ip()), ipv6: None }
    }

    fn publish(&self, network: &Network, id: &str, wishes: &[Wish]) -> Published {
        network.publish(id, self.target(), wishes).expect("publish")
    }

    /// A server that tells each client who it is seen as.
    fn serve(&self, port: u16) {
        let listener = self.run(|| TcpListener::bind((self.ip(), port)).expect("listen"));
        thread::spawn(move || {
            while let Ok((mut stream, peer)) = listener.accept() {
                // A client that only tries does not read.
                let _ = stream.write_all(peer.ip().to_string().as_bytes());
            }
        });
    }
}

/// Whether there is a way, however long a busy machine takes.
fn reaches(ip: Ipv4Addr, port: u16) -> bool {
    connect(ip, port).is_ok()
}

/// Whom the server at the other end sees.
fn seen_as(ip: Ipv4Addr, port: u16) -> IpAddr {
    let mut text = String::new();
    connect(ip, port).expect("connect").read_to_string(&mut text).expect("read");
    text.parse().expect("an address")
}

#[test]
fn a_published_port_is_reached_from_everywhere_with_the_clients_address() {
    isolated(|| {
        let neighbour = Neighbour::connect("uplink", 100);
        let network = open("one");
        let (web, other) = (Container::join(&network, "web"), Container::join(&network, "other"));
        web.serve(80);
        let published = web.publish(&network, "web", &[single(None, 8080, 80)]);
        assert_eq!(published.mappings.len(), 2, "both families");
        assert_eq!(published.reservations.len(), 2);
        let gateway = super::gateway(&network);
        let from_outside = neighbour.run(|| seen_as(neighbour.our_ip, 8080));
        assert_eq!(from_outside, neighbour.ip, "the client's own address");
        assert_eq!(seen_as(LOCAL, 8080), gateway, "loopback appears as the gateway");
        assert_eq!(seen_as(Ipv4Addr::new(127, 0, 0, 9), 8080), gateway);
        assert_eq!(seen_as(neighbour.our_ip, 8080), neighbour.our_ip);
        assert_eq!(seen_as(gateway, 8080), gateway);
        assert_eq!(other.run(|| seen_as(neighbour.our_ip, 8080)), gateway, "another container");
        assert_eq!(other.run(|| seen_as(gateway, 8080)), gateway);
        assert_eq!(web.run(|| seen_as(neighbour.our_ip, 8080)), gateway, "hairpin");
        assert!(!neighbour.run(|| is_reachable(web.ip(), 80)), "not by direct routing");
        network.unpublish("web", &published.mappings).expect("unpublish");
        drop(published);
        assert!(TcpStream::connect((LOCAL, 8080)).is_err(), "taken back");
    });
}

#[test]
fn ports_on_one_address_are_reached_on_that_alone() {
    isolated(|| {
        let neighbour = Neighbour::connect("uplink", 100);
        let network = open("one");
        let web = Container::join(&network, "web");
        web.serve(80);
        let ours = neighbour.our_ip.to_string();
        let wishes = [single(Some("127.0.0.1"), 8080, 80), single(Some(&ours), 8081, 80)];
        let _published = web.publish(&network, "web", &wishes);
        assert!(reaches(LOCAL, 8080));
        assert!(!neighbour.run(|| is_reachable(neighbour.our_ip, 8080)));
        assert!(neighbour.run(|| reaches(neighbour.our_ip, 8081)));
        assert!(!is_reachable(LOCAL, 8081));
    });
}

/// CVE-2020-8558: bridges route loopback addresses, and a neighbour may send to any address it likes.
#[test]
fn cve_2020_8558_loopback_services_stay_on_loopback() {
    isolated(|| {
        let neighbour = Neighbour::connect("uplink", 100);
        // As a host may be set up for other reasons.
        set_sysctl("ipv4/conf/all/route_localnet", "1");
        let network = open("one");
        let web = Container::join(&network, "web");
        web.serve(80);
        let _published = web.publish(&network, "web", &[single(Some("127.0.0.1"), 8080, 80)]);
        let own = TcpListener::bind((LOCAL, 0)).expect("a service of the host");
        let own = own.local_addr().expect("bound").port();
        let try_both = |gateway: Ipv4Addr| {
            set_sysctl("ipv4/conf/all/route_localnet", "1");
            super::host::route_loopback_by(gateway);
            (is_reachable(LOCAL, 8080), is_reachable(LOCAL, own))
        };
        assert_eq!(neighbour.run(|| try_both(neighbour.our_ip)), (false, false), "a neighbour");
        let gateway = super::gateway(&network);
        let other = Container::join_unguarded(&network, "other");
        assert_eq!(other.run(|| try_both(gateway)), (false, false), "a container");
        assert!(reaches(LOCAL, 8080));
    });
}

#[test]
fn ranges_lead_to_the_ports_of_the_same_order() {
    isolated(|| {
        let network = open("one");
        let web = Container::join(&network, "web");
        [8000, 8500, 9000, 7005].into_iter().for_each(|port| web.serve(port));
        let wishes = [range(8000, 9000, 8000), range(6000, 6010, 7000)];
        let published = web.publish(&network, "web", &wishes);
        assert!(published.reservations.is_empty(), "no socket for a port of a range");
        for port in [8000, 8500, 9000, 6005] {
            assert!(reaches(LOCAL, port), "{port}");
        }
        network.unpublish("web", &published.mappings).expect("unpublish");
        assert!(
            TcpStream::connect((LOCAL, 8500)).is_err()
                && TcpStream::connect((LOCAL, 6005)).is_err()
        );
    });
}

#[test]
fn ten_thousand_ports_at_once() {
    isolated(|| {
        let network = open("one");
        let web = Container::join(&network, "web");
        web.serve(20_000);
        let begin = std::time::Instant::now();
        let straight = web.publish(&network, "web", &[range(10_000, 19_999, 10_000)]);
        let after_straight = begin.elapsed();
        let shifted = web.publish(&network, "web", &[range(20_000, 29_999, 10_001)]);
        println!("straight {after_straight:?}, shifted {:?}", begin.elapsed() - after_straight);
        assert!(reaches(LOCAL, 29_999));
        network.unpublish("web", &shifted.mappings).expect("unpublish");
        network.unpublish("web", &straight.mappings).expect("unpublish");
        assert!(TcpStream::connect((LOCAL, 29_999)).is_err());
    });
}

#[test]
fn udp_is_answered_from_where_it_was_sent_to() {
    isolated(|| {
        let neighbour = Neighbour::connect("uplink", 100);
        let network = open("one");
        let dns = Container::join(&network, "dns");
        let server = dns.run(|| UdpSocket::bind((dns.ip(), 53)).expect("bind"));
        thread::spawn(move || {
            let mut buffer = [0; 64];
            while let Ok((len, from)) = server.recv_from(&mut buffer) {
                server.send_to(&buffer[..len], from).expect("answer");
            }
        });
        let wish = Wish { protocol: Protocol::Udp, ..single(None, 5353, 53) };
        let _published = dns.publish(&network, "dns", &[wish]);
        let ask = |ip: Ipv4Addr| {
            let socket = UdpSocket::bind("0.0.0.0:0").expect("bind");
            socket.set_read_timeout(Some(Duration::from_secs(20))).expect("a time-out");
            socket.connect((ip, 5353)).expect("connect");
            socket.send(b"?").expect("send");
            socket.recv(&mut [0; 64]).expect("an answer")
        };
        assert_eq!(neighbour.run(|| ask(neighbour.our_ip)), 1);
        assert_eq!(ask(LOCAL), 1);
    });
}

#[test]
fn a_port_is_given_once_and_its_owner_named() {
    isolated(|| {
        let network = open("one");
        let (one, two) = (Container::join(&network, "one"), Container::join(&network, "two"));
        let _held = one.publish(&network, "one", &[single(None, 80, 80), range(8000, 8010, 8000)]);
        let refused = |wish: Wish| {
            let wishes = [single(None, 90, 90), wish];
            network.publish("two", two.target(), &wishes).expect_err("it is taken")
        };
        let error = refused(single(None, 80, 80));
        assert_eq!(error.to_string(), "Bind for 0.0.0.0:80 failed: port is already allocated");
        assert!(matches!(error, Refused::Allocated { container, .. } if container == "one"));
        let error = refused(single(Some("127.0.0.1"), 80, 80));
        assert_eq!(
            error.to_string(),
            "Error starting userland proxy: listen tcp4 127.0.0.1:80: bind: address already in use"
        );
        assert!(matches!(refused(single(None, 8005, 80)), Refused::Allocated { port: 8005, .. }));
        let error = refused(single(Some("192.0.2.7"), 81, 80));
        assert!(
            error.to_string().ends_with("81: bind: cannot assign requested address"),
            "{error}"
        );
        let _foreign = TcpListener::bind("127.0.0.1:8081").expect("free");
        for wish in [single(None, 8081, 80), range(8080, 8090, 80)] {
            let error = refused(wish).to_string();
            let owner = format!("(pid {})", std::process::id());
            assert!(error.contains("0.0.0.0:8081: bind: address already in use by"), "{error}");
            assert!(error.ends_with(&owner), "{error}");
        }
        two.publish(&network, "two", &[single(None, 90, 90)]);
    });
}

#[test]
fn a_port_of_a_range_is_chosen_around_those_that_are_taken() {
    isolated(|| {
        let network = open("one");
        let web = Container::join(&network, "web");
        let _foreign = TcpListener::bind("0.0.0.0:7000").expect("free");
        let of = |first, last| HostPorts::OneOf(Ports { first, last });
        let chosen = |published: &Published| {
            published.mappings.iter().map(|mapping| mapping.host.first).collect::<Vec<_>>()
        };
        let one = web.publish(&network, "web", &[wish(None, of(7000, 7002), Ports::one(80))]);
        assert_eq!(chosen(&one), [7001, 7001], "one number in both families");
        let two = web.publish(&network, "web", &[wish(None, of(7000, 7002), Ports::one(81))]);
        assert_eq!(chosen(&two), [7002, 7002]);
        let full =
            network.publish("web", web.target(), &[wish(None, of(7000, 7002), Ports::one(82))]);
        assert_eq!(full.expect_err("none is left").to_string(), "all ports are allocated");
        let any = web.publish(&network, "web", &[wish(None, HostPorts::Ephemeral, Ports::one(83))]);
        assert!((32768..=60999).contains(&chosen(&any)[0]), "{any:?}");
    });
}

#[test]
fn two_networks_reach_each_others_published_ports_and_nothing_else() {
    isolated(|| {
        let (network, other) = (open("one"), open("two"));
        let web = Container::join(&network, "web");
        let client = Container::join(&other, "client");
        [80, 81].into_iter().for_each(|port| web.serve(port));
        let _published = web.publish(&network, "web", &[single(None, 8080, 80)]);
        let host = super::gateway(&other);
        assert!(client.run(|| reaches(host, 8080)));
        assert!(!client.run(|| is_reachable(web.ip(), 81)));
    });
}

#[test]
fn established_connections_outlive_the_engine_and_the_next_one_has_the_same_table() {
    isolated(|| {
        let network = open("one");
        let web = Container::join(&network, "web");
        let listener = web.run(|| TcpListener::bind((web.ip(), 80)).expect("listen"));
        let published = web.publish(&network, "web", &[single(None, 8080, 80), range(90, 99, 90)]);
        let mut client = connect(LOCAL, 8080).expect("connect");
        let (mut server, _) = listener.accept().expect("accept");
        let table = crate::Identity::new("one").table();
        let list = || nft(&["list", "table", "inet", &table]);
        let before = list();
        drop(network);
        connect(LOCAL, 8080).expect("without an engine");
        let options = crate::Options::default();
        let (again, failures) = super::lifecycle::recover(options, "web", &web.interface);
        assert!(failures.is_empty(), "{failures:?}");
        connect(LOCAL, 8080).expect("while the next engine comes up");
        let ports = [("web".to_owned(), web.target(), published.mappings.clone())];
        again.recover_ports(ports, None).expect("recover");
        connect(LOCAL, 8080).expect("with the next engine");
        server.write_all(b"x").expect("send");
        assert_eq!(client.read(&mut [0; 8]).expect("receive"), 1);
        assert_eq!(list(), before);
        let error = again.publish("other", web.target(), &[single(None, 8080, 80)]);
        assert!(matches!(error, Err(Refused::Allocated { .. })));
    });
}

/// A rule set of the kind that firewalld has, put in place of everything that is there.
const RELOADED: &str = "table inet firewalld {
    chain input { type filter hook input priority filter + 10; policy accept;
        ct state established,related accept; ct status dnat accept; iifname lo accept; reject; };
    chain forward { type filter hook forward priority filter + 10; policy accept;
        ct state established,related accept; ct status dnat accept; iifname lo accept; reject; }; }";

/// Whether the kernel protects the table, and whether the engine has to put it back.
fn on_both_kinds_of_kernels(test: fn(Options)) {
    for protected in [true, false] {
        isolated(move || test(Options { protected, ..Options::default() }));
    }
}

/// False where there is no nft command.
fn reload_the_firewall() -> bool {
    if nft(&["flush", "ruleset"]).is_none() {
        return false;
    }
    nft(&[RELOADED]);
    true
}

#[test]
fn cve_2025_54388_loopback_ports_stay_private_after_a_flush() {
    on_both_kinds_of_kernels(|options| {
        let neighbour = Neighbour::connect("uplink", 100);
        let network = open_with("one", options);
        let web = Container::join(&network, "web");
        web.serve(80);
        let wishes = [single(None, 8080, 80), single(Some("127.0.0.1"), 8081, 80)];
        let _published = web.publish(&network, "web", &wishes);
        for _ in 0..3 {
            if !reload_the_firewall() {
                return;
            }
            let again = (0..100).any(|_| {
                thread::sleep(Duration::from_millis(10));
                neighbour.run(|| is_reachable(neighbour.our_ip, 8080))
            });
            assert!(again, "published ports work again");
            assert!(connect(LOCAL, 8080).is_ok() && connect(LOCAL, 8081).is_ok());
            assert!(!neighbour.run(|| is_reachable(neighbour.our_ip, 8081)));
            assert!(!neighbour.run(|| is_reachable(web.ip(), 80)));
        }
    });
}

#[test]
fn cve_2025_54410_networks_stay_apart_after_a_reload_of_the_firewall() {
    on_both_kinds_of_kernels(|options| {
        let neighbour = Neighbour::connect("uplink", 100);
        let network = open_with("one", options);
        let inner = network
            .create(crate::Draft { internal: true, ..super::draft("bridge", "inner", &[], &[]) })
            .expect("create the network");
        let other = super::create(&network, "other", &[], &[]);
        let hidden = Container::join_with(&network, "hidden", super::wish(&inner));
        let near = Container::join(&network, "near");
        let far = Container::join_with(&network, "far", super::wish(&other));
        [&near, &far, &hidden].iter().for_each(|container| container.serve(80));
        let _published = near.publish(&network, "near", &[single(None, 8080, 80)]);
        let leak = neighbour.run(|| UdpSocket::bind((neighbour.ip, 53)).expect("bind"));
        leak.set_read_timeout(Some(Duration::from_millis(500))).expect("set a time-out");
        if !reload_the_firewall() {
            return;
        }
        let again = (0..100).any(|_| {
            thread::sleep(Duration::from_millis(10));
            neighbour.run(|| is_reachable(neighbour.our_ip, 8080))
        });
        assert!(again, "the table is back");
        assert!(!near.run(|| is_reachable(far.ip(), 80)), "networks are kept apart");
        assert!(!near.run(|| is_reachable(hidden.ip(), 80)), "an internal one, too");
        assert!(!neighbour.run(|| is_reachable(hidden.ip(), 80)));
        // Whatever routes it sets.
        let gateway = match inner.pools[0].gateway {
            Some(IpAddr::V4(gateway)) => gateway,
            other => panic!("{other:?}"),
        };
        hidden.run(|| {
            super::host::ip(&format!("route add default via {gateway}"));
            let question = UdpSocket::bind((hidden.ip(), 0)).expect("bind");
            // The bridge may say at once that there is no way.
            let _ = question.send_to(b"question", (neighbour.ip, 53));
            assert!(!is_reachable(neighbour.ip, 80));
        });
        assert!(leak.recv_from(&mut [0; 16]).is_err(), "a question of an internal network");
    });
}

/// A client that goes on sending from one port: the kernel takes all of it for one connection.
#[test]
fn udp_clients_are_led_to_whoever_has_the_port_now() {
    isolated(|| {
        let neighbour = Neighbour::connect("uplink", 100);
        let network = open("one");
        let (old, new) = (Container::join(&network, "old"), Container::join(&network, "new"));
        let listen = |container: &Container| {
            let socket = container.run(|| UdpSocket::bind((container.ip(), 53)).expect("bind"));
            socket.set_read_timeout(Some(Duration::from_secs(20))).expect("set a time-out");
            socket
        };
        let (at_old, at_new) = (listen(&old), listen(&new));
        let client = neighbour.run(|| UdpSocket::bind((neighbour.ip, 4000)).expect("bind"));
        let send = || client.send_to(b"x", (neighbour.our_ip, 5353)).expect("send");
        let mut buffer = [0; 16];
        // Before anything is published it is the host's own.
        send();
        let wish = Wish { protocol: Protocol::Udp, ..single(None, 5353, 53) };
        let published = old.publish(&network, "old", std::slice::from_ref(&wish));
        send();
        at_old.recv_from(&mut buffer).expect("the first container");
        network.unpublish("old", &published.mappings).expect("unpublish");
        drop(published);
        let _published = new.publish(&network, "new", &[wish]);
        send();
        at_new.recv_from(&mut buffer).expect("the second container");
        // And where its default route moves.
        network.retarget("new", old.target()).expect("retarget");
        send();
        at_old.recv_from(&mut buffer).expect("where it is led now");
        assert!(connect(LOCAL, 5353).is_err(), "UDP alone");
    });
}

#[test]
fn ports_are_led_to_another_address_at_once() {
    isolated(|| {
        let network = open("one");
        let (one, two) = (Container::join(&network, "one"), Container::join(&network, "two"));
        one.serve(80);
        two.serve(81);
        let wishes = [single(None, 8080, 80), single(None, 8081, 81), range(9000, 9010, 9000)];
        let published = one.publish(&network, "one", &wishes);
        assert!(reaches(LOCAL, 8080) && TcpStream::connect((LOCAL, 8081)).is_err());
        network.retarget("one", two.target()).expect("retarget");
        assert!(reaches(LOCAL, 8081) && TcpStream::connect((LOCAL, 8080)).is_err());
        network.retarget("one", Target::default()).expect("nowhere");
        assert!(!is_reachable(LOCAL, 8081));
        network.retarget("one", one.target()).expect("back");
        assert!(reaches(LOCAL, 8080));
        network.unpublish("one", &published.mappings).expect("unpublish");
        network.retarget("one", two.target()).expect("nothing is published");
        assert!(TcpStream::connect((LOCAL, 8081)).is_err());
    });
}

/// An administrator's chain, as design note 0010 has it.
#[test]
fn a_chain_of_the_administrator_restricts_published_ports() {
    isolated(|| {
        let (friend, stranger) = (Neighbour::connect("a", 100), Neighbour::connect("b", 101));
        let network = open("one");
        let web = Container::join(&network, "web");
        web.serve(80);
        let _published =
            web.publish(&network, "web", &[single(None, 5432, 80), single(None, 8080, 80)]);
        let rules = format!(
            "table inet mine {{ chain forward {{ type filter hook forward priority filter - 1; policy accept; \
             ct state new ct status dnat meta l4proto tcp ct original proto-dst 5432 ip saddr != {} drop; }}; }}",
            friend.ip
        );
        if nft(&[&rules]).is_none() {
            return;
        }
        assert!(friend.run(|| reaches(friend.our_ip, 5432)));
        assert!(!stranger.run(|| is_reachable(stranger.our_ip, 5432)));
        assert!(stranger.run(|| reaches(stranger.our_ip, 8080)));
    });
}

/// What a remote client is seen as must be its own address, or filters by address in the container mean nothing; and
/// nobody gets in by claiming to be loopback.
#[test]
fn cve_2021_20199_remote_clients_keep_their_address() {
    isolated(|| {
        let neighbour = Neighbour::connect("uplink", 100);
        let network = open("one");
        let web = Container::join(&network, "web");
        let server = web.run(|| UdpSocket::bind((web.ip(), 53)).expect("bind"));
        let wish = Wish { protocol: Protocol::Udp, ..single(None, 5353, 53) };
        let _published = web.publish(&network, "web", &[wish]);
        set_sysctl("ipv4/conf/all/route_localnet", "1");
        let to = (neighbour.our_ip, 5353);
        neighbour.run(|| {
            set_sysctl("ipv4/conf/all/route_localnet", "1");
            let liar = UdpSocket::bind("127.0.0.1:4000").expect("bind");
            liar.send_to(b"liar", to).expect("send");
            let honest = UdpSocket::bind("0.0.0.0:4001").expect("bind");
            honest.send_to(b"honest", to).expect("send");
        });
        let mut buffer = [0; 16];
        let (len, from) = server.recv_from(&mut buffer).expect("receive");
        assert_eq!((&buffer[..len], from.ip()), (&b"honest"[..], neighbour.ip.into()));
    });
}

#[test]
fn chains_of_others_that_drop_are_named() {
    isolated(|| {
        let network = open("one");
        let chains = || network.dropping_chains().expect("list");
        assert!(chains().is_empty(), "not our own");
        let chain = |name: &str, hook: &str, policy: &str| {
            let place = format!("type filter hook {hook} priority 0; policy {policy};");
            nft(&[&format!("add chain ip filter {name} {{ {place} }}")])
        };
        if nft(&["add", "table", "ip", "filter"]).is_none() {
            return;
        }
        chain("INPUT", "input", "drop");
        chain("ACCEPTS", "forward", "accept");
        chain("FORWARD", "forward", "drop");
        assert_eq!(chains(), ["ip filter FORWARD"]);
    });
}
