//! `gantry compose commit`.

use super::services;
use crate::command::{Args, Command, Done, run};
use crate::commands::container::commit;
use crate::context::Context;
use crate::flags::{Flag, Parsed};

pub(crate) const COMMAND: Command = Command {
    name: "commit",
    aliases: &[],
    paths: &["compose commit"],
    usage: "[OPTIONS] SERVICE [REPOSITORY[:TAG]]",
    about: "Create a new image from a service container's changes",
    flags: &[&[
        Flag::string("author", "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")")
            .short('a'),
        Flag::list("change", "Apply Dockerfile instruction to the created image").short('c'),
        services::INDEX,
        Flag::string("message", "Commit message").short('m'),
        Flag::bool("pause", "Pause container during commit").short('p').default("true"),
    ]],
    args: Args::Between(1, 2),
    trailing: false,
    run: run!(run),
};

/// Of one that runs or not.
async fn run(context: &Context, parsed: &Parsed) -> Done {
    let client = context.connect().await?;
    let index = parsed.int_if_set("index");
    let container = services::one_there(context, &client, parsed.arg(0), index).await?;
    let mut words = vec![format!("--pause={}", parsed.bool("pause"))];
    for name in ["author", "message"].into_iter().filter(|name| parsed.is_set(name)) {
        words.push(format!("--{name}={}", parsed.str(name)));
    }
    words.extend(parsed.list("change").iter().map(|change| format!("--change={change}")));
    words.push(container.id);
    words.extend(parsed.args[1..].iter().cloned());
    services::as_typed(context, &commit::COMMAND, &words).await
}
