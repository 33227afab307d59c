//! Networks of a container, and networks and volumes of a project.

use std::collections::BTreeMap;

use api::networks::{
    CreateNetwork, EndpointIpamConfig, EndpointSettings, Ipam, IpamConfig, NetworkingConfig,
};
use api::volumes;

use crate::labels;
use crate::model::{self, Network, Project, Service, Volume};

/// The network in whose terms the container is started: its own mode, else its first network.
pub(super) fn mode(project: &Project, service: &Service) -> String {
    if !service.network_mode.is_empty() {
        return super::host::namespace(project, &service.network_mode);
    }
    let first = in_order(service).into_iter().next();
    first
        .and_then(|(key, _)| project.networks.get(key))
        .map_or_else(|| "none".to_owned(), |network| network.name.clone())
}

/// By priority, the highest first, then by name.
fn in_order(service: &Service) -> Vec<(&String, Option<&model::Endpoint>)> {
    let mut networks: Vec<_> =
        service.networks.iter().map(|(key, endpoint)| (key, endpoint.as_ref())).collect();
    networks.sort_by_key(|(_, endpoint)| {
        std::cmp::Reverse(endpoint.map_or(0, |endpoint| endpoint.priority))
    });
    networks
}

/// A one-off container is not found by its service's name.
pub(super) fn endpoints(
    project: &Project,
    service: &Service,
    one_off: bool,
    name: &str,
) -> NetworkingConfig {
    let links = links(project, service);
    let each = in_order(service).into_iter().filter_map(|(key, said)| {
        let network = project.networks.get(key)?;
        let said = said.cloned().unwrap_or_default();
        let mut aliases = vec![name.to_owned()];
        if !one_off {
            aliases.push(service.name.clone());
            aliases.extend(said.aliases.iter().cloned());
        }
        Some((network.name.clone(), endpoint(&said, aliases, &links)))
    });
    NetworkingConfig { endpoints_config: Some(each.collect()) }
}

fn endpoint(said: &model::Endpoint, aliases: Vec<String>, links: &[String]) -> EndpointSettings {
    let ipam = EndpointIpamConfig {
        ipv4_address: said.ipv4_address.clone(),
        ipv6_address: said.ipv6_address.clone(),
        link_local_ips: said.link_local_ips.clone(),
    };
    EndpointSettings {
        ipam_config: (ipam != EndpointIpamConfig::default()).then_some(ipam),
        links: Some(links.to_vec()).filter(|links| !links.is_empty()),
        aliases: Some(aliases),
        mac_address: said.mac_address.clone(),
        driver_opts: Some(said.driver_opts.clone()).filter(|options| !options.is_empty()),
        gw_priority: Some(said.gw_priority).filter(|priority| *priority != 0),
        ..EndpointSettings::default()
    }
}

/// A linked service by each of its containers and under each of its names.
fn links(project: &Project, service: &Service) -> Vec<String> {
    let mut links = Vec::new();
    for link in &service.links {
        let (other, alias) = link.split_once(':').unwrap_or((link, link));
        let Some(linked) = project.services.get(other) else { continue };
        for number in 1..=linked.replicas() {
            let name = super::name(project, linked, number);
            links.push(format!("{name}:{alias}"));
            links.push(format!("{name}:{other}-{number}"));
            links.push(format!("{name}:{name}"));
        }
    }
    let external = service.external_links.iter().map(|link| match link.contains(':') {
        true => link.clone(),
        false => format!("{link}:{link}"),
    });
    links.extend(external);
    links
}

pub(crate) fn network(project: &Project, key: &str, network: &Network) -> CreateNetwork {
    let mut labels = network.labels.clone();
    labels.extend(labels::of_resource(project, labels::NETWORK, key));
    let driver = if network.driver.is_empty() { "bridge" } else { &network.driver };
    CreateNetwork {
        name: network.name.clone(),
        driver: driver.to_owned(),
        enable_ipv4: network.enable_ipv4,
        enable_ipv6: network.enable_ipv6,
        ipam: ipam(&network.ipam),
        internal: network.internal,
        attachable: network.attachable,
        options: Some(network.driver_opts.clone()),
        labels: Some(labels),
        ..CreateNetwork::default()
    }
}

fn ipam(ipam: &model::Ipam) -> Option<Ipam> {
    let pool = |pool: &model::Pool| IpamConfig {
        subnet: pool.subnet.clone(),
        ip_range: pool.ip_range.clone(),
        gateway: pool.gateway.clone(),
        aux_addresses: pool.aux_addresses.clone(),
    };
    let says_something = !ipam.driver.is_empty() || !ipam.config.is_empty();
    says_something.then(|| Ipam {
        driver: ipam.driver.clone(),
        options: Some(ipam.options.clone()).filter(|options: &BTreeMap<_, _>| !options.is_empty()),
        config: Some(ipam.config.iter().map(pool).collect()),
    })
}

pub(crate) fn volume(project: &Project, key: &str, volume: &Volume) -> volumes::CreateRequest {
    let mut labels = volume.labels.clone();
    labels.extend(labels::of_resource(project, labels::VOLUME, key));
    volumes::CreateRequest {
        name: volume.name.clone(),
        driver: volume.driver.clone(),
        driver_opts: Some(volume.driver_opts.clone()),
        labels: Some(labels),
        ..volumes::CreateRequest::default()
    }
}
