//! A table of the bridge family, beside the engine's other one and of its name: what a container sends is from itself.
//!
//! Frames between containers of one bridge never meet the rules for IP. A container that may open raw sockets (all may,
//! as in Docker) could send with another's MAC address or addresses, answer for another's address, or offer itself as
//! router. Each guarded port has an element per thing that is its own; what claims anything else is dropped before the
//! bridge learns from it:
//!
//! ```text
//! guarded     { "veth0123" }                         ports that are held to the rest
//! macs        { "veth0123" . 02:42:ac:11:00:02 }
//! addresses4  { "veth0123" . 172.17.0.2 }
//! addresses6  { "veth0123" . fd00::2, "veth0123" . fe80::42:acff:fe11:2 }
//!
//! ports       prerouting   iifname != @guarded accept
//!                          iifname . ether saddr != @macs drop
//!                          ether type 8021q drop (and 8021ad)
//!                          meta protocol arp goto arp
//!                          meta protocol ip goto ipv4
//!                          meta protocol ip6 goto ipv6
//! arp                      iifname . arp saddr ether != @macs drop
//!                          arp saddr ip 0.0.0.0 accept
//!                          iifname . arp saddr ip != @addresses4 drop
//! ipv4                     iifname . ip saddr != @addresses4 drop
//!                          udp sport 67 udp dport 68 drop
//! ipv6                     ip6 saddr :: goto unspecified
//!                          iifname . ip6 saddr != @addresses6 drop
//!                          icmpv6 type { nd-router-advert, nd-redirect } drop
//!                          icmpv6 type nd-neighbor-advert iifname . nd target != @addresses6 drop
//!                          icmpv6 type nd-neighbor-advert, its option iifname . MAC != @macs drop
//!                          udp sport 547 udp dport 546 drop
//! unspecified              icmpv6 type nd-neighbor-solicit iifname . nd target @addresses6 accept
//!                          icmpv6 type mld2-listener-report accept
//!                          drop
//! ```
//!
//! A VLAN's tag is no way around it: Linux takes what is tagged with VLAN 0 for what is not tagged. What neighbour
//! discovery sends in fragments, which cannot be looked into, Linux ignores (RFC 6980).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::set;
use crate::nft::{Chain, ChainKind, Claim, Direction, Element, KeyType, Rule, Set};
use crate::{Interface, MacAddress};

pub(super) const SETS: [Set<'static>; 4] = [
    set("guarded", KeyType::InterfaceName),
    set("macs", KeyType::InterfaceAndMac),
    set("addresses4", KeyType::InterfaceAndIpv4),
    set("addresses6", KeyType::InterfaceAndIpv6),
];

const ARP: u16 = 0x0806;
const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const SERVICE_VLAN: u16 = 0x88a8;
const ROUTER_ADVERTISEMENT: u8 = 134;
const NEIGHBOUR_SOLICITATION: u8 = 135;
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const REDIRECT: u8 = 137;
const LISTENER_REPORT: u8 = 143;

/// A port of a bridge, and what whoever is behind it may call its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Guard {
    pub(crate) port: String,
    mac: MacAddress,
    ipv4: Vec<Ipv4Addr>,
    ipv6: Vec<Ipv6Addr>,
}

impl Guard {
    /// None of an interface that is not to be guarded, or has no port.
    pub(crate) fn of(interface: &Interface) -> Option<Self> {
        if !interface.guarded || interface.host_link.is_empty() {
            return None;
        }
        let (mut ipv4, mut ipv6) = (Vec::new(), Vec::new());
        for ip in interface.addresses().chain(interface.link_local.iter().copied()) {
            match ip {
                IpAddr::V4(ip) => ipv4.push(ip),
                IpAddr::V6(ip) => ipv6.push(ip),
            }
        }
        if interface.ipv6.is_some() {
            ipv6.push(interface.mac.link_local());
        }
        ipv6.dedup();
        Some(Self { port: interface.host_link.clone(), mac: interface.mac, ipv4, ipv6 })
    }

    pub(super) fn elements(&self) -> [(&'static str, Vec<Element>); 4] {
        let own = |address: &[u8]| Element::interface_and(&self.port, address);
        [
            ("guarded", vec![Element::interface(&self.port)]),
            ("macs", vec![own(&self.mac.0)]),
            ("addresses4", self.ipv4.iter().map(|ip| own(&ip.octets())).collect()),
            ("addresses6", self.ipv6.iter().map(|ip| own(&ip.octets())).collect()),
        ]
    }
}

pub(super) fn chains() -> Vec<(Chain<'static>, Vec<Rule>)> {
    let called = |name| Chain { name, kind: ChainKind::Called };
    let lies = |rule: Rule, claim, set| rule.claim_not_in(claim, set).drop();
    vec![
        (called("unspecified"), unspecified()),
        (
            called("arp"),
            vec![
                lies(Rule::new(), Claim::ArpMac, "macs"),
                // Asks whether an address is anybody's.
                Rule::new().claims_nothing(Claim::ArpAddress).accept(),
                lies(Rule::new(), Claim::ArpAddress, "addresses4"),
            ],
        ),
        (
            called("ipv4"),
            vec![lies(Rule::new(), Claim::Ipv4, "addresses4"), Rule::new().udp(67, 68).drop()],
        ),
        (
            called("ipv6"),
            vec![
                Rule::new().claims_nothing(Claim::Ipv6).goto("unspecified"),
                lies(Rule::new(), Claim::Ipv6, "addresses6"),
                Rule::new().icmpv6(ROUTER_ADVERTISEMENT).drop(),
                Rule::new().icmpv6(REDIRECT).drop(),
                lies(
                    Rule::new().icmpv6(NEIGHBOUR_ADVERTISEMENT),
                    Claim::NeighbourAddress,
                    "addresses6",
                ),
                lies(
                    Rule::new().icmpv6(NEIGHBOUR_ADVERTISEMENT).gives_mac(),
                    Claim::NeighbourMac,
                    "macs",
                ),
                Rule::new().udp(547, 546).drop(),
            ],
        ),
        (
            Chain { name: "ports", kind: ChainKind::BridgePrerouting },
            vec![
                Rule::new().interface_not_in(Direction::In, "guarded").accept(),
                lies(Rule::new(), Claim::Mac, "macs"),
                Rule::new().ether_type(VLAN).drop(),
                Rule::new().ether_type(SERVICE_VLAN).drop(),
                Rule::new().protocol(ARP).goto("arp"),
                Rule::new().protocol(IPV4).goto("ipv4"),
                Rule::new().protocol(IPV6).goto("ipv6"),
            ],
        ),
    ]
}

/// An address that one is about to take, and the groups one listens to, are told from no address.
fn unspecified() -> Vec<Rule> {
    let asks = Rule::new().icmpv6(NEIGHBOUR_SOLICITATION);
    vec![
        asks.claim_in(Claim::NeighbourAddress, "addresses6").accept(),
        Rule::new().icmpv6(LISTENER_REPORT).accept(),
        Rule::new().drop(),
    ]
}
