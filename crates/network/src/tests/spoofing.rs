//! What a container sends is from itself: forged frames, really sent. Each test sends something honest last: what was
//! sent before would have arrived before.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::Command;
use std::time::Duration;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketType, ipproto, sockopt};
use rustix::net::{recv, sendto, socket};

use super::host::{self, connect, ip, is_reachable, listen, nft, port};
use super::{Container, create, isolated, open, wish};
use crate::{Identity, Network, Wish};

const PATIENCE: Duration = Duration::from_secs(20);

/// Two containers, and one whose addresses the first one claims.
fn three(network: &Network) -> (Container, Container, Container) {
    let join = |id| Container::join(network, id);
    (join("liar"), join("other"), join("victim"))
}

/// What comes to a container, as texts, up to an honest one.
fn heard(listener: &UdpSocket) -> Vec<(String, IpAddr)> {
    let mut buffer = [0; 64];
    listener.set_read_timeout(Some(PATIENCE)).expect("set a time-out");
    let mut all = Vec::new();
    while all.last().is_none_or(|(text, _): &(String, IpAddr)| text != "honest") {
        let (len, from) = listener.recv_from(&mut buffer).expect("hear something honest at last");
        all.push((String::from_utf8_lossy(&buffer[..len]).into_owned(), from.ip()));
    }
    all
}

fn say(from: impl Into<IpAddr>, to: SocketAddr, text: &str) {
    let socket = UdpSocket::bind((from.into(), 0)).expect("bind");
    socket.send_to(text.as_bytes(), to).expect("send");
}

#[test]
fn spoofed_mac_addresses_go_nowhere_on_the_same_bridge() {
    isolated(|| {
        let network = open("one");
        let (liar, other, victim) = three(&network);
        let listener = other.run(|| listen(other.ip()));
        let reaches = || liar.run(|| is_reachable(other.ip(), port(&listener)));
        liar.run(|| ip(&format!("link set eth0 address {}", victim.interface.mac)));
        assert!(!reaches(), "a MAC address of another");
        liar.run(|| ip("link set eth0 address 02:00:00:00:00:77"));
        assert!(!reaches(), "one of nobody");
        liar.run(|| ip(&format!("link set eth0 address {}", liar.interface.mac)));
        liar.run(|| connect(other.ip(), port(&listener))).expect("its own");
    });
}

#[test]
fn spoofed_source_addresses_go_nowhere_on_the_same_bridge() {
    isolated(|| {
        let network = open("one");
        let (liar, other, victim) = three(&network);
        let listener = other.run(|| UdpSocket::bind((other.ip(), 5000)).expect("bind"));
        let to = SocketAddr::from((other.ip(), 5000));
        liar.run(|| {
            // So that nothing has to be asked for with a false address.
            ip(&format!("neigh replace {} lladdr {} dev eth0", other.ip(), other.interface.mac));
            ip(&format!("addr add {}/32 dev eth0", victim.ip()));
            say(victim.ip(), to, "liar");
            say(liar.ip(), to, "honest");
        });
        assert_eq!(heard(&listener), [("honest".into(), liar.ip().into())]);
    });
}

/// The gateway and all who have not asked for the victim yet would send to the liar.
#[test]
fn an_address_of_another_is_not_answered_for() {
    isolated(|| {
        let network = open("one");
        let (liar, other, victim) = three(&network);
        let neighbours = || other.run(|| ip("neigh show dev eth0"));
        liar.run(|| {
            ip(&format!("addr add {}/32 dev eth0", victim.ip()));
            host::set_sysctl("ipv4/conf/eth0/arp_announce", "0");
            let socket = UdpSocket::bind((victim.ip(), 0)).expect("bind");
            socket.send_to(b"x", (other.ip(), 5000)).expect("send");
        });
        // The victim hears of it, and answers for itself.
        let at_victim = victim.run(|| listen(victim.ip()));
        other.run(|| connect(victim.ip(), port(&at_victim))).expect("the victim, not the liar");
        assert!(neighbours().contains(&victim.interface.mac.to_string()), "{}", neighbours());
        assert!(!neighbours().contains(&liar.interface.mac.to_string()), "{}", neighbours());
    });
}

/// Linux takes what has the tag of VLAN 0 for what has no tag.
#[test]
fn a_vlan_tag_hides_no_spoofed_address() {
    isolated(|| {
        let network = open("one");
        let (liar, other, victim) = three(&network);
        let listener = other.run(|| UdpSocket::bind((other.ip(), 5000)).expect("bind"));
        let to = SocketAddr::from((other.ip(), 5000));
        let packet = udp((victim.ip(), 4000), (other.ip(), 5000), b"liar");
        let macs = [other.interface.mac.0, liar.interface.mac.0].concat();
        let tagged = [&macs[..], &[0x81, 0, 0, 0, 8, 0], &packet].concat();
        if !liar.run(|| send_frame(&tagged)) {
            return;
        }
        liar.run(|| say(liar.ip(), to, "honest"));
        assert_eq!(heard(&listener), [("honest".into(), liar.ip().into())]);
    });
}

/// An IPv4 packet.
fn udp(from: (Ipv4Addr, u16), to: (Ipv4Addr, u16), text: &[u8]) -> Vec<u8> {
    let len = text.len() as u16 + 8;
    let mut header = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0];
    header[2..4].copy_from_slice(&(len + 20).to_be_bytes());
    header.extend([from.0.octets(), to.0.octets()].concat());
    let words = header.chunks(2).map(|word| u32::from(u16::from_be_bytes([word[0], word[1]])));
    let sum: u32 = words.sum();
    let sum = !(((sum & 0xffff) + (sum >> 16)) as u16);
    header[10..12].copy_from_slice(&sum.to_be_bytes());
    let numbers = [from.1, to.1, len, 0].map(u16::to_be_bytes).concat();
    [&header[..], &numbers, text].concat()
}

/// As whoever may open raw sockets can; says so where there is nothing to do it with.
fn send_frame(frame: &[u8]) -> bool {
    const SCRIPT: &str = "import socket, sys; s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW); \
                          s.bind(('eth0', 0)); s.send(bytes.fromhex(sys.argv[1]))";
    let hex: String = frame.iter().map(|byte| format!("{byte:02x}")).collect();
    match Command::new("python3").args(["-c", SCRIPT, &hex]).status() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            testkit::skip("network: frames with tags", "there is no python3 on this machine");
            false
        }
        status => {
            assert!(status.expect("run python3").success());
            true
        }
    }
}

#[test]
fn no_container_answers_as_a_dhcp_server() {
    isolated(|| {
        let network = open("one");
        let (liar, other, _) = three(&network);
        let listener = other.run(|| UdpSocket::bind((other.ip(), 68)).expect("bind"));
        liar.run(|| {
            let server = UdpSocket::bind((liar.ip(), 67)).expect("bind");
            server.send_to(b"offer", (other.ip(), 68)).expect("send");
            say(liar.ip(), SocketAddr::from((other.ip(), 68)), "honest");
        });
        assert_eq!(heard(&listener), [("honest".into(), liar.ip().into())]);
    });
}

/// A listener and a sender of neighbour discovery on a network that has IPv6.
struct Discovery {
    socket: OwnedFd,
    link: u32,
}

const ECHO: u8 = 128;
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

impl Discovery {
    fn open(container: &Container) -> Self {
        container.run(|| {
            let socket = socket(AddressFamily::INET6, SocketType::RAW, Some(ipproto::ICMPV6))
                .expect("a raw socket");
            sockopt::set_ipv6_multicast_hops(&socket, 255).expect("set the hop limit");
            sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))
                .expect("set a time-out");
            let link = crate::route::link_index(&mut host::socket(), "eth0").expect("eth0");
            Self { socket, link }
        })
    }

    fn send(&self, message: &[u8]) {
        let to = SocketAddrV6::new(ALL_NODES, 0, 0, self.link);
        sendto(&self.socket, message, SendFlags::empty(), &to).expect("send");
    }

    fn advertise(&self, address: Ipv6Addr, mac: [u8; 6]) {
        const OVERRIDE: [u8; 8] = [136, 0, 0, 0, 0x20, 0, 0, 0];
        self.send(&[&OVERRIDE[..], &address.octets(), &[2, 1], &mac].concat());
    }

    /// The kinds of messages that come, those of the kernel's own left out, up to an echo request.
    fn heard(&self, kinds: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let mut buffer = [0; 128];
            let (len, _) =
                recv(&self.socket, &mut buffer[..], RecvFlags::empty()).expect("hear an echo");
            match buffer[0] {
                ECHO => return all,
                kind if kinds.contains(&kind) => all.push(buffer[..len].to_vec()),
                _ => {}
            }
        }
    }
}

#[test]
fn cve_2020_13401_cve_2024_32473_no_container_poses_as_a_router() {
    isolated(|| {
        let network = open("one");
        let six = create(&network, "six", &[], &["fd05::/64"]);
        let (liar, other) = (
            Container::join_with(&network, "liar", wish(&six)),
            Container::join_with(&network, "other", wish(&six)),
        );
        let (sender, listener) = (Discovery::open(&liar), Discovery::open(&other));
        sender.send(&[134, 0, 0, 0, 64, 0, 7, 8, 0, 0, 0, 0, 0, 0, 0, 0]);
        sender.send(&[&[137, 0, 0, 0, 0, 0, 0, 0][..], &[0xfd; 32]].concat());
        sender.send(&[ECHO, 0, 0, 0, 0, 0, 0, 1]);
        assert_eq!(listener.heard(&[134, 137]), [[0; 0]; 0]);

        // IPv6 is off where the network has none, whatever the container switches on for itself.
        let plain = Container::join(&network, "plain");
        let neighbour = Container::join(&network, "neighbour");
        let listener = Discovery::open(&neighbour);
        let sender = Discovery::open(&plain);
        for container in [&plain, &neighbour] {
            container.run(|| {
                host::set_sysctl("ipv6/conf/eth0/accept_dad", "0");
                host::set_sysctl("ipv6/conf/eth0/disable_ipv6", "0");
                ip("addr add fd99::1/64 dev eth0 nodad");
            });
        }
        sender.send(&[ECHO, 0, 0, 0, 0, 0, 0, 1]);
        sockopt::set_socket_timeout(
            &listener.socket,
            sockopt::Timeout::Recv,
            Some(Duration::from_millis(700)),
        )
        .expect("set a time-out");
        let mut buffer = [0; 128];
        while let Ok((_, _)) = recv(&listener.socket, &mut buffer[..], RecvFlags::empty()) {
            assert_ne!(buffer[0], ECHO, "IPv6 of one that has none");
        }
    });
}

#[test]
fn spoofed_ipv6_addresses_and_neighbour_advertisements_go_nowhere() {
    isolated(|| {
        let network = open("one");
        let six = create(&network, "six", &[], &["fd05::/64"]);
        let join = |id| Container::join_with(&network, id, wish(&six));
        let (liar, other, victim) = (join("liar"), join("other"), join("victim"));
        let address = |container: &Container| container.interface.ipv6.expect("IPv6").ip;
        let (sender, listener) = (Discovery::open(&liar), Discovery::open(&other));
        sender.advertise(address(&victim), liar.interface.mac.0);
        sender.advertise(address(&liar), victim.interface.mac.0);
        sender.advertise("fd05::1".parse().expect("the gateway"), liar.interface.mac.0);
        sender.advertise(address(&liar), liar.interface.mac.0);
        sender.send(&[ECHO, 0, 0, 0, 0, 0, 0, 1]);
        let heard = listener.heard(&[136]);
        assert_eq!(heard.len(), 1, "{heard:x?}");
        assert_eq!(heard[0][8..24], address(&liar).octets());
        assert_eq!(heard[0][26..32], liar.interface.mac.0);

        let listener = other.run(|| UdpSocket::bind((address(&other), 5000)).expect("bind"));
        let to = SocketAddr::from((address(&other), 5000));
        liar.run(|| {
            let neighbour = format!("{} lladdr {}", address(&other), other.interface.mac);
            ip(&format!("neigh replace {neighbour} dev eth0"));
            ip(&format!("addr add {}/128 dev eth0 nodad", address(&victim)));
            say(address(&victim), to, "liar");
            say(address(&liar), to, "honest");
        });
        assert_eq!(heard_from(&listener), [address(&liar)]);
    });
}

fn heard_from(listener: &UdpSocket) -> Vec<IpAddr> {
    heard(listener).into_iter().map(|(_, from)| from).collect()
}

#[test]
fn who_may_configure_its_network_may_have_more_addresses() {
    isolated(|| {
        let network = open("one");
        let router = Container::join_unguarded(&network, "router");
        let other = Container::join(&network, "other");
        let more = "172.17.0.200".parse().expect("an address");
        router.run(|| ip(&format!("addr add {more}/32 dev eth0")));
        let listener = router.run(|| listen(more));
        other.run(|| connect(more, port(&listener))).expect("an address of its own making");
    });
}

#[test]
fn addresses_that_were_asked_for_are_its_own() {
    isolated(|| {
        let network = open("one");
        let extra = "169.254.7.7".parse().expect("an address");
        let link_local = Wish { link_local: vec![extra], ..wish(network.default_network()) };
        let one = Container::join_with(&network, "one", link_local);
        let other = Container::join(&network, "other");
        other.run(|| ip("addr add 169.254.7.8/16 dev eth0"));
        let listener = other.run(|| UdpSocket::bind((other.ip(), 5000)).expect("bind"));
        one.run(|| say(extra, SocketAddr::from((other.ip(), 5000)), "honest"));
        assert_eq!(heard_from(&listener), [extra]);
    });
}

/// As the module's doc has it; and no more elements than there are containers.
#[test]
fn guards_come_and_go_with_their_ports() {
    isolated(|| {
        let table = Identity::new("one").table();
        let network = open("one");
        let rules = || nft(&["list", "table", "bridge", &table]);
        let Some(empty) = rules() else { return };
        let text = empty.split_whitespace().collect::<Vec<_>>().join(" ");
        // nft has no words for addresses that come after an interface.
        for part in [
            "type filter hook prerouting priority dstnat; policy accept; iifname != @guarded accept \
             iifname . ether saddr != @macs drop ether type 8021q drop ether type 8021ad drop",
            "chain arp { iifname . @nh,64,48 != @macs drop @nh,112,32 0x0 accept \
             iifname . @nh,112,32 != @addresses4 drop }",
            "chain ipv4 { iifname . @nh,96,32 != @addresses4 drop udp sport 67 udp dport 68 drop }",
            "iifname . @nh,64,128 != @addresses6 drop icmpv6 type nd-router-advert drop \
             icmpv6 type nd-redirect drop icmpv6 type nd-neighbor-advert iifname . @th,64,128 != @addresses6 drop",
            "chain unspecified { icmpv6 type nd-neighbor-solicit iifname . @th,64,128 @addresses6 accept \
             icmpv6 type mld2-listener-report accept drop }",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
        let one = Container::join(&network, "one");
        let with_one = rules().expect("nft is there");
        let mac = format!("\"{}\" . {}", one.interface.host_link, one.interface.mac);
        assert!(with_one.contains(&mac), "{mac} is not in {with_one}");
        let two = Container::join(&network, "two");
        network.leave("two");
        network.settle();
        assert_eq!(rules().as_ref(), Some(&with_one));
        drop(two);
        if with_one.contains("persist") || with_one.contains("owner") {
            nft(&["flush", "ruleset"]);
            assert_eq!(rules().as_ref(), Some(&with_one), "the kernel protects it");
        }
        network.leave("one");
        assert!(network.destroy().is_empty());
        assert_eq!(nft(&["list", "ruleset"]).as_deref(), Some(""));
    });
}
