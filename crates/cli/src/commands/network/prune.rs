//! `gantry network prune`: removes networks that no container has joined.

use crate::command::{Args, Command, Done, run};
use crate::commands::container::ls;
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::print;
use crate::prune;

const WARNING: &str =
    "WARNING! This will remove all custom networks not used by at least one container.";

const FLAGS: &[Flag] =
    &[prune::filter("Provide filter values (e.g. \"until=<timestamp>\")"), prune::FORCE];

pub(crate) const COMMAND: Command = Command {
    name: "prune",
    aliases: &[],
    paths: &["network prune"],
    usage: "[OPTIONS]",
    about: "Remove all unused networks",
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
    let pruned = context.connect().await?.network_prune(&filters).await?;
    let deleted = pruned.networks_deleted.unwrap_or_default();
    if !deleted.is_empty() {
        let lines: String = deleted.iter().map(|name| format!("{name}\n")).collect();
        print(format!("Deleted Networks:\n{lines}\n"))?;
    }
    Ok(0)
}
