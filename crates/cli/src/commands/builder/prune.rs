//! `gantry builder prune`: makes room in the build cache.

use crate::command::{Args, Command, Done, run};
use crate::commands::container::ls;
use crate::context::Context;
use crate::flags::{self, Flag, Parsed};
use crate::prune::{self, Pruned};

const FLAGS: &[Flag] = &[
    Flag::bool("all", "Include internal/frontend images").short('a'),
    prune::filter("Provide filter values (e.g., \"until=24h\")"),
    prune::FORCE,
    Flag::bytes("keep-storage", "Amount of disk space to keep for cache"),
    Flag::bytes("max-used-space", "Maximum amount of disk space allowed to keep for cache")
        .hidden(),
    Flag::bytes("reserved-space", "Amount of disk space always allowed to keep for cache").hidden(),
    Flag::bool("verbose", "Provide a more verbose output").hidden(),
    Flag::string("builder", "Override the configured builder instance").hidden(),
];
const DANGLING: &str =
    "WARNING! This will remove all dangling build cache. Are you sure you want to continue?";
const ALL: &str = "WARNING! This will remove all build cache. Are you sure you want to continue?";

pub(crate) const COMMAND: Command = Command {
    name: "prune",
    aliases: &[],
    paths: &["builder prune", "buildx prune"],
    usage: "",
    about: "Remove build cache",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let all = parsed.bool("all");
    let mut keep = 0;
    for name in ["keep-storage", "max-used-space", "reserved-space"] {
        if parsed.is_set(name) {
            keep = flags::bytes(parsed.str(name))?;
        }
    }
    if !parsed.bool("force") && !prune::ask(if all { ALL } else { DANGLING })? {
        return Ok(0);
    }
    let client = context.connect().await?;
    let report = client.build_prune(all, keep, &ls::filters(parsed)).await?;
    let deleted = report.caches_deleted.unwrap_or_default();
    let pruned = Pruned::new("Deleted build cache objects", &deleted, report.space_reclaimed);
    prune::report(&[pruned])?;
    Ok(0)
}
