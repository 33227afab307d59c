//! Relative paths made absolute, by the folder of the file that says them.

use std::collections::BTreeMap;
use std::path::Path as FilePath;

use super::{absolute, section_mut};
use crate::yaml::Node;

pub(super) fn resolve(tree: &mut Node, base: &FilePath, environment: &BTreeMap<String, String>) {
    for (_, service) in section_mut(tree, "services") {
        in_service(service, base, environment.get("HOME").map(String::as_str));
    }
    for name in ["configs", "secrets"] {
        for (_, object) in section_mut(tree, name) {
            at(object, "file", |file| path(file, base, None));
        }
    }
    for (_, volume) in section_mut(tree, "volumes") {
        bind_volume(volume, base);
    }
}

/// A service of a file that is not among the project's own.
pub(super) fn resolve_service(service: &mut Node, base: &FilePath) {
    in_service(service, base, std::env::var("HOME").ok().as_deref());
}

fn in_service(service: &mut Node, base: &FilePath, home: Option<&str>) {
    if let Some(build) = child(service, "build") {
        at(build, "context", |context| context_path(context, base));
        for context in children(build, "additional_contexts") {
            replace(context, |said| context_path(said, base));
        }
        for key in children(build, "ssh") {
            replace(
                key,
                |said| if said.is_empty() { said.to_owned() } else { path(said, base, home) },
            );
        }
    }
    for file in children(service, "env_file") {
        at(file, "path", |said| path(said, base, None));
    }
    for file in children(service, "label_file") {
        replace(file, |said| path(said, base, None));
    }
    for mount in children(service, "volumes") {
        let is_bind = mount.get("type").and_then(Node::as_str) == Some("bind");
        if is_bind {
            at(mount, "source", |said| path(said, base, home));
        }
    }
    if let Some(develop) = child(service, "develop") {
        for rule in children(develop, "watch") {
            at(rule, "path", |said| path(said, base, None));
        }
    }
}

/// A volume that is a folder of this machine after all.
fn bind_volume(volume: &mut Node, base: &FilePath) {
    let option = |volume: &Node, name: &str| {
        volume.get("driver_opts").and_then(|options| options.get(name)).and_then(Node::scalar)
    };
    let is_local =
        volume.get("driver").and_then(Node::as_str).is_none_or(|driver| driver == "local");
    let is_bind = option(volume, "o").is_some_and(|o| o.split(',').any(|word| word == "bind"));
    if is_local
        && is_bind
        && let Some(options) = child(volume, "driver_opts")
    {
        at(options, "device", |said| path(said, base, None));
    }
}

fn child<'a>(node: &'a mut Node, key: &str) -> Option<&'a mut Node> {
    node.as_map_mut()?.get_mut(key)
}

/// The items of a list, or the values of a mapping.
fn children<'a>(node: &'a mut Node, key: &str) -> Vec<&'a mut Node> {
    use crate::yaml::Value;
    match child(node, key).map(|child| &mut child.value) {
        Some(Value::List(list)) => list.iter_mut().collect(),
        Some(Value::Map(map)) => map.values_mut().collect(),
        _ => Vec::new(),
    }
}

fn at(node: &mut Node, key: &str, change: impl FnOnce(&str) -> String) {
    if let Some(node) = child(node, key) {
        replace(node, change);
    }
}

fn replace(node: &mut Node, change: impl FnOnce(&str) -> String) {
    if let Some(said) = node.as_str() {
        let changed = change(said);
        node.value = crate::yaml::Value::Text(changed);
    }
}

fn path(said: &str, base: &FilePath, home: Option<&str>) -> String {
    let is_variable = said.starts_with('$');
    let is_windows = said.starts_with('\\') || said.get(1..3) == Some(":\\");
    if said.is_empty() || is_variable || is_windows {
        return said.to_owned();
    }
    match (said.strip_prefix('~'), home) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
            absolute(rest.trim_start_matches('/'), FilePath::new(home))
        }
        _ => absolute(said, base),
    }
}

/// A build context may be a repository or another service as well.
fn context_path(said: &str, base: &FilePath) -> String {
    let is_remote = said.contains("://")
        || said.starts_with("git@")
        || said.starts_with("github.com/")
        || said.starts_with("service:");
    if is_remote { said.to_owned() } else { path(said, base, None) }
}
