//! The Engine API 1.45 as its reference lists it, without what is others' to list (networks, builds, registries, plugins
//! and swarms): each endpoint has its handler, and each of its parameters is read. What they answer, statuses included,
//! is compared with dockerd in tests/differential/api.sh.

use hyper::Method;

use super::routes;

/// Method, path, the file of its handler, its parameters.
type Endpoint = (&'static str, &'static str, &'static str, &'static [&'static str]);

const CONTAINERS: &str = include_str!("containers.rs");
const ARCHIVE: &str = include_str!("archive.rs");
const EXEC: &str = concat!(include_str!("exec.rs"), include_str!("containers.rs"));
const IMAGES: &str = include_str!("images.rs");
const VOLUMES: &str = include_str!("volumes.rs");
const SYSTEM: &str = include_str!("system.rs");
const EVENTS: &str = include_str!("events.rs");

const ENDPOINTS: &[Endpoint] = &[
    ("GET", "/containers/json", CONTAINERS, &["all", "limit", "size", "filters"]),
    ("POST", "/containers/create", CONTAINERS, &["name", "platform"]),
    ("GET", "/containers/x/json", CONTAINERS, &["size"]),
    ("GET", "/containers/x/top", CONTAINERS, &["ps_args"]),
    (
        "GET",
        "/containers/x/logs",
        CONTAINERS,
        &["follow", "stdout", "stderr", "since", "until", "timestamps", "tail", "details"],
    ),
    ("GET", "/containers/x/changes", CONTAINERS, &[]),
    ("GET", "/containers/x/export", CONTAINERS, &[]),
    ("GET", "/containers/x/stats", CONTAINERS, &["stream", "one-shot"]),
    ("POST", "/containers/x/resize", CONTAINERS, &["h", "w"]),
    ("POST", "/containers/x/start", CONTAINERS, &["checkpoint"]),
    ("POST", "/containers/x/stop", CONTAINERS, &["signal", "t"]),
    ("POST", "/containers/x/restart", CONTAINERS, &["signal", "t"]),
    ("POST", "/containers/x/kill", CONTAINERS, &["signal"]),
    ("POST", "/containers/x/update", CONTAINERS, &[]),
    ("POST", "/containers/x/rename", CONTAINERS, &["name"]),
    ("POST", "/containers/x/pause", CONTAINERS, &[]),
    ("POST", "/containers/x/unpause", CONTAINERS, &[]),
    (
        "POST",
        "/containers/x/attach",
        CONTAINERS,
        &["detachKeys", "logs", "stream", "stdin", "stdout", "stderr"],
    ),
    (
        "GET",
        "/containers/x/attach/ws",
        CONTAINERS,
        &["detachKeys", "logs", "stream", "stdin", "stdout", "stderr"],
    ),
    ("POST", "/containers/x/wait", CONTAINERS, &["condition"]),
    ("DELETE", "/containers/x", CONTAINERS, &["v", "force", "link"]),
    ("HEAD", "/containers/x/archive", ARCHIVE, &["path"]),
    ("GET", "/containers/x/archive", ARCHIVE, &["path"]),
    ("PUT", "/containers/x/archive", ARCHIVE, &["path", "noOverwriteDirNonDir", "copyUIDGID"]),
    ("POST", "/containers/prune", CONTAINERS, &["filters"]),
    ("GET", "/images/json", IMAGES, &["all", "filters", "shared-size", "manifests"]),
    (
        "POST",
        "/images/create",
        IMAGES,
        &["fromImage", "fromSrc", "repo", "tag", "message", "changes", "platform"],
    ),
    ("GET", "/images/a/b:1/json", IMAGES, &[]),
    ("GET", "/images/a/b:1/history", IMAGES, &[]),
    ("POST", "/images/a/b:1/push", IMAGES, &[]),
    ("POST", "/images/a/b:1/tag", IMAGES, &["repo", "tag"]),
    ("DELETE", "/images/a/b:1", IMAGES, &["force", "noprune"]),
    ("GET", "/images/search", IMAGES, &["term", "limit", "filters"]),
    ("POST", "/images/prune", IMAGES, &["filters"]),
    (
        "POST",
        "/commit",
        IMAGES,
        &["container", "repo", "tag", "comment", "author", "pause", "changes"],
    ),
    ("GET", "/images/a/b:1/get", IMAGES, &[]),
    ("GET", "/images/get", IMAGES, &["names"]),
    ("POST", "/images/load", IMAGES, &["quiet"]),
    ("GET", "/volumes", VOLUMES, &["filters"]),
    ("POST", "/volumes/create", VOLUMES, &[]),
    ("GET", "/volumes/x", VOLUMES, &[]),
    // Of a swarm's volumes: refused as dockerd refuses it without one.
    ("PUT", "/volumes/x", VOLUMES, &[]),
    ("DELETE", "/volumes/x", VOLUMES, &["force"]),
    ("POST", "/volumes/prune", VOLUMES, &["filters"]),
    ("POST", "/containers/x/exec", EXEC, &[]),
    ("POST", "/exec/x/start", EXEC, &[]),
    ("POST", "/exec/x/resize", EXEC, &["h", "w"]),
    ("GET", "/exec/x/json", EXEC, &[]),
    ("POST", "/auth", SYSTEM, &[]),
    ("GET", "/info", SYSTEM, &[]),
    ("GET", "/version", SYSTEM, &[]),
    ("GET", "/_ping", SYSTEM, &[]),
    ("HEAD", "/_ping", SYSTEM, &[]),
    ("GET", "/events", EVENTS, &["since", "until", "filters"]),
    ("GET", "/system/df", SYSTEM, &["type"]),
];

#[test]
fn every_endpoint_has_its_handler() {
    let router = routes();
    for (method, path, ..) in ENDPOINTS {
        let method: Method = method.parse().unwrap();
        let (_, name) = router.find(&method, path).unwrap_or_else(|| panic!("{method} {path}"));
        // The variable alone, not what a pattern meant for others would make of the path.
        let expected = ["/containers/x", "/volumes/x", "/exec/x"];
        let expected = match path {
            path if expected.iter().any(|prefix| path.starts_with(prefix)) => "x",
            path if path.starts_with("/images/a/") => "a/b:1",
            _ => "",
        };
        assert_eq!(name, expected, "{method} {path}");
    }
}

#[test]
fn every_parameter_is_read() {
    for (method, path, source, parameters) in ENDPOINTS {
        for parameter in *parameters {
            let read = match *parameter {
                "filters" => source.contains(".filters(") || source.contains("\"filters\""),
                parameter => source.contains(&format!("\"{parameter}\"")),
            };
            assert!(read, "{parameter} of {method} {path}");
        }
    }
}
