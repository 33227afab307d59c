//! What an engine has of a project.

use std::collections::BTreeMap;

use api::Filters;
use api::containers::Summary;
use client::Client;
use client::containers::List;

use super::Result;
use crate::labels;
use crate::model::Project;
use crate::plan::{Container, Current};

/// Its containers, those that do not run among them, one-off ones as well.
pub async fn containers(client: &Client, project: &str) -> Result<Vec<Summary>> {
    let mut filters = Filters::default();
    filters.add("label", format!("{}={project}", labels::PROJECT));
    Ok(client.container_list(&List { all: true, filters, ..List::default() }).await?)
}

/// Containers of all projects.
pub async fn projects(client: &Client, all: bool) -> Result<Vec<Summary>> {
    let mut filters = Filters::default();
    filters.add("label", labels::PROJECT);
    Ok(client.container_list(&List { all, filters, ..List::default() }).await?)
}

pub async fn observe(client: &Client, project: &Project) -> Result<Current> {
    let containers = containers(client, &project.name).await?;
    let nothing = Filters::default();
    // External networks and volumes have no labels of the project, so all names are asked for, and only where they matter.
    let networks = match project.networks.is_empty() {
        true => Vec::new(),
        false => client.network_list(&nothing).await?,
    };
    let volumes = match project.volumes.is_empty() {
        true => None,
        false => client.volume_list(&nothing).await?.volumes,
    };
    Ok(Current {
        containers: containers.iter().map(Container::of).collect(),
        networks: networks.into_iter().map(|network| network.name).collect(),
        volumes: volumes.into_iter().flatten().map(|volume| volume.name).collect(),
        images: images(client, project).await?,
    })
}

/// The ids of the images that services name, of those that are there.
async fn images(client: &Client, project: &Project) -> Result<BTreeMap<String, String>> {
    let list = client.image_list(&client::images::List::default()).await?;
    let mut ids = BTreeMap::new();
    for image in &list {
        let names = [&image.repo_tags, &image.repo_digests];
        for name in names.into_iter().flatten().flatten() {
            ids.insert(name.clone(), image.id.clone());
        }
        ids.insert(image.id.clone(), image.id.clone());
    }
    let found = project.services.values().filter_map(|service| {
        let name = service.image_name(&project.name);
        let id = familiar(&name).iter().find_map(|name| ids.get(name)).cloned()?;
        Some((name, id))
    });
    Ok(found.collect())
}

/// The names under which an image may be listed: with a tag, and without Docker's registry.
fn familiar(name: &str) -> Vec<String> {
    let short =
        ["docker.io/library/", "docker.io/"].iter().find_map(|prefix| name.strip_prefix(prefix));
    let name = short.unwrap_or(name);
    let has_tag =
        name.rsplit('/').next().is_some_and(|last| last.contains(':')) || name.contains('@');
    let tagged = if has_tag { name.to_owned() } else { format!("{name}:latest") };
    vec![tagged, name.to_owned()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_listed_with_a_tag_and_without_dockers_registry() {
        assert_eq!(familiar("busybox")[0], "busybox:latest");
        assert_eq!(familiar("docker.io/library/busybox:1")[0], "busybox:1");
        assert_eq!(familiar("host:5000/a")[0], "host:5000/a:latest");
        assert_eq!(familiar("a@sha256:1")[0], "a@sha256:1");
    }
}
