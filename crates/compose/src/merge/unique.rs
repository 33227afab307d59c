//! Lists whose items have a key: a later item takes the place of an earlier one.

use std::collections::HashMap;

use crate::path::Path;
use crate::yaml::{Node, Value};

/// The key of an item; an item without one stays.
type Key = fn(&Node) -> Option<String>;

const KEYS: &[(&str, Key)] = &[
    ("services.*.cap_add", Node::scalar),
    ("services.*.cap_drop", Node::scalar),
    ("services.*.configs", file),
    ("services.*.devices", target),
    ("services.*.dns", Node::scalar),
    ("services.*.dns_opt", Node::scalar),
    ("services.*.dns_search", Node::scalar),
    ("services.*.env_file", path),
    ("services.*.expose", Node::scalar),
    ("services.*.extra_hosts.*", Node::scalar),
    ("services.*.external_links", Node::scalar),
    ("services.*.group_add", Node::scalar),
    ("services.*.label_file", Node::scalar),
    ("services.*.links", Node::scalar),
    ("services.*.networks.*.aliases", Node::scalar),
    ("services.*.networks.*.link_local_ips", Node::scalar),
    ("services.*.ports", port),
    ("services.*.profiles", Node::scalar),
    ("services.*.secrets", file),
    ("services.*.security_opt", Node::scalar),
    ("services.*.tmpfs", Node::scalar),
    ("services.*.volumes", target),
    ("services.*.volumes_from", Node::scalar),
    ("services.*.build.tags", Node::scalar),
    ("services.*.build.platforms", Node::scalar),
    ("services.*.build.extra_hosts.*", Node::scalar),
    ("services.*.build.secrets", file),
    ("networks.*.ipam.config", subnet),
];

pub(super) fn enforce(node: &mut Node, at: &Path) {
    match &mut node.value {
        Value::Map(map) => {
            for (key, value) in map {
                enforce(value, &at.join(key));
            }
        }
        Value::List(list) => {
            if let Some((_, key)) = KEYS.iter().find(|(pattern, _)| at.matches(pattern)) {
                *list = last_of_each(std::mem::take(list), *key);
            }
        }
        _ => {}
    }
}

fn last_of_each(list: Vec<Node>, key: Key) -> Vec<Node> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut kept: Vec<Node> = Vec::with_capacity(list.len());
    for item in list {
        let known = key(&item);
        match known.as_ref().and_then(|key| places.get(key)) {
            Some(at) => kept[*at] = item,
            None => {
                places.extend(known.map(|key| (key, kept.len())));
                kept.push(item);
            }
        }
    }
    kept
}

fn said(node: &Node, attribute: &str) -> Option<String> {
    node.get(attribute).and_then(Node::scalar)
}

fn target(node: &Node) -> Option<String> {
    said(node, "target")
}

fn path(node: &Node) -> Option<String> {
    said(node, "path")
}

fn subnet(node: &Node) -> Option<String> {
    said(node, "subnet")
}

fn file(node: &Node) -> Option<String> {
    said(node, "target").or_else(|| said(node, "source"))
}

fn port(node: &Node) -> Option<String> {
    let target = said(node, "target")?;
    let part = |attribute: &str, default: &str| {
        said(node, attribute).unwrap_or_else(|| default.to_owned())
    };
    let (address, published) = (part("host_ip", "0.0.0.0"), part("published", ""));
    Some(format!("{address}:{published}:{target}/{}", part("protocol", "tcp")))
}
