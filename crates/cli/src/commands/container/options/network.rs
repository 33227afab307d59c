//! Name servers, lines of /etc/hosts, exposed ports.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use api::Empty;
use api::networks::PortMap;

pub(super) fn check_ip(text: &str) -> Result<(), String> {
    match text.trim().parse::<IpAddr>() {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("IP address is not correctly formatted: {text}")),
    }
}

/// A domain, or `.` for none. Docker's rule: parts of letters, digits and inner hyphens, with a letter somewhere.
pub(super) fn check_search_domain(text: &str) -> Result<(), String> {
    let text = text.trim_matches(' ');
    let part = |part: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        !part.is_empty()
            && part.bytes().all(inner)
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    let domain = text.strip_suffix('.').unwrap_or(text);
    let has_letter = domain.bytes().any(|b| b.is_ascii_alphabetic());
    if text == "." || (domain.len() < 255 && has_letter && domain.split('.').all(part)) {
        return Ok(());
    }
    Err(format!("{text} is not a valid domain"))
}

/// `host:ip`, `host=ip` or `host:[ip]`, as the engine knows it: `host:ip`. `host-gateway` is an address too.
pub(super) fn extra_host(text: &str) -> Result<String, String> {
    let split = text.split_once('=').or_else(|| text.split_once(':'));
    let Some((name, address)) = split.filter(|(name, _)| !name.is_empty()) else {
        return Err(format!("bad format for add-host: {text:?}"));
    };
    let address = address.trim_start_matches('[').trim_end_matches(']');
    if !name.is_empty() && (address == "host-gateway" || address.parse::<IpAddr>().is_ok()) {
        return Ok(format!("{name}:{address}"));
    }
    Err(format!("invalid IP address in add-host: {address:?}"))
}

/// `80`, `80/udp`, `8000-8010`.
pub(super) fn exposed_ports(words: &[String]) -> Result<BTreeMap<String, Empty>, String> {
    let mut ports = BTreeMap::new();
    for word in words {
        if word.contains(':') {
            return Err(format!("invalid port format for --expose: {word}"));
        }
        let (range, protocol) = word.split_once('/').unwrap_or((word, "tcp"));
        let protocol = if protocol.is_empty() { "tcp" } else { protocol };
        let (first, last) = api::ports::range(range)
            .map_err(|why| format!("invalid range format for --expose: {word}, error: {why}"))?;
        ports.extend((first..=last).map(|port| (format!("{port}/{protocol}"), Empty {})));
    }
    Ok(ports)
}

/// What `-p` means, for `PortBindings`; the ports are exposed as well.
pub(in crate::commands::container) fn published_ports(words: &[String]) -> Result<PortMap, String> {
    let mut bindings = PortMap::new();
    for word in words {
        api::ports::publish(&in_short_form(word)?, &mut bindings)?;
    }
    Ok(bindings)
}

/// `target=80,published=8080,protocol=tcp` as `8080:80/tcp`.
fn in_short_form(word: &str) -> Result<Cow<'_, str>, String> {
    if !word.contains('=') {
        return Ok(word.into());
    }
    let (mut published, mut target, mut protocol) = ("", "", "tcp");
    for field in word.split(',') {
        let Some((key, value)) = field.split_once('=') else {
            return Err(format!(
                "invalid publish opts format (should be name=value but got '{field}')"
            ));
        };
        match key {
            "published" => published = value,
            "target" => target = value,
            "protocol" => protocol = value,
            _ => {}
        }
    }
    Ok(format!("{published}:{target}/{protocol}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn search_domains() {
        for good in ["example.com", "a", ".", "a-b.c.", " x "] {
            assert_eq!(check_search_domain(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "-a", "a-.b", "1.2", "a..b", &"a".repeat(300)] {
            assert!(check_search_domain(bad).unwrap_err().ends_with("is not a valid domain"));
        }
    }

    #[test]
    fn exposed_ports_are_ranges_with_a_protocol() {
        let ports = exposed_ports(&["80".to_owned(), "53-54/udp".to_owned()]).unwrap();
        assert_eq!(ports.into_keys().collect::<Vec<_>>(), ["53/udp", "54/udp", "80/tcp"]);
        let said = |word: &str| exposed_ports(&[word.to_owned()]).unwrap_err();
        assert!(said("9-8").ends_with("error: Invalid range specified for the Port: 9-8"));
        assert!(said("70000").contains("value out of range"));
        assert!(said("a:1").starts_with("invalid port format"));
    }

    #[test]
    fn published_ports_have_a_long_form() {
        let ports = |word: &str| published_ports(&[word.to_owned()]);
        assert_eq!(ports("target=80,published=81,mode=ingress"), ports("81:80"));
        assert_eq!(ports("target=80,published=90-92,protocol=udp"), ports("90-92:80/udp"));
        assert_eq!(ports("published=80"), Err("No port specified: 80:/tcp<empty>".into()));
        assert!(ports("target=80,published").unwrap_err().ends_with("but got 'published')"));
    }

    #[test]
    fn extra_hosts_have_an_address() {
        for (given, sent) in [
            ("a:10.0.0.1", "a:10.0.0.1"),
            ("a=10.0.0.1", "a:10.0.0.1"),
            ("a=::1", "a:::1"),
            ("a:[::1]", "a:::1"),
            ("a:::1", "a:::1"),
            ("a=host-gateway", "a:host-gateway"),
        ] {
            assert_eq!(extra_host(given).as_deref(), Ok(sent), "{given}");
        }
        for bad in ["a", ":1.2.3.4", "a:b"] {
            assert!(extra_host(bad).is_err(), "{bad}");
        }
    }
}
