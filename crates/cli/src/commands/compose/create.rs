//! `gantry compose create`.

use super::up;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};

pub(crate) const COMMAND: Command = Command {
    name: "create",
    aliases: &[],
    paths: &["compose create"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "Creates containers for a service",
    flags: &[up::MAKING, &[Flag::bool("no-start", "").default("true").hidden()]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let project = up::wanted(context, parsed)?;
    let client = context.connect().await?;
    up::converge(context, &client, &project, parsed).await?;
    Ok(0)
}
