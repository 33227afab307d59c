//! `gantry compose kill`.

use super::services::{self, Which};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};

pub(crate) const COMMAND: Command = Command {
    name: "kill",
    aliases: &[],
    paths: &["compose kill"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "Force stop service containers",
    flags: &[&[Flag::string("signal", "SIGNAL to send to the container")
        .short('s')
        .default("SIGKILL")]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let signal = parsed.str("signal");
    let client = &context.connect().await?;
    let (_, containers) = services::find(context, client, &parsed.args, Which::Running).await?;
    services::each(context, &containers, ("Killing", "Killed"), |it| async move {
        client.container_kill(&it.id, signal).await
    })
    .await
}
