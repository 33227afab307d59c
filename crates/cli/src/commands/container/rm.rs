//! `gantry container rm`: with their writable layers.

use client::containers::Remove;

use super::on_each;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};

const FLAGS: &[Flag] = &[
    Flag::bool("force", "Kill a running container first").short('f'),
    Flag::bool("link", "Remove the link, not the container").short('l'),
    Flag::bool("volumes", "Remove its anonymous volumes too").short('v'),
];

pub(crate) const COMMAND: Command = Command {
    name: "rm",
    aliases: &["remove"],
    paths: &["container rm", "container remove", "rm"],
    usage: "[OPTIONS] CONTAINER [CONTAINER...]",
    about: "Remove containers",
    flags: &[FLAGS],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let how = Remove {
        force: parsed.bool("force"),
        volumes: parsed.bool("volumes"),
        link: parsed.bool("link"),
    };
    on_each(context, parsed, async |client, id| {
        client.container_remove(id.trim_start_matches('/'), how).await
    })
    .await
}
