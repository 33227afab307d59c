//! `gantry compose plan`: what `up` would change and why, and what new privileges that asks for. Changes nothing.

use std::collections::BTreeSet;

use client::Client;
use compose::apply;
use compose::model::Project;
use compose::plan::{self, Current, Plan, Wishes};

use super::services::failure;
use super::up;
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::say;

pub(crate) const COMMAND: Command = Command {
    name: "plan",
    aliases: &[],
    paths: &["compose plan"],
    usage: "[OPTIONS] [SERVICE...]",
    about: "Show what up would change and why, and which new privileges it asks for",
    flags: &[&[
        Flag::bool(
            "force-recreate",
            "Recreate containers even if their configuration and image haven't changed",
        ),
        up::NO_DEPS,
        Flag::bool("no-recreate", "If containers already exist, don't recreate them"),
        up::REMOVE_ORPHANS,
        up::ROLLING,
        up::SCALE,
    ]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let project = up::wanted(context, parsed)?;
    let client = context.connect().await?;
    let current = apply::observe(&client, &project).await.map_err(failure)?;
    show(&client, &project, current, &up::wishes(parsed), "").await?;
    Ok(0)
}

/// A line for each change, with something before it.
pub(super) async fn show(
    client: &Client,
    project: &Project,
    mut current: Current,
    wishes: &Wishes,
    before: &str,
) -> Result<()> {
    let mut lines = images(project, &mut current, wishes);
    let plan = plan::up(project, &current, wishes).map_err(Failure::new)?;
    lines.extend(plan.steps.iter().filter_map(|step| step.line(project)));
    let orphans = plan.orphans.iter();
    lines.extend(
        orphans.map(|name| {
            format!("Container {name}: left alone (its service is not in the project)")
        }),
    );
    lines.extend(privileges(client, project, &current, &plan).await?);
    if lines.is_empty() {
        lines.push("Nothing changes".to_owned());
    }
    lines.iter().try_for_each(|line| say(format_args!("{before}{line}")))
}

/// What is to be had before; to the plan it is there.
fn images(project: &Project, current: &mut Current, wishes: &Wishes) -> Vec<String> {
    let mut lines = Vec::new();
    for service in plan::taking_part(project, wishes) {
        let name = service.image_name(&project.name);
        if current.images.contains_key(&name) {
            continue;
        }
        let how = if service.build.is_some() { "build" } else { "pull" };
        lines.push(format!("Image {name}: {how} (it is not there)"));
        current.images.insert(name, String::new());
    }
    lines
}

/// What containers that would be made may do, and no container of their service may now.
async fn privileges(
    client: &Client,
    project: &Project,
    current: &Current,
    plan: &Plan,
) -> Result<Vec<String>> {
    let mut lines = Vec::new();
    let services: BTreeSet<&str> =
        plan.steps.iter().filter_map(|step| step.action.makes()).collect();
    for service in services.iter().filter_map(|name| project.services.get(*name)) {
        let mut had = BTreeSet::new();
        for container in current.of_service(&service.name) {
            let container = client.container_inspect(&container.id).await?;
            had.extend(plan::granted(&container.host_config));
        }
        let asked = plan::asked(project, service).map_err(Failure::new)?;
        let new = asked.difference(&had);
        lines.extend(new.map(|what| format!("New privilege of {}: {what}", service.name)));
    }
    Ok(lines)
}
