//! The default bridge, as the engine's options want it.

use std::net::{IpAddr, Ipv4Addr};

use super::host::{has_link, ip, links, socket};
use super::{Container, default_bridge, isolated, open_with};
use crate::{Error, Identity, Network, Options, Recovery, route};

fn refused(options: Options) -> Error {
    match Network::open(Identity::new("one"), options, Recovery::default()) {
        Err(error) => error,
        Ok(_) => panic!("the engine started"),
    }
}

fn subnet(text: &str) -> Option<crate::Subnet> {
    Some(text.parse().expect("a subnet"))
}

#[test]
fn a_bridge_of_the_hosts_own_is_used_and_left_as_it_is() {
    isolated(|| {
        let options = || Options { bridge: Some("lan".into()), ..Options::default() };
        let missing = refused(options()).to_string();
        assert_eq!(missing, "bridge device with non default name lan must be created manually");
        ip("link add lan type bridge");
        ip("addr add 10.44.0.7/24 dev lan");
        let network = open_with("one", options());
        assert_eq!(default_bridge(&network), "lan");
        assert!(!has_link("gantry0"));
        let container = Container::join(&network, "c1");
        assert_eq!(container.address().cidr(), "10.44.0.1/24");
        assert_eq!(container.address().gateway, Some(Ipv4Addr::new(10, 44, 0, 7)));
        network.leave("c1");
        assert!(network.destroy().is_empty());
        let lan = links().into_iter().find(|link| link.name == "lan").expect("it is there");
        let addresses = route::addresses(&mut socket(), lan.index).expect("addresses");
        assert_eq!(addresses, [(IpAddr::V4(Ipv4Addr::new(10, 44, 0, 7)), 24)]);
    });
}

#[test]
fn addresses_are_of_the_fixed_range_and_the_gateway_is_another() {
    isolated(|| {
        let router = IpAddr::V4(Ipv4Addr::new(10, 44, 0, 130));
        let options = || Options {
            bip: Some("10.44.0.1/24".parse().expect("an address")),
            fixed_cidr: subnet("10.44.0.128/29"),
            gateways: vec![router],
            ..Options::default()
        };
        let network = open_with("one", options());
        let found: Vec<_> = ["c1", "c2"].map(|id| Container::join(&network, id)).into();
        for container in &found {
            assert!(subnet("10.44.0.128/29").expect("one").contains(container.ip().into()));
            assert_ne!(IpAddr::V4(container.ip()), router);
            assert_eq!(container.address().gateway.map(IpAddr::V4), Some(router));
        }
        drop(network);
        let outside = Options { fixed_cidr: subnet("10.45.0.0/29"), ..options() };
        assert!(matches!(refused(outside), Error::RangeOutside { .. }));
        let outside = Options { gateways: vec![Ipv4Addr::new(10, 9, 9, 9).into()], ..options() };
        assert!(matches!(refused(outside), Error::GatewayOutside(_)));
    });
}

#[test]
fn the_default_bridge_has_ipv6_where_it_is_wanted() {
    isolated(|| {
        let options = |fixed_cidr_v6| Options { ipv6: true, fixed_cidr_v6, ..Options::default() };
        let network = open_with("one", options(subnet("fd77:1::/64")));
        let address = Container::join(&network, "c1").interface.ipv6.expect("IPv6");
        assert_eq!(address.cidr(), "fd77:1::2/64");
        assert_eq!(address.gateway, "fd77:1::1".parse().ok());
        network.leave("c1");
        assert!(network.destroy().is_empty());

        let network = open_with("one", options(None));
        let chosen = network.default_network().pools[1].subnet;
        assert!(chosen.to_string().starts_with("fd"), "{chosen}");
        drop(network);
        let network = open_with("one", options(None));
        assert_eq!(network.default_network().pools[1].subnet, chosen, "the next engine's, too");
    });
}
