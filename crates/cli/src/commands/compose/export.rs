//! `gantry compose export`.

use super::services;
use crate::command::{Args, Command, Done, run};
use crate::commands::container::export;
use crate::context::Context;
use crate::flags::{Flag, Parsed};

pub(crate) const COMMAND: Command = Command {
    name: "export",
    aliases: &[],
    paths: &["compose export"],
    usage: "[OPTIONS] SERVICE",
    about: "Export a service container's filesystem as a tar archive",
    flags: &[&[
        services::INDEX,
        Flag::string("output", "Write to a file, instead of STDOUT").short('o'),
    ]],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

/// Of one that runs or not.
async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let index = parsed.int_if_set("index");
    let container = services::one_there(context, &client, parsed.arg(0), index).await?;
    let words = [format!("--output={}", parsed.str("output")), container.id];
    services::as_typed(context, &export::COMMAND, &words).await
}
