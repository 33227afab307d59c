//! What is asked of a network for one container: checked, and put in the terms of crate `network`. Pure.

use std::net::IpAddr;

use api::networks::{EndpointIpamConfig, EndpointSettings};
use network::{InvalidMac, MacAddress, Subnet, Wish};

use super::record::Record;
use crate::error::{Error, Result};

/// The name of the link in the container.
const LINK_NAME: &str = "com.docker.network.endpoint.ifname";

/// Docker's checks. `network` is none where it is not there, which is only said when the container starts.
pub fn check(network: Option<&Record>, name: &str, settings: &EndpointSettings) -> Result<()> {
    let mut problems = Vec::new();
    let ipam = settings.ipam_config.clone().unwrap_or_default();
    if matches!(name, "bridge" | "host" | "none" | "default") {
        if !ipam.ipv4_address.is_empty() || !ipam.ipv6_address.is_empty() {
            problems.push(
                "user specified IP address is supported on user defined networks only".to_owned(),
            );
        }
        if settings.aliases.as_ref().is_some_and(|aliases| !aliases.is_empty()) {
            problems.push(
                "network-scoped alias is supported only for containers in user defined networks"
                    .to_owned(),
            );
        }
    }
    check_form(&ipam, &mut problems);
    if let Some(network) = network.filter(|network| !network.is_builtin) {
        check_place(network, &ipam, &mut problems);
    }
    if let Some(link) = link_name(settings)
        && network::check_link_name(link).is_err()
    {
        problems.push(format!("invalid interface name {link:?}"));
    }
    if !settings.mac_address.is_empty() && settings.mac_address.parse::<MacAddress>().is_err() {
        return Err(Error::invalid(format!("invalid MAC address {}", settings.mac_address)));
    }
    match problems.as_slice() {
        [] => Ok(()),
        [one] => Err(Error::invalid(format!("invalid endpoint settings:\n{one}"))),
        several => {
            let lines: Vec<_> = several.iter().map(|problem| format!("* {problem}")).collect();
            Err(Error::invalid(format!("invalid endpoint settings:\n{}", lines.join("\n"))))
        }
    }
}

fn check_form(ipam: &EndpointIpamConfig, problems: &mut Vec<String>) {
    let is_usable = |text: &str, is_ipv4: bool| {
        text.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv4() == is_ipv4 && !ip.is_unspecified())
    };
    let (ipv4, ipv6) = (&ipam.ipv4_address, &ipam.ipv6_address);
    if !ipv4.is_empty() && !is_usable(ipv4, true) {
        problems.push(format!("invalid IPv4 address: {ipv4}"));
    }
    if !ipv6.is_empty() && !is_usable(ipv6, false) {
        problems.push(format!("invalid IPv6 address: {ipv6}"));
    }
    for ip in &ipam.link_local_ips {
        if ip.parse::<IpAddr>().map_or(true, |ip| ip.is_unspecified()) {
            problems.push(format!("invalid link-local IP address: {ip}"));
        }
    }
}

/// Fixed addresses are for subnets that somebody chose.
fn check_place(network: &Record, ipam: &EndpointIpamConfig, problems: &mut Vec<String>) {
    for (text, is_ipv4) in [(&ipam.ipv4_address, true), (&ipam.ipv6_address, false)] {
        if text.is_empty() {
            continue;
        }
        let subnets = network.asked_subnets(is_ipv4);
        if subnets.is_empty() {
            problems.push("user specified IP address is supported only when connecting to networks with user configured subnets".to_owned());
            continue;
        }
        let within = |subnet: &Subnet| text.parse().is_ok_and(|ip| subnet.contains(ip));
        if !subnets.iter().any(within) {
            problems
                .push(format!("no configured subnet or ip-range contain the IP address {text}"));
        }
    }
}

fn link_name(settings: &EndpointSettings) -> Option<&str> {
    settings.driver_opts.as_ref()?.get(LINK_NAME).map(String::as_str)
}

/// What was checked, for a network that is there: without addresses of a family that is off there, as in Docker. `mac`
/// is the container's own, for its first network.
pub fn wish(
    network: &Record,
    settings: &EndpointSettings,
    mac: &str,
    guarded: bool,
) -> Result<Wish, InvalidMac> {
    let ipam = settings.ipam_config.clone().unwrap_or_default();
    let mac = if settings.mac_address.is_empty() { mac } else { &settings.mac_address };
    Ok(Wish {
        network: network.id.clone(),
        ipv4: ipam.ipv4_address.parse().ok().filter(|_| network.ipv4),
        ipv6: ipam.ipv6_address.parse().ok().filter(|_| network.ipv6),
        link_local: ipam.link_local_ips.iter().filter_map(|ip| ip.parse().ok()).collect(),
        mac: if mac.is_empty() { None } else { Some(mac.parse()?) },
        priority: settings.gw_priority.unwrap_or(0),
        name: link_name(settings).map(str::to_owned),
        guarded,
    })
}

/// By which names others on the network find it; none on the networks that are always there.
pub fn dns_names(
    network: &Record,
    settings: &EndpointSettings,
    container: &str,
    id: &str,
    hostname: &str,
) -> Option<Vec<String>> {
    if network.is_builtin {
        return None;
    }
    let mut names: Vec<String> = Vec::new();
    let aliases = settings.aliases.iter().flatten().map(String::as_str);
    for name in [container].into_iter().chain(aliases).chain([&id[..12], hostname]) {
        if !name.is_empty() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    Some(names)
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::with_pools;
    use super::*;

    fn fixed(ipv4: &str, ipv6: &str) -> EndpointSettings {
        let ipam = EndpointIpamConfig {
            ipv4_address: ipv4.into(),
            ipv6_address: ipv6.into(),
            ..EndpointIpamConfig::default()
        };
        EndpointSettings { ipam_config: Some(ipam), ..EndpointSettings::default() }
    }

    fn said(network: &Record, settings: &EndpointSettings) -> String {
        let result = check(Some(network), &network.name, settings);
        result.err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn fixed_addresses_are_refused_in_dockers_words() {
        let network = with_pools("web", &["10.79.0.0/24"], &["fd01::/64"]);
        assert_eq!(said(&network, &fixed("10.79.0.9", "")), "");
        assert_eq!(
            said(&network, &fixed("1.2.3.4", "")),
            "invalid endpoint settings:\nno configured subnet or ip-range contain the IP address 1.2.3.4"
        );
        assert_eq!(
            said(&network, &fixed("x", "")),
            "invalid endpoint settings:\n* invalid IPv4 address: x\n* no configured subnet or ip-range contain the IP address x"
        );
        assert_eq!(
            said(&network, &fixed("", "fd01::9")),
            "invalid endpoint settings:\nuser specified IP address is supported only when connecting to networks with user configured subnets"
        );
        let mut settings =
            EndpointSettings { mac_address: "zz".into(), ..EndpointSettings::default() };
        assert_eq!(said(&network, &settings), "invalid MAC address zz");
        settings.mac_address = "02:42:00:00:00:01".into();
        let ipam = EndpointIpamConfig {
            link_local_ips: vec!["x".into()],
            ..EndpointIpamConfig::default()
        };
        settings.ipam_config = Some(ipam);
        assert_eq!(
            said(&network, &settings),
            "invalid endpoint settings:\ninvalid link-local IP address: x"
        );
    }

    #[test]
    fn the_default_network_has_neither_fixed_addresses_nor_aliases() {
        let mut settings = fixed("172.17.0.77", "");
        settings.aliases = Some(vec!["a".into()]);
        let error = check(None, "bridge", &settings).unwrap_err().to_string();
        assert_eq!(
            error,
            "invalid endpoint settings:\n* user specified IP address is supported on user defined networks only\n* network-scoped alias is supported only for containers in user defined networks"
        );
    }

    #[test]
    fn a_network_that_is_not_there_has_no_subnets_to_miss() {
        assert!(check(None, "later", &fixed("1.2.3.4", "")).is_ok());
        assert!(check(None, "later", &fixed("x", "")).is_err());
    }

    #[test]
    fn an_address_of_a_family_that_is_off_is_kept_and_not_used() {
        let network = with_pools("web", &["10.79.0.0/24", "fd01::/64"], &[]);
        let settings = fixed("10.79.0.9", "fd01::9");
        assert_eq!(said(&network, &settings), "");
        let addresses = |network: &Record| {
            let wish = wish(network, &settings, "", true).unwrap();
            (wish.ipv4.is_some(), wish.ipv6.is_some())
        };
        assert_eq!(addresses(&network), (true, false));
        assert_eq!(addresses(&Record { ipv6: true, ..network.clone() }), (true, true));
    }

    #[test]
    fn names_come_once_and_in_dockers_order() {
        let network = with_pools("web", &[], &["10.79.0.0/24"]);
        let aliases = Some(vec!["al".into(), "c1".into()]);
        let settings = EndpointSettings { aliases, ..EndpointSettings::default() };
        let id = "0123456789abcdef";
        let names = |hostname| dns_names(&network, &settings, "c1", id, hostname).unwrap();
        assert_eq!(names("0123456789ab"), ["c1", "al", "0123456789ab"]);
        assert_eq!(names("h"), ["c1", "al", "0123456789ab", "h"]);
        let builtin = Record { is_builtin: true, ..network.clone() };
        assert_eq!(dns_names(&builtin, &settings, "c1", id, "h"), None);
    }

    #[test]
    fn the_containers_mac_is_for_want_of_the_endpoints() {
        let network = with_pools("web", &["10.79.0.0/24"], &[]);
        let mut settings = fixed("10.79.0.9", "");
        let own = "02:00:00:00:00:01";
        let wished = wish(&network, &settings, own, true).unwrap();
        assert_eq!((wished.ipv4, wished.mac), (Some([10, 79, 0, 9].into()), own.parse().ok()));
        settings.mac_address = "02:00:00:00:00:02".into();
        assert_eq!(
            wish(&network, &settings, own, true).unwrap().mac,
            "02:00:00:00:00:02".parse().ok()
        );
    }
}
