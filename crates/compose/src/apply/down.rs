//! The end of a project: by its labels alone, so that no file is needed, and whichever tool made it.

use std::collections::BTreeMap;

use api::Filters;
use api::containers::Summary;
use client::Client;
use client::containers::Remove;

use super::{Error, Event, EventState, Result, observe, reported, schedule, stop, tell};
use crate::labels;

#[derive(Debug, Clone, Default)]
pub struct Down {
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
    down: &Down,
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
        failures.extend(schedule::all(ends).await.into_iter().filter_map(Result::err));
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

fn label(summary: &Summary, name: &str) -> String {
    let labels = summary.labels.as_ref();
    labels.and_then(|labels| labels.get(name)).cloned().unwrap_or_default()
}

/// Containers in groups: none of a group is needed by one of a later group.
fn layers<'a>(containers: &[&'a Summary]) -> Vec<Vec<&'a Summary>> {
    let mut needed_by: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for container in containers {
        let service = label(container, labels::SERVICE);
        for dependency in label(container, labels::DEPENDS_ON).split(',') {
            let name = dependency.split(':').next().unwrap_or_default();
            if !name.is_empty() {
                needed_by.entry(name.to_owned()).or_default().push(service.clone());
            }
        }
    }
    let mut rest: Vec<&Summary> = containers.to_vec();
    let mut layers = Vec::new();
    while !rest.is_empty() {
        let waits = |container: &&Summary| {
            let service = label(container, labels::SERVICE);
            let by = needed_by.get(&service);
            by.is_some_and(|by| {
                rest.iter().any(|other| {
                    let other = label(other, labels::SERVICE);
                    other != service && by.contains(&other)
                })
            })
        };
        let (later, now): (Vec<_>, Vec<_>) = rest.iter().copied().partition(waits);
        // Labels of others may say that each needs the other.
        let (now, later) = if now.is_empty() { (later, now) } else { (now, later) };
        layers.push(now);
        rest = later;
    }
    layers
}

async fn end(client: &Client, container: &Summary, down: &Down, report: &dyn Fn(Event)) -> Result {
    let name = container.names.first().map(|name| name.trim_start_matches('/')).unwrap_or_default();
    let subject = format!("Container {name}");
    let id = &container.id;
    reported(report, &subject, ("Stopping", "Stopped"), async {
        gone_is_as_good(client.container_stop(id, &stop(down.timeout)).await)
    })
    .await?;
    reported(report, &subject, ("Removing", "Removed"), async {
        let remove = Remove { force: true, volumes: down.volumes, link: false };
        gone_is_as_good(client.container_remove(id, remove).await)
    })
    .await
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

#[cfg(test)]
mod tests {
    use super::*;

    fn container(service: &str, depends_on: &str) -> Summary {
        let labels = [(labels::SERVICE, service), (labels::DEPENDS_ON, depends_on)];
        let labels = labels.map(|(name, value)| (name.to_owned(), value.to_owned()));
        Summary { labels: Some(labels.into()), ..Summary::default() }
    }

    fn order(containers: &[Summary]) -> Vec<String> {
        let all: Vec<&Summary> = containers.iter().collect();
        let names = |layer: Vec<&Summary>| {
            layer.into_iter().map(|it| label(it, labels::SERVICE)).collect::<Vec<_>>().join(" ")
        };
        layers(&all).into_iter().map(names).collect()
    }

    #[test]
    fn what_others_need_ends_after_them() {
        let containers = [
            container("db", ""),
            container("web", "db:service_healthy:false,cache:service_started:false"),
            container("cache", ""),
            container("proxy", "web:service_started:true"),
        ];
        assert_eq!(order(&containers), ["proxy", "web", "db cache"]);
    }

    #[test]
    fn labels_that_go_in_a_circle_end_all_the_same() {
        assert_eq!(order(&[container("a", "b:x:y"), container("b", "a:x:y")]), ["a b"]);
    }
}
