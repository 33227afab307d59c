//! `gantry context create`.

use super::{DEFAULT_DESCRIPTION, options};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::contexts::{DEFAULT, ENGINE, Endpoint, Meta, Tls, check_name};
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::{say, warn};

const FLAGS: &[Flag] = &[
    options::DESCRIPTION,
    options::DOCKER,
    Flag::string("from", "create context from a named context"),
];

pub(crate) const COMMAND: Command = Command {
    name: "create",
    aliases: &[],
    paths: &["context create"],
    usage: "[OPTIONS] CONTEXT",
    about: options::about!("create", "Create a context"),
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (name, from) = (parsed.arg(0), parsed.str("from"));
    check_name(name)?;
    let store = context.contexts();
    if store.exists(name) {
        return Err(Failure::new(format!("context {name:?} already exists")));
    }
    let (mut meta, tls) = match (from, parsed.is_set("docker")) {
        ("", true) => {
            let (endpoint, tls) = options::endpoint(context, parsed)?;
            (with_engine(endpoint), tls)
        }
        ("" | DEFAULT, false) => of_current(context)?,
        (_, true) => return Err(Failure::new("cannot use --docker flag when --from is set")),
        (from, false) => (store.load(from)?, store.tls(from)?),
    };
    name.clone_into(&mut meta.name);
    if parsed.is_set("description") {
        meta.set_description(parsed.str("description"));
    }
    store.save(&meta)?;
    store.save_tls(name, &tls)?;
    say(name)?;
    warn(format!("Successfully created context {name:?}"));
    Ok(0)
}

fn with_engine(endpoint: Endpoint) -> Meta {
    Meta { endpoints: [(ENGINE.to_owned(), endpoint)].into(), ..Meta::default() }
}

/// A copy of the context in force.
fn of_current(context: &Context) -> Result<(Meta, Tls)> {
    let name = context.name();
    if name != DEFAULT {
        let store = context.contexts();
        return Ok((store.load(&name)?, store.tls(&name)?));
    }
    let mut meta = super::of_environment(context.default_host()?);
    meta.set_description(DEFAULT_DESCRIPTION);
    Ok((meta, Tls::new()))
}
