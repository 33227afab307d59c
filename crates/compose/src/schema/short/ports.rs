//! `[ADDRESS:][PUBLISHED:]TARGET[/PROTOCOL]`, each number possibly a range.

use std::net::IpAddr;

use crate::error::{Error, Result};
use crate::path::Path;
use crate::schema::{Reader, into_list, must_be};
use crate::yaml::{Node, Value};

pub(in crate::schema) fn ports(reader: &Reader, node: Node, path: &Path) -> Result<Node> {
    let (list, shell) = into_list(node, path, "list")?;
    let mut ports = Vec::new();
    for (at, item) in list.into_iter().enumerate() {
        let inner = path.join(&at.to_string());
        match &item.value {
            Value::Map(_) => ports.push(item),
            Value::Text(said) if reader.has_variables && said.contains('$') => ports.push(item),
            Value::Text(_) | Value::Int(_) => {
                let said = item.scalar().unwrap_or_default();
                let expanded = parse(&said)
                    .map_err(|why| Error::value(&item.place, &inner.to_string(), why))?;
                ports.extend(expanded.into_iter().map(|port| port.node(&item)));
            }
            _ => return Err(must_be(&item, &inner, "number")),
        }
    }
    Ok(Node { value: Value::List(ports), ..shell })
}

/// A published port is a text, because it may be a range.
pub(in crate::schema) fn published(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    match &node.value {
        Value::Text(_) => Ok(node),
        Value::Int(number) => {
            let number = number.to_string();
            Ok(node.text(number))
        }
        _ => Err(must_be(&node, path, "string or integer")),
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Port {
    address: String,
    target: u16,
    published: String,
    protocol: String,
}

impl Port {
    fn node(self, at: &Node) -> Node {
        let text = |text: String| Value::Text(text);
        let mut entries = vec![
            ("mode", text("ingress".to_owned())),
            ("target", Value::Int(self.target.into())),
            ("protocol", text(self.protocol)),
        ];
        if !self.published.is_empty() {
            entries.push(("published", text(self.published)));
        }
        if !self.address.is_empty() {
            entries.push(("host_ip", text(self.address)));
        }
        super::map(at, entries)
    }
}

fn parse(said: &str) -> Result<Vec<Port>, String> {
    let (spec, protocol) = said.split_once('/').unwrap_or((said, "tcp"));
    let protocol = protocol.to_ascii_lowercase();
    let (address, published, target) = split(spec);
    if target.is_empty() {
        return Err(format!("No port specified: {said}<empty>"));
    }
    let address = plain_address(address)?;
    let (first, last) = range(target).ok_or_else(|| format!("Invalid containerPort: {target}"))?;
    let (published_first, published_last) = match published {
        "" => (0, 0),
        _ => range(published).ok_or_else(|| format!("Invalid hostPort: {published}"))?,
    };
    let count = last - first;
    let one_of_several = !published.is_empty() && published_last - published_first != count;
    if one_of_several && count != 0 {
        return Err(format!(
            "Invalid ranges specified for container and host Ports: {target} and {published}"
        ));
    }
    if !matches!(protocol.as_str(), "tcp" | "udp" | "sctp") {
        return Err(format!("Invalid proto: {protocol}"));
    }
    let port = |offset: u16| Port {
        address: address.clone(),
        target: first + offset,
        published: match published {
            "" => String::new(),
            _ if one_of_several => format!("{published_first}-{published_last}"),
            _ => (published_first + offset).to_string(),
        },
        protocol: protocol.clone(),
    };
    // Docker Compose sorts the ports of a range as texts.
    let mut ports: Vec<Port> = (0..=count).map(port).collect();
    ports.sort_by_key(|port| port.target.to_string());
    Ok(ports)
}

/// Address, published and target; the address may have colons.
fn split(spec: &str) -> (&str, &str, &str) {
    let Some((rest, target)) = spec.rsplit_once(':') else { return ("", "", spec) };
    match rest.rsplit_once(':') {
        Some((address, published)) => (address, published, target),
        None => ("", rest, target),
    }
}

fn plain_address(said: &str) -> Result<String, String> {
    let bracketed = said.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if bracketed.is_none() && said.contains(':') {
        return Err(format!(
            "Invalid ip address {said}: address {said}:: too many colons in address"
        ));
    }
    let address = bracketed.unwrap_or(said);
    if !address.is_empty() && address.parse::<IpAddr>().is_err() {
        return Err(format!("Invalid ip address: {address}"));
    }
    Ok(address.to_owned())
}

fn range(said: &str) -> Option<(u16, u16)> {
    match said.split_once('-') {
        None => said.parse().ok().map(|port| (port, port)),
        Some((first, last)) => {
            let (first, last) = (first.parse().ok()?, last.parse().ok()?);
            (first <= last).then_some((first, last))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(said: &str) -> Result<String, String> {
        let one = |port: Port| {
            let Port { address, target, published, protocol } = port;
            format!("{address} {published} {target} {protocol}")
        };
        Ok(parse(said)?.into_iter().map(one).collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn each_part_but_the_target_may_be_left_out() {
        for (said, expected) in [
            ("80", "  80 tcp"),
            ("8080:80/UDP", " 8080 80 udp"),
            ("127.0.0.1:8080:80", "127.0.0.1 8080 80 tcp"),
            ("127.0.0.1::80", "127.0.0.1  80 tcp"),
            ("[::1]:80:80", "::1 80 80 tcp"),
            ("9-10:99-100", " 10 100 tcp,  9 99 tcp"),
            ("3000-3001:80", " 3000-3001 80 tcp"),
        ] {
            assert_eq!(
                shown(said).as_deref().map(str::trim_start),
                Ok(expected.trim_start()),
                "{said}"
            );
        }
    }

    #[test]
    fn what_is_no_port_is_named() {
        for (said, why) in [
            ("70000", "Invalid containerPort: 70000"),
            ("x:80", "Invalid hostPort: x"),
            ("80:80-81", "Invalid ranges specified for container and host Ports: 80-81 and 80"),
            ("1.2.3:80:80", "Invalid ip address: 1.2.3"),
            ("80/foo", "Invalid proto: foo"),
        ] {
            assert_eq!(shown(said), Err(why.to_owned()));
        }
    }
}
