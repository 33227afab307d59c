//! `gantry compose watch`: files that change here go into containers, or have them built or started anew.

mod notify;
mod rules;
mod sync;

use std::collections::BTreeSet;
use std::path::PathBuf;

use client::Client;
use compose::apply;
use compose::labels;
use compose::model::{Hook, Project};

use self::notify::Watcher;
use self::rules::{Rule, Work};
use super::services::{self, failure, label};
use super::{project, restart, up};
use crate::command::{Args, Command, Done, run};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{Flag, Parsed};
use crate::output::{say, warn};

pub(crate) const COMMAND: Command = Command {
    name: "watch",
    aliases: &[],
    paths: &["compose watch"],
    usage: "[SERVICE...]",
    about: "Watch build context for service and rebuild/refresh containers when files are updated",
    flags: &[&[
        Flag::bool("no-up", "Do not build & start services before watching"),
        Flag::bool("quiet", "hide build output"),
    ]],
    args: Args::AtLeast(0),
    trailing: false,
    run: run!(run),
};

async fn run(context: &Context, parsed: &Parsed) -> Done {
    let project = project::chosen(context, &parsed.args)?;
    let watch = Watch::of(&project, &parsed.args)?;
    if !parsed.bool("no-up") {
        let mut words: Vec<String> = ["--detach", "--build", "--"].map(str::to_owned).to_vec();
        words.extend(parsed.args.iter().cloned());
        services::as_typed(context, &up::COMMAND, &words).await?;
    }
    let client = context.connect().await?;
    watch.run(context, &client, &project).await
}

/// Files that are watched from the moment it is made.
pub(super) struct Watch {
    rules: Vec<Rule>,
    watcher: Watcher,
}

impl Watch {
    pub(super) fn of(project: &Project, services: &[String]) -> Result<Self> {
        let chosen = project
            .services
            .values()
            .filter(|service| services.is_empty() || services.contains(&service.name));
        let mut rules = Vec::new();
        for service in chosen {
            for said in service.develop.iter().flat_map(|develop| &develop.watch) {
                rules.push(Rule::of(service, said)?);
            }
        }
        if rules.is_empty() {
            return Err(Failure::new(
                "none of the selected services is configured for watch, consider setting an 'develop' section",
            ));
        }
        let roots: BTreeSet<PathBuf> = rules.iter().map(|rule| rule.path.clone()).collect();
        let watcher = Watcher::of(&roots, &rules::is_hidden)?;
        Ok(Self { rules, watcher })
    }

    /// Until the engine or the file system says that there is nothing to watch any more.
    pub(super) async fn run(
        mut self,
        context: &Context,
        client: &Client,
        project: &Project,
    ) -> Done {
        say("Watch enabled")?;
        let first = rules::first(&self.rules, |path| notify::files(path, &rules::is_hidden));
        act(context, client, project, first).await;
        loop {
            let changed = self.watcher.batch(&rules::is_hidden).await?;
            act(context, client, project, rules::work(&self.rules, &changed)).await;
        }
    }
}

/// What goes wrong is told; the next change is another chance.
async fn act(context: &Context, client: &Client, project: &Project, work: Work) {
    for service in &work.rebuild {
        if let Err(failure) = rebuild(context, service).await {
            warn(failure);
        }
    }
    for (service, files) in &work.sync {
        let all = async {
            say(format_args!(
                "Syncing service {service:?} after {} changes were detected",
                files.len()
            ))?;
            for id in running(client, project, service).await? {
                sync::sync(client, &id, files).await?;
            }
            Ok::<_, Failure>(())
        };
        if let Err(failure) = all.await {
            warn(format_args!("{service}: {failure}"));
        }
    }
    for service in &work.restart {
        if let Err(failure) = start_anew(context, client, project, service).await {
            warn(format_args!("{service}: {failure}"));
        }
    }
    for (service, hook) in &work.exec {
        if let Err(failure) = exec(client, project, service, hook).await {
            warn(format_args!("{service}: {failure}"));
        }
    }
}

/// A build that fails leaves what runs.
async fn rebuild(context: &Context, service: &str) -> Result<()> {
    say(format_args!("Rebuilding service {service:?} after changes were detected..."))?;
    let words = ["--detach", "--build", "--no-deps", "--", service].map(str::to_owned);
    services::as_typed(context, &up::COMMAND, &words).await.map(drop)
}

async fn running(client: &Client, project: &Project, service: &str) -> Result<Vec<String>> {
    let mut containers = apply::containers(client, &project.name).await.map_err(failure)?;
    containers.retain(|it| {
        label(it, labels::SERVICE) == service
            && label(it, labels::ONE_OFF) != "True"
            && it.state == "running"
    });
    Ok(containers.into_iter().map(|it| it.id).collect())
}

async fn start_anew(
    context: &Context,
    client: &Client,
    project: &Project,
    service: &str,
) -> Result<()> {
    let mut containers = apply::containers(client, &project.name).await.map_err(failure)?;
    containers
        .retain(|it| label(it, labels::SERVICE) == service && label(it, labels::ONE_OFF) != "True");
    services::each(context, &containers, ("Restarting", "Started"), |it| async move {
        restart::restart(client, it, project.services.get(service), None).await
    })
    .await
    .map(drop)
}

async fn exec(client: &Client, project: &Project, service: &str, hook: &Hook) -> Result<()> {
    for id in running(client, project, service).await? {
        let (code, output) = apply::exec(client, &id, hook).await.map_err(failure)?;
        if code != 0 {
            let said = String::from_utf8_lossy(&output).trim_end().to_owned();
            return Err(Failure::new(format!("the command ended with {code}: {said}")));
        }
    }
    Ok(())
}
