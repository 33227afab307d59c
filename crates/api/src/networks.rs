//! Networks as containers see them: endpoints and port bindings.

use std::collections::BTreeMap;

use crate::go::{is_empty, wire};

wire! {
    /// What `create` says about networks.
    pub struct NetworkingConfig {
        pub endpoints_config: Option<BTreeMap<String, EndpointSettings>>,
    }

    /// A container's attachment to one network: what was asked for and what came of it.
    pub struct EndpointSettings {
        #[serde(rename = "IPAMConfig")]
        pub ipam_config: Option<EndpointIpamConfig>,
        pub links: Option<Vec<String>>,
        pub aliases: Option<Vec<String>>,
        pub mac_address: String,
        #[serde(rename = "NetworkID")]
        pub network_id: String,
        #[serde(rename = "EndpointID")]
        pub endpoint_id: String,
        pub gateway: String,
        #[serde(rename = "IPAddress")]
        pub ip_address: String,
        #[serde(rename = "IPPrefixLen")]
        pub ip_prefix_len: i64,
        #[serde(rename = "IPv6Gateway")]
        pub ipv6_gateway: String,
        #[serde(rename = "GlobalIPv6Address")]
        pub global_ipv6_address: String,
        #[serde(rename = "GlobalIPv6PrefixLen")]
        pub global_ipv6_prefix_len: i64,
        pub driver_opts: Option<BTreeMap<String, String>>,
        /// Since API 1.48.
        #[serde(rename = "GwPriority", skip_serializing_if = "Option::is_none")]
        pub gw_priority: Option<i64>,
        #[serde(rename = "DNSNames")]
        pub dns_names: Option<Vec<String>>,
    }

    /// Addresses asked for.
    pub struct EndpointIpamConfig {
        #[serde(rename = "IPv4Address", skip_serializing_if = "is_empty")]
        pub ipv4_address: String,
        #[serde(rename = "IPv6Address", skip_serializing_if = "is_empty")]
        pub ipv6_address: String,
        #[serde(rename = "LinkLocalIPs", skip_serializing_if = "is_empty")]
        pub link_local_ips: Vec<String>,
    }

    /// A network, as list and inspect show it.
    pub struct Network {
        pub name: String,
        pub id: String,
        pub created: String,
        pub scope: String,
        pub driver: String,
        /// Since API 1.48.
        #[serde(rename = "EnableIPv4", skip_serializing_if = "Option::is_none")]
        pub enable_ipv4: Option<bool>,
        #[serde(rename = "EnableIPv6")]
        pub enable_ipv6: bool,
        #[serde(rename = "IPAM")]
        pub ipam: Ipam,
        pub internal: bool,
        pub attachable: bool,
        pub ingress: bool,
        pub config_from: ConfigReference,
        pub config_only: bool,
        /// The containers on it that run, by id; empty in a list.
        pub containers: BTreeMap<String, EndpointResource>,
        pub options: BTreeMap<String, String>,
        pub labels: BTreeMap<String, String>,
    }

    /// Where a network's addresses come from.
    pub struct Ipam {
        pub driver: String,
        pub options: Option<BTreeMap<String, String>>,
        pub config: Option<Vec<IpamConfig>>,
    }

    /// One subnet of a network.
    pub struct IpamConfig {
        #[serde(skip_serializing_if = "is_empty")]
        pub subnet: String,
        #[serde(rename = "IPRange", skip_serializing_if = "is_empty")]
        pub ip_range: String,
        #[serde(skip_serializing_if = "is_empty")]
        pub gateway: String,
        /// Kept free, by names of the user's.
        #[serde(rename = "AuxiliaryAddresses", skip_serializing_if = "is_empty")]
        pub aux_addresses: BTreeMap<String, String>,
    }

    /// What `POST /networks/create` is told.
    pub struct CreateNetwork {
        pub name: String,
        pub driver: String,
        pub scope: String,
        /// Since API 1.48.
        #[serde(rename = "EnableIPv4", skip_serializing_if = "Option::is_none")]
        pub enable_ipv4: Option<bool>,
        #[serde(rename = "EnableIPv6", skip_serializing_if = "Option::is_none")]
        pub enable_ipv6: Option<bool>,
        #[serde(rename = "IPAM", skip_serializing_if = "Option::is_none")]
        pub ipam: Option<Ipam>,
        pub internal: bool,
        pub attachable: bool,
        pub ingress: bool,
        pub config_only: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub config_from: Option<ConfigReference>,
        pub options: Option<BTreeMap<String, String>>,
        pub labels: Option<BTreeMap<String, String>>,
    }

    /// The answer.
    pub struct NetworkCreated {
        pub id: String,
        pub warning: String,
    }

    /// What `POST /networks/{id}/connect` is told.
    pub struct ConnectNetwork {
        pub container: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pub endpoint_config: Option<EndpointSettings>,
        /// Gantry's own: the container is on the network and stays there as it is; its aliases become those that the
        /// configuration has.
        #[serde(skip_serializing_if = "is_empty")]
        pub aliases_only: bool,
    }

    /// What `POST /networks/{id}/disconnect` is told.
    pub struct DisconnectNetwork {
        pub container: String,
        pub force: bool,
    }

    /// The network that one of its kind takes its configuration from.
    pub struct ConfigReference {
        pub network: String,
    }

    /// A container on a network.
    pub struct EndpointResource {
        pub name: String,
        #[serde(rename = "EndpointID")]
        pub endpoint_id: String,
        pub mac_address: String,
        /// With the length of the prefix.
        #[serde(rename = "IPv4Address")]
        pub ipv4_address: String,
        #[serde(rename = "IPv6Address")]
        pub ipv6_address: String,
    }

    /// The answer of prune.
    pub struct NetworksPruned {
        pub networks_deleted: Option<Vec<String>>,
    }

    /// The answer of `GET /networks/why/{to}`, which Docker does not have.
    pub struct Explanation {
        pub to: String,
        pub protocol: String,
        pub from: String,
        /// Empty if there is none.
        pub container: String,
        /// `reachable`, `unreachable` or `uncertain`.
        pub verdict: String,
        pub steps: Vec<ExplanationStep>,
        /// What ufw is to be told so that its rules let it through; null if nothing.
        pub ufw: Option<UfwRule>,
    }

    /// `ufw route allow ROUTE to any port PORT proto PROTOCOL`; without a route `ufw allow to any ...`.
    pub struct UfwRule {
        /// `in on BRIDGE` or `out on BRIDGE`.
        pub route: String,
        pub port: u16,
        pub protocol: String,
    }

    /// Something on the way of a packet.
    pub struct ExplanationStep {
        pub subject: String,
        /// `pass`, `block`, `maybe` or `note`.
        pub verdict: String,
        pub text: String,
    }

    /// One host address and port that a container's port is published on.
    pub struct PortBinding {
        #[serde(rename = "HostIp")]
        pub host_ip: String,
        pub host_port: String,
    }
}

/// `"80/tcp"` to the places where it is published; `null` for a port that is only exposed.
pub type PortMap = BTreeMap<String, Option<Vec<PortBinding>>>;

impl EndpointSettings {
    /// Before API 1.45 a container's short id was one of its aliases on user-defined networks.
    pub(crate) fn add_legacy_alias(&mut self, short_id: &str) {
        let Some(aliases) = &mut self.aliases else { return };
        if !aliases.iter().any(|alias| alias == short_id) {
            aliases.push(short_id.to_owned());
        }
    }
}
