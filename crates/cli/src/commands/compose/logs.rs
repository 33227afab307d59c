//! `gantry compose logs`.

use client::containers::Logs;
use compose::apply::all;
use compose::labels;

use super::follow::{self, Printers, Shown};
use super::services::{self, Which, label};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Result;
use crate::flags::{Flag, Parsed};
use crate::time;

pub(crate) const COMMAND: Command = Command {
    name: "logs",
    aliases: &[],
    paths: &["compose logs"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "View output from containers",
    flags: &[&[
        Flag::bool("follow", "Follow log output").short('f'),
        Flag::int("index", "index of the container if service has multiple replicas"),
        Flag::bool("no-color", "Produce monochrome output"),
        Flag::bool("no-log-prefix", "Don't print prefix in logs"),
        Flag::string(
            "since",
            "Show logs since timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)",
        ),
        Flag::string("tail", "Number of lines to show from the end of the logs for each container")
            .short('n')
            .default("all"),
        Flag::bool("timestamps", "Show timestamps").short('t'),
        Flag::string(
            "until",
            "Show logs before a timestamp (e.g. 2013-01-02T13:23:37Z) or relative (e.g. 42m for 42 minutes)",
        ),
    ]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let logs = Logs {
        stdout: true,
        stderr: true,
        follow: parsed.bool("follow"),
        timestamps: parsed.bool("timestamps"),
        since: time::parse("since", parsed.str("since"))?,
        until: time::parse("until", parsed.str("until"))?,
        tail: parsed.string("tail"),
        ..Logs::default()
    };
    let client = &context.connect().await?;
    let (project, mut containers) =
        services::find(context, client, &parsed.args, Which::Services).await?;
    if let Some(index) = parsed.int_if_set("index") {
        containers.retain(|it| label(it, labels::NUMBER) == index.to_string());
    }
    let names: Vec<String> =
        containers.iter().map(|it| follow::short_name(it, &project.name)).collect();
    let shown = Shown {
        services: Vec::new(),
        timestamps: logs.timestamps,
        prefix: !parsed.bool("no-log-prefix"),
        colours: !parsed.bool("no-color") && context.group().str("ansi") != "never",
    };
    let printers = &Printers::new(&names, &shown);
    let logs = &logs;
    let follows = containers
        .iter()
        .enumerate()
        .map(|(at, container)| follow::follow(client, &container.id, logs, (printers, at)));
    all(follows).await.into_iter().collect::<Result<Vec<()>>>()?;
    Ok(0)
}
