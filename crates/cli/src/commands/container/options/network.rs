//! What can be said about networks before there are any but the default ones.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::Empty;

pub(super) fn check_ip(text: &str) -> Result<(), String> {
    match text.trim().parse::<IpAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("IP address is not correctly formatted: {text}")),
    }
}

/// `host:ip`, or `host=ip`; `host-gateway` is an address too.
pub(super) fn check_extra_host(text: &str) -> Result<(), String> {
    let split = text.split_once('=').or_else(|| text.split_once(':'));
    let Some((name, address)) = split.filter(|(name, _)| !name.is_empty()) else {
        return Err(format!("bad format for add-host: {text:?}"));
    };
    let address = address.trim_start_matches('[').trim_end_matches(']');
    if !name.is_empty() && (address == "host-gateway" || address.parse::<IpAddr>().is_ok()) {
        return Ok(());
    }
    Err(format!("invalid IP address in add-host: {address:?}"))
}

/// The one network to connect to. Which exist is the engine's knowledge.
pub(super) fn mode(networks: &[String]) -> Result<String, String> {
    match networks {
        [] => Ok("default".to_owned()),
        [one] if one.contains('=') => {
            Err(format!("--network {one}: endpoint options come in a later version"))
        }
        [one] => Ok(one.clone()),
        _ => Err("--network: more than one network comes in a later version".to_owned()),
    }
}

/// `80`, `80/udp`, `8000-8010`.
pub(super) fn exposed_ports(words: &[String]) -> Result<BTreeMap<String, Empty>, String> {
    let mut ports = BTreeMap::new();
    for word in words {
        let (range, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
        let invalid = || format!("invalid range format for --expose: {word}");
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let first: u16 = first.parse().map_err(|_| invalid())?;
        let last: u16 = last.parse().map_err(|_| invalid())?;
        if first > last || !matches!(protocol, "tcp" | "udp" | "sctp") {
            return Err(invalid());
        }
        ports.extend((first..=last).map(|port| (format!("{port}/{protocol}"), Empty {})));
    }
    Ok(ports)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exposed_ports_are_ranges_with_a_protocol() {
        let ports = exposed_ports(&["80".to_owned(), "53-54/udp".to_owned()]).unwrap();
        assert_eq!(ports.into_keys().collect::<Vec<_>>(), ["53/udp", "54/udp", "80/tcp"]);
        assert!(exposed_ports(&["9-8".to_owned()]).is_err());
    }

    #[test]
    fn extra_hosts_have_an_address() {
        for good in ["a:10.0.0.1", "a=::1", "a:[::1]", "a:::1", "a:host-gateway"] {
            assert_eq!(check_extra_host(good), Ok(()), "{good}");
        }
        for bad in ["a", ":1.2.3.4", "a:b"] {
            assert!(check_extra_host(bad).is_err(), "{bad}");
        }
    }
}
