//! `gantry container pause`: freezes them.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::for_each;
use crate::flags::Parsed;
use crate::output::say;

pub(crate) const COMMAND: Command = Command {
    name: "pause",
    aliases: &[],
    paths: &["container pause", "pause"],
    usage: "CONTAINER [CONTAINER...]",
    about: "Pause all processes of containers",
    flags: &[],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let client = &client;
    for_each(&parsed.args, async |id| {
        client.container_pause(id).await?;
        say(id)
    })
    .await?;
    Ok(0)
}
