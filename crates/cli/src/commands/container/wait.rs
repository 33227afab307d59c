//! `gantry container wait`: for the end.

use client::containers::WaitCondition;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, for_each};
use crate::flags::Parsed;
use crate::output::say;

pub(crate) const COMMAND: Command = Command {
    name: "wait",
    aliases: &[],
    paths: &["container wait", "wait"],
    usage: "CONTAINER [CONTAINER...]",
    about: "Block until one or more containers stop, then print their exit \
        codes",
    flags: &[],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let client = &client;
    for_each(&parsed.args, async |id| {
        let answer = client.container_wait(id, WaitCondition::NotRunning).await?;
        if let Some(error) = answer.error.filter(|e| !e.message.is_empty()) {
            return Err(Failure::new(error.message));
        }
        say(answer.status_code)
    })
    .await?;
    Ok(0)
}
