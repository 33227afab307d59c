//! `gantry compose restart`.

use api::containers::Summary;
use client::Client;
use client::containers::Stop;
use compose::model::Service;
use compose::{apply, labels};

use super::services::{self, Which, label};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::flags::{Flag, Parsed};

pub(crate) const COMMAND: Command = Command {
    name: "restart",
    aliases: &[],
    paths: &["compose restart"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "Restart service containers",
    flags: &[&[
        Flag::bool("no-deps", "Don't restart dependent services"),
        Flag::int("timeout", "Specify a shutdown timeout in seconds").short('t'),
    ]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let timeout = parsed.int_if_set("timeout");
    let client = &context.connect().await?;
    // That they are there is looked at before those that go with them are.
    services::find(context, client, &parsed.args, Which::Services).await?;
    let (project, mut containers) = services::find(context, client, &[], Which::Services).await?;
    if !parsed.args.is_empty() {
        let chosen = match parsed.bool("no-deps") {
            true => parsed.args.iter().cloned().collect(),
            false => apply::with_dependants(&containers, &parsed.args),
        };
        containers.retain(|it| chosen.contains(&label(it, labels::SERVICE)));
    }
    let model = &project.model()?;
    let all: Vec<&Summary> = containers.iter().collect();
    for layer in apply::layers(&all).into_iter().rev() {
        services::each(context, layer, ("Restarting", "Started"), |it| async move {
            restart(client, it, services::service(model.as_ref(), it), timeout).await
        })
        .await?;
    }
    Ok(0)
}

/// With what its service has run before and after.
pub(super) async fn restart(
    client: &Client,
    container: &Summary,
    service: Option<&Service>,
    timeout: Option<i64>,
) -> apply::Result {
    let id = &container.id;
    if let Some(service) = service.filter(|_| container.state == "running") {
        apply::pre_stop(client, id, service).await?;
    }
    client.container_restart(id, &Stop { signal: String::new(), timeout }).await?;
    match service {
        Some(service) => apply::post_start(client, id, service).await,
        None => Ok(()),
    }
}
