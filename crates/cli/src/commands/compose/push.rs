//! `gantry compose push`.

use client::Client;
use compose::apply::{Event, EventState, all};

use super::progress::Progress;
use super::project;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::progress as transfer;
use crate::reference;

pub(crate) const COMMAND: Command = Command {
    name: "push",
    aliases: &[],
    paths: &["compose push"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "Push service images",
    flags: &[&[
        Flag::bool(
            "ignore-push-failures",
            "Push what it can and ignores images with push failures",
        ),
        Flag::bool("include-deps", "Also push images of services declared as dependencies"),
        Flag::bool("quiet", "Push without printing progress information").short('q'),
    ]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

/// Images that services build and have a name for; the others are somebody else's.
async fn run(context: &Context, parsed: &Parsed) -> Done {
    let project = project::chosen(context, &parsed.args)?;
    let mut services = project.in_order(&parsed.args);
    services.retain(|it| {
        parsed.args.is_empty() || parsed.bool("include-deps") || parsed.args.contains(&it.name)
    });
    let client = &context.connect().await?;
    let progress = Progress::of(context);
    let tell = |subject: &str, status: &str, state| {
        if !parsed.bool("quiet") {
            let (subject, status) = (subject.to_owned(), status.to_owned());
            progress.report(Event { subject, status, state });
        }
    };
    let mut pushes = Vec::new();
    for service in services {
        match &service.build {
            Some(build) if !service.image.is_empty() => {
                let images = std::iter::once(&service.image).chain(&build.tags);
                pushes.extend(images.map(|image| (&service.name, image)));
            }
            _ => tell(&service.name, "Skipped", EventState::Done),
        }
    }
    let pushes = pushes.into_iter().map(async |(service, image)| {
        tell(service, "Pushing", EventState::Working);
        let result = push(context, client, image).await;
        match &result {
            Ok(()) => tell(service, "Pushed", EventState::Done),
            Err(_) => tell(service, "Error", EventState::Failed),
        }
        result
    });
    let failures: Vec<String> =
        all(pushes).await.into_iter().filter_map(Result::err).map(|it| it.message).collect();
    match failures.is_empty() || parsed.bool("ignore-push-failures") {
        true => Ok(0),
        false => Err(Failure::new(failures.join("\n"))),
    }
}

async fn push(context: &Context, client: &Client, image: &str) -> Result<()> {
    let (name, tag) = reference::split(image)?;
    let tag = if tag.is_empty() { "latest".to_owned() } else { tag };
    let auth = context.config().auth_for_image(image);
    transfer::wait(client.image_push(&name, &tag, &auth).await?).await
}
