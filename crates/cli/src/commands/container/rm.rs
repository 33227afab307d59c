//! `gantry container rm`: with their writable layers.

use client::containers::Remove;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, for_each};
use crate::flags::{Flag, Parsed};
use crate::output::{say, warn};

const FLAGS: &[Flag] = &[
    Flag::bool("force", "Force the removal of a running container (uses SIGKILL)").short('f'),
    Flag::bool("link", "Remove the specified link").short('l'),
    Flag::bool("volumes", "Remove anonymous volumes associated with the container").short('v'),
];

pub(crate) const COMMAND: Command = Command {
    name: "rm",
    aliases: &["remove"],
    paths: &["container rm", "container remove", "rm"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Remove one or more containers",
    flags: &[FLAGS],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let how = Remove {
        force: parsed.bool("force"),
        volumes: parsed.bool("volumes"),
        link: parsed.bool("link"),
    };
    let client = &context.connect().await?;
    for_each(&parsed.args, async |id| {
        if id.trim_matches('/').is_empty() {
            return Err(Failure::new("Container name cannot be empty"));
        }
        match client.container_remove(id, how).await {
            // What is to be gone by force may be gone already.
            Err(error) if how.force && error.is_not_found() => {
                warn(&error);
                Ok(())
            }
            result => result.map_err(Failure::from).and_then(|()| say(id)),
        }
    })
    .await?;
    Ok(0)
}
