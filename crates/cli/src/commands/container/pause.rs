//! `gantry container pause`: freezes them.

use super::on_each;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::Parsed;

pub(crate) const COMMAND: Command = Command {
    name: "pause",
    aliases: &[],
    paths: &["container pause", "pause"],
    usage: "CONTAINER [CONTAINER...]",
    about: "Pause all processes within one or more containers",
    flags: &[],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    on_each(context, parsed, async |client, id| client.container_pause(id).await).await
}
