//! `gantry compose restart`.

use client::containers::Stop;

use super::services::{self, Which};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};

pub(crate) const COMMAND: Command = Command {
    name: "restart",
    aliases: &[],
    paths: &["compose restart"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "Restart service containers",
    flags: &[&[Flag::int("timeout", "Specify a shutdown timeout in seconds").short('t')]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let timeout = parsed.int_if_set("timeout");
    let client = &context.connect().await?;
    let (_, containers) = services::find(context, client, &parsed.args, Which::Services).await?;
    services::each(context, &containers, ("Restarting", "Started"), |id| async move {
        client.container_restart(&id, &Stop { signal: String::new(), timeout }).await
    })
    .await
}
