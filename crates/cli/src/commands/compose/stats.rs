//! `gantry compose stats`.

use client::Client;

use super::services::{self, Which};
use crate::command::{Args, Command, Done, run};
use crate::commands::container::stats;
use crate::context::Context;
use crate::flags::Parsed;
use crate::output::units::short_id;

pub(crate) const COMMAND: Command = Command {
    name: "stats",
    aliases: &[],
    paths: &["compose stats"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "Display a live stream of container(s) resource usage statistics",
    flags: &[stats::FLAGS],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

/// Containers that come and go while it shows them are the project's as well.
async fn run(context: &Context, parsed: &Parsed) -> Done {
    let which = if parsed.bool("all") { Which::All } else { Which::Running };
    stats::stream(context, parsed, async |client: &Client| {
        let (_, containers) = services::find(context, client, &parsed.args, which).await?;
        Ok(containers.iter().map(|it| short_id(&it.id)).collect())
    })
    .await
}
