//! `gantry compose pull`.

use client::Client;
use compose::apply::{Event, EventState, all};
use compose::model::Service;
use compose::plan::Current;

use super::progress::Progress;
use super::project;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::progress as transfer;
use crate::reference;

pub(crate) const COMMAND: Command = Command {
    name: "pull",
    aliases: &[],
    paths: &["compose pull"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "Pull service images",
    flags: &[&[
        Flag::bool("ignore-buildable", "Ignore images that can be built."),
        Flag::bool(
            "ignore-pull-failures",
            "Pull what it can and ignores images with pull failures",
        ),
        Flag::bool("include-deps", "Also pull services declared as dependencies."),
        Flag::bool("quiet", "Pull without printing progress information").short('q'),
    ]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let project = project::model(context, &parsed.args)?;
    let asked = |name: &String| {
        parsed.args.is_empty() || parsed.args.contains(name) || parsed.bool("include-deps")
    };
    let services = project.services.values().filter(|it| asked(&it.name) && !it.image.is_empty());
    let services = services.filter(|it| !(parsed.bool("ignore-buildable") && it.build.is_some()));
    let names: Vec<(String, String)> =
        services.map(|it| (it.name.clone(), it.image.clone())).collect();
    let client = context.connect().await?;
    let progress = Progress::of(context);
    let report = |event| {
        if !parsed.bool("quiet") {
            progress.report(event);
        }
    };
    match pull_all(context, &client, &names, &report).await {
        Err(_) if parsed.bool("ignore-pull-failures") => Ok(0),
        result => result.map(|()| 0),
    }
}

/// Pulls what services need and the engine does not have, by their policies; whether anything was.
pub(super) async fn missing(
    context: &Context,
    client: &Client,
    services: &[&Service],
    current: &Current,
    (policy, report): (&str, &dyn Fn(Event)),
) -> Result<bool> {
    let mut names = Vec::new();
    for service in services.iter().filter(|it| !it.image.is_empty()) {
        let is_there = current.images.contains_key(&service.image);
        let policy = match policy {
            "policy" | "" => service.pull_policy.as_str(),
            said => said,
        };
        let pulls = match policy {
            "always" => true,
            "build" => false,
            "never" if !is_there && service.build.is_none() => {
                return Err(Failure::new(format!("No such image: {}", service.image)));
            }
            "never" => false,
            _ => !is_there && service.build.is_none(),
        };
        if pulls {
            names.push((service.name.clone(), service.image.clone()));
        }
    }
    pull_all(context, client, &names, report).await?;
    Ok(!names.is_empty())
}

async fn pull_all(
    context: &Context,
    client: &Client,
    names: &[(String, String)],
    report: &dyn Fn(Event),
) -> Result<()> {
    let pulls = names.iter().map(|(service, image)| async move {
        let tell = |status: &str, state| {
            report(Event { subject: service.clone(), status: status.to_owned(), state });
        };
        tell("Pulling", EventState::Working);
        let result = pull(context, client, image).await;
        match &result {
            Ok(()) => tell("Pulled", EventState::Done),
            Err(_) => tell("Error", EventState::Failed),
        }
        result
    });
    let failures: Vec<String> =
        all(pulls).await.into_iter().filter_map(Result::err).map(|it| it.message).collect();
    if failures.is_empty() { Ok(()) } else { Err(Failure::new(failures.join("\n"))) }
}

async fn pull(context: &Context, client: &Client, image: &str) -> Result<()> {
    reference::check(image)?;
    let (name, tag) = reference::to_pull(image);
    let auth = context.config().auth_for_image(image);
    transfer::wait(client.image_pull(&name, &tag, "", &auth).await?).await
}
