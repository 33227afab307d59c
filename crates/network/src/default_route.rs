//! Which of a container's interfaces leads to the rest of the world. Pure.

use std::cmp::Reverse;

use crate::Interface;

/// Docker's rule, for each family by itself: of the interfaces that lead on the one with the highest priority
/// (`gw-priority`), of several such the one whose network's name comes first. Ports are published by these, too.
pub fn default_interfaces(interfaces: &[Interface]) -> (Option<&Interface>, Option<&Interface>) {
    let mut order: Vec<_> = interfaces.iter().collect();
    order.sort_by_key(|interface| (Reverse(interface.priority), &interface.network));
    let leads_on = |interface: &Interface, gateway: bool| gateway || interface.on_link;
    let ipv4 = order.iter().find(|interface| {
        interface.ipv4.is_some_and(|address| leads_on(interface, address.gateway.is_some()))
    });
    let ipv6 = order.iter().find(|interface| {
        interface.ipv6.is_some_and(|address| leads_on(interface, address.gateway.is_some()))
    });
    (ipv4.copied(), ipv6.copied())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::{Address, MacAddress};

    fn interface(network: &str, priority: i64, gateway: Option<[u8; 4]>) -> Interface {
        Interface {
            network_id: network.into(),
            network: network.into(),
            endpoint_id: String::new(),
            name: "eth0".into(),
            host_link: String::new(),
            ipv4: Some(Address {
                ip: [10, 0, 0, 2].into(),
                prefix_len: 24,
                gateway: gateway.map(Ipv4Addr::from),
            }),
            ipv6: None,
            link_local: vec![],
            mac: MacAddress([2; 6]),
            mtu: 0,
            on_link: false,
            priority,
            guarded: true,
        }
    }

    fn route(interfaces: &[Interface]) -> Option<&str> {
        default_interfaces(interfaces).0.map(|interface| interface.network.as_str())
    }

    #[test]
    fn the_highest_priority_wins_then_the_first_name() {
        assert_eq!(route(&[]), None);
        let (b, a) = (interface("b", 0, Some([2; 4])), interface("a", 0, Some([1; 4])));
        assert_eq!(route(&[b.clone(), a.clone()]), Some("a"));
        let high = interface("z", 1, Some([9; 4]));
        assert_eq!(route(&[b.clone(), a.clone(), high]), Some("z"));
        let low = interface("0", -1, Some([8; 4]));
        assert_eq!(route(&[b, a, low]), Some("a"));
    }

    #[test]
    fn a_network_without_a_gateway_leads_nowhere_unless_its_link_does() {
        let internal = interface("a", 7, None);
        assert_eq!(route(std::slice::from_ref(&internal)), None);
        let both = [internal.clone(), interface("b", 0, Some([2; 4]))];
        assert_eq!(route(&both), Some("b"));
        assert_eq!(default_interfaces(&both).1, None, "each family by itself");
        assert_eq!(route(&[Interface { on_link: true, ..internal }]), Some("a"));
    }
}
