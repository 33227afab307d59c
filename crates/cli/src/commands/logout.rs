//! `gantry logout`: credentials are forgotten.

use super::login;
use crate::command::{Args, Command, Done, run};
use crate::config_file;
use crate::context::Context;
use crate::credentials;
use crate::error::Failure;
use crate::flags::Parsed;
use crate::output::say;

pub(crate) const COMMAND: Command = Command {
    name: "logout",
    aliases: &[],
    paths: &["logout"],
    usage: "[SERVER]",
    about: "Log out from a registry.\nIf no server is specified, the default is defined by the daemon.",
    flags: &[],
    args: Args::AtMost(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let server = login::server(parsed);
    say(format!("Removing login credentials for {server}"))?;
    if let Some(helper) = context.config().helper(&server) {
        credentials::ask(&helper, "erase", &server).map_err(|why| {
            Failure::new(format!("WARNING: could not erase credentials:\n{server}: {why}"))
        })?;
    }
    config_file::remove_auth(&context.config_directory(), &server)?;
    Ok(0)
}
