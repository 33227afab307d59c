//! `gantry volume rm`.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::for_each;
use crate::flags::{Flag, Parsed};
use crate::output::say;

const FLAGS: &[Flag] =
    &[Flag::bool("force", "Force the removal of one or more volumes").short('f')];

pub(crate) const COMMAND: Command = Command {
    name: "rm",
    aliases: &["remove"],
    paths: &["volume rm", "volume remove"],
    usage: "[OPTIONS] VOLUME [VOLUME...]",
    about: "Remove one or more volumes. You cannot remove a volume that is in \
        use by a container.",
    flags: &[FLAGS],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let force = parsed.bool("force");
    let client = &context.connect().await?;
    for_each(&parsed.args, async |name| {
        client.volume_remove(name, force).await?;
        say(name)
    })
    .await?;
    Ok(0)
}
