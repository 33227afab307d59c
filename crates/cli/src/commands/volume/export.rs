//! `gantry volume export`: the content as a tar. Docker has no such command.

use crate::command::{Args, Command, Done, run};
use crate::commands::image::save::Destination;
use crate::context::Context;
use crate::flags::{Flag, Parsed};

const FLAGS: &[Flag] = &[Flag::string("output", "Write to a file instead of stdout").short('o')];

pub(crate) const COMMAND: Command = Command {
    name: "export",
    aliases: &[],
    paths: &["volume export"],
    usage: "[OPTIONS] VOLUME",
    about: "Export a volume's content as a tar archive",
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let destination = Destination::choose(parsed.str("output"), "export")?;
    let client = context.connect().await?;
    destination.write(client.volume_export(parsed.arg(0)).await?).await?;
    Ok(0)
}
