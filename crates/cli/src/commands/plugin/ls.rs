//! `gantry plugin ls`.

use api::plugins::Plugin;

use crate::command::{Args, Command, Done, run};
use crate::commands::container::ls::filters;
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::list::{Listing, Row, Style, print_list, wanted};
use crate::output::units::{ellipsis, short_id};

const FLAGS: &[Flag] = &[
    Flag::filter("Provide filter values (e.g. \"enabled=true\")"),
    Flag::format(),
    Flag::bool("no-trunc", "Don't truncate output"),
    Flag::bool("quiet", "Only display plugin IDs").short('q'),
];

pub(crate) const COMMAND: Command = Command {
    name: "ls",
    aliases: &["list"],
    paths: &["plugin ls", "plugin list"],
    usage: "[OPTIONS]",
    about: "List plugins",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

const LISTING: Listing = Listing {
    columns: &[
        ("ID", "ID"),
        ("Name", "NAME"),
        ("Description", "DESCRIPTION"),
        ("Enabled", "ENABLED"),
        ("PluginReference", "PLUGIN REFERENCE"),
    ],
    go_type: "*plugin.pluginContext",
    quiet: "{{.ID}}",
    raw: &[],
};
const TABLE: &str = "{{.ID}}\t{{.Name}}\t{{.Description}}\t{{.Enabled}}";
const DESCRIPTION_WIDTH: usize = 45;

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let quiet = parsed.bool("quiet");
    let given = wanted(parsed, &context.config().plugins_format);
    let style = Style::new(&LISTING, given, TABLE, quiet);
    let client = context.connect().await?;
    let no_trunc = parsed.bool("no-trunc");
    let mut plugins = client.plugin_list(&filters(parsed)).await?;
    plugins.sort_by(|a, b| a.name.cmp(&b.name));
    print_list(&LISTING, &style, plugins.iter().map(|plugin| row(plugin, no_trunc)))?;
    Ok(0)
}

fn row(plugin: &Plugin, no_trunc: bool) -> Row {
    let description = plugin.config.description.replace(['\n', '\r'], " ");
    Row::new()
        .cell("ID", if no_trunc { plugin.id.clone() } else { short_id(&plugin.id) })
        .cell("Name", &plugin.name)
        .cell(
            "Description",
            if no_trunc { description } else { ellipsis(&description, DESCRIPTION_WIDTH) },
        )
        .flag("Enabled", plugin.enabled)
        .cell("PluginReference", &plugin.plugin_reference)
}
