//! `gantry volume clone`: the file system shares the blocks where it can. Docker has no such command.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::Parsed;
use crate::output::say;

pub(crate) const COMMAND: Command = Command {
    name: "clone",
    aliases: &[],
    paths: &["volume clone"],
    usage: "VOLUME NEW_VOLUME",
    about: "Make a new volume with a copy of the content",
    flags: &[],
    args: Args::Exactly(2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    say(client.volume_clone(parsed.arg(0), parsed.arg(1)).await?.name)?;
    Ok(0)
}
