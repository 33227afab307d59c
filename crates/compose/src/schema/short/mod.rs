//! Short forms, each in its long one.

mod ports;
mod volumes;
mod words;

use std::collections::BTreeMap;

use super::build::ULIMIT;
use super::{Reader, must_be, schema, text};
use crate::error::{Error, Result};
use crate::path::Path;
use crate::yaml::{Map, Node, Value};

pub(super) use ports::{ports, published};
pub(super) use volumes::volume;

/// A mapping in the place of a node.
fn map(node: &Node, entries: impl IntoIterator<Item = (&'static str, Value)>) -> Node {
    let entries = entries.into_iter().map(|(key, value)| (key.to_owned(), node.with(value)));
    node.with(Value::Map(entries.collect()))
}

pub(super) fn build(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    match &node.value {
        Value::Text(context) => Ok(map(&node, [("context", Value::Text(context.clone()))])),
        Value::Map(_) => Ok(node),
        _ => Err(must_be(&node, path, "string")),
    }
}

pub(super) fn command(reader: &Reader, node: Node, path: &Path) -> Result<Node> {
    match &node.value {
        Value::Null => Ok(node),
        // A variable may have quotes in it.
        Value::Text(_) if reader.has_variables => Ok(node),
        Value::Text(line) => {
            let words = words::split(line).ok_or_else(|| {
                Error::value(&node.place, &path.to_string(), "invalid command line string")
            })?;
            Ok(node.with(Value::List(words.into_iter().map(|word| node.text(word)).collect())))
        }
        Value::List(_) => reader.items(node, path, |item, path| text(item, path, "string")),
        _ => Err(must_be(&node, path, "null")),
    }
}

pub(super) fn health_test(reader: &Reader, node: Node, path: &Path) -> Result<Node> {
    match &node.value {
        Value::Text(line) => {
            let words = ["CMD-SHELL", line].map(|word| node.text(word));
            Ok(node.with(Value::List(words.into())))
        }
        Value::List(_) => reader.items(node, path, |item, path| text(item, path, "string")),
        _ => Err(must_be(&node, path, "string")),
    }
}

pub(super) fn depends_on(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    let started = |node: &Node| {
        let condition = ("condition", Value::Text("service_started".to_owned()));
        map(node, [condition, ("required", Value::Bool(true))])
    };
    match node.value {
        Value::List(_) => names(node, path, started),
        Value::Map(mut entries) => {
            for dependency in entries.values_mut() {
                let yes = dependency.with(Value::Bool(true));
                if let Some(said) = dependency.as_map_mut() {
                    said.entry("required".to_owned()).or_insert(yes);
                }
            }
            Ok(Node { value: Value::Map(entries), ..node })
        }
        _ => Err(must_be(&node, path, "list")),
    }
}

pub(super) fn networks(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    match node.value {
        Value::List(_) => names(node, path, |node| node.with(Value::Null)),
        Value::Map(_) => Ok(node),
        _ => Err(must_be(&node, path, "list")),
    }
}

/// A list of names as a mapping.
fn names(node: Node, path: &Path, value: impl Fn(&Node) -> Node) -> Result<Node> {
    let mut entries = Map::new();
    for (at, item) in node.as_list().into_iter().flatten().enumerate() {
        let item = text(item.clone(), &path.join(&at.to_string()), "string")?;
        entries.insert(item.as_str().unwrap_or_default().to_owned(), value(&item));
    }
    Ok(Node { value: Value::Map(entries), ..node })
}

pub(super) fn env_files(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    let required = |node: &Node| {
        let path = Value::Text(node.as_str().unwrap_or_default().to_owned());
        map(node, [("path", path), ("required", Value::Bool(true))])
    };
    match &node.value {
        Value::Text(_) => Ok(node.with(Value::List(vec![required(&node)]))),
        Value::List(list) => {
            let mut files = Vec::new();
            for (at, item) in list.iter().enumerate() {
                let inner = path.join(&at.to_string());
                files.push(match &item.value {
                    Value::Text(_) => required(item),
                    Value::Map(said) => {
                        let mut said = said.clone();
                        said.entry("required".to_owned())
                            .or_insert_with(|| item.with(Value::Bool(true)));
                        if !said.contains_key("path") {
                            return Err(schema(item, &inner, "path is required".to_owned()));
                        }
                        item.with(Value::Map(said))
                    }
                    _ => return Err(must_be(item, &inner, "string")),
                });
            }
            Ok(Node { value: Value::List(files), ..node })
        }
        _ => Err(must_be(&node, path, "string")),
    }
}

pub(super) fn extends(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    match &node.value {
        Value::Text(service) => Ok(map(&node, [("service", Value::Text(service.clone()))])),
        Value::Map(said) if !said.contains_key("service") => {
            Err(schema(&node, path, "service is required".to_owned()))
        }
        Value::Map(_) => Ok(node),
        _ => Err(must_be(&node, path, "string")),
    }
}

pub(super) fn includes(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    let Some(list) = node.as_list() else { return Err(must_be(&node, path, "list")) };
    let one = |item: &Node| match &item.value {
        Value::Text(file) => map(item, [("path", Value::Text(file.clone()))]),
        _ => item.clone(),
    };
    Ok(Node { value: Value::List(list.iter().map(one).collect()), ..node })
}

/// `SOURCE[:TARGET[:PERMISSIONS]]`
pub(super) fn device(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    let Value::Text(said) = &node.value else {
        return if node.as_map().is_some() {
            Ok(node)
        } else {
            Err(must_be(&node, path, "string"))
        };
    };
    let parts: Vec<&str> = said.split(':').collect();
    let (source, target, permissions) = match parts[..] {
        [source] => (source, source, "rwm"),
        [source, target] => (source, target, "rwm"),
        [source, target, permissions] => (source, target, permissions),
        _ => {
            let why = format!("confusing device mapping, please use long syntax: {said}");
            return Err(Error::value(&node.place, &path.to_string(), why));
        }
    };
    let entry = |key, value: &str| (key, Value::Text(value.to_owned()));
    let entries =
        [entry("source", source), entry("target", target), entry("permissions", permissions)];
    Ok(map(&node, entries))
}

/// A secret or a config by its name.
pub(super) fn file(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    match &node.value {
        Value::Text(name) => Ok(map(&node, [("source", Value::Text(name.clone()))])),
        Value::Map(_) => Ok(node),
        _ => Err(must_be(&node, path, "string")),
    }
}

pub(super) fn ulimit(reader: &Reader, node: Node, path: &Path) -> Result<Node> {
    match node.value {
        Value::Map(_) => reader.object(&ULIMIT, node, path),
        _ => reader.integer(node, path),
    }
}

/// Hosts with their addresses, from `HOST=ADDRESS`, `HOST:ADDRESS` or a mapping.
pub(super) fn hosts(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    let mut hosts: BTreeMap<String, Vec<Node>> = BTreeMap::new();
    match &node.value {
        Value::List(list) => {
            for (at, item) in list.iter().enumerate() {
                let item = text(item.clone(), &path.join(&at.to_string()), "string")?;
                let line = item.as_str().unwrap_or_default();
                let split = line.split_once('=').or_else(|| line.split_once(':'));
                let (host, address) = split.ok_or_else(|| {
                    let why = format!("invalid additional host, missing IP: {line}");
                    Error::value(&item.place, &path.to_string(), why)
                })?;
                hosts.entry(host.to_owned()).or_default().push(item.text(bare(address)));
            }
        }
        Value::Map(entries) => {
            for (host, said) in entries {
                let inner = path.join(host);
                let addresses = match &said.value {
                    Value::List(list) => list.clone(),
                    _ => vec![said.clone()],
                };
                for address in addresses {
                    let address = text(address, &inner, "string")?;
                    let plain = bare(address.as_str().unwrap_or_default());
                    hosts.entry(host.clone()).or_default().push(address.text(plain));
                }
            }
        }
        _ => return Err(must_be(&node, path, "mapping")),
    }
    let entries = hosts.into_iter().map(|(host, list)| (host, node.with(Value::List(list))));
    Ok(node.with(Value::Map(entries.collect())))
}

/// An address without the brackets of IPv6.
fn bare(address: &str) -> &str {
    address.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(address)
}

pub(super) fn gpus(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    match &node.value {
        Value::Text(all) if all == "all" => {
            Ok(node.with(Value::List(vec![map(&node, [("count", Value::Int(-1))])])))
        }
        Value::List(_) => Ok(node),
        _ => Err(must_be(&node, path, "string")),
    }
}

pub(super) fn device_count(reader: &Reader, node: Node, path: &Path) -> Result<Node> {
    match node.as_str() {
        Some("all") => Ok(node.with(Value::Int(-1))),
        Some(said) if said.parse::<i64>().is_err() && !said.contains('$') => {
            let why =
                format!("invalid value {said:?}, the only value allowed is 'all' or a number");
            Err(Error::value(&node.place, &path.to_string(), why))
        }
        _ => reader.integer(node, path),
    }
}

/// `default` or `ID=PATH`, as a mapping from id to path.
pub(super) fn ssh(reader: &Reader, node: Node, path: &Path) -> Result<Node> {
    if let Value::Text(said) = &node.value {
        let list = node.with(Value::List(vec![node.text(said.clone())]));
        return reader.dictionary(list, path, &Value::Text(String::new()));
    }
    reader.dictionary(node, path, &Value::Text(String::new()))
}

/// `external: {name: N}` is the old way to say both.
pub(super) fn external(reader: &Reader, node: Node, path: &Path) -> Result<Node> {
    match &node.value {
        Value::Map(_) => Ok(node),
        _ => reader.flag(node, path),
    }
}

pub(super) fn pull_policy(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    const KNOWN: &[&str] = &["always", "never", "if_not_present", "build", "missing"];
    let newer = |said: &str| {
        matches!(said, "refresh" | "daily" | "weekly")
            || said
                .strip_prefix("every_")
                .is_some_and(|every| crate::units::duration(every).is_ok())
    };
    if node.as_str().is_some_and(newer) {
        return Ok(node);
    }
    super::one_of(node, path, KNOWN)
}

pub(super) fn models(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    let why = "models are not supported: no model runner belongs to this engine";
    Err(Error::value(&node.place, &path.to_string(), why))
}

pub(super) fn provider(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    let why = "providers are not supported: they run programs on the host";
    Err(Error::value(&node.place, &path.to_string(), why))
}
