//! `gantry container logs`: what a container wrote.

use client::Client;
use client::containers::Logs;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Result;
use crate::flags::{Flag, Parsed};
use crate::session::{Demux, Entries, Grep, Resume, ask_next_engine};
use crate::time;

const FLAGS: &[Flag] = &[
    Flag::bool("details", "Show extra details provided to logs"),
    Flag::bool("follow", "Follow log output").short('f'),
    Flag::string("grep", "Only lines that match this regular expression"),
    Flag::string(
        "since",
        "Show logs since timestamp (e.g. \"2013-01-02T13:23:37Z\") or \
        relative (e.g. \"42m\" for 42 minutes)",
    ),
    Flag::string("tail", "Number of lines to show from the end of the logs")
        .short('n')
        .default("all"),
    Flag::bool("timestamps", "Show timestamps").short('t'),
    Flag::string(
        "until",
        "Show logs before a timestamp (e.g. \"2013-01-02T13:23:37Z\") or \
        relative (e.g. \"42m\" for 42 minutes)",
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
    let pattern = Some(parsed.str("grep")).filter(|pattern| !pattern.is_empty());
    // Refused before anybody is asked.
    pattern.map(|pattern| Grep::new(pattern, true)).transpose()?;
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
    let mut printer = Printer::new(pattern, !container.config.tty)?;
    let entries = if container.config.tty { Entries::Raw } else { Entries::Framed };
    // With details in front of it, a piece of a terminal's line has no length to be told by.
    if logs.follow && !(container.config.tty && logs.details) {
        follow(&client, &container.id, logs, entries, &mut printer).await?;
        return printer.finish();
    }
    let mut body = client.container_logs(&container.id, &logs).await?;
    while let Some(chunk) = body.chunk().await? {
        printer.print(&chunk)?;
    }
    printer.finish()
}

/// Writes what matches to where it was written.
struct Printer {
    grep: Option<Grep>,
    output: Demux,
}

impl Printer {
    fn new(pattern: Option<&str>, framed: bool) -> Result<Self> {
        let grep = pattern.map(|pattern| Grep::new(pattern, framed)).transpose()?;
        Ok(Self { grep, output: Demux::new(framed) })
    }

    fn print(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.grep {
            Some(grep) => self.output.feed(&grep.feed(bytes)?),
            None => self.output.feed(bytes),
        }
    }

    fn finish(mut self) -> Done {
        if let Some(grep) = self.grep.take() {
            self.output.feed(&grep.finish())?;
        }
        Ok(0)
    }
}

/// Goes on where it was when the engine is replaced.
async fn follow(
    client: &Client,
    container: &str,
    mut logs: Logs,
    entries: Entries,
    printer: &mut Printer,
) -> Result<()> {
    let mut resume = Resume::new(std::mem::replace(&mut logs.timestamps, true), entries);
    let begin = time::parse("since", "0s")?;
    while let Some(lost) = print(client, container, &logs, &mut resume, printer).await? {
        ask_next_engine(|| client.ping()).await.map_err(|_| lost)?;
        match resume.reconnected() {
            Some(place) => logs.since = time::parse("since", place)?,
            // Lines from the end: what was written since then is new.
            None if logs.tail != "all" => logs.since.clone_from(&begin),
            None => {}
        }
        logs.tail = "all".into();
    }
    printer.print(&resume.finish())
}

/// Prints to the end, or until the engine is lost.
async fn print(
    client: &Client,
    container: &str,
    logs: &Logs,
    resume: &mut Resume,
    printer: &mut Printer,
) -> Result<Option<client::Error>> {
    let mut body = match client.container_logs(container, logs).await {
        Ok(body) => body,
        Err(refused) if refused.status().is_some() => return Err(refused.into()),
        Err(lost) => return Ok(Some(lost)),
    };
    loop {
        match body.chunk().await {
            Ok(Some(chunk)) => printer.print(&resume.feed(&chunk)?)?,
            Ok(None) => return Ok(None),
            Err(lost) => return Ok(Some(lost)),
        }
    }
}
