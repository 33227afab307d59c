//! `gantry compose wait`.

use client::containers::WaitCondition;
use compose::apply::{self, Down};

use super::progress::Progress;
use super::services::{self, Which, all_or, failure};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::say;

pub(crate) const COMMAND: Command = Command {
    name: "wait",
    aliases: &[],
    paths: &["compose wait"],
    usage: "SERVICE [SERVICE...] [OPTIONS]",
    about: "Block until containers of all (or specified) services stop.",
    flags: &[&[Flag::bool("down-project", "Drops project when the first container stops")]],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

/// Ends with the code of the container that stops last, or, where that ends the project, first.
async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = &context.connect().await?;
    let (project, containers) =
        services::find(context, client, &parsed.args, Which::Running).await?;
    if containers.is_empty() {
        return Err(Failure::new(format!("no containers for project {:?}", project.name)));
    }
    let ended = containers.iter().map(|container| async move {
        let answer = client.container_wait(&container.id, WaitCondition::NotRunning).await?;
        let (id, code) = (&container.id, answer.status_code);
        say(format_args!("container {id:?} exited with status code {code}"))?;
        Ok::<_, Failure>((code & 0xff) as u8)
    });
    if parsed.bool("down-project") {
        let code = apply::first(ended).await.unwrap_or(Ok(0))?;
        let progress = Progress::of(context);
        let report = |event| progress.report(event);
        let model = project.model()?;
        let down = Down { project: model.as_ref(), ..Down::default() };
        let (_, failures) =
            apply::down(client, &project.name, &down, &report).await.map_err(failure)?;
        all_or(failures)?;
        return Ok(code);
    }
    let last = std::cell::Cell::new(0);
    let ended = ended.map(async |ended| {
        last.set(ended.await?);
        Ok(())
    });
    apply::all(ended).await.into_iter().collect::<Result<()>>()?;
    Ok(last.get())
}
