//! `gantry volume rename`: gives a volume that no container has another name. Docker has no such command.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::Parsed;
use crate::output::say;

pub(crate) const COMMAND: Command = Command {
    name: "rename",
    aliases: &[],
    paths: &["volume rename"],
    usage: "VOLUME NEW_NAME",
    about: "Rename a volume",
    flags: &[],
    args: Args::Exactly(2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    client.volume_rename(parsed.arg(0), parsed.arg(1)).await?;
    say(parsed.arg(1))?;
    Ok(0)
}
