//! `gantry container commit`: an image out of a container.

use client::containers::Commit;

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};
use crate::output::say;
use crate::reference;

const FLAGS: &[Flag] = &[
    Flag::string("author", "Author (e.g., \"John Hannibal Smith <hannibal@a-team.com>\")")
        .short('a'),
    Flag::list("change", "Apply Dockerfile instruction to the created image").short('c'),
    Flag::string("message", "Commit message").short('m'),
    Flag::bool("pause", "Pause container during commit").short('p').default("true"),
];

pub(crate) const COMMAND: Command = Command {
    name: "commit",
    aliases: &[],
    paths: &["container commit", "commit"],
    usage: "[OPTIONS] CONTAINER [REPOSITORY[:TAG]]",
    about: "Create a new image from a container's changes",
    flags: &[FLAGS],
    args: Args::Between(1, 2),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (repo, tag) = reference::split(parsed.args.get(1).map_or("", String::as_str))?;
    let commit = Commit {
        container: parsed.arg(0).to_owned(),
        repo,
        tag,
        comment: parsed.string("message"),
        author: parsed.string("author"),
        pause: parsed.bool("pause"),
        changes: parsed.list("change"),
    };
    let client = context.connect().await?;
    say(client.container_commit(&commit).await?.id)?;
    Ok(0)
}
