//! `gantry compose ps`.

use api::containers::Summary;
use compose::labels;

use super::services::{self, Which, label};
use crate::command::{Args, Command, Done, run};
use crate::commands::container::ls;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{Flag, Parsed};
use crate::output::list::{Listing, Row, Style, print_list};
use crate::output::{print, say};

pub(crate) const COMMAND: Command = Command {
    name: "ps",
    aliases: &[],
    paths: &["compose ps"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "List containers",
    flags: &[&[
        Flag::bool(
            "all",
            "Show all stopped containers (including those created by the run command)",
        )
        .short('a'),
        Flag::string("filter", "Filter services by a property (supported filters: status)"),
        Flag::format().default("table"),
        Flag::bool("no-trunc", "Don't truncate output"),
        Flag::bool("orphans", "Include orphaned services (not declared by project)").default("true"),
        Flag::bool("quiet", "Only display IDs").short('q'),
        Flag::bool("services", "Display services"),
        Flag::list(
            "status",
            "Filter services by status. Values: [paused | restarting | removing | running | dead | created | exited]",
        )
        .type_name("stringArray"),
    ]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

const LISTING: Listing = Listing {
    columns: &[
        ("Name", "NAME"),
        ("ID", "CONTAINER ID"),
        ("Names", "NAMES"),
        ("Image", "IMAGE"),
        ("Command", "COMMAND"),
        ("Project", "PROJECT"),
        ("Service", "SERVICE"),
        ("RunningFor", "CREATED"),
        ("CreatedAt", "CREATED AT"),
        ("State", "STATE"),
        ("Status", "STATUS"),
        ("Health", "HEALTH"),
        ("ExitCode", "EXIT CODE"),
        ("Ports", "PORTS"),
        ("Size", "SIZE"),
        ("Labels", "LABELS"),
        ("Mounts", "MOUNTS"),
        ("LocalVolumes", "LOCAL VOLUMES"),
        ("Networks", "NETWORKS"),
    ],
    go_type: "*formatter.ContainerContext",
    quiet: "{{.ID}}",
    raw: &[],
};
const TABLE: &str =
    "{{.Name}}\t{{.Image}}\t{{.Command}}\t{{.Service}}\t{{.RunningFor}}\t{{.Status}}\t{{.Ports}}";

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let which = if parsed.bool("all") { Which::All } else { Which::Services };
    let (_, mut containers) = services::find(context, &client, &parsed.args, which).await?;
    let states = states(parsed)?;
    let is_shown = |it: &Summary| match states.is_empty() {
        true => {
            parsed.bool("all") || matches!(it.state.as_str(), "running" | "restarting" | "paused")
        }
        false => states.contains(&it.state),
    };
    containers.retain(is_shown);
    containers.sort_by_key(services::name);
    if parsed.bool("quiet") {
        return print(containers.iter().map(|it| format!("{}\n", it.id)).collect::<String>())
            .map(|()| 0);
    }
    if parsed.bool("services") {
        let mut names: Vec<String> =
            containers.iter().map(|it| label(it, labels::SERVICE)).collect();
        names.dedup();
        names.iter().try_for_each(say)?;
        return Ok(0);
    }
    let format = match parsed.str("format") {
        "table" => "",
        format => format,
    };
    let no_trunc = parsed.bool("no-trunc");
    let style = Style::new(&LISTING, format, TABLE, false);
    print_list(&LISTING, &style, containers.into_iter().map(|it| row(it, no_trunc)))?;
    Ok(0)
}

fn states(parsed: &Parsed) -> Result<Vec<String>, Failure> {
    let mut states = parsed.list("status");
    match parsed.str("filter").split_once('=') {
        None if parsed.str("filter").is_empty() => {}
        Some(("status", state)) => states.push(state.to_owned()),
        Some((name, _)) => return Err(Failure::new(format!("unknown filter {name}"))),
        None => return Err(Failure::new("arguments to --filter should be in form KEY=VAL")),
    }
    Ok(states)
}

fn row(container: Summary, no_trunc: bool) -> Row {
    let name = services::name(&container);
    let health = container.health.as_ref().map(|health| health.status.clone()).unwrap_or_default();
    let health = if health == "none" { String::new() } else { health };
    let exit_code =
        container.status.strip_prefix("Exited (").and_then(|rest| rest.split(')').next());
    let exit_code: i64 = exit_code.and_then(|code| code.parse().ok()).unwrap_or_default();
    let (project, service) =
        (label(&container, labels::PROJECT), label(&container, labels::SERVICE));
    ls::row(container, no_trunc)
        .cell("Name", name)
        .cell("Project", project)
        .cell("Service", service)
        .cell("Health", health)
        .cell("ExitCode", exit_code.to_string())
}
