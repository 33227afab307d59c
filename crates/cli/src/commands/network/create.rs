//! `gantry network create`.

use api::networks::{ConfigReference, CreateNetwork, Ipam};

use super::{ipam, pairs, slice};
use crate::command::{Args, Command, Done, run};
use crate::commands::container::options::env;
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::say;

const FLAGS: &[Flag] = &[
    Flag::bool("attachable", "Enable manual container attachment"),
    Flag::map("aux-address", "Auxiliary IPv4 or IPv6 addresses used by Network driver"),
    Flag::string("config-from", "The network from which to copy the configuration"),
    Flag::bool("config-only", "Create a configuration only network"),
    Flag::string("driver", "Driver to manage the Network").short('d').default("bridge"),
    Flag::list("gateway", "IPv4 or IPv6 Gateway for the master subnet").type_name("strings"),
    Flag::bool("ingress", "Create swarm routing-mesh network"),
    Flag::bool("internal", "Restrict external access to the network"),
    Flag::list("ip-range", "Allocate container ip from a sub-range").type_name("strings"),
    Flag::string("ipam-driver", "IP Address Management Driver").default("default"),
    Flag::map("ipam-opt", "Set IPAM driver specific options"),
    Flag::bool("ipv4", "Enable or disable IPv4 address assignment").default("true"),
    Flag::bool("ipv6", "Enable IPv6 networking"),
    Flag::list("label", "Set metadata on a network").check(env::check_label),
    Flag::map("opt", "Set driver specific options").short('o'),
    Flag::string("scope", "Control the network's scope"),
    Flag::list("subnet", "Subnet in CIDR format that represents a network segment")
        .type_name("strings"),
];

pub(crate) const COMMAND: Command = Command {
    name: "create",
    aliases: &[],
    paths: &["network create"],
    usage: "[OPTIONS] NETWORK",
    about: "Create a network",
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let request = request(parsed)?;
    say(context.connect().await?.network_create(&request).await?.id)?;
    Ok(0)
}

fn request(parsed: &Parsed) -> Result<CreateNetwork, String> {
    let config = ipam::configs(
        &slice(&parsed.list("subnet")),
        &slice(&parsed.list("ip-range")),
        &slice(&parsed.list("gateway")),
        &pairs(&parsed.list("aux-address")),
    )?;
    let labels = env::labels(&[], &parsed.list("label"))?;
    let from = parsed.string("config-from");
    Ok(CreateNetwork {
        name: parsed.arg(0).to_owned(),
        driver: parsed.string("driver"),
        scope: parsed.string("scope"),
        enable_ipv4: parsed.is_set("ipv4").then(|| parsed.bool("ipv4")),
        enable_ipv6: parsed.is_set("ipv6").then(|| parsed.bool("ipv6")),
        ipam: Some(Ipam {
            driver: parsed.string("ipam-driver"),
            options: Some(pairs(&parsed.list("ipam-opt"))),
            config: Some(config),
        }),
        internal: parsed.bool("internal"),
        attachable: parsed.bool("attachable"),
        ingress: parsed.bool("ingress"),
        config_only: parsed.bool("config-only"),
        config_from: (!from.is_empty()).then_some(ConfigReference { network: from }),
        options: Some(pairs(&parsed.list("opt"))),
        labels: Some(labels),
    })
}
