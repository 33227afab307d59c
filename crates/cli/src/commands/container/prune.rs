//! `gantry container prune`: removes what is stopped.

use super::ls;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::Parsed;
use crate::output::{print, say, units};
use crate::prune;

const WARNING: &str = "WARNING! This will remove all stopped containers.";

pub(crate) const COMMAND: Command = Command {
    name: "prune",
    aliases: &[],
    paths: &["container prune"],
    usage: "[OPTIONS]",
    about: "Remove all stopped containers",
    flags: &[prune::FLAGS],
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
    let report = client.container_prune(&filters).await?;
    let deleted = report.containers_deleted.unwrap_or_default();
    if !deleted.is_empty() {
        let lines: String = deleted.iter().map(|id| format!("{id}\n")).collect();
        print(format!("Deleted Containers:\n{lines}\n"))?;
    }
    say(format!("Total reclaimed space: {}", units::human_size(report.space_reclaimed as f64, 4)))?;
    Ok(0)
}
