//! `gantry compose pause`.

use super::services::{self, Which};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::Parsed;

pub(crate) const COMMAND: Command = Command {
    name: "pause",
    aliases: &[],
    paths: &["compose pause"],
    usage: "[SERVICE...]",
    about: "Pause services",
    flags: &[],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = &context.connect().await?;
    let (_, containers) = services::find(context, client, &parsed.args, Which::Running).await?;
    services::each(context, &containers, ("", "Paused"), |it| async move {
        client.container_pause(&it.id).await
    })
    .await
}
