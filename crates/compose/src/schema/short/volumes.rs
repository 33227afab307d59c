//! `[SOURCE:]TARGET[:OPTIONS]`. A source that looks like a path is one, any other a volume's name.

use crate::error::{Error, Result};
use crate::path::Path;
use crate::schema::{Reader, must_be};
use crate::yaml::{Map, Node, Value};

pub(in crate::schema) fn volume(_: &Reader, node: Node, path: &Path) -> Result<Node> {
    match &node.value {
        Value::Map(said) => {
            let mut said = said.clone();
            let bind = said.get_mut("bind").and_then(Node::as_map_mut);
            if let Some(bind) = bind {
                bind.entry("create_host_path".to_owned())
                    .or_insert_with(|| node.with(Value::Bool(true)));
            }
            Ok(node.with(Value::Map(said)))
        }
        Value::Text(said) => parse(&node, said).map_err(|why| {
            let why = format!("invalid spec: {said}: {why}");
            Error::value(&node.place, &path.to_string(), why)
        }),
        _ => Err(must_be(&node, path, "string")),
    }
}

fn parse(at: &Node, said: &str) -> Result<Node, &'static str> {
    let text = |text: &str| at.text(text);
    let mut mount = Map::new();
    let mut set = |key: &str, value: Node| mount.insert(key.to_owned(), value);
    if said.is_empty() {
        return Err("invalid empty volume spec");
    }
    let parts = split(said);
    if parts.iter().any(|part| part.is_empty()) {
        return Err("empty section between colons");
    }
    let (source, target, options) = match parts[..] {
        [target] => ("", target, ""),
        [source, target] => (source, target, ""),
        [source, target, options] => (source, target, options),
        _ => return Err("too many colons"),
    };
    set("target", text(target));
    if !source.is_empty() {
        set("source", text(source));
    }
    let (mut bind, mut volume) = (Map::new(), Map::new());
    for option in options.split(',') {
        match option {
            "ro" => drop(set("read_only", at.with(Value::Bool(true)))),
            "nocopy" => drop(volume.insert("nocopy".to_owned(), at.with(Value::Bool(true)))),
            "z" | "Z" => drop(bind.insert("selinux".to_owned(), text(option))),
            "rprivate" | "private" | "rshared" | "shared" | "rslave" | "slave" => {
                bind.insert("propagation".to_owned(), text(option));
            }
            // As Docker Compose does, which means `cached` and the like by it.
            _ => {}
        }
    }
    if is_path(source) {
        set("type", text("bind"));
        bind.insert("create_host_path".to_owned(), at.with(Value::Bool(true)));
    } else {
        set("type", text("volume"));
    }
    // Docker Compose reads one or two letters by a way of its own.
    let is_named = !is_path(source) && said.len() > 2;
    if is_named || !volume.is_empty() {
        set("volume", at.with(Value::Map(volume)));
    }
    if !bind.is_empty() {
        set("bind", at.with(Value::Map(bind)));
    }
    Ok(at.with(Value::Map(mount)))
}

/// By colons, but not by that of a drive's letter nor by those within `${...}`.
fn split(said: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut open) = (Vec::new(), 0, 0_usize);
    let bytes = said.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'{' if at > 0 && bytes[at - 1] == b'$' => open += 1,
            b'}' => open = open.saturating_sub(1),
            b':' if open == 0 && !(at - begin == 1 && bytes[begin].is_ascii_alphabetic()) => {
                parts.push(&said[begin..at]);
                begin = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&said[begin..]);
    parts
}

fn is_path(source: &str) -> bool {
    let mut chars = source.chars();
    match (chars.next(), chars.next()) {
        (Some('.' | '/' | '~'), _) => true,
        (Some('\\'), Some('\\')) => true,
        (Some(first), Some(':')) => first.is_alphabetic(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::yaml::Place;

    fn shown(said: &str) -> Result<String, &'static str> {
        parse(&Node::new(Value::Null, Place::nowhere()), said)
            .map(|node| node.to_json().to_string())
    }

    #[test]
    fn a_source_is_a_path_or_a_name() {
        assert_eq!(
            shown("./a:/b:ro,z").as_deref(),
            Ok(
                r#"{"bind":{"create_host_path":true,"selinux":"z"},"read_only":true,"source":"./a","target":"/b","type":"bind"}"#
            )
        );
        assert_eq!(
            shown("data:/b:nocopy").as_deref(),
            Ok(r#"{"source":"data","target":"/b","type":"volume","volume":{"nocopy":true}}"#)
        );
        assert_eq!(shown("/bb").as_deref(), Ok(r#"{"target":"/bb","type":"volume","volume":{}}"#));
        assert_eq!(shown("xx:/a:ro:b"), Err("too many colons"));
        assert_eq!(shown("data::/b"), Err("empty section between colons"));
    }
}
