//! What the engine keeps of a network: what was asked for, which inspect shows, and what was made of it.

use std::collections::BTreeMap;

use api::networks::{ConfigReference, Ipam, IpamConfig, Network as Document};
use network::{Config, Identity, Subnet};
use serde::{Deserialize, Serialize};

/// A record reads back as it was written; a field that is added has a default.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    pub id: String,
    pub name: String,
    /// RFC 3339, in nanoseconds.
    pub created: String,
    pub scope: String,
    /// `bridge`; `host` and `null` of those that are always there.
    pub driver: String,
    pub ipv4: bool,
    pub ipv6: bool,
    pub ipam_driver: String,
    pub ipam_options: Option<BTreeMap<String, String>>,
    /// Subnets as they were asked for.
    pub asked: Vec<IpamConfig>,
    pub internal: bool,
    pub attachable: bool,
    pub ingress: bool,
    /// The network that this one's configuration came from.
    pub config_from: String,
    pub options: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    /// None of one that is but a configuration for others, and of `host` and `none`.
    pub made: Option<Config>,
    /// Always there, and never stored.
    #[serde(skip)]
    pub is_builtin: bool,
}

impl Record {
    /// `host` and `none`, and what is common to them and `bridge`.
    pub fn builtin(name: &str, driver: &str, identity: &Identity, created: &str) -> Self {
        Self {
            id: identity.network_id(name),
            name: name.into(),
            created: created.into(),
            scope: "local".into(),
            driver: driver.into(),
            ipv4: true,
            ipv6: false,
            ipam_driver: "default".into(),
            ipam_options: None,
            asked: Vec::new(),
            internal: false,
            attachable: false,
            ingress: false,
            config_from: String::new(),
            options: BTreeMap::new(),
            labels: BTreeMap::new(),
            made: None,
            is_builtin: true,
        }
    }

    /// A configuration for other networks, and none itself.
    pub fn is_config_only(&self) -> bool {
        self.made.is_none() && !self.is_builtin
    }

    pub fn is_host(&self) -> bool {
        self.is_builtin && self.name == "host"
    }

    pub fn is_none(&self) -> bool {
        self.is_builtin && self.name == "none"
    }

    pub fn label(&self, key: &str) -> Option<&str> {
        self.labels.get(key).map(String::as_str)
    }

    /// What inspect shows, without the containers.
    pub fn document(&self) -> Document {
        let config = self.ipam_config();
        Document {
            name: self.name.clone(),
            id: self.id.clone(),
            created: self.created.clone(),
            scope: self.scope.clone(),
            driver: self.driver.clone(),
            enable_ipv4: Some(self.ipv4),
            enable_ipv6: self.ipv6,
            ipam: Ipam {
                driver: self.ipam_driver.clone(),
                options: self.ipam_options.clone(),
                config: (!config.is_empty()).then_some(config),
            },
            internal: self.internal,
            attachable: self.attachable,
            ingress: self.ingress,
            config_from: ConfigReference { network: self.config_from.clone() },
            config_only: self.is_config_only(),
            containers: BTreeMap::new(),
            options: self.options.clone(),
            labels: self.labels.clone(),
        }
    }

    /// As asked for; what the engine chose comes with its gateway.
    fn ipam_config(&self) -> Vec<IpamConfig> {
        let pools = self.made.iter().flat_map(|made| &made.pools);
        let is_asked = |subnet: &Subnet| {
            let same = |config: &IpamConfig| config.subnet.parse() == Ok(*subnet);
            self.asked.iter().any(same)
        };
        let chosen = pools.filter(|pool| !is_asked(&pool.subnet)).map(|pool| IpamConfig {
            subnet: pool.subnet.to_string(),
            gateway: pool.gateway.map(|ip| ip.to_string()).unwrap_or_default(),
            ..IpamConfig::default()
        });
        self.asked.iter().cloned().chain(chosen).collect()
    }

    /// The subnets of that family which somebody asked for, be the family on or not: fixed addresses are for these.
    pub fn asked_subnets(&self, is_ipv4: bool) -> Vec<Subnet> {
        let subnets = self.asked.iter().filter_map(|config| config.subnet.parse().ok());
        subnets.filter(|subnet: &Subnet| subnet.is_ipv4() == is_ipv4).collect()
    }
}

#[cfg(test)]
pub mod tests {
    use network::Pool;

    use super::*;

    pub fn network(name: &str) -> Record {
        let identity = Identity::new("test");
        let created = "2026-11-21T10:05:46.819262471Z";
        Record { is_builtin: false, ..Record::builtin(name, "bridge", &identity, created) }
    }

    pub fn with_pools(name: &str, asked: &[&str], chosen: &[&str]) -> Record {
        let pool = |text: &&str| {
            let subnet: Subnet = text.parse().unwrap();
            let gateway = text.split('/').next().unwrap().replace(".0", ".1").parse().ok();
            Pool { subnet, range: None, gateway, auxiliary: BTreeMap::new() }
        };
        let mut record = network(name);
        let asked_for =
            |text: &&str| IpamConfig { subnet: (*text).into(), ..IpamConfig::default() };
        record.asked = asked.iter().map(asked_for).collect();
        record.made = Some(Config {
            id: record.id.clone(),
            name: name.into(),
            driver: network::Driver::Bridge(network::BridgeOptions::new("br-x")),
            internal: false,
            pools: asked.iter().chain(chosen).map(pool).collect(),
        });
        record
    }

    #[test]
    fn what_was_asked_for_is_shown_as_it_was_and_what_was_chosen_with_its_gateway() {
        let record = with_pools("web", &["fd00:77::/64"], &["172.26.0.0/24"]);
        let shown = serde_json::to_string(&record.document().ipam).unwrap();
        assert_eq!(
            shown,
            r#"{"Driver":"default","Options":null,"Config":[{"Subnet":"fd00:77::/64"},{"Subnet":"172.26.0.0/24","Gateway":"172.26.1.0"}]}"#
                .replace("172.26.1.0", &record.gateway_of("172.26.0.0/24"))
        );
    }

    impl Record {
        fn gateway_of(&self, subnet: &str) -> String {
            let pools = &self.made.as_ref().unwrap().pools;
            let pool = pools.iter().find(|pool| pool.subnet.to_string() == subnet);
            pool.unwrap().gateway.unwrap().to_string()
        }
    }

    #[test]
    fn fixed_addresses_are_for_subnets_that_were_asked_for() {
        let record = with_pools("web", &["fd00:77::/64"], &["172.26.0.0/24"]);
        assert_eq!(record.asked_subnets(false).len(), 1);
        assert!(record.asked_subnets(true).is_empty());
    }

    #[test]
    fn a_record_reads_back_as_written() {
        let record = with_pools("web", &["10.0.0.0/24"], &[]);
        let written = serde_json::to_string(&record).unwrap();
        let read: Record = serde_json::from_str(&written).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), written);
        assert!(!read.is_builtin && !read.is_config_only());
    }
}
