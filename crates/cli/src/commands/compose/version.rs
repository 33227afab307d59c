//! `gantry compose version`.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::say;

pub(crate) const COMMAND: Command = Command {
    name: "version",
    aliases: &[],
    paths: &["compose version"],
    usage: "[OPTIONS]",
    about: "Show the Compose version information",
    flags: &[&[
        Flag::string("format", "Format the output. Values: [pretty | json]. (Default: pretty)")
            .short('f'),
        Flag::bool("short", "Shows only Compose's version number"),
    ]],
    args: Args::None,
    trailing: false,
    run: run!(run),
};

async fn run(_: &Context, parsed: &Parsed) -> Done {
    let version = env!("CARGO_PKG_VERSION");
    if parsed.bool("short") {
        say(version)?;
    } else if parsed.str("format") == "json" {
        say(format_args!("{{\"version\":\"{version}\"}}"))?;
    } else {
        say(format_args!("Gantry Compose version {version}"))?;
    }
    Ok(0)
}
