//! `gantry container stop`: politely, then by force.

use client::containers::Stop;

use super::on_each;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::Parsed;

pub(crate) const COMMAND: Command = Command {
    name: "stop",
    aliases: &[],
    paths: &["container stop", "stop"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Stop one or more running containers",
    flags: &[super::STOP],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let stop = Stop { signal: parsed.string("signal"), timeout: parsed.int_if_set("time") };
    on_each(context, parsed, async |client, id| client.container_stop(id, &stop).await).await
}
