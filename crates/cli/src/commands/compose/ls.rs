//! `gantry compose ls`.

use std::collections::BTreeMap;

use api::containers::Summary;
use compose::{apply, labels};

use super::services::{failure, label};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{Flag, Parsed};
use crate::output::{print, say, table};

pub(crate) const COMMAND: Command = Command {
    name: "ls",
    aliases: &[],
    paths: &["compose ls"],
    usage: "[OPTIONS]",
    about: "List running compose projects",
    flags: &[&[
        Flag::bool("all", "Show all stopped Compose projects").short('a'),
        Flag::string("filter", "Filter output based on conditions provided"),
        Flag::string("format", "Format the output. Values: [table | json]").default("table"),
        Flag::bool("quiet", "Only display IDs").short('q'),
    ]],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let wanted = match parsed.str("filter").split_once('=') {
        None if parsed.str("filter").is_empty() => "",
        Some(("name", name)) => name,
        _ => return Err(Failure::new("unsupported filter, only name is known")),
    };
    let client = context.connect().await?;
    let containers = apply::projects(&client, parsed.bool("all")).await.map_err(failure)?;
    let mut projects: BTreeMap<String, Vec<&Summary>> = BTreeMap::new();
    for container in &containers {
        projects.entry(label(container, labels::PROJECT)).or_default().push(container);
    }
    projects.retain(|name, _| name.contains(wanted));
    if parsed.bool("quiet") {
        projects.keys().try_for_each(say)?;
        return Ok(0);
    }
    let rows = projects.iter().map(|(name, containers)| {
        let files = containers.first().map(|first| label(first, labels::CONFIG_FILES));
        (name, status(containers), files.unwrap_or_default())
    });
    match parsed.str("format") {
        "json" => {
            let all: Vec<_> = rows
                .map(|(name, status, files)| {
                    serde_json::json!({"Name": name, "Status": status, "ConfigFiles": files})
                })
                .collect();
            say(serde_json::Value::from(all))?;
        }
        "table" => {
            let mut text = "NAME\tSTATUS\tCONFIG FILES\n".to_owned();
            for (name, status, files) in rows {
                text += &format!("{name}\t{status}\t{files}\n");
            }
            print(table::align_wide(&text, 20))?;
        }
        other => return Err(Failure::new(format!("unsupported format {other:?}"))),
    }
    Ok(0)
}

/// How many are in which state: `exited(1), running(2)`.
fn status(containers: &[&Summary]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for container in containers {
        *counts.entry(&container.state).or_default() += 1;
    }
    let each = counts.iter().map(|(state, count)| format!("{state}({count})"));
    each.collect::<Vec<_>>().join(", ")
}
