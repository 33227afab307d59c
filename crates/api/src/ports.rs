//! How people write published ports, `-p` and Compose's short syntax: `[[IP:][HOST]:]CONTAINER[/PROTOCOL]`, each port
//! possibly a range. Messages are those of Docker's port library.

use std::net::IpAddr;

use crate::networks::{PortBinding, PortMap};

/// Adds what `text` means to the bindings.
pub fn publish(text: &str, bindings: &mut PortMap) -> Result<(), String> {
    let (ip, host, container) = split(text);
    let (container, protocol) = split_protocol(container);
    let ip = address(ip)?;
    if container.is_empty() {
        return Err(format!("No port specified: {text}<empty>"));
    }
    let (first, last) =
        range(container).map_err(|_| format!("Invalid containerPort: {container}"))?;
    let host_range = match host {
        "" => None,
        host => Some(range(host).map_err(|_| format!("Invalid hostPort: {host}"))?),
    };
    let is_as_long = |(from, to)| last - first == to - from;
    if first != last && !host_range.is_none_or(is_as_long) {
        return Err(format!(
            "Invalid ranges specified for container and host Ports: {container} and {host}"
        ));
    }
    let protocol = protocol.to_lowercase();
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("Invalid proto: {protocol}"));
    }
    for port in first..=last {
        let host_port = match host_range {
            None => String::new(),
            Some((from, to)) if first == last && from != to => format!("{from}-{to}"),
            Some((from, _)) => (from + (port - first)).to_string(),
        };
        let binding = PortBinding { host_ip: ip.to_owned(), host_port };
        let entry = bindings.entry(format!("{port}/{protocol}")).or_default();
        entry.get_or_insert_default().push(binding);
    }
    Ok(())
}

fn split(text: &str) -> (&str, &str, &str) {
    let Some((rest, container)) = text.rsplit_once(':') else { return ("", "", text) };
    match rest.rsplit_once(':') {
        Some((ip, host)) => (ip, host, container),
        None => ("", rest, container),
    }
}

/// What follows a second slash is of no account, as in Docker.
fn split_protocol(text: &str) -> (&str, &str) {
    let mut parts = text.split('/');
    let port = parts.next().unwrap_or_default();
    let protocol = parts.next().filter(|protocol| !protocol.is_empty()).unwrap_or("tcp");
    (port, protocol)
}

/// An address, IPv6 in brackets.
fn address(text: &str) -> Result<&str, String> {
    if text.is_empty() {
        return Ok("");
    }
    let why = |why: &str| format!("Invalid ip address {text}: address {text}:: {why} in address");
    let ip = match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or_else(|| match rest.contains(']') {
            true => format!("Invalid ip address {text}: address {text}:: missing port in address"),
            false => why("missing ']'"),
        })?,
        None if text.contains(':') => return Err(why("too many colons")),
        None => text,
    };
    match ip.parse::<IpAddr>() {
        Ok(_) => Ok(ip),
        Err(_) => Err(format!("Invalid ip address: {ip}")),
    }
}

/// `80`, `8000-8010`: the first and the last.
pub fn range(text: &str) -> Result<(u16, u16), String> {
    if text.is_empty() {
        return Err("Empty string specified for ports.".to_owned());
    }
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (uint16(first)?, uint16(last)?);
    if last < first {
        return Err(format!("Invalid range specified for the Port: {text}"));
    }
    Ok((first, last))
}

/// In the words of Go's library.
pub fn uint16(text: &str) -> Result<u16, String> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(number) if is_number => Ok(number),
        _ if is_number => Err(format!("strconv.ParseUint: parsing {text:?}: value out of range")),
        _ => Err(format!("strconv.ParseUint: parsing {text:?}: invalid syntax")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(text: &str) -> String {
        let mut bindings = PortMap::new();
        publish(text, &mut bindings).expect(text);
        let lines = bindings.iter().flat_map(|(key, bindings)| {
            bindings.iter().flatten().map(move |b| format!("{} {}>{key}", b.host_ip, b.host_port))
        });
        lines.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn every_form() {
        for (text, meaning) in [
            ("80", " >80/tcp"),
            ("80/UDP", " >80/udp"),
            ("80/", " >80/tcp"),
            (":80", " >80/tcp"),
            ("080:080", " 80>80/tcp"),
            ("0:80", " 0>80/tcp"),
            ("8080:80/sctp", " 8080>80/sctp"),
            ("127.0.0.1:8080:80", "127.0.0.1 8080>80/tcp"),
            ("127.0.0.1::80", "127.0.0.1 >80/tcp"),
            ("[::1]:8080:80", "::1 8080>80/tcp"),
            ("80-81", " >80/tcp,  >81/tcp"),
            ("8000-8001:80-81", " 8000>80/tcp,  8001>81/tcp"),
            ("8000-8010:80", " 8000-8010>80/tcp"),
            ("[::]:8000-8010:80/udp", ":: 8000-8010>80/udp"),
            ("80:80/tcp/udp", " 80>80/tcp"),
        ] {
            assert_eq!(published(text), meaning, "{text}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_in_dockers_words() {
        for (text, said) in [
            ("", "No port specified: <empty>"),
            (":", "No port specified: :<empty>"),
            ("80:", "No port specified: 80:<empty>"),
            ("a:80", "Invalid hostPort: a"),
            ("80:a", "Invalid containerPort: a"),
            (" 80", "Invalid containerPort:  80"),
            ("+80", "Invalid containerPort: +80"),
            ("80-", "Invalid containerPort: 80-"),
            ("9-8:9-8", "Invalid containerPort: 9-8"),
            ("70000:80", "Invalid hostPort: 70000"),
            ("80/foo", "Invalid proto: foo"),
            ("127.0.0.1:80", "Invalid hostPort: 127.0.0.1"),
            ("host:80:80", "Invalid ip address: host"),
            ("[fe80::1%eth0]:80:80", "Invalid ip address: fe80::1%eth0"),
            ("::1:8080:80", "Invalid ip address ::1: address ::1:: too many colons in address"),
            ("[::1]:80", "Invalid ip address [:: address [::: missing ']' in address"),
            (
                "8000-8001:80-82",
                "Invalid ranges specified for container and host Ports: 80-82 and 8000-8001",
            ),
        ] {
            let mut bindings = PortMap::new();
            assert_eq!(publish(text, &mut bindings), Err(said.to_owned()), "{text}");
            assert!(bindings.is_empty(), "{text}: nothing half-made");
        }
    }
}
