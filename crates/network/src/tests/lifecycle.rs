//! Joining, leaving, and engines that come and go.

use std::collections::HashSet;
use std::fs;
use std::net::Ipv4Addr;

use super::host::{has_link, links, sysctl};
use super::{Container, default_bridge, default_subnet, isolated, open, open_with, wish};
use crate::{Error, Identity, Interface, MacAddress, Network, Options, Recovery, Wish};

#[test]
fn a_container_on_the_bridge_has_an_address_and_a_way_out() {
    isolated(|| {
        let network = open("one");
        let container = Container::join(&network, "c1");
        assert_eq!(default_bridge(&network), "gantry0");
        assert_eq!(container.ip(), Ipv4Addr::new(172, 17, 0, 2));
        assert_eq!(container.address().gateway, Some(Ipv4Addr::new(172, 17, 0, 1)));
        assert_eq!(container.interface.mac.to_string(), "02:42:ac:11:00:02");
        assert_eq!(container.interface.network_id, network.default_network().id);
        container.run(|| {
            assert_eq!(
                links().iter().map(|link| link.name.clone()).collect::<Vec<_>>(),
                ["lo", "eth0"]
            );
            let mac = fs::read_to_string("/proc/thread-self/net/route").expect("read routes");
            assert!(
                mac.contains("eth0\t00000000\t010011AC"),
                "a default route by the gateway: {mac}"
            );
            assert_eq!(sysctl("ipv6/conf/eth0/disable_ipv6"), "1");
            assert_eq!(sysctl("ipv6/conf/default/disable_ipv6"), "0", "as in Docker");
            assert_eq!(sysctl("ipv6/conf/lo/disable_ipv6"), "0", "as in Docker");
        });
    });
}

#[test]
fn a_container_without_a_network_has_loopback_only() {
    isolated(|| {
        let network = open("one");
        let joined = network.join("c1", &[]).expect("join");
        assert!(joined.interfaces.is_empty());
        sys::netns::within(std::os::fd::AsFd::as_fd(&joined.netns), || {
            assert_eq!(links().len(), 1);
            let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
            std::net::TcpStream::connect(listener.local_addr()?)?;
            Ok(())
        })
        .expect("loopback works");
    });
}

#[test]
fn wishes_for_addresses_are_granted_or_refused_with_a_reason() {
    isolated(|| {
        let network = open("one");
        let join = |id: &str, ip: [u8; 4], mac: Option<&str>| {
            let mac = mac.map(|mac| mac.parse::<MacAddress>().expect("a MAC address"));
            let wish = Wish { ipv4: Some(ip.into()), mac, ..wish(network.default_network()) };
            network.join(id, &[wish]).map(|mut joined| joined.interfaces.remove(0))
        };
        let interface = join("c1", [172, 17, 0, 9], Some("02:00:00:00:00:07")).expect("join");
        assert_eq!(
            (interface.ipv4.expect("an address").ip, interface.mac.to_string()),
            ([172, 17, 0, 9].into(), "02:00:00:00:00:07".into())
        );
        assert!(matches!(join("c2", [172, 17, 0, 9], None), Err(Error::AddressInUse)));
        assert!(matches!(join("c2", [10, 0, 0, 9], None), Err(Error::AddressOutside(_))));
        assert!(matches!(join("c1", [172, 17, 0, 10], None), Err(Error::AlreadyJoined { .. })));
    });
}

#[test]
fn an_address_is_free_again_once_the_link_is_gone() {
    isolated(|| {
        let bip = Some("10.9.0.1/30".parse().expect("a bridge address"));
        let network = open_with("one", Options { bip, ..Options::default() });
        let wish = [wish(network.default_network())];
        let container = Container::join(&network, "c1");
        let full = network.join("c2", &wish);
        assert!(matches!(full, Err(Error::NoAddressLeft { .. })));
        network.leave("c1");
        network.settle();
        assert!(
            !has_link(&container.interface.host_link),
            "deleted although its namespace is still held"
        );
        assert!(network.join("c2", &wish).is_ok());
    });
}

#[test]
fn many_join_at_once_and_leave_at_once() {
    isolated(|| {
        let network = open("one");
        let ids: Vec<String> = (0..40).map(|number| format!("c{number}")).collect();
        let joined: Vec<Container> = std::thread::scope(|scope| {
            let network = &network;
            let join = |ids: &'_ [String]| {
                ids.iter().map(|id| Container::join(network, id)).collect::<Vec<_>>()
            };
            let threads: Vec<_> = ids.chunks(5).map(|ids| scope.spawn(move || join(ids))).collect();
            threads.into_iter().flat_map(|thread| thread.join().expect("join")).collect()
        });
        let addresses: HashSet<_> = joined.iter().map(Container::ip).collect();
        assert_eq!(addresses.len(), 40);
        drop(joined);
        ids.iter().for_each(|id| network.leave(id));
        network.settle();
        let left: Vec<_> = links()
            .into_iter()
            .map(|link| link.name)
            .filter(|name| name.starts_with("veth"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    });
}

/// The next engine, with one container alive, before it knows of ports.
pub(super) fn recover(
    options: Options,
    container: &str,
    interface: &Interface,
) -> (Network, Vec<Error>) {
    let interfaces = vec![(container.to_owned(), interface.clone())];
    let recovery = Recovery { interfaces, ..Recovery::default() };
    Network::open(Identity::new("one"), options, recovery).expect("open the network")
}

#[test]
fn the_next_engine_takes_over_what_is_there() {
    isolated(|| {
        let network = open("one");
        let (kept, lost) = (Container::join(&network, "kept"), Container::join(&network, "lost"));
        let default = network.default_network().clone();
        drop(network);

        let (network, failures) = recover(Options::default(), "kept", &kept.interface);
        assert_eq!(*network.default_network(), default);
        assert!(failures.is_empty(), "{failures:?}");
        network.settle();
        assert!(has_link(&kept.interface.host_link));
        assert!(!has_link(&lost.interface.host_link), "nobody's link is deleted");
        let new = Container::join(&network, "new");
        assert_ne!(new.ip(), kept.ip());
        network.leave("kept");
        network.settle();
        assert!(!has_link(&kept.interface.host_link));
    });
}

#[test]
fn a_bridge_moves_when_it_is_told_to() {
    isolated(|| {
        let kept = Container::join(&open("one"), "kept");
        let bip = Some("10.9.0.1/24".parse().expect("a bridge address"));
        let options = Options { bip, ..Options::default() };
        let (network, failures) = recover(options, "kept", &kept.interface);
        assert_eq!(default_subnet(&network).to_string(), "10.9.0.0/24");
        assert!(matches!(failures[..], [Error::AddressOutside(_)]), "{failures:?}");
        network.recover_ports([], None).expect("put up the table");
        assert_eq!(Container::join(&network, "new").ip(), Ipv4Addr::new(10, 9, 0, 2));
    });
}

#[test]
fn two_engines_live_side_by_side() {
    isolated(|| {
        let (one, two) = (open("one"), open("two"));
        assert_ne!(default_bridge(&one), default_bridge(&two));
        assert!(!default_subnet(&one).overlaps(&default_subnet(&two)));
        let container = Container::join(&two, "c1");
        assert!(one.destroy().is_empty());
        assert!(has_link(&container.interface.host_link) && has_link(default_bridge(&two)));
        assert_eq!(default_bridge(&two), Identity::new("two").bridge());
    });
}

#[test]
fn engines_that_start_at_once_take_different_names_and_subnets() {
    isolated(|| {
        let networks: Vec<Network> = std::thread::scope(|scope| {
            let names = ["one", "two", "three", "four", "five", "six"];
            let starting = names.map(|name| scope.spawn(move || open(name)));
            starting.into_iter().map(|start| start.join().expect("started")).collect()
        });
        for (number, one) in networks.iter().enumerate() {
            for other in &networks[number + 1..] {
                assert_ne!(default_bridge(one), default_bridge(other));
                assert!(!default_subnet(one).overlaps(&default_subnet(other)));
            }
        }
    });
}

#[test]
fn one_data_root_has_one_engine() {
    isolated(|| {
        let _one = open("one");
        match Network::open(Identity::new("one"), Options::default(), Recovery::default()) {
            Err(Error::TableOwned(_)) => {}
            Err(error) => panic!("{error}"),
            Ok(_) => testkit::skip(
                "network: one engine per data root",
                "this kernel has no owned and persistent tables",
            ),
        }
    });
}

#[test]
fn nothing_is_left_behind() {
    isolated(|| {
        let network = open("one");
        let _container = Container::join(&network, "c1");
        let failures = network.destroy();
        assert!(failures.is_empty(), "{failures:?}");
        assert_eq!(links().len(), 1, "loopback is all that is left: {:?}", links());
        if let Some(ruleset) = super::host::nft(&["list", "ruleset"]) {
            assert_eq!(ruleset, "");
        }
    });
}
