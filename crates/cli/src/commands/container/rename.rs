//! `gantry container rename`.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::Parsed;

pub(crate) const COMMAND: Command = Command {
    name: "rename",
    aliases: &[],
    paths: &["container rename", "rename"],
    usage: "CONTAINER NEW_NAME",
    about: "Rename a container",
    flags: &[],
    args: Args::Exactly(2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (old, new) = (parsed.arg(0).trim(), parsed.arg(1).trim());
    if old.is_empty() || new.is_empty() {
        return Err(Failure::new("Error: Neither old nor new names may be empty"));
    }
    let client = context.connect().await?;
    client.container_rename(old, new).await.map_err(|error| {
        Failure::new(format!("{error}\nError: failed to rename container named {old}"))
    })?;
    Ok(0)
}
