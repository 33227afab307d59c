//! POST /networks/create.

use std::collections::BTreeMap;
use std::net::IpAddr;

use api::networks::{CreateNetwork, Ipam, IpamConfig};
use jiff::Timestamp;
use network::{Draft, Driver, PoolWish, Subnet, Wanted, parse_cidr};

use super::Networks;
use super::record::Record;
use crate::containers::name;
use crate::error::{Error, Kind, NOT_A_MANAGER, Result};
use crate::events;

/// Names that mean something else.
const PREDEFINED: [&str; 4] = ["bridge", "host", "none", "default"];

impl Networks {
    /// Returns the id.
    pub fn create(&self, mut request: CreateNetwork) -> Result<String> {
        check_name(&request.name)?;
        check_configuration(&request)?;
        if request.config_from.as_ref().is_some_and(|from| !from.network.is_empty()) {
            self.fill_from_config(&mut request)?;
        }
        check(&request)?;
        self.fill_from_defaults(&mut request);
        let id = name::random_id();
        let reserved = self.directory.reserve(&request.name, &id)?;
        let asked = request.ipam.clone().unwrap_or_default().config.unwrap_or_default();
        let wanted = wanted(&request, &asked)?;
        let record = record(&id, request, asked);
        let made = match record.made_of() {
            None => None,
            Some(driver) => {
                let driver = Driver::parse(driver, &id, &record.options).map_err(unknown_driver)?;
                let draft = Draft {
                    id: id.clone(),
                    name: record.name.clone(),
                    driver,
                    internal: record.internal,
                    wanted,
                };
                Some(self.network.create(draft).map_err(refused)?)
            }
        };
        let record = Record { made, ..record };
        if let Err(error) = self.store(&record) {
            if let Err(left) = self.network.remove(&id) {
                tracing::warn!(network = id, "something of it is left: {left}");
            }
            return Err(error);
        }
        self.tell(&record, "create");
        reserved.keep(record);
        Ok(id)
    }

    fn fill_from_defaults(&self, request: &mut CreateNetwork) {
        let driver = if request.driver.is_empty() { "bridge" } else { &request.driver };
        let Some(defaults) = self.defaults.get(driver).filter(|_| !request.config_only) else {
            return;
        };
        let options = request.options.get_or_insert_default();
        for (key, value) in defaults {
            options.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }

    fn store(&self, record: &Record) -> Result<()> {
        let document = serde_json::to_vec(record)
            .map_err(|cause| Error::system("cannot write a network's record").because(cause))?;
        let stored = store::Record { id: record.id.clone(), name: record.name.clone(), document };
        Ok(self.store.networks().create(&stored)?)
    }

    pub(super) fn tell(&self, record: &Record, action: &str) {
        let attributes = BTreeMap::from([
            ("name".to_owned(), record.name.clone()),
            ("type".to_owned(), record.driver.clone()),
        ]);
        self.events.publish(events::Kind::Network, action, &record.id, attributes);
    }

    /// `--config-from`: subnets, options, labels and IPv6 of another network, instead of any in the request.
    fn fill_from_config(&self, request: &mut CreateNetwork) -> Result<()> {
        let wanted =
            request.config_from.as_ref().map(|from| from.network.clone()).unwrap_or_default();
        let missing =
            || Error::not_found(format!("configuration network {wanted:?} does not exist"));
        let from = self.directory.find(&wanted).map_err(|_| missing())?;
        if !from.is_config_only() {
            return Err(missing());
        }
        let has_own =
            request.ipam.as_ref().is_some_and(|ipam| ipam.config.iter().any(|c| !c.is_empty()))
                || request.labels.as_ref().is_some_and(|labels| !labels.is_empty())
                || request.enable_ipv6 == Some(true);
        let own = if has_own {
            "user specified configurations"
        } else if request.options.as_ref().is_some_and(|options| !options.is_empty()) {
            "network driver options"
        } else {
            ""
        };
        if !own.is_empty() {
            let why = format!(
                "{own} are not supported if the network depends on a configuration network"
            );
            return Err(Error::new(Kind::Forbidden, why));
        }
        request.ipam = Some(Ipam {
            driver: from.ipam_driver.clone(),
            options: from.ipam_options.clone(),
            config: Some(from.asked.clone()),
        });
        request.options = Some(from.options.clone());
        request.labels = Some(from.labels.clone());
        request.enable_ipv6 = Some(from.ipv6);
        Ok(())
    }
}

impl Record {
    /// The driver that makes it something in the kernel.
    fn made_of(&self) -> Option<&str> {
        (self.driver != CONFIG_ONLY).then_some(self.driver.as_str())
    }
}

/// Docker's name for the driver of what is no network.
const CONFIG_ONLY: &str = "null";

fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(Error::invalid(format!("invalid name: {name}")));
    }
    if PREDEFINED.contains(&name) {
        let why = format!("operation is not permitted on predefined {name} network");
        return Err(Error::new(Kind::Forbidden, why));
    }
    // No path of the API leads to such a network, and no container says that it wants it.
    let is_bad = |c: char| c == '/' || c.is_control();
    if name.chars().any(is_bad) || name.starts_with("container:") || name.len() > 255 {
        return Err(Error::invalid(format!("invalid name: {name:?}")));
    }
    Ok(())
}

/// A configuration says nothing of what operators decide, and builds on no other.
fn check_configuration(request: &CreateNetwork) -> Result<()> {
    if !request.config_only {
        return Ok(());
    }
    let why = if request.internal
        || request.attachable
        || request.ingress
        || !request.scope.is_empty()
    {
        "configuration network can only contain network specific fields. Network operator fields like [ ingress | internal | attachable | scope ] are not supported."
    } else if request.config_from.as_ref().is_some_and(|from| !from.network.is_empty()) {
        "a configuration network cannot depend on another configuration network"
    } else {
        return Ok(());
    };
    Err(Error::new(Kind::Forbidden, why))
}

fn check(request: &CreateNetwork) -> Result<()> {
    match request.driver.as_str() {
        // Of no account.
        _ if request.config_only => {}
        "host" | "null" => {
            let driver = &request.driver;
            let why = format!("only one instance of {driver:?} network is allowed");
            return Err(Error::new(Kind::Forbidden, why));
        }
        "overlay" => return Err(Error::new(Kind::Unavailable, NOT_A_MANAGER)),
        _ => {}
    }
    if request.scope == "swarm" {
        let why = "cannot create a swarm scoped network when swarm is not active";
        return Err(Error::new(Kind::Forbidden, why));
    }
    if request.ingress {
        let why = "Ingress network can only be global scope network";
        return Err(Error::new(Kind::Forbidden, why));
    }
    if let Some(ipam) = &request.ipam
        && !matches!(ipam.driver.as_str(), "" | "default")
    {
        return Err(Error::not_found(format!("plugin {:?} not found", ipam.driver)));
    }
    let mut problems = Vec::new();
    let configs = request.ipam.iter().flat_map(|ipam| ipam.config.iter().flatten());
    configs.for_each(|config| check_subnet(config, &mut problems));
    match problems.as_slice() {
        [] => Ok(()),
        [one] => Err(Error::invalid(format!("invalid network config:\n{one}"))),
        several => {
            let lines: Vec<_> = several.iter().map(|problem| format!("* {problem}")).collect();
            Err(Error::invalid(format!("invalid network config:\n{}", lines.join("\n"))))
        }
    }
}

/// Docker's checks of one subnet with what belongs to it, in its order.
fn check_subnet(config: &IpamConfig, problems: &mut Vec<String>) {
    let text = &config.subnet;
    let Ok((ip, prefix_len)) = parse_cidr(text) else {
        return problems.push(format!("invalid subnet {text}: invalid CIDR block notation"));
    };
    let subnet = Subnet::around(ip, prefix_len);
    if subnet.address() != ip {
        problems.push(format!("invalid subnet {text}: it should be {subnet}"));
    }
    if !config.ip_range.is_empty() {
        problems.extend(check_range(&config.ip_range, subnet));
    }
    if !config.gateway.is_empty() {
        let problem = check_address(&config.gateway, subnet);
        problems.extend(problem.map(|why| format!("invalid gateway {}: {why}", config.gateway)));
    }
    for (name, text) in &config.aux_addresses {
        let problem = check_address(text, subnet);
        problems.extend(problem.map(|why| format!("invalid auxiliary address {name}: {why}")));
    }
}

fn check_range(text: &str, subnet: Subnet) -> Option<String> {
    let invalid = |why: String| Some(format!("invalid ip-range {text}: {why}"));
    let Ok((ip, prefix_len)) = parse_cidr(text) else {
        return invalid("invalid CIDR block notation".into());
    };
    let range = Subnet::around(ip, prefix_len);
    if range.is_ipv4() != subnet.is_ipv4() {
        return invalid(format!("parent subnet is an {} block", family(subnet)));
    }
    if range.address() != ip {
        return invalid(format!("it should be {range}"));
    }
    if prefix_len < subnet.prefix_len() {
        return invalid(format!("CIDR block is bigger than its parent subnet {subnet}"));
    }
    if !subnet.covers(&range) {
        return invalid(format!("parent subnet {subnet} doesn't contain ip-range"));
    }
    None
}

fn check_address(text: &str, subnet: Subnet) -> Option<String> {
    let Ok(ip) = text.parse::<IpAddr>() else { return Some("invalid address".into()) };
    if ip.is_ipv4() != subnet.is_ipv4() {
        return Some(format!("parent subnet is an {} block", family(subnet)));
    }
    (!subnet.contains(ip)).then(|| format!("parent subnet {subnet} doesn't contain this address"))
}

fn family(subnet: Subnet) -> &'static str {
    if subnet.is_ipv4() { "IPv4" } else { "IPv6" }
}

/// What was checked, as values. A subnet of a family that is off is kept for inspect and not used, as in Docker.
fn wanted(request: &CreateNetwork, asked: &[IpamConfig]) -> Result<Wanted> {
    let (ipv4, ipv6) = (request.enable_ipv4.unwrap_or(true), request.enable_ipv6.unwrap_or(false));
    if !ipv4 && !ipv6 && !request.config_only {
        return Err(Error::invalid("IPv4 or IPv6 must be enabled"));
    }
    let pools = asked.iter().map(pool_wish).filter(|pool| {
        pool.subnet.is_some_and(|subnet| if subnet.is_ipv4() { ipv4 } else { ipv6 })
    });
    Ok(Wanted { ipv4, ipv6, pools: pools.collect() })
}

fn pool_wish(config: &IpamConfig) -> PoolWish {
    let auxiliary = config.aux_addresses.iter();
    PoolWish {
        subnet: config.subnet.parse().ok(),
        range: config.ip_range.parse().ok(),
        gateway: config.gateway.parse().ok(),
        auxiliary: auxiliary
            .filter_map(|(name, ip)| Some((name.clone(), ip.parse().ok()?)))
            .collect(),
    }
}

fn record(id: &str, request: CreateNetwork, asked: Vec<IpamConfig>) -> Record {
    let or = |text: String, default: &str| if text.is_empty() { default.to_owned() } else { text };
    let ipam = request.ipam.unwrap_or_default();
    let driver = if request.config_only { CONFIG_ONLY } else { "bridge" };
    Record {
        id: id.to_owned(),
        name: request.name,
        created: Timestamp::now().to_string(),
        scope: or(request.scope, "local"),
        driver: if request.config_only { driver.to_owned() } else { or(request.driver, driver) },
        ipv4: request.enable_ipv4.unwrap_or(true),
        ipv6: request.enable_ipv6.unwrap_or(false),
        ipam_driver: or(ipam.driver, "default"),
        ipam_options: ipam.options,
        asked,
        internal: request.internal,
        attachable: request.attachable,
        ingress: request.ingress,
        config_from: request.config_from.map(|from| from.network).unwrap_or_default(),
        options: request.options.unwrap_or_default(),
        labels: request.labels.unwrap_or_default(),
        made: None,
        is_builtin: false,
    }
}

fn unknown_driver(error: network::InvalidOption) -> Error {
    let text = error.to_string();
    let kind = if text.starts_with("plugin ") { Kind::NotFound } else { Kind::Invalid };
    Error::new(kind, text)
}

/// A network that cannot be, as Docker sorts it: what is taken is forbidden.
fn refused(error: network::Error) -> Error {
    let kind = match &error {
        network::Error::Conflict(network::Conflict::NothingLeft(_)) => Kind::Invalid,
        network::Error::Conflict(_)
        | network::Error::SameBridge { .. }
        | network::Error::SeveralSubnets => Kind::Forbidden,
        network::Error::ParentTaken { .. } | network::Error::NoBridge(_) => Kind::Forbidden,
        network::Error::NoParent(_) | network::Error::NoVlan(_) => Kind::Invalid,
        _ => Kind::System,
    };
    Error::new(kind, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(subnet: &str, range: &str, gateway: &str, aux: &[(&str, &str)]) -> IpamConfig {
        IpamConfig {
            subnet: subnet.into(),
            ip_range: range.into(),
            gateway: gateway.into(),
            aux_addresses: aux.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect(),
        }
    }

    fn said(configs: Vec<IpamConfig>) -> String {
        let ipam = Some(Ipam { config: Some(configs), ..Ipam::default() });
        let request = CreateNetwork { name: "x".into(), ipam, ..CreateNetwork::default() };
        check(&request).err().map(|error| error.to_string()).unwrap_or_default()
    }

    #[test]
    fn everything_that_is_wrong_with_the_subnets_is_said_in_dockers_words() {
        assert_eq!(
            said(vec![config("10.0.0.0/24", "10.0.0.128/25", "10.0.0.1", &[("a", "10.0.0.9")])]),
            ""
        );
        assert_eq!(
            said(vec![config("10.77.0.1/16", "", "", &[])]),
            "invalid network config:\ninvalid subnet 10.77.0.1/16: it should be 10.77.0.0/16"
        );
        assert_eq!(
            said(vec![
                config(
                    "10.77.0.0/16",
                    "10.78.0.0/24",
                    "1.2.3.4",
                    &[("a", "1.1.1.1"), ("b", "foo")]
                ),
                config("x", "", "y", &[]),
            ]),
            "invalid network config:\n\
             * invalid ip-range 10.78.0.0/24: parent subnet 10.77.0.0/16 doesn't contain ip-range\n\
             * invalid gateway 1.2.3.4: parent subnet 10.77.0.0/16 doesn't contain this address\n\
             * invalid auxiliary address a: parent subnet 10.77.0.0/16 doesn't contain this address\n\
             * invalid auxiliary address b: invalid address\n\
             * invalid subnet x: invalid CIDR block notation"
        );
        assert_eq!(
            said(vec![config("10.77.0.0/16", "10.0.0.0/8", "fd00::1", &[])]),
            "invalid network config:\n\
             * invalid ip-range 10.0.0.0/8: CIDR block is bigger than its parent subnet 10.77.0.0/16\n\
             * invalid gateway fd00::1: parent subnet is an IPv4 block"
        );
    }

    #[test]
    fn names_that_mean_something_else_are_refused() {
        for name in ["", " ", "a/b", "../x", "container:x", "a\0b", &"x".repeat(256)] {
            assert!(
                check_name(name).unwrap_err().to_string().starts_with("invalid name"),
                "{name}"
            );
        }
        for name in PREDEFINED {
            let said = check_name(name).unwrap_err();
            assert_eq!(said.kind, Kind::Forbidden);
            assert_eq!(
                said.to_string(),
                format!("operation is not permitted on predefined {name} network")
            );
        }
        assert!(check_name("my_net.1-x").is_ok());
    }

    #[test]
    fn a_subnet_of_a_family_that_is_off_is_not_used() {
        let asked = [config("fd00:77::/64", "", "", &[])];
        let request = CreateNetwork::default();
        assert!(wanted(&request, &asked).unwrap().pools.is_empty());
        let request = CreateNetwork { enable_ipv6: Some(true), ..request };
        assert_eq!(wanted(&request, &asked).unwrap().pools.len(), 1);
        let neither = CreateNetwork { enable_ipv4: Some(false), ..CreateNetwork::default() };
        assert!(wanted(&neither, &[]).is_err());
    }
}
