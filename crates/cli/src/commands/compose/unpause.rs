//! `gantry compose unpause`.

use super::services::{self, Which};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::Parsed;

pub(crate) const COMMAND: Command = Command {
    name: "unpause",
    aliases: &[],
    paths: &["compose unpause"],
    usage: "[SERVICE...]",
    about: "Unpause services",
    flags: &[],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = &context.connect().await?;
    let (_, mut containers) =
        services::find(context, client, &parsed.args, Which::Services).await?;
    containers.retain(|it| it.state == "paused");
    services::each(context, &containers, ("", "Unpaused"), |it| async move {
        client.container_unpause(&it.id).await
    })
    .await
}
