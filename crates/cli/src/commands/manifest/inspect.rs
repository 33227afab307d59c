//! `gantry manifest inspect`: a manifest or a list, of here or of a registry.

use template::Json;

use super::entry::{self, Entry};
use super::lists::Lists;
use super::remote::{Found, Remote};
use super::{INSECURE, full, missing};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::say;

const TAB: &str = "\t";

const FLAGS: &[Flag] = &[
    INSECURE,
    Flag::bool("verbose", "Output additional info including layers and platform").short('v'),
];

pub(crate) const COMMAND: Command = Command {
    name: "inspect",
    aliases: &[],
    paths: &["manifest inspect"],
    usage: "[OPTIONS] [MANIFEST_LIST] MANIFEST",
    about: "Display an image manifest, or manifest list",
    flags: &[FLAGS],
    args: Args::Between(1, 2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let found = find(context, parsed).await?;
    say(match (found, parsed.bool("verbose")) {
        (Found::Manifest(entry), false) => entry.manifest_document()?.indented(TAB),
        (Found::Manifest(entry), true) => entry.document()?.indented(TAB),
        (Found::List(entries), false) => {
            described(&entries)?;
            entry::list(&entries).1
        }
        (Found::List(entries), true) => {
            let documents = entries.iter().map(Entry::document).collect::<Result<Vec<_>>>()?;
            Json::Array(documents).indented(TAB)
        }
    })?;
    Ok(0)
}

/// One of a list of here, else a list of here, else what the registry has.
async fn find(context: &Context, parsed: &Parsed) -> Result<Found> {
    let lists = Lists::of(context);
    if let [list, manifest] = parsed.args.as_slice() {
        let (list, manifest) = (full(list)?, full(manifest)?);
        let known = lists.get(&list, &manifest)?;
        let known = known.map(|entry| Found::Manifest(Box::new(entry)));
        return known.ok_or_else(|| missing(&manifest));
    }
    let name = full(parsed.arg(0))?;
    match lists.has(&name) {
        true => lists.all(&name).map(Found::List),
        false => Remote::new(context, parsed.bool("insecure")).find(&name).await,
    }
}

fn described(entries: &[Entry]) -> Result<()> {
    match entries.iter().find(|entry| entry.descriptor.platform.is_none()) {
        Some(entry) => Err(Failure::new(format!("{} has no platform", entry.name))),
        None => Ok(()),
    }
}
