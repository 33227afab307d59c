//! `gantry image tag`: one more name.

use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::Parsed;
use crate::reference;

pub(crate) const COMMAND: Command = Command {
    name: "tag",
    aliases: &[],
    paths: &["image tag", "tag"],
    usage: "SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
    about: "Create a tag TARGET_IMAGE that refers to SOURCE_IMAGE",
    flags: &[],
    args: Args::Exactly(2),
    trailing: true,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let (source, target) = (parsed.arg(0), parsed.arg(1));
    let wrong = |text: &str, why: String| {
        Failure::new(format!(
            "Error parsing reference: {text:?} is not a valid repository/tag: {why}"
        ))
    };
    reference::check_image(source).map_err(|why| wrong(source, why))?;
    reference::check(target).map_err(|why| wrong(target, why))?;
    let (repo, tag) = reference::split(target)?;
    let client = context.connect().await?;
    client.image_tag(source, &repo, &tag).await?;
    Ok(0)
}
