//! In which order containers that are there end and start, by their labels: no file is needed for it.

use std::collections::{BTreeMap, BTreeSet};

use api::containers::Summary;

use crate::labels;

/// The value of a label, empty where there is none.
pub fn label(summary: &Summary, name: &str) -> String {
    let labels = summary.labels.as_ref();
    labels.and_then(|labels| labels.get(name)).cloned().unwrap_or_default()
}

/// Containers in groups: none of a group is needed by one of a later group.
pub fn layers<'a>(containers: &[&'a Summary]) -> Vec<Vec<&'a Summary>> {
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

/// Services and those that are to be restarted with them (`depends_on` with `restart: true`), and so on.
pub fn with_dependants(containers: &[Summary], services: &[String]) -> BTreeSet<String> {
    let mut chosen: BTreeSet<String> = services.iter().cloned().collect();
    loop {
        let needs = |container: &&Summary| {
            let said = label(container, labels::DEPENDS_ON);
            said.split(',').any(|dependency| {
                let mut parts = dependency.split(':');
                let name = parts.next().unwrap_or_default();
                chosen.contains(name) && parts.next_back() == Some("true")
            })
        };
        let more: Vec<String> =
            containers.iter().filter(needs).map(|it| label(it, labels::SERVICE)).collect();
        let before = chosen.len();
        chosen.extend(more);
        if chosen.len() == before {
            return chosen;
        }
    }
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
    fn whoever_asks_to_be_restarted_with_another_is() {
        let containers = [
            container("db", ""),
            container("web", "db:service_healthy:true"),
            container("worker", "db:service_started:false"),
            container("proxy", "web:service_started:true"),
        ];
        let chosen = |names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            with_dependants(&containers, &names).into_iter().collect::<Vec<_>>().join(" ")
        };
        assert_eq!(chosen(&["db"]), "db proxy web");
        assert_eq!(chosen(&["worker"]), "worker");
    }

    #[test]
    fn labels_that_go_in_a_circle_end_all_the_same() {
        assert_eq!(order(&[container("a", "b:x:y"), container("b", "a:x:y")]), ["a b"]);
    }
}
