//! Docker's terms of ports, `"80/tcp"` and its bindings, and what they mean. Pure.
//!
//! | | who says it |
//! |---|---|
//! | `Config.ExposedPorts` | the image and `--expose`: what `-P` publishes |
//! | `HostConfig.PortBindings` | `-p` |
//! | `NetworkSettings.Ports`, `Ports` of a list | what came of it, while it runs |

use std::net::IpAddr;

use api::Empty;
use api::containers::{Config, HostConfig, Port};
use api::networks::{PortBinding, PortMap};
use network::publish::{HostPorts, Mapping, Ports, Protocol, Target, Wish};

use super::publish::target;
use super::record::Record;
use crate::error::Error;

/// The container's port that a key means; a key without a protocol means TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    protocol: Protocol,
    ports: Ports,
}

impl Key {
    fn parse(text: &str) -> Option<Self> {
        let (ports, protocol) = text.split_once('/').unwrap_or((text, ""));
        let protocol = if protocol.is_empty() { Protocol::Tcp } else { protocol.parse().ok()? };
        Some(Self { protocol, ports: range(ports)? })
    }
}

/// `80`, `80-90`.
fn range(text: &str) -> Option<Ports> {
    let number = |text: &str| match text.bytes().all(|byte| byte.is_ascii_digit()) {
        true => text.parse::<u16>().ok(),
        false => None,
    };
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last) = (number(first)?, number(last)?);
    (first <= last).then_some(Ports { first, last })
}

/// Whether all bindings can be meant; Docker publishes on all addresses what has an address that is none.
pub fn validate(bindings: &PortMap) -> Result<(), Error> {
    for (key, bindings) in bindings {
        let ports = key.split_once('/').map_or(key.as_str(), |(ports, _)| ports);
        if Key::parse(key).is_none_or(|key| !key.ports.is_one()) {
            let what = if range(ports).is_some_and(Ports::is_one) { key } else { ports };
            return Err(Error::invalid(format!("invalid port specification: {what:?}")));
        }
        for binding in bindings.iter().flatten() {
            host_ports(binding)?;
            host_ip(binding)?;
        }
    }
    Ok(())
}

fn host_ports(binding: &PortBinding) -> Result<HostPorts, Error> {
    match binding.host_port.as_str() {
        "" | "0" => Ok(HostPorts::Ephemeral),
        text => match range(text) {
            Some(ports) if ports.is_one() => Ok(HostPorts::Exactly(ports)),
            Some(ports) => Ok(HostPorts::OneOf(ports)),
            None => Err(Error::invalid(format!("invalid port specification: {text:?}"))),
        },
    }
}

fn host_ip(binding: &PortBinding) -> Result<Option<IpAddr>, Error> {
    match binding.host_ip.as_str() {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            Error::invalid(format!("invalid port binding: {text:?} is not an IP address"))
        }),
    }
}

/// Whether taking `wanted` back takes `binding` back: what it leaves open is any.
fn is_meant(wanted: &PortBinding, binding: &PortBinding) -> bool {
    let any = |wanted: &str, has: &str| wanted.is_empty() || wanted == has;
    any(&wanted.host_port, &binding.host_port) && any(&wanted.host_ip, &binding.host_ip)
}

/// Takes bindings out of the map; an error names what is not there.
pub fn remove(bindings: &mut PortMap, removed: &PortMap) -> Result<(), String> {
    for (key, wanted) in removed {
        for wanted in wanted.iter().flatten() {
            let entry = bindings.get_mut(key).and_then(Option::as_mut);
            let before = entry.as_ref().map_or(0, |entry| entry.len());
            let after = entry.map_or(0, |entry| {
                entry.retain(|binding| !is_meant(wanted, binding));
                entry.len()
            });
            if before == after {
                return Err(format!("No public port '{key}' published"));
            }
            if after == 0 {
                bindings.remove(key);
            }
        }
    }
    Ok(())
}

/// Which of the mappings go, and the wishes for what is left of those that go in part only.
pub fn cut(mappings: &[Mapping], removed: &PortMap) -> (Vec<Mapping>, Vec<Mapping>) {
    let goes = |mapping: &Mapping, port: u16| {
        let key = format!("{}/{}", mapping.behind(port), mapping.protocol);
        let has = PortBinding { host_ip: mapping.ip.to_string(), host_port: port.to_string() };
        // What was published everywhere has an address of each family now.
        let all = PortBinding { host_ip: String::new(), ..has.clone() };
        let wanted = removed.get(&key).into_iter().flatten().flatten();
        wanted.clone().any(|wanted| is_meant(wanted, &has) || is_meant(wanted, &all))
    };
    let (mut gone, mut left) = (Vec::new(), Vec::new());
    for mapping in mappings {
        let stays: Vec<u16> = mapping.host.iter().filter(|port| !goes(mapping, *port)).collect();
        if stays.len() == usize::from(mapping.host.last - mapping.host.first) + 1 {
            continue;
        }
        gone.push(*mapping);
        for run in stays.chunk_by(|one, next| one + 1 == *next) {
            let host = Ports { first: run[0], last: run[run.len() - 1] };
            left.push(Mapping { host, container_port: mapping.behind(host.first), ..*mapping });
        }
    }
    (gone, left)
}

/// The wish that gives a mapping again.
pub fn again(mapping: &Mapping) -> Wish {
    Wish {
        protocol: mapping.protocol,
        container: mapping.container(),
        ip: Some(mapping.ip),
        host: HostPorts::Exactly(mapping.host),
    }
}

/// What is to be published: bindings, and with `-P` the exposed ports that have none. Ports that follow one another on
/// both sides are one wish.
pub fn wishes(config: &Config, host: &HostConfig) -> Result<Vec<Wish>, Error> {
    let mut bound = Vec::new();
    for (text, bindings) in host.port_bindings.iter().flatten() {
        let Some(key) = Key::parse(text) else { continue };
        // A binding that is there but empty is one to an ephemeral port.
        let none = [PortBinding::default()];
        let bindings = bindings.as_deref().filter(|bindings| !bindings.is_empty()).unwrap_or(&none);
        for binding in bindings {
            bound.push((key, host_ip(binding)?, host_ports(binding)?));
        }
    }
    if host.publish_all_ports {
        let has_binding = |key: &Key| bound.iter().any(|(its, ..)| its == key);
        let exposed = config.exposed_ports.iter().flatten().filter_map(|(key, _)| Key::parse(key));
        let open: Vec<Key> = exposed.filter(|key| !has_binding(key)).collect();
        bound.extend(open.into_iter().map(|key| (key, None, HostPorts::Ephemeral)));
    }
    bound.sort_by_key(|(key, ip, host)| (key.protocol, *ip, order(*host), key.ports.first));
    let mut wishes: Vec<Wish> = Vec::new();
    for (Key { protocol, ports }, ip, host) in bound {
        let wish = Wish { protocol, container: ports, ip, host };
        match wishes.last_mut().and_then(|last| joined(last, &wish)) {
            Some(both) => *wishes.last_mut().expect("it was joined with") = both,
            None => wishes.push(wish),
        }
    }
    Ok(wishes)
}

/// Ports that follow one another on the host come one after the other.
fn order(host: HostPorts) -> u16 {
    match host {
        HostPorts::Exactly(ports) | HostPorts::OneOf(ports) => ports.first,
        HostPorts::Ephemeral => 0,
    }
}

fn joined(one: &Wish, next: &Wish) -> Option<Wish> {
    let follows = |one: Ports, next: Ports| one.last.checked_add(1) == Some(next.first);
    let (HostPorts::Exactly(host), HostPorts::Exactly(next_host)) = (one.host, next.host) else {
        return None;
    };
    let same = one.protocol == next.protocol && one.ip == next.ip;
    (same && follows(one.container, next.container) && follows(host, next_host)).then(|| Wish {
        container: Ports { last: next.container.last, ..one.container },
        host: HostPorts::Exactly(Ports { last: next_host.last, ..host }),
        ..one.clone()
    })
}

/// Exposed ports are shown where they could be published.
fn exposed(record: &Record) -> impl Iterator<Item = (&String, &Empty)> {
    let is_reached = target(&record.state.interfaces) != Target::default();
    record.config.exposed_ports.iter().flatten().filter(move |_| is_reached)
}

/// `NetworkSettings.Ports` of a container that runs.
pub fn port_map(record: &Record) -> PortMap {
    let exposed = exposed(record);
    let mut map: PortMap = exposed.map(|(key, Empty {})| (key.clone(), None)).collect();
    for mapping in &record.state.ports {
        for port in mapping.host.iter() {
            let key = format!("{}/{}", mapping.behind(port), mapping.protocol);
            let bindings = map.entry(key).or_default().get_or_insert_default();
            let (host_ip, host_port) = (mapping.ip.to_string(), port.to_string());
            bindings.push(PortBinding { host_ip, host_port });
        }
    }
    map
}

/// `Ports` of a container in a list.
pub fn listed(record: &Record) -> Vec<Port> {
    let mut listed = Vec::new();
    for mapping in &record.state.ports {
        listed.extend(mapping.host.iter().map(|port| Port {
            ip: mapping.ip.to_string(),
            private_port: mapping.behind(port),
            public_port: port,
            kind: mapping.protocol.to_string(),
        }));
    }
    let is_published = |key: Key| {
        record.state.ports.iter().any(|mapping| {
            mapping.protocol == key.protocol && mapping.container().contains(key.ports.first)
        })
    };
    for (text, Empty {}) in exposed(record) {
        let Some(key) = Key::parse(text) else { continue };
        if !is_published(key) {
            let (private_port, kind) = (key.ports.first, key.protocol.to_string());
            listed.push(Port { private_port, kind, ..Port::default() });
        }
    }
    listed
}

/// The filters `publish` and `expose` of a list.
#[derive(Debug, Default)]
pub struct PortFilter(Vec<Key>);

impl PortFilter {
    /// `80`, `80/udp`, `8000-8010/tcp`.
    pub fn parse<'a>(name: &str, values: impl IntoIterator<Item = &'a str>) -> Result<Self, Error> {
        let key = |text: &str| {
            let (ports, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
            let numbers = ports.split_once('-').unwrap_or((ports, ports));
            for number in [numbers.0, numbers.1] {
                api::ports::uint16(number).map_err(|why| {
                    Error::invalid(format!("error while looking up for {name} {text}: {why}"))
                })?;
            }
            let ports = range(ports).ok_or_else(|| {
                let why = format!("invalid range specified for port: {ports}");
                Error::invalid(format!("error while looking up for {name} {text}: {why}"))
            })?;
            // Of a protocol that is none there is nothing.
            Ok(protocol.parse().ok().map(|protocol| Key { protocol, ports }))
        };
        let keys = values.into_iter().map(key).collect::<Result<Vec<_>, Error>>()?;
        Ok(Self(keys.into_iter().flatten().collect()))
    }

    fn any(&self, protocol: Protocol, ports: Ports) -> bool {
        self.0.iter().any(|key| {
            key.protocol == protocol
                && key.ports.first <= ports.last
                && ports.first <= key.ports.last
        })
    }

    pub fn matches_published(&self, record: &Record) -> bool {
        record.state.ports.iter().any(|mapping: &Mapping| self.any(mapping.protocol, mapping.host))
    }

    pub fn matches_exposed(&self, record: &Record) -> bool {
        let exposed = record.config.exposed_ports.iter().flatten();
        let mut keys = exposed.filter_map(|(key, _)| Key::parse(key));
        keys.any(|key| self.any(key.protocol, key.ports))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::record::State;
    use super::super::record::tests::record;
    use super::*;

    fn bindings(entries: &[(&str, &[(&str, &str)])]) -> HostConfig {
        let binding = |(ip, port): &(&str, &str)| PortBinding {
            host_ip: (*ip).into(),
            host_port: (*port).into(),
        };
        let map: BTreeMap<_, _> = entries
            .iter()
            .map(|(key, bindings)| {
                ((*key).to_owned(), Some(bindings.iter().map(binding).collect()))
            })
            .collect();
        HostConfig { port_bindings: Some(map), ..HostConfig::default() }
    }

    fn said(host: &HostConfig) -> Vec<String> {
        let wishes = wishes(&Config::default(), host).expect("wishes");
        let text = |wish: &Wish| {
            let ip = wish.ip.map_or("*".to_owned(), |ip| ip.to_string());
            let host = match wish.host {
                HostPorts::Ephemeral => "any".to_owned(),
                HostPorts::Exactly(ports) => ports.to_string(),
                HostPorts::OneOf(ports) => format!("one of {ports}"),
            };
            format!("{ip}:{host} {}/{}", wish.container, wish.protocol)
        };
        wishes.iter().map(text).collect()
    }

    #[test]
    fn bindings_become_wishes_and_neighbours_one_wish() {
        let host = bindings(&[
            ("80/tcp", &[("", "8080")]),
            ("81/tcp", &[("", "8081")]),
            ("82/tcp", &[("", "8083")]),
            ("82/udp", &[("127.0.0.1", "8082")]),
            ("90", &[("", "9000-9010")]),
            ("91/tcp", &[("", "")]),
            ("92/sctp", &[]),
        ]);
        validate(host.port_bindings.as_ref().expect("bindings")).expect("valid");
        let expected = [
            "*:any 91/tcp",
            "*:8080-8081 80-81/tcp",
            "*:8083 82/tcp",
            "*:one of 9000-9010 90/tcp",
            "127.0.0.1:8082 82/udp",
            "*:any 92/sctp",
        ];
        assert_eq!(said(&host), expected);
    }

    #[test]
    fn publishing_all_takes_what_has_no_binding() {
        let keys = ["80/tcp", "81/tcp", "53/udp", "9/nonsense"];
        let exposed = keys.map(|key| (key.to_owned(), Empty {})).into();
        let config = Config { exposed_ports: Some(exposed), ..Config::default() };
        let host =
            HostConfig { publish_all_ports: true, ..bindings(&[("81/tcp", &[("", "8081")])]) };
        assert_eq!(wishes(&config, &host).expect("wishes").len(), 3);
    }

    #[test]
    fn what_is_no_port_is_refused_in_dockers_words() {
        for (key, port, what) in [
            ("abc/tcp", "80", "\"abc\""),
            ("80-82/tcp", "80", "\"80-82\""),
            ("80/foo", "80", "\"80/foo\""),
            ("80/tcp", "abc", "\"abc\""),
            ("80/tcp", "70000", "\"70000\""),
            ("80/tcp", "90-80", "\"90-80\""),
            ("80/tcp", "+80", "\"+80\""),
        ] {
            let bindings = bindings(&[(key, &[("", port)])]).port_bindings.expect("bindings");
            let error = validate(&bindings).expect_err(key);
            assert_eq!(error.to_string(), format!("invalid port specification: {what}"));
        }
        let bindings = bindings(&[("80/tcp", &[("abc", "80")])]).port_bindings.expect("bindings");
        let error = validate(&bindings).expect_err("no address");
        assert_eq!(error.to_string(), "invalid port binding: \"abc\" is not an IP address");
    }

    fn published() -> Record {
        let mut record = record("ab");
        let interface = serde_json::json!({
            "network_id": "n", "network": "bridge", "endpoint_id": "e", "name": "eth0", "host_link": "veth0",
            "ipv4": { "ip": "172.17.0.2", "prefix_len": 24, "gateway": "172.17.0.1" },
            "ipv6": null, "mac": "02:42:ac:11:00:02", "mtu": 0,
        });
        record.state.interfaces = vec![serde_json::from_value(interface).expect("an interface")];
        let keys = ["80/tcp", "81/tcp", "443/tcp"];
        record.config.exposed_ports = Some(keys.map(|key| (key.to_owned(), Empty {})).into());
        record.state.ports = ["0.0.0.0", "::"]
            .map(|ip| Mapping {
                protocol: Protocol::Tcp,
                ip: ip.parse().expect("an address"),
                host: Ports { first: 8080, last: 8081 },
                container_port: 80,
            })
            .to_vec();
        record
    }

    #[test]
    fn what_is_taken_back_is_taken_out_of_bindings_and_mappings() {
        let removed = |specs: &[&str]| {
            let mut map = PortMap::new();
            specs.iter().for_each(|spec| api::ports::publish(spec, &mut map).expect("a port"));
            map
        };
        let mut bindings = removed(&["8080:80", "127.0.0.1:8081:80", "8000-8009:8000-8009"]);
        assert_eq!(remove(&mut bindings, &removed(&["8080:80"])), Ok(()));
        assert_eq!(bindings["80/tcp"].as_ref().map(Vec::len), Some(1));
        assert_eq!(remove(&mut bindings, &removed(&["80"])), Ok(()));
        assert!(!bindings.contains_key("80/tcp"));
        assert!(remove(&mut bindings, &removed(&["80"])).is_err(), "there is none left");
        assert!(remove(&mut bindings, &removed(&["8001:8000"])).is_err(), "another host port");

        let host = Ports { first: 8000, last: 8009 };
        let ip = "0.0.0.0".parse().expect("an address");
        let range = Mapping { protocol: Protocol::Tcp, ip, host, container_port: 8000 };
        let (gone, left) = cut(&[range], &removed(&["8003-8004:8003-8004"]));
        assert_eq!(gone, [range]);
        let left: Vec<String> = left.iter().map(|mapping| mapping.host.to_string()).collect();
        assert_eq!(left, ["8000-8002", "8005-8009"]);
        assert_eq!(cut(&[range], &removed(&["81"])), (vec![], vec![]));
    }

    #[test]
    fn what_came_of_it_is_shown_port_by_port() {
        let shown = serde_json::to_string(&port_map(&published())).expect("JSON");
        assert_eq!(
            shown,
            r#"{"443/tcp":null,"80/tcp":[{"HostIp":"0.0.0.0","HostPort":"8080"},{"HostIp":"::","HostPort":"8080"}],"81/tcp":[{"HostIp":"0.0.0.0","HostPort":"8081"},{"HostIp":"::","HostPort":"8081"}]}"#
        );
        let listed = serde_json::to_string(&listed(&published())).expect("JSON");
        assert!(listed.ends_with(r#"{"PrivatePort":443,"Type":"tcp"}]"#), "{listed}");
        assert_eq!(listed.matches("PublicPort").count(), 4);
        // Where nothing could be published, what is exposed is not shown.
        let nowhere = Record { state: State::default(), ..published() };
        assert_eq!((port_map(&nowhere), super::listed(&nowhere).len()), (PortMap::new(), 0));
    }

    #[test]
    fn lists_are_filtered_by_ports() {
        let filter = |text| PortFilter::parse("publish", [text]);
        for (text, is_published, is_exposed) in [
            ("8080", true, false),
            ("8000-9000/tcp", true, false),
            ("8080/udp", false, false),
            ("80", false, true),
            ("443/tcp", false, true),
            ("80/foo", false, false),
        ] {
            let filter = filter(text).expect(text);
            assert_eq!(filter.matches_published(&published()), is_published, "{text}");
            assert_eq!(filter.matches_exposed(&published()), is_exposed, "{text}");
        }
        assert_eq!(
            filter("abc").expect_err("no number").to_string(),
            r#"error while looking up for publish abc: strconv.ParseUint: parsing "abc": invalid syntax"#
        );
    }
}
