//! `gantry volume update`: of cluster volumes, which there are none of.

use super::create::CLUSTER_FLAGS;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::Parsed;

pub(crate) const COMMAND: Command = Command {
    name: "update",
    aliases: &[],
    paths: &["volume update"],
    usage: "[OPTIONS] [VOLUME]",
    about: "Update a volume (cluster volumes only)",
    flags: &[CLUSTER_FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    context.connect().await?.volume_inspect_raw(parsed.arg(0)).await?;
    Err(Failure::new("Can only update cluster volumes"))
}
