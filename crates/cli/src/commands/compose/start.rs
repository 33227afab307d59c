//! `gantry compose start`.

use super::progress::Progress;
use super::services::{all_or, failure};
use super::{project, up};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::Failure;
use crate::flags::Parsed;

pub(crate) const COMMAND: Command = Command {
    name: "start",
    aliases: &[],
    paths: &["compose start"],
    usage: "[SERVICE...]",
    about: "Start services",
    flags: &[],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

/// What is there is started, in the order of its dependencies; nothing is made.
async fn run(context: &Context, parsed: &Parsed) -> Done {
    let project = project::model(context, &parsed.args)?;
    let client = context.connect().await?;
    let current = compose::apply::observe(&client, &project).await.map_err(failure)?;
    let asked = |name: &String| parsed.args.is_empty() || parsed.args.contains(name);
    for name in project.services.keys().filter(|name| asked(name)) {
        if current.of_service(name).is_empty() {
            return Err(Failure::new(format!("service {name:?} has no container to start")));
        }
    }
    let wishes = compose::plan::Wishes {
        services: parsed.args.clone(),
        recreate: compose::plan::Recreate::Never,
        recreate_dependencies: compose::plan::Recreate::Never,
        ..compose::plan::Wishes::default()
    };
    let mut project = project;
    for (name, service) in &mut project.services {
        service.scale = Some(current.of_service(name).len());
    }
    let plan = compose::plan::up(&project, &current, &wishes).map_err(Failure::new)?;
    let progress = Progress::of(context);
    let report = |event: compose::apply::Event| {
        // Nothing is to be said of what is as it was.
        if !matches!(event.status.as_str(), "Running" | "Created") {
            progress.report(event);
        }
    };
    let apply = up::apply(context, &client, &project, &current, &report);
    all_or(apply.run(&plan).await)
}
