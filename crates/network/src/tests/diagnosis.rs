//! What becomes of a packet, by rules of others that are really there.

use std::net::{IpAddr, Ipv4Addr};

use super::host::nft;
use super::{Container, default_bridge, isolated, open};
use crate::diagnosis::{Hook, Keeper, Obstacle, Packet, obstacles};
use crate::publish::{HostPorts, Mapping, Ports, Protocol, Target, Wish};

fn packet(port: u16) -> Packet {
    Packet {
        protocol: Protocol::Tcp,
        source: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
        destination: IpAddr::V4(Ipv4Addr::new(10, 9, 0, 2)),
        port,
        input: Some("eth0".into()),
        output: Some("gantry0".into()),
        redirected: true,
    }
}

/// What stands in the way at the forward hook, as `CHAIN BY`; with `?` where it only may.
fn found(packet: &Packet) -> Vec<String> {
    let all = obstacles(Hook::Forward, packet, "mine").expect("read the rules");
    let shown = |Obstacle { chain, is_certain, by, .. }: Obstacle| {
        format!("{chain} {by}{}", if is_certain { "" } else { "?" })
    };
    all.into_iter().map(shown).collect()
}

/// Puts this in place of what is there; false where there is no nft command.
fn rules(text: &str) -> bool {
    nft(&[&format!("flush ruleset; {text}")]).is_some()
}

const HOOK: &str = "type filter hook forward priority 0;";

#[test]
fn policies_and_rules_that_drop_are_found_with_their_place() {
    isolated(|| {
        let policy = format!("table ip filter {{ chain FORWARD {{ {HOOK} policy drop; }}; }}");
        if !rules(&policy) {
            return;
        }
        assert_eq!(found(&packet(80)), ["ip filter FORWARD by its policy"]);
        let ipv6 = Packet { destination: "fd00::2".parse().expect("one"), ..packet(80) };
        assert_eq!(found(&ipv6), [""; 0], "a table of IPv4");

        rules(&format!(
            "table inet f {{ chain user {{ ip saddr 192.0.2.0/24 tcp dport 81 drop; return; }}; \
             chain forward {{ {HOOK} iifname \"wlan*\" drop; ct state established accept; jump user; \
             tcp dport {{ 80, 443 }} accept; udp dport 53 reject; drop; }}; }}"
        ));
        assert_eq!(found(&packet(80)), [""; 0], "accepted by the set");
        assert_eq!(found(&packet(81)), ["inet f forward by rule 1 of chain user"]);
        assert_eq!(found(&packet(82)), ["inet f forward by rule 6"]);
        let wireless = Packet { input: Some("wlan7".into()), ..packet(80) };
        assert_eq!(found(&wireless), ["inet f forward by rule 1"]);
        let unknown = Packet { input: None, ..packet(80) };
        assert_eq!(found(&unknown), ["inet f forward by rule 1?"], "whose link may be that");
    });
}

#[test]
fn what_cannot_be_told_may_drop_or_may_let_through() {
    isolated(|| {
        let chain = |rules: &str| format!("table inet f {{ chain c {{ {HOOK} {rules} }}; }}");
        if !rules(&chain("limit rate 10/second drop;")) {
            return;
        }
        assert_eq!(found(&packet(80)), ["inet f c by rule 1?"]);
        rules(&chain("limit rate 10/second accept; drop;"));
        assert_eq!(found(&packet(80)), ["inet f c by rule 2?"]);
        rules(&chain("ct status dnat accept; drop;"));
        assert_eq!(found(&packet(80)), [""; 0]);
        rules(&chain("iifname vmap { \"eth0\" : drop, \"eth1\" : accept };"));
        assert_eq!(found(&packet(80)), ["inet f c by rule 1"]);
        rules(&chain("meta mark 7 drop; ip saddr 192.0.2.7 accept; drop;"));
        assert_eq!(found(&packet(80)), ["inet f c by rule 1?"]);
    });
}

#[test]
fn ports_that_lead_somewhere_are_found_in_the_table() {
    isolated(|| {
        let network = open("one");
        let web = Container::join(&network, "web");
        let target = Target { ipv4: Some(web.ip()), ipv6: None };
        let wish = |first, last, inner| Wish {
            protocol: Protocol::Tcp,
            container: Ports { first: inner, last: inner + (last - first) },
            ip: None,
            host: HostPorts::Exactly(Ports { first, last }),
        };
        let wishes = [wish(8080, 8080, 80), wish(9000, 9010, 9000), wish(7000, 7010, 7100)];
        let published = network.publish("web", target, &wishes).expect("publish");
        for mapping in &published.mappings {
            for port in [mapping.host.first, mapping.host.last] {
                assert!(network.leads(mapping, target, port).expect("ask"), "{mapping} {port}");
            }
        }
        let other = Mapping { host: Ports::one(8081), ..published.mappings[0] };
        assert!(!network.leads(&other, target, 8081).expect("ask"));

        // The engine's own rules: from outside nothing is reached by its own address.
        let direct = Packet {
            destination: web.ip().into(),
            output: Some(default_bridge(&network).to_owned()),
            redirected: false,
            ..packet(80)
        };
        let own = network.obstacles(Hook::Forward, &direct).expect("read the rules");
        assert!(own.len() == 1 && own[0].keeper == Keeper::Own && own[0].is_certain, "{own:?}");
        let redirected = Packet { redirected: true, ..direct };
        assert_eq!(network.obstacles(Hook::Forward, &redirected).expect("read the rules"), []);
    });
}
