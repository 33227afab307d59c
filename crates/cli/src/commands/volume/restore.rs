//! `gantry volume restore`: in one step, while no container runs with the volume. Docker has no such command.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::Parsed;
use crate::output::say;

pub(crate) const COMMAND: Command = Command {
    name: "restore",
    aliases: &[],
    paths: &["volume restore"],
    usage: "VOLUME SNAPSHOT",
    about: "Replace the content by that of a snapshot",
    flags: &[],
    args: Args::Exactly(2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    client.volume_restore(parsed.arg(0), parsed.arg(1)).await?;
    say(parsed.arg(0))?;
    Ok(0)
}
