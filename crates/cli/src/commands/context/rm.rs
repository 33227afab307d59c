//! `gantry context rm`.

use crate::command::{Args, Command, Done, run};
use crate::config_file;
use crate::context::Context;
use crate::contexts::DEFAULT;
use crate::error::{Failure, Result, for_each};
use crate::flags::{Flag, Parsed};
use crate::output::say;

const FLAGS: &[Flag] = &[Flag::bool("force", "Force the removal of a context in use").short('f')];

pub(crate) const COMMAND: Command = Command {
    name: "rm",
    aliases: &["remove"],
    paths: &["context rm", "context remove"],
    usage: "CONTEXT [CONTEXT...]",
    about: "Remove one or more contexts",
    flags: &[FLAGS],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let force = parsed.bool("force");
    for_each(&parsed.args, async |name| {
        remove(context, name, force)?;
        say(name)
    })
    .await?;
    Ok(0)
}

fn remove(context: &Context, name: &str, force: bool) -> Result<()> {
    if name == DEFAULT {
        return Err(Failure::new(format!("{DEFAULT}: context {DEFAULT:?} cannot be removed")));
    }
    let store = context.contexts();
    if !store.exists(name) && !force {
        return Err(Failure::new(format!("context {name:?} does not exist")));
    }
    if context.name() == name {
        if !force {
            return Err(Failure::new(format!(
                "context {name:?} is in use, set -f flag to force remove"
            )));
        }
        if context.config().current_context == name {
            config_file::set_current_context(&context.config_directory(), DEFAULT)?;
        }
    }
    store.remove(name)
}
