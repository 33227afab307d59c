//! `gantry volume import`: a new volume out of a tar, compressed or not. Docker has no such command.

use client::Upload;

use crate::command::{Args, Command, Done, run};
use crate::commands::container::options::env;
use crate::commands::image::load;
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::say;

const FLAGS: &[Flag] = &[Flag::list("label", "Set a label").check(env::check_label)];

pub(crate) const COMMAND: Command = Command {
    name: "import",
    aliases: &[],
    paths: &["volume import"],
    usage: "[OPTIONS] file|- VOLUME",
    about: "Make a new volume of a tar archive",
    flags: &[FLAGS],
    args: Args::Exactly(2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let tar = match parsed.arg(0) {
        "-" => Upload::reader(tokio::io::stdin()),
        path => load::open(path).await?,
    };
    let client = context.connect().await?;
    say(client.volume_import(parsed.arg(1), &parsed.list("label"), tar).await?.name)?;
    Ok(0)
}
