//! `gantry container kill`: by a signal, at once.

use super::on_each;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};

const FLAGS: &[Flag] = &[Flag::string("signal", "Signal to send to the container").short('s')];

pub(crate) const COMMAND: Command = Command {
    name: "kill",
    aliases: &[],
    paths: &["container kill", "kill"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Kill one or more running containers",
    flags: &[FLAGS],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let signal = parsed.str("signal");
    on_each(context, parsed, async |client, id| client.container_kill(id, signal).await).await
}
