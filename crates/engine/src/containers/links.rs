//! `--link` on the default bridge, where containers have no names: lines in /etc/hosts and variables of the environment,
//! as they are when the container starts. On user-defined networks a link is a name that the engine answers.

use std::net::IpAddr;
use std::sync::Arc;

use api::containers::HostConfig;
use network::files::HostEntry;
use serde::{Deserialize, Serialize};

use super::actor::Actor;
use super::record::Record;
use super::spec::environment;
use super::state::is_up;
use super::{Containers, Shared, bundle};
use crate::error::{Error, Kind, Result};

/// By the other's id, so that it may be renamed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    pub container: String,
    pub alias: String,
}

/// `name:alias`, or as inspect shows it: `/name:/own/alias`. Docker's words.
pub fn parse(text: &str) -> Result<(&str, &str)> {
    if text.is_empty() {
        return Err(Error::invalid("empty string specified for links"));
    }
    match text.split(':').collect::<Vec<_>>()[..] {
        [name] => Ok((name, name)),
        [name, alias] => match name.strip_prefix('/') {
            Some(name) => Ok((name, alias.rsplit('/').next().unwrap_or(alias))),
            None => Ok((name, alias)),
        },
        _ => Err(Error::invalid(format!("bad format for links: {text}"))),
    }
}

impl Containers {
    /// What a new container's links lead to. They leave its configuration: inspect shows them by the names of the day.
    pub fn take_links(&self, host: &mut HostConfig) -> Result<Vec<Link>> {
        let wished = host.links.take().unwrap_or_default();
        if wished.is_empty() {
            return Ok(Vec::new());
        }
        match host.network_mode.as_str() {
            "bridge" => {}
            "host" => return Err(no_links_with("host")),
            mode if mode.starts_with("container:") => return Err(no_links_with("container")),
            // Clients tell of them twice, and those of the endpoint count.
            _ => return Ok(Vec::new()),
        }
        let mut links = Vec::new();
        for text in &wished {
            let (name, alias) = parse(text)?;
            let container = self.linked(name)?;
            // Of two by one name the first counts.
            if links.iter().all(|link: &Link| link.alias != alias) {
                links.push(Link { container: container.id.clone(), alias: alias.to_owned() });
            }
        }
        Ok(links)
    }

    /// The container, or whose network it has.
    fn linked(&self, name: &str) -> Result<Arc<Record>> {
        // Not what clients take for an image that is missing.
        let missing = |error: Error| {
            Error::invalid(format!("could not get container for {name}: {}", error.what))
        };
        let mut record = self.find(name).map_err(missing)?.record();
        while let Some(other) = record.network_of() {
            record = self.find(other).map_err(missing)?.record();
        }
        if record.host_config.network_mode == "host" {
            return Err(no_links_with("host"));
        }
        Ok(record)
    }
}

fn no_links_with(mode: &str) -> Error {
    Error::invalid(format!(
        "conflicting options: {mode} type networking can't be used with links. This would result in undefined behavior"
    ))
}

/// Another container, as it is now.
struct Linked<'a> {
    alias: &'a str,
    record: Arc<Record>,
    addresses: Vec<IpAddr>,
}

impl Shared {
    /// What the links add to the environment; an error where one leads to nobody who runs on the default bridge.
    pub fn link_variables(&self, record: &Record) -> Result<Vec<String>> {
        let linked = self.linked(record)?;
        Ok(linked.iter().flat_map(|other| variables(&record.name, other)).collect())
    }

    /// The same of a container that runs, as far as they still lead somewhere.
    pub fn remaining_link_variables(&self, record: &Record) -> Vec<String> {
        let linked = record.links.iter().filter_map(|link| self.follow(record, link).ok());
        linked.flat_map(|other| variables(&record.name, &other)).collect()
    }

    /// And to its /etc/hosts.
    pub fn link_entries(&self, record: &Record) -> Result<Vec<HostEntry>> {
        Ok(self.linked(record)?.iter().flat_map(entries).collect())
    }

    /// As inspect shows them.
    pub fn shown_links(&self, record: &Record) -> Option<Vec<String>> {
        let shown = |link: &Link| {
            let other = self.index.find(&link.container).ok()?.record();
            Some(format!("/{}:/{}/{}", other.name, record.name, link.alias))
        };
        let shown: Vec<String> = record.links.iter().filter_map(shown).collect();
        (!shown.is_empty()).then_some(shown)
    }

    fn linked<'a>(&self, record: &'a Record) -> Result<Vec<Linked<'a>>> {
        record.links.iter().map(|link| self.follow(record, link)).collect()
    }

    fn follow<'a>(&self, record: &Record, link: &'a Link) -> Result<Linked<'a>> {
        let alias = &link.alias;
        let not_running = |name: &str| {
            let own = &record.name;
            Error::system(format!(
                "Cannot link to a non running container: /{name} AS /{own}/{alias}"
            ))
        };
        let other = self.index.find(&link.container).map_err(|_| not_running(alias))?.record();
        if !is_up(other.state.status) {
            return Err(not_running(&other.name));
        }
        let default = &self.network.default_network().id;
        let Some(interface) = other.state.interface_on(default) else {
            let text = "as it does not belong to the default network.";
            return Err(Error::new(
                Kind::System,
                format!("Cannot link to /{}, {text}", other.name),
            ));
        };
        let addresses = interface.addresses().collect();
        Ok(Linked { alias, record: other, addresses })
    }
}

/// Its alias, its host name, and its name if that is another.
fn entries(other: &Linked<'_>) -> Vec<HostEntry> {
    let (alias, name) = (other.alias, &other.record.name);
    let mut names = format!("{alias} {}", other.record.config.hostname);
    if alias != name {
        names = format!("{names} {name}");
    }
    other.addresses.iter().map(|ip| HostEntry { ip: *ip, names: names.clone() }).collect()
}

fn variables(own_name: &str, other: &Linked<'_>) -> Vec<String> {
    let alias = other.alias.to_uppercase().replace('-', "_");
    let ports = exposed(&other.record);
    let ip = other.addresses.iter().find(|ip| ip.is_ipv4()).or(other.addresses.first());
    let mut all = Vec::new();
    if let Some(ip) = ip {
        if let Some((port, protocol)) = ports.first() {
            all.push(format!("{alias}_PORT={protocol}://{ip}:{port}"));
        }
        for (port, protocol) in &ports {
            let variable = format!("{alias}_PORT_{port}_{}", protocol.to_uppercase());
            all.push(format!("{variable}={protocol}://{ip}:{port}"));
            all.push(format!("{variable}_ADDR={ip}"));
            all.push(format!("{variable}_PORT={port}"));
            all.push(format!("{variable}_PROTO={protocol}"));
        }
    }
    all.push(format!("{alias}_NAME=/{own_name}/{}", other.alias));
    let env = other.record.config.env.iter().flatten();
    let env = env.filter(|variable| !matches!(environment::key(variable), "HOME" | "PATH"));
    all.extend(
        env.filter(|variable| variable.contains('='))
            .map(|variable| format!("{alias}_ENV_{variable}")),
    );
    all
}

/// In order of their numbers.
fn exposed(record: &Record) -> Vec<(u16, String)> {
    let keys = record.config.exposed_ports.iter().flatten().map(|(key, _)| key);
    let mut ports: Vec<(u16, String)> = keys
        .filter_map(|key| {
            let (port, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
            Some((port.parse().ok()?, protocol.to_owned()))
        })
        .collect();
    ports.sort();
    ports
}

impl Actor {
    /// It has started, perhaps with another address: who links to it finds it there.
    pub async fn tell_linked(&self) {
        let me = &self.record.id;
        for handle in self.shared.index.all() {
            let other = handle.record();
            if !is_up(other.state.status) || !other.links.iter().any(|link| link.container == *me) {
                continue;
            }
            let Ok(entries) = self.shared.link_entries(&other) else { continue };
            if let Err(error) = bundle::replace_hosts(&self.shared, &other, entries).await {
                tracing::warn!(container = other.id, "{error}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::record;
    use super::*;

    #[test]
    fn links_are_read_as_docker_reads_them() {
        assert_eq!(parse("a:b").unwrap(), ("a", "b"));
        assert_eq!(parse("a").unwrap(), ("a", "a"));
        assert_eq!(parse("/a:/c1/b").unwrap(), ("a", "b"));
        assert_eq!(parse("a:b:c").unwrap_err().to_string(), "bad format for links: a:b:c");
        assert_eq!(parse("").unwrap_err().to_string(), "empty string specified for links");
    }

    #[test]
    fn variables_and_hosts_are_dockers() {
        let mut other = record("other");
        other.name = "l-1".into();
        other.config.hostname = "956c5329be89".into();
        other.config.env = Some(vec!["FOO=bar".into(), "PATH=/bin".into(), "X=a b".into()]);
        let keys = ["80/tcp", "53/udp", "8080/tcp"];
        other.config.exposed_ports =
            Some(keys.map(|key| (key.to_owned(), api::Empty {})).into_iter().collect());
        let addresses = vec![[172, 17, 0, 2].into()];
        let linked = Linked { alias: "my-ali", record: Arc::new(other), addresses };
        let all = variables("me", &linked);
        assert_eq!(all[0], "MY_ALI_PORT=udp://172.17.0.2:53");
        assert_eq!(
            all[1..5],
            [
                "MY_ALI_PORT_53_UDP=udp://172.17.0.2:53",
                "MY_ALI_PORT_53_UDP_ADDR=172.17.0.2",
                "MY_ALI_PORT_53_UDP_PORT=53",
                "MY_ALI_PORT_53_UDP_PROTO=udp"
            ]
        );
        assert_eq!(all[9], "MY_ALI_PORT_8080_TCP=tcp://172.17.0.2:8080");
        assert_eq!(all[13..], ["MY_ALI_NAME=/me/my-ali", "MY_ALI_ENV_FOO=bar", "MY_ALI_ENV_X=a b"]);
        assert_eq!(entries(&linked)[0].names, "my-ali 956c5329be89 l-1");
        let same = Linked { alias: "l-1", ..linked };
        assert_eq!(entries(&same)[0].names, "l-1 956c5329be89");
    }
}
