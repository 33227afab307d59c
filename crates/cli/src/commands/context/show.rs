//! `gantry context show`: the name of the context in force.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::Parsed;
use crate::output::say;

pub(crate) const COMMAND: Command = Command {
    name: "show",
    aliases: &[],
    paths: &["context show"],
    usage: "",
    about: "Print the name of the current context",
    flags: &[],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, _: &Parsed) -> Done {
    say(context.name())?;
    Ok(0)
}
