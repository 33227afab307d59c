//! `gantry container logs`: what a container wrote.

use client::Client;
use client::containers::Logs;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Result;
use crate::flags::{Flag, Parsed};
use crate::session::{Demux, Resume, ask_next_engine};

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
    // A terminal's bytes have no bounds that would tell one entry from the next.
    if logs.follow && !container.config.tty {
        return follow(&client, &container.id, logs).await;
    }
    let mut body = client.container_logs(&container.id, &logs).await?;
    let mut output = Demux::new(!container.config.tty);
    while let Some(chunk) = body.chunk().await? {
        output.feed(&chunk)?;
    }
    Ok(0)
}

/// Goes on where it was when the engine is replaced.
async fn follow(client: &Client, container: &str, mut logs: Logs) -> Done {
    let mut output = Demux::new(true);
    let mut resume = Resume::new(std::mem::replace(&mut logs.timestamps, true));
    let begin = time::parse("since", "0s")?;
    while let Some(lost) = print(client, container, &logs, &mut resume, &mut output).await? {
        ask_next_engine(|| client.ping()).await.map_err(|_| lost)?;
        match resume.reconnected() {
            Some(place) => logs.since = time::parse("since", place)?,
            // Lines from the end: what was written since then is new.
            None if logs.tail != "all" => logs.since.clone_from(&begin),
            None => {}
        }
        logs.tail = "all".into();
    }
    Ok(0)
}

/// Prints to the end, or until the engine is lost.
async fn print(
    client: &Client,
    container: &str,
    logs: &Logs,
    resume: &mut Resume,
    output: &mut Demux,
) -> Result<Option<client::Error>> {
    let mut body = match client.container_logs(container, logs).await {
        Ok(body) => body,
        Err(refused) if refused.status().is_some() => return Err(refused.into()),
        Err(lost) => return Ok(Some(lost)),
    };
    loop {
        match body.chunk().await {
            Ok(Some(chunk)) => output.feed(&resume.feed(&chunk)?)?,
            Ok(None) => return Ok(None),
            Err(lost) => return Ok(Some(lost)),
        }
    }
}
