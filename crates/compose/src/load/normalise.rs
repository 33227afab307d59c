//! What a file leaves unsaid, and what it says in an old way.

use std::collections::BTreeMap;

use super::source;
use super::{inconsistent, profiles, section_mut};
use crate::dotenv;
use crate::error::{Error, Result};
use crate::yaml::{Map, Node, Value};

/// Fills in defaults that depend on nothing but the tree and the project's name. What it returns are warnings.
pub(super) fn normalise(
    tree: &mut Node,
    project: &str,
    environment: &BTreeMap<String, String>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for (_, service) in section_mut(tree, "services") {
        join_default_network(service);
        depend_on_neighbours(service);
        fill_in(service);
        resolve_build_arguments(service, environment);
    }
    declare_default_network(tree);
    for section in ["networks", "volumes", "secrets", "configs"] {
        for (key, declared) in section_mut(tree, section) {
            if declared.get("external").is_some_and(|external| external.as_map().is_some()) {
                warnings.push(format!(
                    "{section}.{key}: external.name is deprecated. Please set name and external: true"
                ));
            }
            name_resource(declared, project, key);
        }
    }
    warnings
}

fn set_default(node: &mut Node, key: &str, value: impl FnOnce(&Node) -> Node) {
    if node.get(key).is_none() {
        let value = value(node);
        set(node, key, value);
    }
}

fn set(node: &mut Node, key: &str, value: Node) {
    if let Some(map) = node.as_map_mut() {
        map.insert(key.to_owned(), value);
    }
}

/// A service without networks and without a mode of its own is on the default one.
fn join_default_network(service: &mut Node) {
    let has_some =
        service.get("networks").and_then(Node::as_map).is_some_and(|networks| !networks.is_empty());
    if has_some || service.get("network_mode").is_some() {
        return;
    }
    let default = service.with(Value::Null);
    let networks = service.with(Value::Map(Map::from([("default".to_owned(), default)])));
    set(service, "networks", networks);
}

fn declare_default_network(tree: &mut Node) {
    let networks = tree.with(Value::Map(Map::new()));
    let Some(map) = tree.as_map_mut() else { return };
    let networks = map.entry("networks".to_owned()).or_insert(networks);
    let nothing = networks.with(Value::Null);
    if let Some(networks) = networks.as_map_mut() {
        networks.entry("default".to_owned()).or_insert(nothing);
    }
}

/// Links, namespaces and volumes of another service need that service.
fn depend_on_neighbours(service: &mut Node) {
    let mut needed: Vec<(String, bool)> = Vec::new();
    for link in list(service, "links") {
        let name = link.split(':').next().unwrap_or_default();
        needed.push((name.to_owned(), true));
    }
    for namespace in ["network_mode", "ipc", "pid", "uts", "cgroup"] {
        let said = service.get(namespace).and_then(Node::as_str);
        let other = said.and_then(|said| said.strip_prefix("service:"));
        needed.extend(other.map(|name| (name.to_owned(), true)));
    }
    for source in list(service, "volumes_from") {
        if !source.starts_with("container:") {
            let name = source.split(':').next().unwrap_or_default();
            needed.push((name.to_owned(), false));
        }
    }
    for (name, restart) in needed {
        depend_on(service, &name, restart);
    }
}

fn list(service: &Node, key: &str) -> Vec<String> {
    let items = service.get(key).and_then(Node::as_list).into_iter().flatten();
    items.filter_map(Node::scalar).collect()
}

fn depend_on(service: &mut Node, name: &str, restart: bool) {
    let entry = |value| service.with(value);
    let mut said = Map::from([
        ("condition".to_owned(), entry(Value::Text("service_started".to_owned()))),
        ("required".to_owned(), entry(Value::Bool(true))),
    ]);
    if restart {
        said.insert("restart".to_owned(), entry(Value::Bool(true)));
    }
    let dependency = service.with(Value::Map(said));
    set_default(service, "depends_on", |service| service.with(Value::Map(Map::new())));
    let depends = service.as_map_mut().and_then(|map| map.get_mut("depends_on"));
    if let Some(depends) = depends.and_then(Node::as_map_mut) {
        depends.entry(name.to_owned()).or_insert(dependency);
    }
}

fn fill_in(service: &mut Node) {
    if service.get("pull_policy").and_then(Node::as_str) == Some("if_not_present") {
        let missing = service.text("missing");
        set(service, "pull_policy", missing);
    }
    let map = service.as_map_mut();
    let Some(map) = map else { return };
    if let Some(Value::List(ports)) = map.get_mut("ports").map(|ports| &mut ports.value) {
        for port in ports.iter_mut().filter(|port| port.as_map().is_some()) {
            set_default(port, "mode", |port| port.text("ingress"));
            set_default(port, "protocol", |port| port.text("tcp"));
        }
    }
    if let Some(Value::List(secrets)) = map.get_mut("secrets").map(|secrets| &mut secrets.value) {
        for secret in secrets {
            let source = secret.get("source").and_then(Node::scalar).unwrap_or_default();
            set_default(secret, "target", |secret| secret.text(format!("/run/secrets/{source}")));
        }
    }
    if let Some(build) = map.get_mut("build") {
        set_default(build, "context", |build| build.text("."));
        if build.get("dockerfile_inline").is_none() {
            set_default(build, "dockerfile", |build| build.text("Dockerfile"));
        }
    }
}

/// An argument without value is the environment's, or none.
fn resolve_build_arguments(service: &mut Node, environment: &BTreeMap<String, String>) {
    let build = service.as_map_mut().and_then(|map| map.get_mut("build"));
    let args = build.and_then(Node::as_map_mut).and_then(|map| map.get_mut("args"));
    let Some(args) = args.and_then(Node::as_map_mut) else { return };
    for (name, value) in args.iter_mut().filter(|(_, value)| value.is_null()) {
        if let Some(known) = environment.get(name) {
            value.value = Value::Text(known.clone());
        }
    }
    args.retain(|_, value| !value.is_null());
}

/// `PROJECT_KEY`, or the key itself for what is outside of the project.
fn name_resource(declared: &mut Node, project: &str, key: &str) {
    if declared.is_null() {
        declared.value = Value::Map(Map::new());
    }
    let external = declared.get("external").cloned();
    if let Some(Value::Map(old)) = external.as_ref().map(|external| &external.value) {
        if let Some(name) = old.get("name").cloned() {
            set_default(declared, "name", |_| name);
        }
        let yes = declared.with(Value::Bool(true));
        set(declared, "external", yes);
    }
    let is_external = external.is_some_and(|external| external.value != Value::Bool(false));
    set_default(declared, "name", |declared| {
        declared.text(if is_external { key.to_owned() } else { format!("{project}_{key}") })
    });
}

/// Variables of services: those of their files, those they say, and the project's for names without value.
pub(super) fn resolve_environment(
    tree: &mut Node,
    environment: &BTreeMap<String, String>,
) -> Result {
    for (_, service) in section_mut(tree, "services") {
        let files = service.as_map_mut().and_then(|map| map.remove("env_file"));
        let mut merged = Map::new();
        for file in files.iter().filter_map(Node::as_list).flatten() {
            for (name, value) in read_env_file(file, environment, &merged)? {
                merged.insert(name, file.text(value));
            }
        }
        let said = service.as_map_mut().and_then(|map| map.get_mut("environment"));
        if let Some(said) = said.and_then(Node::as_map_mut) {
            for (name, mut value) in std::mem::take(said) {
                if let (true, Some(known)) = (value.is_null(), environment.get(&name)) {
                    value.value = Value::Text(known.clone());
                }
                merged.insert(name, value);
            }
        }
        if !merged.is_empty() {
            let merged = service.with(Value::Map(merged));
            set(service, "environment", merged);
        }
        resolve_label_files(service)?;
    }
    Ok(())
}

fn read_env_file(
    file: &Node,
    environment: &BTreeMap<String, String>,
    before: &Map,
) -> Result<BTreeMap<String, String>> {
    let path = file.get("path").and_then(Node::scalar).unwrap_or_default();
    let text = match source::read(&path) {
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {
            if !profiles::is_required(file) {
                return Ok(BTreeMap::new());
            }
            return Err(Error::Missing(format!(
                "env file {path} not found: stat {path}: no such file or directory"
            )));
        }
        Err(why) => return Err(Error::read(path, why)),
        Ok(text) => text,
    };
    let failed = |why: String| Error::Invalid(format!("failed to read {path}: {why}"));
    if file.get("format").and_then(Node::as_str) == Some("raw") {
        return dotenv::parse_raw(&text).map_err(failed);
    }
    let lookup = |name: &str| {
        let known = || before.get(name).and_then(Node::scalar);
        environment.get(name).cloned().or_else(known)
    };
    dotenv::parse_with(&text, &|_| None, &lookup).map_err(failed)
}

/// Labels of files beneath those that a service says.
fn resolve_label_files(service: &mut Node) -> Result {
    let files = service.as_map_mut().and_then(|map| map.remove("label_file"));
    for file in files.iter().filter_map(Node::as_list).flatten() {
        let path = file.scalar().unwrap_or_default();
        let text = source::read(&path)
            .map_err(|_| Error::Invalid(format!("label file {path} not found")))?;
        let labels = dotenv::parse_with(&text, &|_| None, &|_| None)
            .map_err(|why| Error::Invalid(format!("failed to read {path}: {why}")))?;
        set_default(service, "labels", |service| service.with(Value::Map(Map::new())));
        let said = service.as_map_mut().and_then(|map| map.get_mut("labels"));
        if let Some(said) = said.and_then(Node::as_map_mut) {
            for (name, value) in labels {
                said.entry(name).or_insert_with(|| file.text(value));
            }
        }
    }
    Ok(())
}

/// `scale` and `deploy.replicas` say the same.
pub(super) fn scale(service: &Node) -> Option<i128> {
    let number = |node: Option<&Node>| match node.map(|node| &node.value) {
        Some(Value::Int(number)) => Some(*number),
        _ => None,
    };
    let replicas = service.get("deploy").and_then(|deploy| deploy.get("replicas"));
    number(service.get("scale")).or_else(|| number(replicas))
}

/// Two ways to say one thing that say different things.
pub(super) fn distinct(service: &str, one: &str, other: &str) -> Result {
    inconsistent(format!("services.{service}: can't set distinct values on '{one}' and '{other}'"))
}
