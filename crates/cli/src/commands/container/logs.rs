//! `gantry container logs`: what a container wrote.

use client::containers::Logs;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::session::Demux;
use crate::time;

const FLAGS: &[Flag] = &[
    Flag::bool("details", "Show what the log driver was told to add"),
    Flag::bool("follow", "Go on with what is written from now on").short('f'),
    Flag::string(
        "since",
        "Only from this time on (\"2013-01-02T13:23:37Z\") or this long ago (\"42m\")",
    ),
    Flag::string("tail", "How many lines from the end").short('n').default("all"),
    Flag::bool("timestamps", "Show when each line was written").short('t'),
    Flag::string(
        "until",
        "Only before this time (\"2013-01-02T13:23:37Z\") or this long ago (\"42m\")",
    ),
];

pub(crate) const COMMAND: Command = Command {
    name: "logs",
    aliases: &[],
    paths: &["container logs", "logs"],
    usage: "[OPTIONS] CONTAINER",
    about: "Fetch the logs of a container",
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let since = time::parse("since", parsed.str("since"))?;
    let until = time::parse("until", parsed.str("until"))?;
    let client = context.connect().await?;
    let logs = Logs {
        stdout: true,
        stderr: true,
        follow: parsed.bool("follow"),
        timestamps: parsed.bool("timestamps"),
        details: parsed.bool("details"),
        since,
        until,
        tail: parsed.string("tail"),
    };
    let container = client.container_inspect(parsed.arg(0)).await?;
    let mut body = client.container_logs(&container.id, &logs).await?;
    let mut output = Demux::new(!container.config.tty);
    while let Some(chunk) = body.chunk().await? {
        output.feed(&chunk)?;
    }
    Ok(0)
}
