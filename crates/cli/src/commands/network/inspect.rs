//! `gantry network inspect`.

use crate::command::{Args, Command, Done, run};
use crate::commands::inspect::{self, Kind};
use crate::context::Context;
use crate::flags::{Flag, INSPECT_FORMAT_HELP, Parsed};

const FLAGS: &[Flag] = &[
    Flag::string("format", INSPECT_FORMAT_HELP).short('f'),
    Flag::bool("verbose", "Verbose output for diagnostics").short('v'),
];

pub(crate) const COMMAND: Command = Command {
    name: "inspect",
    aliases: &[],
    paths: &["network inspect"],
    usage: "[OPTIONS] NETWORK [NETWORK...]",
    about: "Display detailed information on one or more networks",
    flags: &[FLAGS],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    inspect::objects(context, parsed, Some(Kind::Network)).await
}
