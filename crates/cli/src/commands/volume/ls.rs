//! `gantry volume ls`.

use api::volumes::Volume;

use crate::command::{Args, Command, Done, run};
use crate::commands::container::ls::filters;
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::list::{Listing, RawLine, Row, Style, print_list, wanted};

const FLAGS: &[Flag] = &[
    Flag::bool("cluster", "Show only cluster volumes").hidden(),
    Flag::filter("Provide filter values (e.g. \"dangling=true\")"),
    Flag::format(),
    Flag::bool("quiet", "Only display volume names").short('q'),
];

pub(crate) const COMMAND: Command = Command {
    name: "ls",
    aliases: &["list"],
    paths: &["volume ls", "volume list"],
    usage: "[OPTIONS]",
    about: "List volumes",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

pub(crate) const LISTING: Listing = Listing {
    columns: &[
        ("Name", "VOLUME NAME"),
        ("Driver", "DRIVER"),
        ("Scope", "SCOPE"),
        ("Availability", "AVAILABILITY"),
        ("Mountpoint", "MOUNTPOINT"),
        ("Labels", "LABELS"),
        ("Links", "LINKS"),
        ("Size", "SIZE"),
        ("Group", "GROUP"),
        ("Status", "STATUS"),
    ],
    go_type: "*formatter.volumeContext",
    quiet: "{{.Name}}",
    raw: &[RawLine::Always("name", "Name"), RawLine::Always("driver", "Driver")],
};
pub(crate) const TABLE: &str = "{{.Driver}}\t{{.Name}}";
const CLUSTER_TABLE: &str = "{{.Name}}\t{{.Group}}\t{{.Driver}}\t{{.Availability}}\t{{.Status}}";

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let quiet = parsed.bool("quiet");
    let given = wanted(parsed, &context.config().volumes_format);
    let table = if parsed.bool("cluster") { CLUSTER_TABLE } else { TABLE };
    let style = Style::new(&LISTING, given, table, quiet);
    let client = context.connect().await?;
    let mut volumes = client.volume_list(&filters(parsed)).await?.volumes.unwrap_or_default();
    // None is of a cluster.
    volumes.retain(|_| !parsed.bool("cluster"));
    volumes.sort_by(|a, b| a.name.cmp(&b.name));
    print_list(&LISTING, &style, volumes.into_iter().map(row))?;
    Ok(0)
}

pub(crate) fn row(volume: Volume) -> Row {
    let labels = volume.labels.unwrap_or_default();
    let joined: Vec<String> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let unknown = "N/A";
    Row::new()
        .cell("Name", volume.name)
        .cell("Driver", volume.driver)
        .cell("Scope", volume.scope)
        .cell("Availability", unknown)
        .cell("Mountpoint", volume.mountpoint)
        .cell("Labels", joined.join(","))
        .cell("Links", unknown)
        .cell("Size", unknown)
        .cell("Group", unknown)
        .cell("Status", unknown)
        .method("Label", move |key| labels.get(key).cloned().unwrap_or_default())
}
