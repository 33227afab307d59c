//! `gantry image prune`: removes what nothing uses.

use api::Filters;
use api::images::DeleteItem;
use client::Client;

use crate::command::{Args, Command, Done, run};
use crate::commands::container::ls;
use crate::context::Context;
use crate::error::Result;
use crate::flags::{Flag, Parsed};
use crate::prune::{self, Pruned};

const FLAGS: &[Flag] = &[
    Flag::bool("all", "Remove all unused images, not just dangling ones").short('a'),
    prune::filter("Provide filter values (e.g. \"until=<timestamp>\")"),
    prune::FORCE,
];
const DANGLING: &str = "WARNING! This will remove all dangling images.";
const UNUSED: &str =
    "WARNING! This will remove all images without at least one container associated to them.";

pub(crate) const COMMAND: Command = Command {
    name: "prune",
    aliases: &[],
    paths: &["image prune"],
    usage: "[OPTIONS]",
    about: "Remove unused images",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let all = parsed.bool("all");
    let filters = ls::filters(parsed);
    if !parsed.bool("force") && !prune::confirm(if all { UNUSED } else { DANGLING })? {
        return Ok(0);
    }
    let client = context.connect().await?;
    prune::report(&[removed(&client, all, filters).await?])?;
    Ok(0)
}

/// `all`: named images that no container uses, too.
pub(crate) async fn removed(client: &Client, all: bool, mut filters: Filters) -> Result<Pruned> {
    filters.add("dangling", if all { "false" } else { "true" });
    let report = client.image_prune(&filters).await?;
    let line = |item: &DeleteItem| match item.deleted.as_str() {
        "" => format!("untagged: {}", item.untagged),
        id => format!("deleted: {id}"),
    };
    let deleted: Vec<String> = report.images_deleted.iter().flatten().map(line).collect();
    Ok(Pruned::new("Deleted Images", &deleted, report.space_reclaimed))
}
