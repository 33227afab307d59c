//! The end of a project: by its labels alone, so that no file is needed, and whichever tool made it.

use api::Filters;
use api::containers::Summary;
use client::Client;
use client::containers::Remove;

use super::order::{label, layers};
use super::{Error, Event, EventState, Result, hooks, observe, reported, schedule, stop, tell};
use crate::labels;
use crate::model::Project;

#[derive(Debug, Clone, Default)]
pub struct Down<'a> {
    /// Whose hooks run, where its files are at hand.
    pub project: Option<&'a Project>,
    /// Named volumes of the project and unnamed ones of its containers.
    pub volumes: bool,
    /// Services of the project, where it is known; containers of others stay unless orphans go.
    pub services: Option<Vec<String>>,
    pub remove_orphans: bool,
    pub timeout: Option<i64>,
    /// Names of images that go with it.
    pub images: Vec<String>,
}

/// Stops and removes what a project has. Goes on after failures and returns them; whether there was anything at all.
pub async fn down(
    client: &Client,
    project: &str,
    down: &Down<'_>,
    report: &dyn Fn(Event),
) -> Result<(bool, Vec<Error>)> {
    let containers = observe::containers(client, project).await?;
    let goes = |summary: &&Summary| match &down.services {
        Some(services) if !down.remove_orphans => {
            services.contains(&label(summary, labels::SERVICE))
        }
        _ => true,
    };
    let containers: Vec<&Summary> = containers.iter().filter(goes).collect();
    let mut failures = Vec::new();
    for layer in layers(&containers) {
        let ends = layer.into_iter().map(|container| end(client, container, down, report));
        failures.extend(schedule::all(ends).await.into_iter().flatten());
    }
    let mut filters = Filters::default();
    filters.add("label", format!("{}={project}", labels::PROJECT));
    let networks = client.network_list(&filters).await?;
    let mut found = !containers.is_empty() || !networks.is_empty();
    let ends = networks.iter().map(|network| remove_network(client, &network.name, report));
    failures.extend(schedule::all(ends).await.into_iter().filter_map(Result::err));
    if down.volumes {
        let volumes = client.volume_list(&filters).await?.volumes.unwrap_or_default();
        found |= !volumes.is_empty();
        for volume in volumes {
            failures.extend(remove_volume(client, &volume.name, report).await.err());
        }
    }
    for image in &down.images {
        failures.extend(remove_image(client, image, report).await.err());
    }
    Ok((found, failures))
}

/// What failed: a hook that does keeps nothing alive.
async fn end(
    client: &Client,
    container: &Summary,
    down: &Down<'_>,
    report: &dyn Fn(Event),
) -> Vec<Error> {
    let name = container.names.first().map(|name| name.trim_start_matches('/')).unwrap_or_default();
    let subject = format!("Container {name}");
    let id = &container.id;
    let services = down.project.map(|project| &project.services);
    let service = services.and_then(|services| services.get(&label(container, labels::SERVICE)));
    let mut failures = Vec::new();
    let stopped = reported(report, &subject, ("Stopping", "Stopped"), async {
        if let Some(service) = service.filter(|_| container.state == "running") {
            failures.extend(hooks::pre_stop(client, id, service).await.err());
        }
        gone_is_as_good(client.container_stop(id, &stop(down.timeout)).await)
    });
    if let Err(error) = stopped.await {
        failures.push(error);
        return failures;
    }
    let removed = reported(report, &subject, ("Removing", "Removed"), async {
        let remove = Remove { force: true, volumes: down.volumes, link: false };
        gone_is_as_good(client.container_remove(id, remove).await)
    });
    failures.extend(removed.await.err());
    failures
}

fn gone_is_as_good(result: client::Result<()>) -> Result {
    match result {
        Err(error) if error.is_not_found() => Ok(()),
        result => Ok(result?),
    }
}

async fn remove_network(client: &Client, name: &str, report: &dyn Fn(Event)) -> Result {
    let removal = client.network_remove(name);
    removing(&format!("Network {name}"), (403, "Removed"), report, removal).await
}

async fn remove_volume(client: &Client, name: &str, report: &dyn Fn(Event)) -> Result {
    let removal = client.volume_remove(name, true);
    removing(&format!("Volume {name}"), (409, "Removed"), report, removal).await
}

async fn remove_image(client: &Client, name: &str, report: &dyn Fn(Event)) -> Result {
    let removal = client.image_remove(name, false, false);
    let missing = "Warning: No resource found to remove";
    removing(&format!("Image {name}"), (409, missing), report, removal).await
}

/// Tells how a removal went. What something else has, by the status that says so, stays; what is gone is as good as removed,
/// and told as `missing`.
async fn removing<T>(
    subject: &str,
    (in_use, missing): (u16, &str),
    report: &dyn Fn(Event),
    removal: impl Future<Output = client::Result<T>>,
) -> Result {
    tell(report, subject, "Removing", EventState::Working);
    let (status, state, result) = match removal.await {
        Ok(_) => ("Removed", EventState::Done, Ok(())),
        Err(error) if error.status() == Some(in_use) => {
            ("Resource is still in use", EventState::Done, Ok(()))
        }
        Err(error) if error.is_not_found() => (missing, EventState::Done, Ok(())),
        Err(error) => ("Error", EventState::Failed, Err(error.into())),
    };
    tell(report, subject, status, state);
    result
}
