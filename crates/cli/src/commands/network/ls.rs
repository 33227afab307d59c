//! `gantry network ls`.

use api::networks::Network;

use crate::command::{Args, Command, Done, run};
use crate::commands::container::ls::filters;
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::list::{Listing, RawLine, Row, Style, print_list};

const FLAGS: &[Flag] = &[
    Flag::filter("Provide filter values (e.g. \"driver=bridge\")"),
    Flag::format(),
    Flag::bool("no-trunc", "Do not truncate the output"),
    Flag::bool("quiet", "Only display network IDs").short('q'),
];

pub(crate) const COMMAND: Command = Command {
    name: "ls",
    aliases: &["list"],
    paths: &["network ls", "network list"],
    usage: "[OPTIONS]",
    about: "List networks",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

const LISTING: Listing = Listing {
    columns: &[
        ("ID", "NETWORK ID"),
        ("Name", "NAME"),
        ("Driver", "DRIVER"),
        ("Scope", "SCOPE"),
        ("IPv4", "IPV4"),
        ("IPv6", "IPV6"),
        ("Internal", "INTERNAL"),
        ("Labels", "LABELS"),
        ("CreatedAt", "CREATED AT"),
    ],
    go_type: "*network.networkContext",
    quiet: "{{.ID}}",
    raw: &[
        RawLine::Always("network_id", "ID"),
        RawLine::Always("name", "Name"),
        RawLine::Always("driver", "Driver"),
        RawLine::Always("scope", "Scope"),
    ],
};
const TABLE: &str = "{{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}";

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (quiet, no_trunc) = (parsed.bool("quiet"), parsed.bool("no-trunc"));
    let configured = if quiet { "" } else { context.config().networks_format.as_str() };
    let given = Some(parsed.str("format")).filter(|f| !f.is_empty()).unwrap_or(configured);
    let style = Style::new(&LISTING, given, TABLE, quiet);
    let client = context.connect().await?;
    let mut networks = client.network_list(&filters(parsed)).await?;
    networks.sort_by(|a, b| a.name.cmp(&b.name));
    print_list(&LISTING, &style, networks.into_iter().map(|network| row(network, no_trunc)))?;
    Ok(0)
}

/// As Go prints a moment.
fn created(text: &str) -> String {
    match text.parse::<jiff::Timestamp>() {
        Ok(time) => time.strftime("%Y-%m-%d %H:%M:%S%.f +0000 UTC").to_string(),
        Err(_) => text.to_owned(),
    }
}

fn row(network: Network, no_trunc: bool) -> Row {
    let labels = network.labels;
    let joined: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let id = if no_trunc { network.id } else { network.id.chars().take(12).collect() };
    Row::new()
        .cell("ID", id)
        .cell("Name", network.name)
        .cell("Driver", network.driver)
        .cell("Scope", network.scope)
        .cell("IPv4", network.enable_ipv4.unwrap_or(false).to_string())
        .cell("IPv6", network.enable_ipv6.to_string())
        .cell("Internal", network.internal.to_string())
        .cell("Labels", joined.join(","))
        .cell("CreatedAt", created(&network.created))
        .method("Label", move |key| labels.get(key).cloned().unwrap_or_default())
}
