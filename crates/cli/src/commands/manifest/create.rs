//! `gantry manifest create`: a list of images, made here until it is pushed.

use super::lists::Lists;
use super::remote::Remote;
use super::{INSECURE, full};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{Flag, Parsed};
use crate::output::say;

const FLAGS: &[Flag] =
    &[Flag::bool("amend", "Amend an existing manifest list").short('a'), INSECURE];

pub(crate) const COMMAND: Command = Command {
    name: "create",
    aliases: &[],
    paths: &["manifest create"],
    usage: "MANIFEST_LIST MANIFEST [MANIFEST...]",
    about: "Create a local manifest list for annotating and pushing to a registry",
    flags: &[FLAGS],
    args: Args::AtLeast(2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let text = parsed.arg(0);
    let list =
        full(text).map_err(|why| format!("error parsing name for manifest list {text}: {why}"))?;
    let lists = Lists::of(context);
    if lists.has(&list) && !parsed.bool("amend") {
        return Err(Failure::new(
            "refusing to amend an existing manifest list with no --amend flag",
        ));
    }
    let remote = Remote::new(context, parsed.bool("insecure"));
    for text in &parsed.args[1..] {
        let name = full(text)?;
        // What was said of one that is in it already stays.
        if lists.get(&list, &name)?.is_none() {
            lists.keep(&list, &remote.manifest(&name).await?)?;
        }
    }
    say(format!("Created manifest list {list}"))?;
    Ok(0)
}
