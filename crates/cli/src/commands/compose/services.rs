//! The containers of a project that a command line names by their services.

use api::containers::Summary;
use client::Client;
use client::containers::Stop;
pub(super) use compose::apply::label;
use compose::apply::{self, Error, Event, EventState};
use compose::labels;
use compose::model::{Project, Service};

use super::progress::Progress;
use super::project::{self, Named};
use crate::command::{Command, Done};
use crate::context::Context;
use crate::error::{Failure, Result};
use crate::flags::{self, Flag, Interspersed};

/// Which container of a service.
pub(super) const INDEX: Flag =
    Flag::int("index", "index of the container if service has multiple replicas.");

/// Which of a project's containers are meant.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    Services,
    /// Of those the ones with a process, paused or not.
    Running,
    /// With those of `run`.
    All,
}

/// The project, and its containers by number, of the services that are named, or of all.
pub(super) async fn find(
    context: &Context,
    client: &Client,
    services: &[String],
    which: Which,
) -> Result<(Named, Vec<Summary>)> {
    let project = project::named(context, services)?;
    let known = project.services();
    let mut containers = apply::containers(client, &project.name).await.map_err(failure)?;
    let unknown = services.iter().find(|service| {
        let there = containers.iter().any(|it| label(it, labels::SERVICE) == **service);
        !there && !known.contains(service)
    });
    if let Some(service) = unknown {
        return Err(Failure::new(format!("no such service: {service}")));
    }
    let is_running =
        |it: &Summary| matches!(it.state.as_str(), "running" | "restarting" | "paused");
    containers.retain(|it| which != Which::Running || is_running(it));
    containers.retain(|it| {
        (which == Which::All || label(it, labels::ONE_OFF) != "True")
            && (services.is_empty()
                || services.iter().any(|name| *name == label(it, labels::SERVICE)))
    });
    containers.sort_by_key(|it| (label(it, labels::SERVICE), number(it)));
    Ok((project, containers))
}

/// The container of a service that runs: the first, or the one of a number.
pub(super) async fn one(
    context: &Context,
    client: &Client,
    service: &str,
    index: Option<i64>,
) -> Result<Summary> {
    let known = project::named(context, &[])?.services();
    let containers = match find(context, client, &[service.to_owned()], Which::Services).await {
        Err(_) if !known.iter().any(|name| name == service) => Vec::new(),
        found => found?.1,
    };
    let is_meant =
        |it: &Summary| index.is_none_or(|index| is_number(it, index)) && it.state == "running";
    let found = containers.into_iter().find(is_meant);
    found.ok_or_else(|| match index {
        Some(index) => {
            Failure::new(format!("service {service:?} is not running container #{index}"))
        }
        None => Failure::new(format!("service {service:?} is not running")),
    })
}

/// The container of a service, whatever its state: the first, or the one of a number.
pub(super) async fn one_there(
    context: &Context,
    client: &Client,
    service: &str,
    index: Option<i64>,
) -> Result<Summary> {
    let (_, found) = find(context, client, &[service.to_owned()], Which::Services).await?;
    let found = found.into_iter().find(|it| index.is_none_or(|index| is_number(it, index)));
    found.ok_or_else(|| Failure::new(format!("no container found for service {service:?}")))
}

pub(super) fn is_number(container: &Summary, index: i64) -> bool {
    i64::try_from(number(container)) == Ok(index)
}

/// Does what another command does with these words.
pub(super) async fn as_typed(context: &Context, command: &Command, words: &[String]) -> Done {
    let interspersed = if command.trailing { Interspersed::No } else { Interspersed::Yes };
    let parsed = flags::parse(command.flags, words, interspersed)?;
    (command.run)(context, &parsed).await
}

fn number(container: &Summary) -> usize {
    label(container, labels::NUMBER).parse().unwrap_or_default()
}

pub(super) fn name(container: &Summary) -> String {
    container.names.first().map(|name| name.trim_start_matches('/').to_owned()).unwrap_or_default()
}

/// Does the same to each of several containers at once, and says so.
pub(super) async fn each<'a, E: Into<Error>, F: Future<Output = Result<(), E>>>(
    context: &Context,
    containers: impl IntoIterator<Item = &'a Summary>,
    (doing, done): (&str, &str),
    act: impl Fn(&'a Summary) -> F,
) -> Done {
    let progress = Progress::of(context);
    let work = containers.into_iter().map(|container| {
        let subject = format!("Container {}", name(container));
        let tell = |status: &str, state| {
            progress.report(Event { subject: subject.clone(), status: status.to_owned(), state });
        };
        if !doing.is_empty() {
            tell(doing, EventState::Working);
        }
        let acted = act(container);
        let (progress, subject, done) = (&progress, subject.clone(), done.to_owned());
        async move {
            let result = acted.await;
            let (status, state) = match &result {
                Ok(()) => (done, EventState::Done),
                Err(_) => ("Error".to_owned(), EventState::Failed),
            };
            progress.report(Event { subject, status, state });
            result
        }
    });
    let failures = apply::all(work).await.into_iter().filter_map(Result::err);
    all_or(failures.map(E::into).collect())
}

/// Stops containers, those first that others do not need, after what their services have run before that.
pub(super) async fn stop(
    context: &Context,
    client: &Client,
    (project, containers): (Option<&Project>, &[Summary]),
    timeout: Option<i64>,
) -> Done {
    let all: Vec<&Summary> = containers.iter().collect();
    for layer in apply::layers(&all) {
        each(context, layer, ("Stopping", "Stopped"), |it| async move {
            let hooks = match service(project, it) {
                Some(service) if it.state == "running" => {
                    apply::pre_stop(client, &it.id, service).await
                }
                _ => Ok(()),
            };
            let stop = Stop { signal: String::new(), timeout };
            client.container_stop(&it.id, &stop).await?;
            hooks
        })
        .await?;
    }
    Ok(0)
}

/// A container's service, where the project's files are at hand.
pub(super) fn service<'a>(
    project: Option<&'a Project>,
    container: &Summary,
) -> Option<&'a Service> {
    project?.services.get(&label(container, labels::SERVICE))
}

/// Success, or all that failed, a line each.
pub(super) fn all_or(failures: Vec<Error>) -> Done {
    if failures.is_empty() {
        return Ok(0);
    }
    let lines: Vec<String> = failures.iter().map(Error::to_string).collect();
    Err(Failure::new(lines.join("\n")))
}

pub(super) fn failure(error: Error) -> Failure {
    Failure::new(error.to_string())
}
