//! `gantry completion`: scripts for shells.

use crate::command::{Args, Command, Done, run};
use crate::completion;
use crate::context::Context;
use crate::error::Failure;
use crate::flags::Parsed;
use crate::output::print;

pub(crate) const COMMAND: Command = Command {
    name: "completion",
    aliases: &[],
    paths: &["completion"],
    usage: "bash|zsh|fish",
    about: "Print the completion script of a shell",
    flags: &[],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(_: &Context, parsed: &Parsed) -> Done {
    let shell = parsed.arg(0);
    let script = completion::script(shell).ok_or_else(|| {
        Failure::new(format!("no completion for {shell:?}: bash, zsh and fish have one"))
    })?;
    print(script)?;
    Ok(0)
}
