//! `gantry container kill`: by a signal, at once.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::for_each;
use crate::flags::{Flag, Parsed};
use crate::output::say;

const FLAGS: &[Flag] = &[Flag::string("signal", "Signal to send (default KILL)").short('s')];

pub(crate) const COMMAND: Command = Command {
    name: "kill",
    aliases: &[],
    paths: &["container kill", "kill"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Kill running containers",
    flags: &[FLAGS],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let client = &client;
    for_each(&parsed.args, async |id| {
        client.container_kill(id, parsed.str("signal")).await?;
        say(id)
    })
    .await?;
    Ok(0)
}
