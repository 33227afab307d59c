//! `gantry container stop`: politely, then by force.

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
    name: "stop",
    aliases: &[],
    paths: &["container stop", "stop"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Stop running containers",
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
        client.container_stop(id, stop).await?;
        say(id)
    })
    .await?;
    Ok(0)
}
