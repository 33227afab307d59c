//! `gantry container restart`: a stop and a start.

use client::containers::Stop;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::for_each;
use crate::flags::{Flag, Parsed};
use crate::output::say;

const FLAGS: &[Flag] = &[
    Flag::string("signal", "Signal to send first").short('s'),
    Flag::int("time", "Seconds to wait before the container is killed").short('t'),
];

pub(crate) const COMMAND: Command = Command {
    name: "restart",
    aliases: &[],
    paths: &["container restart", "restart"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Restart containers",
    flags: &[FLAGS],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let stop = Stop { signal: parsed.string("signal"), timeout: parsed.int_if_set("time") };
    let stop = &stop;
    let client = &client;
    for_each(&parsed.args, async |id| {
        client.container_restart(id, stop).await?;
        say(id)
    })
    .await?;
    Ok(0)
}
