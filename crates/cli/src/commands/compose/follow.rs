//! The output of several containers at once, each line with its container's name before it.

use std::io::{IsTerminal, Write};

use api::containers::Summary;
use api::stream::Stream;
use client::Client;
use client::containers::Logs;
use compose::apply::{self, all};
use compose::labels;
use compose::model::Project;

use super::services::{self, label};
use crate::command::Done;
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::output::{say, warn};
use crate::session::Demux;
use crate::session::Signals;

/// When an `up` that is watched ends.
pub(super) enum Ending {
    WithTheLast,
    WithTheFirst,
    /// With the first, by the exit code of a service.
    As(String),
}

pub(super) struct Shown {
    pub(super) services: Vec<String>,
    pub(super) timestamps: bool,
    pub(super) prefix: bool,
    pub(super) colours: bool,
}

/// Shows what containers write until they end or somebody wants it to.
pub(super) async fn up(
    context: &Context,
    client: &Client,
    project: &Project,
    shown: &Shown,
    (ending, since, timeout): (Ending, jiff::Timestamp, Option<i64>),
) -> Done {
    // Before anybody is told that there is something to interrupt.
    let mut signals = Signals::catch()?;
    let mut containers =
        apply::containers(client, &project.name).await.map_err(services::failure)?;
    containers.retain(|it| project.services.contains_key(&label(it, labels::SERVICE)));
    containers.retain(|it| label(it, labels::ONE_OFF) != "True");
    let mut shown_ones: Vec<&Summary> = containers
        .iter()
        .filter(|it| shown.services.contains(&label(it, labels::SERVICE)))
        .collect();
    shown_ones.sort_by_key(|it| short_name(it, &project.name));
    let names: Vec<String> = shown_ones.iter().map(|it| short_name(it, &project.name)).collect();
    say(format_args!("Attaching to {}", names.join(", ")))?;
    let logs = Logs {
        stdout: true,
        stderr: true,
        follow: true,
        timestamps: shown.timestamps,
        since: format!("{}.{:09}", since.as_second(), since.subsec_nanosecond()),
        tail: "all".to_owned(),
        ..Logs::default()
    };
    let printer = Printers::new(&names, shown);
    let follows = shown_ones.iter().enumerate().map(|(at, container)| {
        let (printer, logs) = (&printer, logs.clone());
        async move { follow_to_the_end(client, container, logs, (printer, at)).await }
    });
    let ended = async {
        match &ending {
            Ending::WithTheLast => {
                all(follows).await.into_iter().collect::<Result<Vec<_>>>().map(|_| None)
            }
            _ => apply::first(follows).await.transpose(),
        }
    };
    let code = tokio::select! {
        ended = ended => match (ended?, &ending) {
            (None, _) => return Ok(0),
            (Some(code), _) => {
                warn("Aborting on container exit...");
                code
            }
        },
        _ = interrupted(&mut signals) => {
            warn("Gracefully stopping... (press Ctrl+C again to force)");
            130
        }
    };
    tokio::select! {
        stopped = services::stop(context, client, (Some(project), &containers), timeout) => drop(stopped?),
        _ = interrupted(&mut signals) => {
            services::each(context, &containers, ("Killing", "Killed"), |it| async move {
                match client.container_kill(&it.id, "KILL").await {
                    Err(error) if error.status() == Some(409) => Ok(()),
                    result => result,
                }
            })
            .await?;
        }
    }
    match ending {
        Ending::As(service) if code != 130 => {
            let of_service = containers.iter().find(|it| label(it, labels::SERVICE) == service);
            let container =
                of_service.ok_or_else(|| Failure::new(format!("no such service: {service}")))?;
            let code = client.container_inspect(&container.id).await?.state.exit_code;
            Ok((code & 0xff) as u8)
        }
        _ => Ok(code),
    }
}

async fn interrupted(signals: &mut Signals) {
    while !matches!(signals.next().await, "INT" | "TERM") {}
}

/// Through restarts, to the exit code of the end.
async fn follow_to_the_end(
    client: &Client,
    container: &Summary,
    mut logs: Logs,
    (printers, at): (&Printers, usize),
) -> Result<u8> {
    loop {
        follow(client, &container.id, &logs, (printers, at)).await?;
        let state = match client.container_inspect(&container.id).await {
            Err(error) if error.is_not_found() => return Ok(0),
            inspected => inspected?.state,
        };
        if !state.running && !state.restarting {
            printers.line(
                at,
                Stream::Stdout,
                format!("exited with code {}", state.exit_code).as_bytes(),
            )?;
            return Ok((state.exit_code & 0xff) as u8);
        }
        let now = jiff::Timestamp::now();
        logs.since = format!("{}.{:09}", now.as_second(), now.subsec_nanosecond());
        if state.restarting {
            client
                .container_wait(&container.id, client::containers::WaitCondition::NextExit)
                .await?;
        }
    }
}

/// One container's output as far as it goes.
pub(super) async fn follow(
    client: &Client,
    id: &str,
    logs: &Logs,
    (printers, at): (&Printers, usize),
) -> Result<()> {
    let tty = client.container_inspect(id).await?.config.tty;
    let mut body = client.container_logs(id, logs).await?;
    let mut demux = Demux::new(!tty);
    let mut lines = Lines::default();
    while let Some(chunk) = body.chunk().await? {
        demux.feed_to(&chunk, &mut |stream, data| {
            lines.feed(data, |line| printers.line(at, stream, line))
        })?;
    }
    lines.finish(|line| printers.line(at, Stream::Stdout, line))
}

/// Without the project's name.
pub(super) fn short_name(container: &Summary, project: &str) -> String {
    let name = services::name(container);
    name.strip_prefix(&format!("{project}-")).map_or_else(|| name.clone(), str::to_owned)
}

#[derive(Default)]
struct Lines(Vec<u8>);

impl Lines {
    fn feed(&mut self, data: &[u8], mut print: impl FnMut(&[u8]) -> Result<()>) -> Result<()> {
        self.0.extend_from_slice(data);
        while let Some(end) = self.0.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.0.drain(..=end).collect();
            print(line[..end].strip_suffix(b"\r").unwrap_or(&line[..end]))?;
        }
        Ok(())
    }

    fn finish(self, print: impl FnOnce(&[u8]) -> Result<()>) -> Result<()> {
        if self.0.is_empty() { Ok(()) } else { print(&self.0) }
    }
}

const COLOURS: [u8; 12] = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94, 31, 91];

/// What stands before each container's lines.
pub(super) struct Printers(Vec<String>);

impl Printers {
    pub(super) fn new(names: &[String], shown: &Shown) -> Self {
        let width = names.iter().map(String::len).max().unwrap_or_default() + 1;
        let colours = shown.colours && std::io::stdout().is_terminal();
        let prefix = |(at, name): (usize, &String)| match (shown.prefix, colours) {
            (false, _) => String::new(),
            (true, false) => format!("{name:width$} | "),
            (true, true) => {
                let colour = COLOURS[at % COLOURS.len()];
                format!("\x1b[{colour}m{name:width$} | \x1b[0m")
            }
        };
        Self(names.iter().enumerate().map(prefix).collect())
    }

    fn line(&self, at: usize, stream: Stream, line: &[u8]) -> Result<()> {
        let mut text = self.0[at].clone().into_bytes();
        text.extend_from_slice(line);
        text.push(b'\n');
        let written = match stream {
            Stream::Stderr | Stream::SystemError => std::io::stderr().lock().write_all(&text),
            Stream::Stdin | Stream::Stdout => std::io::stdout().lock().write_all(&text),
        };
        match written {
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Err(Failure::silent(0)),
            written => Ok(written?),
        }
    }
}
