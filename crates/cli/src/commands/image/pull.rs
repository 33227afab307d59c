//! `gantry image pull`: an image out of a registry.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::{progress, say};
use crate::{platform, reference};

const FLAGS: &[Flag] = &[
    Flag::bool("all-tags", "Download all tagged images in the repository").short('a'),
    Flag::bool("disable-content-trust", "Skip image verification").default("true"),
    Flag::string("platform", "Set platform if server is multi-platform capable"),
    Flag::bool("quiet", "Suppress verbose output").short('q'),
];

pub(crate) const COMMAND: Command = Command {
    name: "pull",
    aliases: &[],
    paths: &["image pull", "pull"],
    usage: "[OPTIONS] NAME[:TAG|@DIGEST]",
    about: "Download an image from a registry",
    flags: &[FLAGS],
    args: Args::Exactly(1),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let image = parsed.arg(0);
    reference::check(image)?;
    let quiet = parsed.bool("quiet");
    let (name, tag) = what(image, parsed.bool("all-tags"))?;
    if tag == "latest" && reference::is_name_only(image) && !quiet {
        say("Using default tag: latest")?;
    }
    let auth = context.config().auth_for_image(image);
    let client = context.connect().await?;
    let messages = client.image_pull(&name, &tag, &platform::wanted(parsed), &auth).await?;
    if quiet {
        progress::wait(messages).await?;
    } else {
        progress::show(messages).await?;
    }
    let full = match parsed.bool("all-tags") {
        true => reference::full(image),
        false => reference::full(&reference::with_tag(image)),
    };
    say(full)?;
    Ok(0)
}

/// Name and tag; no tag is all of them.
fn what(image: &str, all: bool) -> Result<(String, String)> {
    match (all, reference::is_name_only(image)) {
        (true, true) => Ok((image.to_owned(), String::new())),
        (true, false) => Err(Failure::new("tag can't be used with --all-tags/-a")),
        (false, _) => Ok(reference::to_pull(image)),
    }
}
