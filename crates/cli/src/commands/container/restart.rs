//! `gantry container restart`: a stop and a start.

use client::containers::Stop;

use super::on_each;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::Parsed;

pub(crate) const COMMAND: Command = Command {
    name: "restart",
    aliases: &[],
    paths: &["container restart", "restart"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Restart one or more containers",
    flags: &[super::STOP],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let stop = Stop { signal: parsed.string("signal"), timeout: parsed.int_if_set("time") };
    on_each(context, parsed, async |client, id| client.container_restart(id, &stop).await).await
}
