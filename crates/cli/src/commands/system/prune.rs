//! `gantry system prune`: removes whatever nothing uses.

use api::Filters;
use client::Client;
use client::system::Prunable;

use crate::command::{Args, Command, Done, run};
use crate::commands::container::{self, ls};
use crate::commands::image;
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::prune::{self, Pruned};

const FLAGS: &[Flag] = &[
    Flag::bool("all", "Remove all unused images not just dangling ones").short('a'),
    Flag::bool("volumes", "Prune anonymous volumes"),
    prune::filter("Provide filter values (e.g. \"label=<key>=<value>\")"),
    prune::FORCE,
];

pub(crate) const COMMAND: Command = Command {
    name: "prune",
    aliases: &[],
    paths: &["system prune"],
    usage: "[OPTIONS]",
    about: "Remove unused data",
    flags: &[FLAGS],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (all, volumes) = (parsed.bool("all"), parsed.bool("volumes"));
    let filters = ls::filters(parsed);
    if volumes && filters.contains("until") {
        return Err(Failure::new(
            "ERROR: The \"until\" filter is not supported with \"--volumes\"",
        ));
    }
    if !parsed.bool("force") && !prune::confirm(&warning(all, volumes, parsed.list("filter")))? {
        return Ok(0);
    }
    let client = context.connect().await?;
    let mut removed = vec![container::prune::removed(&client, &filters).await?];
    removed.push(others(&client, Prunable::Networks, all, &filters).await?);
    if volumes {
        removed.push(others(&client, Prunable::Volumes, all, &filters).await?);
    }
    removed.push(image::prune::removed(&client, all, filters.clone()).await?);
    removed.push(others(&client, Prunable::BuildCache, all, &filters).await?);
    prune::report(&removed)?;
    Ok(0)
}

async fn others(client: &Client, what: Prunable, all: bool, filters: &Filters) -> Result<Pruned> {
    let title = match what {
        Prunable::Networks => "Deleted Networks",
        Prunable::Volumes => "Deleted Volumes",
        Prunable::BuildCache => "Deleted build cache objects",
    };
    let pruned = client.system_prune(what, all, filters).await?;
    Ok(Pruned::new(title, &pruned.deleted.unwrap_or_default(), pruned.space_reclaimed))
}

fn warning(all: bool, volumes: bool, mut filters: Vec<String>) -> String {
    let mut going =
        vec!["all stopped containers", "all networks not used by at least one container"];
    if volumes {
        going.push("all anonymous volumes not used by at least one container");
    }
    going.push(match all {
        true => "all images without at least one container associated to them",
        false => "all dangling images",
    });
    going.push(if all { "all build cache" } else { "unused build cache" });
    let going: String = going.iter().map(|what| format!("  - {what}\n")).collect();
    filters.sort();
    let filters: String = filters.iter().map(|filter| format!("  - {filter}\n")).collect();
    let filtered = match filters.as_str() {
        "" => filters,
        filters => format!("\n  Items to be pruned will be filtered with:\n{filters}"),
    };
    format!("WARNING! This will remove:\n{going}{filtered}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_warning_names_all_that_goes() {
        assert_eq!(
            warning(true, true, vec!["until=1h".into(), "label=x".into()]),
            "WARNING! This will remove:\n  - all stopped containers\n  \
             - all networks not used by at least one container\n  \
             - all anonymous volumes not used by at least one container\n  \
             - all images without at least one container associated to them\n  - all build cache\n\n  \
             Items to be pruned will be filtered with:\n  - label=x\n  - until=1h\n"
        );
    }
}
