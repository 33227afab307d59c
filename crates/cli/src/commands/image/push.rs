//! `gantry image push`: an image into a registry.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::{Flag, Parsed};
use crate::output::{progress, say};
use crate::reference;

const FLAGS: &[Flag] = &[
    Flag::bool("all-tags", "Push all tags of an image to the repository").short('a'),
    Flag::bool("disable-content-trust", "Skip image signing").default("true"),
    Flag::bool("quiet", "Suppress verbose output").short('q'),
];

pub(crate) const COMMAND: Command = Command {
    name: "push",
    aliases: &[],
    paths: &["image push", "push"],
    usage: "[OPTIONS] NAME[:TAG]",
    about: "Upload an image to a registry",
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let image = parsed.arg(0);
    reference::check(image)?;
    let (quiet, all) = (parsed.bool("quiet"), parsed.bool("all-tags"));
    let (name, mut tag) = reference::split(image)?;
    if all && !tag.is_empty() {
        return Err(Failure::new("tag can't be used with --all-tags/-a"));
    }
    if !all && tag.is_empty() {
        "latest".clone_into(&mut tag);
        if !quiet {
            say("Using default tag: latest")?;
        }
    }
    let auth = context.config().auth_for_image(image);
    let client = context.connect().await?;
    let messages = client.image_push(&name, &tag, &auth).await?;
    if quiet {
        progress::wait(messages).await?;
        let named = if all { name } else { format!("{name}:{tag}") };
        say(reference::full(&named))?;
    } else {
        progress::show(messages).await?;
    }
    Ok(0)
}
