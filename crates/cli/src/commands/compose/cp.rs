//! `gantry compose cp`: `gantry cp` with a service in place of a container.

use super::services::{self, Which};
use crate::command::{Args, Command, Done, run};
use crate::commands::container::cp;
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};

pub(crate) const COMMAND: Command = Command {
    name: "cp",
    aliases: &[],
    paths: &["compose cp"],
    usage: "[OPTIONS] SERVICE:SRC_PATH DEST_PATH|-\n\tgantry compose cp [OPTIONS] SRC_PATH|- SERVICE:DEST_PATH",
    about: "Copy files/folders between a service container and the local filesystem",
    flags: &[&[
        Flag::bool("all", "Include containers created by the run command"),
        Flag::bool("archive", "Archive mode (copy all uid/gid information)").short('a'),
        Flag::bool("follow-link", "Always follow symbol link in SRC_PATH").short('L'),
        Flag::int("index", "Index of the container if service has multiple replicas"),
    ]],
    args: Args::Exactly(2),
    trailing: false,
    run: run!(run),
};

/// From a service's first container, or into all that it has.
async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (from, source) = cp::split_argument(parsed.arg(0));
    let (to, destination) = cp::split_argument(parsed.arg(1));
    match (from, to) {
        ("", "") => Err(Failure::new("unknown copy direction")),
        (service, "") => {
            let names = containers(context, parsed, service).await?;
            copy(context, parsed, &[format!("{}:{source}", names[0]), destination.to_owned()]).await
        }
        ("", service) => {
            for name in containers(context, parsed, service).await? {
                let into = format!("{name}:{destination}");
                copy(context, parsed, &[source.to_owned(), into]).await?;
            }
            Ok(0)
        }
        _ => Err(Failure::new("copying between services is not supported")),
    }
}

/// The names of those that are meant: at least one.
async fn containers(context: &Context, parsed: &Parsed, service: &str) -> Result<Vec<String>> {
    let client = context.connect().await?;
    let which = if parsed.bool("all") { Which::All } else { Which::Services };
    let (_, mut found) = services::find(context, &client, &[service.to_owned()], which).await?;
    if let Some(index) = parsed.int_if_set("index") {
        found.retain(|it| services::is_number(it, index));
    }
    if found.is_empty() {
        return Err(Failure::new(format!("no container found for service {service:?}")));
    }
    Ok(found.iter().map(services::name).collect())
}

async fn copy(context: &Context, parsed: &Parsed, paths: &[String]) -> Done {
    let switches = ["archive", "follow-link"].into_iter().filter(|name| parsed.bool(name));
    let mut words: Vec<String> = switches.map(|name| format!("--{name}")).collect();
    words.push("--".to_owned());
    words.extend_from_slice(paths);
    services::as_typed(context, &cp::COMMAND, &words).await
}
