//! `gantry context use`: which context is current.

use crate::command::{Args, Command, Done, run};
use crate::config_file;
use crate::context::Context;
use crate::contexts::DEFAULT;
use crate::flags::Parsed;
use crate::output::{say, warn};

pub(crate) const COMMAND: Command = Command {
    name: "use",
    aliases: &[],
    paths: &["context use"],
    usage: "CONTEXT",
    about: "Set the current gantry context",
    flags: &[],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let name = parsed.arg(0);
    if name != DEFAULT {
        context.contexts().load(name)?;
    }
    config_file::set_current_context(&context.config_directory(), name)?;
    say(name)?;
    warn(format!("Current context is now {name:?}"));
    if name != DEFAULT && context.is_overridden_by_environment() {
        warn(format!(
            "Warning: DOCKER_HOST environment variable overrides the active context. To use {name:?}, either set the global --context flag, or unset DOCKER_HOST environment variable."
        ));
    }
    Ok(0)
}
