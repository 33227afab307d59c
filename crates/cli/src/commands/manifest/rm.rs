//! `gantry manifest rm`: lists that were made here are forgotten.

use super::full;
use super::lists::Lists;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::for_each;
use crate::flags::Parsed;

pub(crate) const COMMAND: Command = Command {
    name: "rm",
    aliases: &[],
    paths: &["manifest rm"],
    usage: "MANIFEST_LIST [MANIFEST_LIST...]",
    about: "Delete one or more manifest lists from local storage",
    flags: &[],
    args: Args::AtLeast(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let lists = Lists::of(context);
    for_each(&parsed.args, |text| {
        let removed = full(text).map_err(Into::into).and_then(|list| lists.remove(&list));
        std::future::ready(removed)
    })
    .await?;
    Ok(0)
}
