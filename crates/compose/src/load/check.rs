//! What does not go together, in Docker Compose's words.

use std::collections::{BTreeMap, BTreeSet};

use super::profiles::{is_declared, is_required, undefined};
use super::{inconsistent, normalise, section, services};
use crate::error::{Error, Result};
use crate::yaml::{Map, Node};

/// What single attributes must say.
pub(super) fn values(tree: &Node) -> Result {
    for (name, service) in services(tree) {
        mounts_have_targets(name, service)?;
        ports_have_targets(name, service)?;
    }
    for (name, secret) in section(tree, "secrets") {
        one_source(&format!("secrets.{name}"), secret, &["file", "environment"])?;
    }
    for (name, config) in section(tree, "configs") {
        one_source(&format!("configs.{name}"), config, &["file", "environment", "content"])?;
    }
    Ok(())
}

fn items<'a>(node: &'a Node, key: &str) -> impl Iterator<Item = (usize, &'a Node)> {
    node.get(key).and_then(Node::as_list).into_iter().flatten().enumerate()
}

fn mounts_have_targets(name: &str, service: &Node) -> Result {
    for (at, mount) in items(service, "volumes") {
        if mount.as_map().is_some() && mount.get("target").is_none() {
            let path = format!("services.{name}.volumes.[{at}]");
            let why = format!("service volume {path} is missing a mount target");
            return Err(Error::Invalid(format!("{}: {why}", mount.place)));
        }
    }
    Ok(())
}

fn ports_have_targets(name: &str, service: &Node) -> Result {
    for (at, port) in items(service, "ports") {
        if port.as_map().is_some() && port.get("target").is_none() {
            let path = format!("services.{name}.ports.[{at}]");
            let why = format!("service ports {path} is missing a target port");
            return Err(Error::Invalid(format!("{}: {why}", port.place)));
        }
    }
    Ok(())
}

fn is_external(declared: &Node) -> bool {
    let no = crate::yaml::Value::Bool(false);
    declared.get("external").is_some_and(|external| external.value != no)
}

fn one_source(path: &str, declared: &Node, keys: &[&str]) -> Result {
    let said = keys.iter().filter(|key| declared.get(key).is_some()).count();
    let why = match said {
        _ if is_external(declared) || declared.get("driver").is_some() => return Ok(()),
        0 => format!("one of {} must be set", keys.join("|")),
        1 => return Ok(()),
        _ => format!("{} attributes are mutually exclusive", keys.join("|")),
    };
    Err(Error::Invalid(format!("{}: {path}: {why}", declared.place)))
}

/// Names that must be declared, and attributes that exclude one another.
pub(super) fn references(tree: &Node) -> Result {
    let mut names = BTreeMap::new();
    for (name, service) in services(tree) {
        has_image(name, service)?;
        network_mode(name, service)?;
        healthcheck(name, service)?;
        for network in keys(service, "networks") {
            require(tree, name, "networks", "network", network)?;
        }
        depends(tree, name, service)?;
        for (_, mount) in items(service, "volumes") {
            let said = |key: &str| mount.get(key).and_then(Node::as_str);
            if let (Some("volume"), Some(source)) = (said("type"), said("source")) {
                require(tree, name, "volumes", "volume", source)?;
            }
        }
        files(tree, name, service)?;
        scale(name, service)?;
        resources(name, service)?;
        container_name(name, service, &mut names)?;
    }
    no_cycle(tree)
}

fn require(tree: &Node, service: &str, section: &str, what: &str, name: &str) -> Result {
    if is_declared(tree, section, name) { Ok(()) } else { undefined(service, what, name) }
}

fn keys<'a>(node: &'a Node, key: &str) -> impl Iterator<Item = &'a String> {
    node.get(key).and_then(Node::as_map).map(Map::keys).into_iter().flatten()
}

fn has_image(name: &str, service: &Node) -> Result {
    let has_image =
        service.get("image").and_then(Node::as_str).is_some_and(|image| !image.is_empty());
    if has_image || service.get("build").is_some() {
        return Ok(());
    }
    inconsistent(format!("service {name:?} has neither an image nor a build context specified"))
}

fn network_mode(name: &str, service: &Node) -> Result {
    let has_networks = keys(service, "networks").next().is_some();
    if service.get("network_mode").is_some() && has_networks {
        return inconsistent(format!(
            "service {name} declares mutually exclusive `network_mode` and `networks`"
        ));
    }
    Ok(())
}

fn healthcheck(name: &str, service: &Node) -> Result {
    let test = service.get("healthcheck").and_then(|check| check.get("test"));
    let Some(words) = test.and_then(Node::as_list) else { return Ok(()) };
    let first = words.first().and_then(Node::as_str);
    if words.is_empty() || matches!(first, Some("NONE" | "CMD" | "CMD-SHELL")) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "services.{name}: healthcheck.test must start either by \"CMD\", \"CMD-SHELL\" or \"NONE\""
    )))
}

fn depends(tree: &Node, name: &str, service: &Node) -> Result {
    let depends = service.get("depends_on").and_then(Node::as_map).into_iter().flatten();
    for (other, said) in depends {
        if !is_declared(tree, "services", other) && is_required(said) {
            return inconsistent(format!(
                "service {name:?} depends on undefined service {other:?}"
            ));
        }
    }
    Ok(())
}

fn files(tree: &Node, name: &str, service: &Node) -> Result {
    for (key, what) in [("configs", "config"), ("secrets", "secret")] {
        for (_, file) in items(service, key) {
            if let Some(source) = file.get("source").and_then(Node::as_str) {
                require(tree, name, key, what, source)?;
            }
        }
    }
    let build = service.get("build");
    for (_, secret) in build.into_iter().flat_map(|build| items(build, "secrets")) {
        if let Some(source) = secret.get("source").and_then(Node::as_str) {
            require(tree, name, "secrets", "build secret", source)?;
        }
    }
    Ok(())
}

fn scale(name: &str, service: &Node) -> Result {
    let replicas = service.get("deploy").and_then(|deploy| deploy.get("replicas"));
    if let (Some(scale), Some(replicas)) = (service.get("scale"), replicas)
        && scale.value != replicas.value
    {
        return normalise::distinct(name, "scale", "deploy.replicas");
    }
    Ok(())
}

/// Limits at two places.
const TWICE: [(&str, &str, &str); 4] = [
    ("mem_limit", "limits", "memory"),
    ("mem_reservation", "reservations", "memory"),
    ("cpus", "limits", "cpus"),
    ("pids_limit", "limits", "pids"),
];

fn resources(name: &str, service: &Node) -> Result {
    let resources = service.get("deploy").and_then(|deploy| deploy.get("resources"));
    let Some(resources) = resources else { return Ok(()) };
    for (old, kind, new) in TWICE {
        let deployed = resources.get(kind).and_then(|kind| kind.get(new)).and_then(Node::scalar);
        if let (Some(said), Some(deployed)) = (service.get(old).and_then(Node::scalar), deployed)
            && said != deployed
        {
            return normalise::distinct(name, old, &format!("deploy.resources.{kind}.{new}"));
        }
    }
    Ok(())
}

fn container_name(name: &str, service: &Node, names: &mut BTreeMap<String, String>) -> Result {
    let Some(said) = service.get("container_name").and_then(Node::as_str) else { return Ok(()) };
    if normalise::scale(service).is_some_and(|scale| scale > 1) {
        let key = if service.get("scale").is_some() { "scale" } else { "deploy.replicas" };
        return inconsistent(format!(
            "services.{key}: can't set container_name and {name} as container name must be unique"
        ));
    }
    match names.insert(said.to_owned(), name.to_owned()) {
        Some(other) => inconsistent(format!(
            "services.{name}: container name {said:?} is already in use by service {other}"
        )),
        None => Ok(()),
    }
}

/// Services that wait for one another for ever.
fn no_cycle(tree: &Node) -> Result {
    let edges: BTreeMap<&str, Vec<&str>> = services(tree)
        .map(|(name, service)| {
            (name.as_str(), keys(service, "depends_on").map(String::as_str).collect())
        })
        .collect();
    let mut done = BTreeSet::new();
    for name in edges.keys() {
        walk(name, &edges, &mut Vec::new(), &mut done)?;
    }
    Ok(())
}

fn walk<'a>(
    name: &'a str,
    edges: &BTreeMap<&'a str, Vec<&'a str>>,
    way: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
) -> Result {
    if let Some(at) = way.iter().position(|before| *before == name) {
        let cycle: Vec<&str> = way[at..].iter().copied().chain([name]).collect();
        return Err(Error::Invalid(format!("dependency cycle detected: {}", cycle.join(" -> "))));
    }
    if done.contains(name) {
        return Ok(());
    }
    way.push(name);
    for next in edges.get(name).into_iter().flatten() {
        walk(next, edges, way, done)?;
    }
    way.pop();
    done.insert(name);
    Ok(())
}
