//! Joining, leaving, and engines that come and go.

use std::collections::HashSet;
use std::fs;
use std::net::Ipv4Addr;

use super::host::{has_link, links, sysctl};
use super::{Container, isolated, open, open_with};
use crate::{Attachment, Endpoint, Error, Identity, MacAddress, Network, Options};

#[test]
fn a_container_on_the_bridge_has_an_address_and_a_way_out() {
    isolated(|| {
        let network = open("one");
        let container = Container::join(&network, "c1");
        let bridge = network.bridge();
        assert_eq!(bridge.name, "gantry0");
        assert_eq!(container.ip(), Ipv4Addr::new(172, 17, 0, 2));
        assert_eq!(container.address().gateway, Some(Ipv4Addr::new(172, 17, 0, 1)));
        assert_eq!(container.interface.mac.to_string(), "02:42:ac:11:00:02");
        assert_eq!(container.interface.network_id, bridge.network_id);
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
        let joined = network
            .join(&Endpoint { container: "c1", attachment: Attachment::None })
            .expect("join");
        assert!(joined.interface.is_none());
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
            let attachment = Attachment::Bridge { ip: Some(ip.into()), mac };
            network.join(&Endpoint { container: id, attachment })
        };
        let interface =
            join("c1", [172, 17, 0, 9], Some("02:00:00:00:00:07")).expect("join").interface;
        let interface = interface.expect("an interface");
        assert_eq!(
            (interface.ipv4.expect("an address").ip, interface.mac.to_string()),
            ([172, 17, 0, 9].into(), "02:00:00:00:00:07".into())
        );
        assert!(matches!(join("c2", [172, 17, 0, 9], None), Err(Error::AddressInUse(_))));
        assert!(matches!(join("c2", [10, 0, 0, 9], None), Err(Error::AddressOutside { .. })));
        assert!(matches!(join("c1", [172, 17, 0, 10], None), Err(Error::AlreadyJoined(_))));
    });
}

#[test]
fn an_address_is_free_again_once_the_link_is_gone() {
    isolated(|| {
        let bip = Some("10.9.0.1/30".parse().expect("a bridge address"));
        let network = open_with("one", Options { bip, ..Options::default() });
        let attachment = Attachment::Bridge { ip: None, mac: None };
        let container = Container::join(&network, "c1");
        let full = network.join(&Endpoint { container: "c2", attachment: attachment.clone() });
        assert!(matches!(full, Err(Error::NoAddressLeft { .. })));
        network.leave("c1");
        network.settle();
        assert!(
            !has_link(&container.interface.host_link),
            "deleted although its namespace is still held"
        );
        assert!(network.join(&Endpoint { container: "c2", attachment }).is_ok());
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

#[test]
fn the_next_engine_takes_over_what_is_there() {
    isolated(|| {
        let network = open("one");
        let (kept, lost) = (Container::join(&network, "kept"), Container::join(&network, "lost"));
        let bridge = network.bridge().clone();
        drop(network);

        let network = open("one");
        assert_eq!(*network.bridge(), bridge);
        let failures =
            network.recover([("kept".to_owned(), kept.interface.clone())]).expect("recover");
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
        let network = open_with("one", Options { bip, ..Options::default() });
        assert_eq!(network.bridge().subnet.to_string(), "10.9.0.0/24");
        let failures = network.recover([("kept".to_owned(), kept.interface)]).expect("recover");
        assert!(matches!(failures[..], [Error::AddressOutside { .. }]), "{failures:?}");
        assert_eq!(Container::join(&network, "new").ip(), Ipv4Addr::new(10, 9, 0, 2));
    });
}

#[test]
fn two_engines_live_side_by_side() {
    isolated(|| {
        let (one, two) = (open("one"), open("two"));
        assert_ne!(one.bridge().name, two.bridge().name);
        assert!(!one.bridge().subnet.overlaps(&two.bridge().subnet));
        let container = Container::join(&two, "c1");
        assert!(one.destroy().is_empty());
        assert!(has_link(&container.interface.host_link) && has_link(&two.bridge().name));
        assert_eq!(two.bridge().name, Identity::new("two").bridge());
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
                assert_ne!(one.bridge().name, other.bridge().name);
                assert!(!one.bridge().subnet.overlaps(&other.bridge().subnet));
            }
        }
    });
}

#[test]
fn one_data_root_has_one_engine() {
    isolated(|| {
        let _one = open("one");
        match Network::open(Identity::new("one"), Options::default()) {
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
