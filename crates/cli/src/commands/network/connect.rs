//! `gantry network connect`.

use std::collections::BTreeMap;

use api::networks::{ConnectNetwork, EndpointIpamConfig, EndpointSettings};

use super::slice;
use crate::command::{Args, Command, Done, run};
use crate::commands::container::options::check_link;
use crate::context::Context;
use crate::flags::{Flag, Parsed};

const FLAGS: &[Flag] = &[
    Flag::list("alias", "Add network-scoped alias for the container").type_name("strings"),
    Flag::list("driver-opt", "driver options for the network").type_name("strings"),
    Flag::int(
        "gw-priority",
        "Highest gw-priority provides the default gateway. Accepts positive and negative values.",
    ),
    Flag::string("ip", "IPv4 address (e.g., \"172.30.100.104\")"),
    Flag::string("ip6", "IPv6 address (e.g., \"2001:db8::33\")"),
    Flag::list("link", "Add link to another container").check(check_link),
    Flag::list("link-local-ip", "Add a link-local address for the container").type_name("strings"),
];

pub(crate) const COMMAND: Command = Command {
    name: "connect",
    aliases: &[],
    paths: &["network connect"],
    usage: "[OPTIONS] NETWORK CONTAINER",
    about: "Connect a container to a network",
    flags: &[FLAGS],
    args: Args::Exactly(2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let request = ConnectNetwork {
        aliases_only: false,
        container: parsed.arg(1).to_owned(),
        endpoint_config: Some(settings(parsed)?),
    };
    context.connect().await?.network_connect(parsed.arg(0), &request).await?;
    Ok(0)
}

fn settings(parsed: &Parsed) -> Result<EndpointSettings, String> {
    let list = |flag: &str| parsed.is_set(flag).then(|| slice(&parsed.list(flag)));
    let links = Some(parsed.list("link")).filter(|list| !list.is_empty());
    Ok(EndpointSettings {
        ipam_config: Some(EndpointIpamConfig {
            ipv4_address: parsed.string("ip"),
            ipv6_address: parsed.string("ip6"),
            link_local_ips: list("link-local-ip").unwrap_or_default(),
        }),
        links,
        aliases: list("alias"),
        driver_opts: Some(driver_options(&slice(&parsed.list("driver-opt")))?),
        gw_priority: parsed.is_set("gw-priority").then(|| parsed.int("gw-priority")),
        ..EndpointSettings::default()
    })
}

fn driver_options(words: &[String]) -> Result<BTreeMap<String, String>, String> {
    let split = |word: &String| {
        let (key, value) = word.split_once('=').filter(|(key, _)| !key.trim().is_empty())?;
        Some((key.trim().to_lowercase(), value.trim().to_owned()))
    };
    let invalid = || "invalid key/value pair format in driver options".to_owned();
    words.iter().map(|word| split(word).ok_or_else(invalid)).collect()
}
