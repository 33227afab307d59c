//! `gantry compose down`.

use compose::apply::{self, Down};

use super::progress::Progress;
use super::project;
use super::services::{all_or, failure};
use super::up::REMOVE_ORPHANS;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::warn;

pub(crate) const COMMAND: Command = Command {
    name: "down",
    aliases: &[],
    paths: &["compose down"],
    usage: "[OPTIONS] [SERVICES]",
    about: "Stop and remove containers, networks",
    flags: &[&[
        REMOVE_ORPHANS,
        Flag::string(
            "rmi",
            "Remove images used by services. \"local\" remove only images that don't have a custom tag (\"local\"|\"all\")",
        ),
        Flag::int("timeout", "Specify a shutdown timeout in seconds").short('t'),
        Flag::bool(
            "volumes",
            "Remove named volumes declared in the \"volumes\" section of the Compose file and anonymous volumes attached to containers",
        )
        .short('v'),
    ]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let project = project::named(context, &[])?;
    let (name, services, model) = (&project.name, project.services(), project.model()?);
    let client = context.connect().await?;
    let progress = Progress::of(context);
    let services = match (parsed.args.is_empty(), services.is_empty()) {
        (false, _) => Some(parsed.args.clone()),
        (true, false) => Some(services),
        (true, true) => None,
    };
    let down = Down {
        project: model.as_ref(),
        volumes: parsed.bool("volumes"),
        services,
        remove_orphans: parsed.bool("remove-orphans"),
        timeout: parsed.int_if_set("timeout"),
        images: images(context, parsed)?,
    };
    let report = |event| progress.report(event);
    let (found, failures) = apply::down(&client, name, &down, &report).await.map_err(failure)?;
    if !found && failures.is_empty() {
        warn(format_args!("Warning: No resource found to remove for project \"{name}\"."));
    }
    all_or(failures)
}

fn images(context: &Context, parsed: &Parsed) -> Result<Vec<String>> {
    let wanted = parsed.str("rmi");
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    if !matches!(wanted, "local" | "all") {
        return Err(Failure::new(format!("invalid value for --rmi: {wanted:?}")));
    }
    let project = project::model(context, &[])?;
    let meant = project.services.values().filter(|it| wanted == "all" || it.image.is_empty());
    let mut names: Vec<String> = meant.map(|service| service.image_name(&project.name)).collect();
    names.sort();
    names.dedup();
    Ok(names)
}
