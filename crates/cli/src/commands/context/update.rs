//! `gantry context update`.

use super::options;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::contexts::{ENGINE, check_name};
use crate::flags::{Flag, Parsed};
use crate::output::{say, warn};

const FLAGS: &[Flag] = &[options::DESCRIPTION, options::DOCKER];

pub(crate) const COMMAND: Command = Command {
    name: "update",
    aliases: &[],
    paths: &["context update"],
    usage: "[OPTIONS] CONTEXT",
    about: options::about!("update", "Update a context"),
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let name = parsed.arg(0);
    check_name(name)?;
    let store = context.contexts();
    let mut meta = store.load(name)?;
    if parsed.is_set("description") {
        meta.set_description(parsed.str("description"));
    }
    if parsed.is_set("docker") {
        let (endpoint, tls) = options::endpoint(context, parsed)?;
        meta.endpoints.insert(ENGINE.to_owned(), endpoint);
        store.save_tls(name, &tls)?;
    }
    store.save(&meta)?;
    say(name)?;
    warn(format!("Successfully updated context {name:?}"));
    Ok(0)
}
