//! `gantry image prune`: removes what nothing uses.

use super::rm;
use crate::command::{Args, Command, Done, run};
use crate::commands::container::ls;
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::{print, say, units};
use crate::prune;

const FLAGS: &[Flag] =
    &[Flag::bool("all", "Remove named images that no container uses, too").short('a')];
const DANGLING: &str = "WARNING! This will remove all dangling images.";
const UNUSED: &str =
    "WARNING! This will remove all images without at least one container associated to them.";

pub(crate) const COMMAND: Command = Command {
    name: "prune",
    aliases: &[],
    paths: &["image prune"],
    usage: "[OPTIONS]",
    about: "Remove unused images",
    flags: &[FLAGS, prune::FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let all = parsed.bool("all");
    let mut filters = ls::filters(parsed);
    filters.add("dangling", if all { "false" } else { "true" });
    if !parsed.bool("force") && !prune::confirm(if all { UNUSED } else { DANGLING })? {
        return Ok(0);
    }
    let client = context.connect().await?;
    let report = client.image_prune(&filters).await?;
    let deleted = report.images_deleted.unwrap_or_default();
    if !deleted.is_empty() {
        print(format!(
            "Deleted Images:\n{}\n",
            rm::lines(&deleted)
                .replace("Untagged: ", "untagged: ")
                .replace("Deleted: ", "deleted: ")
        ))?;
    }
    say(format!("Total reclaimed space: {}", units::human_size(report.space_reclaimed as f64, 4)))?;
    Ok(0)
}
