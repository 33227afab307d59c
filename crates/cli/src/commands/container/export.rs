//! `gantry container export`: its root file system as a tar.

use crate::command::{Args, Command, Done, run};
use crate::commands::image::save;
use crate::context::Context;
use crate::flags::{Flag, Parsed};

const FLAGS: &[Flag] = &[Flag::string("output", "Write to a file, instead of STDOUT").short('o')];

pub(crate) const COMMAND: Command = Command {
    name: "export",
    aliases: &[],
    paths: &["container export", "export"],
    usage: "[OPTIONS] CONTAINER",
    about: "Export a container's filesystem as a tar archive",
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let destination = save::Destination::choose(parsed.str("output"), "export container")?;
    let client = context.connect().await?;
    destination.write(client.container_export(parsed.arg(0)).await?).await?;
    Ok(0)
}
