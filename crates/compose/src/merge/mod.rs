//! One file over another, and a service over the one that it extends: mappings are merged, lists joined, single values
//! replaced, and what is a key within a list (a port, the target of a mount) stays there once.
//!
//! Both trees are in their long form, so the rules of the specification are few.

mod unique;

use crate::path::Path;
use crate::yaml::{Map, Node, Tag, Value};

/// `over` over `base`.
pub(crate) fn merge(base: Node, over: Node) -> Node {
    let mut merged = merge_at(base, over, &Path::root());
    unique::enforce(&mut merged, &Path::root());
    merged
}

/// `service` over the service that it extends, which is at the same path.
pub(crate) fn extend(base: Node, service: Node, path: &Path) -> Node {
    let mut merged = merge_at(base, service, path);
    unique::enforce(&mut merged, path);
    merged
}

/// Without repetitions in lists that have keys.
pub(crate) fn enforce_unique(tree: &mut Node) {
    unique::enforce(tree, &Path::root());
}

/// Removes what `!reset` marks.
pub(crate) fn drop_resets(node: &mut Node) {
    match &mut node.value {
        Value::Map(map) => {
            map.retain(|_, value| value.tag != Tag::Reset);
            map.values_mut().for_each(drop_resets);
        }
        Value::List(list) => {
            list.retain(|item| item.tag != Tag::Reset);
            list.iter_mut().for_each(drop_resets);
        }
        _ => {}
    }
}

/// Attributes of which the last word counts as a whole.
const REPLACED: &[&str] = &[
    "services.*.command",
    "services.*.entrypoint",
    "services.*.healthcheck.test",
    "services.*.build.ssh",
];

fn merge_at(base: Node, over: Node, path: &Path) -> Node {
    if over.tag != Tag::None || REPLACED.iter().any(|pattern| path.matches(pattern)) {
        return over;
    }
    if path.matches("services.*.logging") && !is_same_driver(&base, &over) {
        return over;
    }
    let shell = Node { value: Value::Null, place: over.place.clone(), tag: base.tag };
    let value = match (base.value, over.value) {
        (Value::Map(base), Value::Map(over)) => Value::Map(merge_maps(base, over, path)),
        (Value::List(mut base), Value::List(over)) => {
            base.extend(over);
            Value::List(base)
        }
        // A name alone asks for nothing else than what is there.
        (base @ (Value::Map(_) | Value::List(_)), Value::Null) => base,
        (_, over) => over,
    };
    Node { value, ..shell }
}

fn merge_maps(mut base: Map, over: Map, path: &Path) -> Map {
    for (key, value) in over {
        let merged = match base.remove(&key) {
            Some(below) if !key.starts_with("x-") => merge_at(below, value, &path.join(&key)),
            _ => value,
        };
        base.insert(key, merged);
    }
    base
}

/// Options of one log driver mean nothing to another.
fn is_same_driver(base: &Node, over: &Node) -> bool {
    match (base.get("driver").and_then(Node::as_str), over.get("driver").and_then(Node::as_str)) {
        (Some(base), Some(over)) => base == over,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::schema::Reader;
    use crate::yaml::documents;

    fn read(text: &str) -> Node {
        let tree = documents(&Arc::from("f"), text).expect("YAML").remove(0);
        Reader { has_variables: false }.project(tree).expect("it keeps to the specification")
    }

    fn service(base: &str, over: &str) -> String {
        let of = |text: &str| read(&format!("services: {{web: {{{text}}}}}"));
        let mut merged = merge(of(base), of(over));
        drop_resets(&mut merged);
        let web = merged.get("services").and_then(|services| services.get("web")).cloned();
        web.expect("the service is there").to_json().to_string()
    }

    #[test]
    fn mappings_merge_lists_join_and_values_are_replaced() {
        assert_eq!(
            service(
                "image: a, environment: {A: 1, B: 2}, dns: [x]",
                "image: b, environment: [B=3], dns: y"
            ),
            r#"{"dns":["x","y"],"environment":{"A":"1","B":"3"},"image":"b"}"#
        );
    }

    #[test]
    fn commands_are_replaced_as_a_whole() {
        assert_eq!(
            service(
                "command: a b, healthcheck: {test: x, retries: 2}",
                "command: [c], healthcheck: {test: [NONE]}"
            ),
            r#"{"command":["c"],"healthcheck":{"retries":2,"test":["NONE"]}}"#
        );
    }

    #[test]
    fn a_mount_of_the_same_target_and_a_port_that_is_the_same_are_there_once() {
        let merged = service(
            "volumes: [one:/x, two:/y], ports: ['80:80']",
            "volumes: [three:/x], ports: ['80:80', '81:80']",
        );
        assert_eq!(merged.matches("\"target\":\"/x\"").count(), 1);
        assert!(
            merged.contains(r#""source":"three""#) && !merged.contains(r#""source":"one""#),
            "{merged}"
        );
        assert_eq!(merged.matches("\"target\":80").count(), 2);
    }

    #[test]
    fn tags_reset_and_override() {
        assert_eq!(
            service("image: a, ports: ['80:80'], dns: [x]", "ports: !reset [], dns: !override [y]"),
            r#"{"dns":["y"],"image":"a"}"#
        );
    }

    #[test]
    fn options_of_another_log_driver_are_gone() {
        assert_eq!(
            service(
                "logging: {driver: a, options: {x: 1}}",
                "logging: {driver: b, options: {y: 1}}"
            ),
            r#"{"logging":{"driver":"b","options":{"y":"1"}}}"#
        );
    }
}
