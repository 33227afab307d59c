//! `gantry compose stop`.

use super::services::{self, Which};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};

pub(crate) const COMMAND: Command = Command {
    name: "stop",
    aliases: &[],
    paths: &["compose stop"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "Stop services",
    flags: &[&[Flag::int("timeout", "Specify a shutdown timeout in seconds").short('t')]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let timeout = parsed.int_if_set("timeout");
    let client = &context.connect().await?;
    let (project, containers) =
        services::find(context, client, &parsed.args, Which::Running).await?;
    let model = project.model()?;
    services::stop(context, client, (model.as_ref(), &containers), timeout).await
}
