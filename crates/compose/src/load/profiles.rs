//! Which services take part: those of no profile, of a profile in force, or asked for by name, and what they depend on.

use std::collections::BTreeSet;

use super::{Loaded, Options, inconsistent, section, services};
use crate::error::{Error, Result};
use crate::yaml::{Map, Node};

/// The profiles that any service names.
pub(super) fn named(tree: &Node) -> BTreeSet<String> {
    services(tree).flat_map(|(_, service)| texts(service, "profiles")).collect()
}

/// Takes out the services of profiles that are not in force.
pub(super) fn apply(loaded: &mut Loaded, options: &Options) -> Result {
    let mut in_force: BTreeSet<String> = options.profiles.iter().cloned().collect();
    if in_force.is_empty() {
        let set = loaded.environment.get("COMPOSE_PROFILES").map(|names| names.split(','));
        in_force.extend(set.into_iter().flatten().filter(|n| !n.is_empty()).map(str::to_owned));
    }
    for (name, service) in services(&loaded.tree) {
        if options.services.contains(name) || options.wanted.contains(name) {
            in_force.extend(texts(service, "profiles"));
        }
    }
    let takes_part = |service: &Node| {
        let profiles = texts(service, "profiles");
        profiles.is_empty()
            || in_force.contains("*")
            || profiles.iter().any(|profile| in_force.contains(profile))
    };
    let out: BTreeSet<String> = services(&loaded.tree)
        .filter(|(_, service)| !takes_part(service))
        .map(|(name, _)| name.clone())
        .collect();
    remove(&mut loaded.tree, &out);
    loaded.disabled = out;
    Ok(())
}

/// Keeps the services that are asked for with all that they depend on.
pub(super) fn select(loaded: &mut Loaded, options: &Options) -> Result {
    if options.services.is_empty() {
        return Ok(());
    }
    let mut wanted = BTreeSet::new();
    let mut next = options.services.clone();
    while let Some(name) = next.pop() {
        let service = services(&loaded.tree).find(|(known, _)| **known == name);
        let is_optional = !options.services.contains(&name);
        let Some((_, service)) = service else {
            // The check of references has let it pass, so it need not be there.
            if is_optional {
                continue;
            }
            return Err(Error::Usage(format!("no such service: {name}")));
        };
        if wanted.insert(name) {
            next.extend(keys(service, "depends_on"));
        }
    }
    let others = services(&loaded.tree).map(|(name, _)| name.clone());
    let others = others.filter(|name| !wanted.contains(name)).collect();
    remove(&mut loaded.tree, &others);
    drop_unused(&mut loaded.tree);
    Ok(())
}

fn remove(tree: &mut Node, names: &BTreeSet<String>) {
    let map = tree.as_map_mut().and_then(|map| map.get_mut("services")).and_then(Node::as_map_mut);
    if let Some(map) = map {
        map.retain(|name, _| !names.contains(name));
    }
}

pub(super) fn is_required(dependency: &Node) -> bool {
    dependency.get("required").is_none_or(|said| said.value != crate::yaml::Value::Bool(false))
}

/// Takes out the networks, volumes, secrets and configs that no service uses.
pub(super) fn drop_unused(tree: &mut Node) {
    let used = |section: &str| -> BTreeSet<String> {
        services(tree).flat_map(|(_, service)| uses(service, section)).collect()
    };
    let by_section: Vec<(&str, BTreeSet<String>)> =
        ["networks", "volumes", "secrets", "configs"].map(|name| (name, used(name))).into();
    for (section, used) in by_section {
        let map = tree.as_map_mut().and_then(|map| map.get_mut(section)).and_then(Node::as_map_mut);
        if let Some(map) = map {
            map.retain(|name, _| name.starts_with("x-") || used.contains(name));
        }
    }
}

fn uses(service: &Node, section: &str) -> Vec<String> {
    match section {
        "networks" => keys(service, "networks"),
        "volumes" => {
            mounts(service).filter(|(kind, _)| kind == "volume").map(|(_, name)| name).collect()
        }
        _ => {
            let build = service.get("build");
            let of = |node: &Node| sources(node, section);
            of(service).into_iter().chain(build.map(of).unwrap_or_default()).collect()
        }
    }
}

fn mounts(service: &Node) -> impl Iterator<Item = (String, String)> {
    let list = service.get("volumes").and_then(Node::as_list).into_iter().flatten();
    list.filter_map(|mount| {
        let said = |key: &str| mount.get(key).and_then(Node::scalar);
        Some((said("type")?, said("source")?))
    })
}

fn sources(node: &Node, section: &str) -> Vec<String> {
    let list = node.get(section).and_then(Node::as_list).into_iter().flatten();
    list.filter_map(|file| file.get("source").and_then(Node::scalar)).collect()
}

fn texts(node: &Node, key: &str) -> Vec<String> {
    let list = node.get(key).and_then(Node::as_list).into_iter().flatten();
    list.filter_map(Node::scalar).collect()
}

fn keys(node: &Node, key: &str) -> Vec<String> {
    node.get(key).and_then(Node::as_map).map(Map::keys).into_iter().flatten().cloned().collect()
}

/// Whether something is declared.
pub(super) fn is_declared(tree: &Node, name_of_section: &str, name: &str) -> bool {
    section(tree, name_of_section).any(|(known, _)| known == name)
}

/// A name that nothing has.
pub(super) fn undefined(service: &str, what: &str, name: &str) -> Result {
    inconsistent(format!("service {service:?} refers to undefined {what} {name}"))
}
