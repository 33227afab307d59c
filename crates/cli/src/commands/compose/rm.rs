//! `gantry compose rm`.

use std::io::IsTerminal;

use client::containers::Remove;

use super::services::{self, Which};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::{say, warn_part};

pub(crate) const COMMAND: Command = Command {
    name: "rm",
    aliases: &[],
    paths: &["compose rm"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "Removes stopped service containers",
    flags: &[&[
        Flag::bool("force", "Don't ask to confirm removal").short('f'),
        Flag::bool("stop", "Stop the containers, if required, before removing").short('s'),
        Flag::bool("volumes", "Remove any anonymous volumes attached to containers").short('v'),
    ]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = &context.connect().await?;
    let (project, mut containers) =
        services::find(context, client, &parsed.args, Which::All).await?;
    if parsed.bool("stop") {
        let running = containers.iter().filter(|it| it.state == "running").cloned();
        let running: Vec<_> = running.collect();
        let model = project.model()?;
        services::stop(context, client, (model.as_ref(), &running), None).await?;
    } else {
        containers.retain(|it| !matches!(it.state.as_str(), "running" | "restarting" | "paused"));
    }
    if containers.is_empty() {
        say("No stopped containers")?;
        return Ok(0);
    }
    let names: Vec<String> = containers.iter().map(services::name).collect();
    if !parsed.bool("force") && !confirmed(&names) {
        return Ok(0);
    }
    let remove = Remove { force: true, volumes: parsed.bool("volumes"), link: false };
    services::each(context, &containers, ("Removing", "Removed"), |it| async move {
        client.container_remove(&it.id, remove).await
    })
    .await
}

fn confirmed(names: &[String]) -> bool {
    if !std::io::stdin().is_terminal() {
        return true;
    }
    warn_part(format_args!("? Going to remove {} [yN] ", names.join(", ")));
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}
