//! `gantry container prune`: removes what is stopped.

use api::Filters;
use client::Client;

use super::ls;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Result;
use crate::flags::{Flag, Parsed};
use crate::prune::{self, Pruned};

const WARNING: &str = "WARNING! This will remove all stopped containers.";

const FLAGS: &[Flag] =
    &[prune::filter("Provide filter values (e.g. \"until=<timestamp>\")"), prune::FORCE];

pub(crate) const COMMAND: Command = Command {
    name: "prune",
    aliases: &[],
    paths: &["container prune"],
    usage: "[OPTIONS]",
    about: "Remove all stopped containers",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let filters = ls::filters(parsed);
    if !parsed.bool("force") && !prune::confirm(WARNING)? {
        return Ok(0);
    }
    let client = context.connect().await?;
    prune::report(&[removed(&client, &filters).await?])?;
    Ok(0)
}

pub(crate) async fn removed(client: &Client, filters: &Filters) -> Result<Pruned> {
    let report = client.container_prune(filters).await?;
    let deleted = report.containers_deleted.unwrap_or_default();
    Ok(Pruned::new("Deleted Containers", &deleted, report.space_reclaimed))
}
