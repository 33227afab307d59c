//! `gantry context import`: from a tar archive.

use std::fs::File;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::contexts::{self, check_name};
use crate::error::{Failure, os_error};
use crate::flags::Parsed;
use crate::output::{say, warn};

pub(crate) const COMMAND: Command = Command {
    name: "import",
    aliases: &[],
    paths: &["context import"],
    usage: "CONTEXT FILE|-",
    about: "Import a context from a tar file",
    flags: &[],
    args: Args::Exactly(2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (name, file) = (parsed.arg(0), parsed.arg(1));
    check_name(name)?;
    let store = context.contexts();
    if store.exists(name) {
        return Err(Failure::new(format!("context {name:?} already exists")));
    }
    if file == "-" {
        contexts::import(&store, name, std::io::stdin().lock())?;
    } else {
        let opened = File::open(file);
        let opened =
            opened.map_err(|error| Failure::new(format!("open {file}: {}", os_error(&error))))?;
        contexts::import(&store, name, opened)?;
    }
    say(name)?;
    warn(format!("Successfully imported context {name:?}"));
    Ok(0)
}
