//! The table under other people's hands.

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use super::host::nft;
use super::{isolated, open};
use crate::firewall::{BridgeRules, Contents, Firewall, Protection};
use crate::{Identity, Subnet};

const TABLE: &str = "gantry-test";

fn contents() -> Contents {
    let subnets: Vec<Subnet> =
        ["10.9.0.0/24", "fd09::/64"].map(|text| text.parse().expect("a subnet")).to_vec();
    let bridge = BridgeRules {
        name: "gantry0".into(),
        icc: true,
        internal: false,
        hidden: subnets.clone(),
        open: vec![],
        masqueraded: subnets.clone(),
        subnets,
    };
    Contents { bridges: vec![bridge], uplinks: vec!["eth0".into()], ..Contents::default() }
}

/// What nft reads out of our messages.
#[test]
fn the_table_reads_as_documented() {
    isolated(|| {
        let _firewall =
            Firewall::open_as(Protection::Watched, TABLE.into(), contents()).expect("open");
        let Some(text) = nft(&["list", "table", "inet", TABLE]) else { return };
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for part in [
            r#"elements = { "gantry0" }"#,
            r#"elements = { "gantry0" . "gantry0" }"#,
            "elements = { 10.9.0.0/24 }",
            "elements = { fd09::/64 }",
            r#"elements = { "eth0" }"#,
            "map addresses4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service }",
            "map ranges64_tcp { type inet_service : ipv4_addr flags interval }",
            "chain published4 { dnat ip to ip daddr . meta l4proto . th dport map @addresses4 \
             dnat ip to meta l4proto . th dport map @ports4 dnat ip to tcp dport map @ranges4_tcp \
             dnat ip to udp dport map @ranges4_udp dnat ip to sctp dport map @ranges4_sctp }",
            "type filter hook prerouting priority raw; policy accept; iifname != \"lo\" ip daddr 127.0.0.0/8 drop \
             iifname != \"lo\" ip saddr 127.0.0.0/8 drop iifname != @bridges ip daddr @hidden4 drop \
             iifname != @bridges ip6 daddr @hidden6 drop }",
            "type nat hook prerouting priority dstnat; policy accept; \
             fib daddr type local meta nfproto ipv4 goto published4 \
             fib daddr type local meta nfproto ipv6 goto published6 }",
            "type filter hook forward priority filter; policy accept; iifname . oifname @same_bridge accept \
             iifname @internal drop oifname @internal drop \
             oifname @bridges ct state established,related accept oifname @bridges ct status dnat accept \
             ip daddr @open4 accept ip6 daddr @open6 accept oifname @bridges drop meta nfproto ipv4 iifname @uplinks oifname @uplinks drop \
             meta nfproto ipv6 iifname @uplinks6 oifname @uplinks6 drop }",
            "type nat hook postrouting priority srcnat; policy accept; \
             ip saddr @subnets oifname @bridges ct status dnat masquerade \
             meta nfproto ipv6 iifname @bridges oifname @bridges ct status dnat masquerade \
             ip saddr 127.0.0.0/8 oifname @bridges masquerade \
             ip saddr @masqueraded4 oifname != @bridges masquerade \
             ip6 saddr @masqueraded6 oifname != @bridges masquerade }",
        ] {
            assert!(text.contains(part), "{part}\nis not in\n{text}");
        }
    });
}

#[test]
fn the_table_survives_a_flush_of_the_ruleset() {
    isolated(|| {
        let _network = open("one");
        let table = Identity::new("one").table();
        let Some(before) = nft(&["list", "table", "inet", &table]) else { return };
        nft(&["flush", "ruleset"]);
        if !before.contains("persist") {
            thread::sleep(Duration::from_millis(300));
        }
        assert_eq!(nft(&["list", "table", "inet", &table]), Some(before));
    });
}

#[test]
fn a_table_that_the_kernel_cannot_protect_is_put_back() {
    isolated(|| {
        let _firewall =
            Firewall::open_as(Protection::Watched, TABLE.into(), contents()).expect("open");
        // In an order of ours: which of the two is put back first is left to chance.
        let tables = || {
            let ruleset = nft(&["list", "ruleset"])?;
            let mut tables: Vec<_> =
                ruleset.split("\ntable ").map(str::trim).map(str::to_owned).collect();
            tables.iter_mut().for_each(|table| *table = table.trim_start_matches("table ").into());
            tables.sort();
            Some(tables)
        };
        let Some(before) = tables() else { return };
        for _ in 0..3 {
            nft(&["flush", "ruleset"]);
            let restored = (0..50).any(|_| {
                thread::sleep(Duration::from_millis(20));
                tables().as_ref() == Some(&before)
            });
            assert!(restored, "after a flush the tables are back");
        }
    });
}

#[test]
fn a_table_of_an_earlier_version_is_replaced() {
    isolated(|| {
        let set = format!("add set inet {TABLE} bridges {{ type ether_addr ; }}");
        if nft(&["add", "table", "inet", TABLE]).is_none() {
            return;
        }
        nft(&[&set]);
        let firewall =
            Firewall::open_as(Protection::Watched, TABLE.into(), contents()).expect("open");
        let text = nft(&["list", "table", "inet", TABLE]).expect("nft is there");
        assert!(text.contains("type ifname") && !text.contains("ether_addr"), "{text}");
        firewall.remove().expect("remove");
        assert_eq!(nft(&["list", "ruleset"]).as_deref(), Some(""));
    });
}

#[test]
fn a_table_that_is_nobodys_is_taken_over() {
    isolated(|| {
        // As on a kernel that cannot protect one; there it outlives an engine that was killed.
        let first = Firewall::open_as(Protection::Watched, TABLE.into(), contents()).expect("open");
        drop(first);
        let next = Firewall::open(TABLE.into(), contents()).expect("open again");
        next.recover(BTreeMap::new(), None).expect("recover");
        next.remove().expect("remove");
        assert_eq!(nft(&["list", "ruleset"]).unwrap_or_default(), "");
    });
}

#[test]
fn an_orphaned_table_is_claimed_again() {
    isolated(|| {
        drop(open("one"));
        let again = open("one");
        assert!(again.destroy().is_empty());
        if let Some(ruleset) = nft(&["list", "ruleset"]) {
            assert_eq!(ruleset, "");
        }
    });
}
