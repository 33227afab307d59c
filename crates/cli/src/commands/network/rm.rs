//! `gantry network rm`.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{Flag, Parsed};
use crate::output::{say, warn};

const FLAGS: &[Flag] =
    &[Flag::bool("force", "Do not error if the network does not exist").short('f')];

pub(crate) const COMMAND: Command = Command {
    name: "rm",
    aliases: &["remove"],
    paths: &["network rm", "network remove"],
    usage: "NETWORK [NETWORK...]",
    about: "Remove one or more networks",
    flags: &[FLAGS],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let force = parsed.bool("force");
    let client = context.connect().await?;
    let mut failed = false;
    for name in &parsed.args {
        match client.network_remove(name).await {
            Ok(()) => say(name)?,
            Err(error) if force && error.is_not_found() => {}
            Err(error) => {
                failed = true;
                warn(Failure::from(error).message);
            }
        }
    }
    Ok(u8::from(failed))
}
