//! `gantry volume prune`: removes what no container has.

use api::Version;

use crate::command::{Args, Command, Done, run};
use crate::commands::container::ls;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{Flag, Parsed};
use crate::output::{print, say, units};
use crate::prune;

const FLAGS: &[Flag] = &[
    Flag::bool("all", "Remove all unused volumes, not just anonymous ones").short('a'),
    prune::filter("Provide filter values (e.g. \"label=<label>\")"),
    prune::FORCE,
];
const ANONYMOUS: &str =
    "WARNING! This will remove anonymous local volumes not used by at least one container.";
const ALL: &str = "WARNING! This will remove all local volumes not used by at least one container.";
/// From here on engines tell anonymous volumes from others.
const KNOWS_ANONYMOUS: Version = Version::v1(42);

pub(crate) const COMMAND: Command = Command {
    name: "prune",
    aliases: &[],
    paths: &["volume prune"],
    usage: "[OPTIONS]",
    about: "Remove unused local volumes",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let mut filters = ls::filters(parsed);
    let all = parsed.bool("all");
    if all && filters.contains("all") {
        return Err(Failure::with_code(
            125,
            "conflicting options: cannot specify both --all and --filter all=1",
        ));
    }
    let client = context.connect().await?;
    let told_apart =
        client.ping().await?.api_version.is_some_and(|version| version >= KNOWS_ANONYMOUS);
    if all && told_apart {
        filters.add("all", "true");
    }
    let warning = if all || !told_apart { ALL } else { ANONYMOUS };
    if !parsed.bool("force") && !prune::confirm(warning)? {
        return Ok(0);
    }
    let report = client.volume_prune(&filters).await?;
    let deleted = report.volumes_deleted.unwrap_or_default();
    if !deleted.is_empty() {
        let lines: String = deleted.iter().map(|name| format!("{name}\n")).collect();
        print(format!("Deleted Volumes:\n{lines}\n"))?;
    }
    say(format!("Total reclaimed space: {}", units::human_size(report.space_reclaimed as f64, 4)))?;
    Ok(0)
}
