//! `gantry context export`: into a file, or to stdout.

use std::fs::OpenOptions;
use std::io::IsTerminal;
use std::os::unix::fs::OpenOptionsExt;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::contexts::{self, DEFAULT, check_name};
use crate::error::{Failure, os_error};
use crate::flags::Parsed;
use crate::output::{print, warn};

pub(crate) const COMMAND: Command = Command {
    name: "export",
    aliases: &[],
    paths: &["context export"],
    usage: "[OPTIONS] CONTEXT [FILE|-]",
    about: "Export a context to a tar archive FILE or a tar stream on STDOUT.",
    flags: &[],
    args: Args::Between(1, 2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let name = parsed.arg(0);
    if name != DEFAULT {
        check_name(name)?;
    }
    let mut archive = Vec::new();
    contexts::export(&context.contexts(), name, &mut archive)?;
    let file = parsed.args.get(1).cloned().unwrap_or_else(|| format!("{name}.dockercontext"));
    if file == "-" {
        if std::io::stdout().is_terminal() {
            return Err(Failure::new(
                "cowardly refusing to export to a terminal, please specify a file path",
            ));
        }
        print(archive)?;
        return Ok(0);
    }
    // It may hold a private key.
    let mut options = OpenOptions::new();
    let opened = options.write(true).create_new(true).mode(0o600).open(&file);
    let mut opened =
        opened.map_err(|error| Failure::new(format!("open {file}: {}", os_error(&error))))?;
    std::io::Write::write_all(&mut opened, &archive)?;
    warn(format!("Written file {file:?}"));
    Ok(0)
}
