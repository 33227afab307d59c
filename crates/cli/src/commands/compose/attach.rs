//! `gantry compose attach`.

use super::services;
use crate::command::{Args, Command, Done, run};
use crate::commands::container::{DETACH_KEYS, attach};
use crate::context::Context;
use crate::flags::{Flag, Parsed};

pub(crate) const COMMAND: Command = Command {
    name: "attach",
    aliases: &[],
    paths: &["compose attach"],
    usage: "[OPTIONS] SERVICE",
    about: "Attach local standard input, output, and error streams to a service's running container",
    flags: &[&[
        DETACH_KEYS,
        services::INDEX,
        Flag::bool("no-stdin", "Do not attach STDIN"),
        Flag::bool("sig-proxy", "Proxy all received signals to the process").default("true"),
    ]],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

/// As `attach` of the one container that is meant.
async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let index = parsed.int_if_set("index");
    let container = services::one(context, &client, parsed.arg(0), index).await?;
    let mut words: Vec<String> =
        ["no-stdin", "sig-proxy"].map(|name| format!("--{name}={}", parsed.bool(name))).to_vec();
    if parsed.is_set("detach-keys") {
        words.push(format!("--detach-keys={}", parsed.str("detach-keys")));
    }
    words.push(container.id);
    services::as_typed(context, &attach::COMMAND, &words).await
}
