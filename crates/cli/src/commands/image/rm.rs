//! `gantry image rm`, `gantry rmi`.

use api::images::DeleteItem;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::for_each;
use crate::flags::{Flag, Parsed};
use crate::output::print;

const FLAGS: &[Flag] = &[
    Flag::bool("force", "Force removal of the image").short('f'),
    Flag::bool("no-prune", "Do not delete untagged parents"),
];

pub(crate) const COMMAND: Command = Command {
    name: "rm",
    aliases: &["remove"],
    paths: &["image rm", "image remove", "rmi"],
    usage: "[OPTIONS] IMAGE [IMAGE...]",
    about: "Remove one or more images",
    flags: &[FLAGS],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (force, no_prune) = (parsed.bool("force"), parsed.bool("no-prune"));
    let client = context.connect().await?;
    for_each(&parsed.args, async |name| {
        print(lines(&client.image_remove(name, force, no_prune).await?))
    })
    .await?;
    Ok(0)
}

/// What was removed, a line each.
fn lines(items: &[DeleteItem]) -> String {
    let line = |item: &DeleteItem| match item.deleted.as_str() {
        "" => format!("Untagged: {}\n", item.untagged),
        id => format!("Deleted: {id}\n"),
    };
    items.iter().map(line).collect()
}
