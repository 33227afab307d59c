//! `gantry compose exec`.

use std::io::IsTerminal;

use super::services;
use crate::command::{Args, Command, Done, run};
use crate::commands::container::exec;
use crate::context::Context;
use crate::flags::{Flag, Parsed};

pub(crate) const COMMAND: Command = Command {
    name: "exec",
    aliases: &[],
    paths: &["compose exec"],
    usage: "[OPTIONS] SERVICE COMMAND [ARGS...]",
    about: "Execute a command in a running container",
    flags: &[&[
        Flag::bool("detach", "Detached mode: Run command in the background.").short('d'),
        Flag::list("env", "Set environment variables").short('e').type_name("stringArray"),
        Flag::int("index", "Index of the container if service has multiple replicas"),
        Flag::bool("interactive", "Keep STDIN open even if not attached.")
            .short('i')
            .default("true")
            .hidden(),
        Flag::bool(
            "no-TTY",
            "Disable pseudo-TTY allocation. By default `docker compose exec` allocates a TTY.",
        )
        .short('T'),
        Flag::bool("privileged", "Give extended privileges to the process."),
        Flag::string("user", "Run the command as this user.").short('u'),
        Flag::string("workdir", "Path to workdir directory for this command.").short('w'),
    ]],
    args: Args::AtLeast(2),
    trailing: true,
    run: run!(run),
};

/// As `exec` of the one container that is meant.
async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let index = parsed.int_if_set("index");
    let container = services::one(context, &client, parsed.arg(0), index).await?;
    let has_terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let tty = has_terminal && !parsed.bool("no-TTY") && !parsed.bool("detach");
    let mut words = Vec::new();
    let mut flag = |name: &str, value: &str| words.push(format!("--{name}={value}"));
    for name in ["detach", "privileged", "interactive"] {
        flag(name, if parsed.bool(name) { "true" } else { "false" });
    }
    flag("tty", if tty { "true" } else { "false" });
    for name in ["user", "workdir"].into_iter().filter(|name| parsed.is_set(name)) {
        flag(name, parsed.str(name));
    }
    parsed.list("env").iter().for_each(|variable| flag("env", variable));
    words.push(container.id);
    words.extend(parsed.args[1..].iter().cloned());
    services::as_typed(context, &exec::COMMAND, &words).await
}
