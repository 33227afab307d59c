//! `gantry system prune`.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use testkit::engine::Engine;

#[test]
fn what_is_used_stays_and_the_rest_goes() {
    let engine = Engine::with_busybox();
    engine.load("hello-world");
    engine.gantry(&["run", "-d", "--name", "running", "busybox", "sleep", "300"]).ok();
    engine
        .gantry(&["run", "--name", "ended", "busybox", "sh", "-c", "head -c 5000 /dev/zero >/f"])
        .ok();
    let said = engine.gantry_with_input(&["system", "prune"], b"n\n");
    assert!(said.ok().contains("- all dangling images\n  - unused build cache\n\nAre you sure"));
    let ended = engine.gantry(&["inspect", "-f", "{{.Id}}", "ended"]).ok();
    let said = engine.gantry_with_input(&["system", "prune"], b"y\n").ok();
    let report = format!("Deleted Containers:\n{ended}\n\nTotal reclaimed space: 5kB");
    assert!(said.ends_with(&report), "{said}");
    let said = engine.gantry(&["system", "prune", "-a", "-f"]).ok();
    assert!(said.contains("untagged: hello-world:latest") && !said.contains("busybox"), "{said}");
    assert_eq!(engine.gantry(&["ps", "--format", "{{.Names}}"]).ok(), "running");
}

#[test]
fn filters_choose_and_the_space_is_what_was_freed() {
    let engine = Engine::with_busybox();
    for (name, label) in [("one", "keep=1"), ("two", "go=1")] {
        engine.gantry(&["create", "--name", name, "-l", label, "busybox"]).ok();
    }
    let prune = |flags: &[&str]| engine.gantry(&[&["system", "prune", "-f"][..], flags].concat());
    assert_eq!(prune(&["--filter", "until=1h"]).ok(), "Total reclaimed space: 0B");
    prune(&["--filter", "label=go"]).ok();
    assert_eq!(engine.gantry(&["ps", "-a", "--format", "{{.Names}}"]).ok(), "one");
    prune(&["--filter", "label!=keep"]).ok();
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok().lines().count(), 1);
    assert_eq!(
        prune(&["--volumes", "--filter", "until=1h"]).fails(1),
        "ERROR: The \"until\" filter is not supported with \"--volumes\""
    );
    assert_eq!(
        prune(&["--filter", "until=x"]).fails(1),
        "Error response from daemon: failed to parse value as time or duration: \"x\""
    );
    engine.gantry(&["rm", "one"]).ok();
    let sizes = engine.gantry(&["system", "df", "--format", "{{.Size}}"]).ok();
    let images = sizes.lines().next().unwrap();
    let said = engine.gantry(&["image", "prune", "-a", "-f"]).ok();
    assert!(said.ends_with(&format!("Total reclaimed space: {images}")), "{images}: {said}");
    assert_eq!(super::df::usage(&engine, "")["LayersSize"], 0);
}

/// A mistyped filter is no leave to remove everything.
#[test]
fn a_filter_without_a_value_removes_nothing() {
    let engine = Engine::with_busybox();
    engine.gantry(&["create", "--name", "box", "busybox"]).ok();
    engine.gantry(&["volume", "create"]).ok();
    engine.gantry(&["network", "create", "net"]).ok();
    for noun in ["container", "image", "network", "volume", "builder", "system"] {
        let said = engine.gantry(&[noun, "prune", "-f", "--filter", "label"]).fails(125);
        let words = "invalid argument \"label\" for \"--filter\" flag: bad format of filter (expected name=value)";
        assert!(said.starts_with(words), "{noun}: {said}");
    }
    for path in ["containers", "images", "networks", "volumes", "build"] {
        for filters in ["%7B%22label%22%3A%5B%5D%7D", "%7B%22label%22%3Anull%7D"] {
            let answer = post(&engine, &format!("/{path}/prune?filters={filters}"));
            assert!(answer.starts_with("HTTP/1.1 400 "), "{path}: {answer}");
            assert!(answer.contains("invalid filter 'label': it has no value"), "{path}: {answer}");
        }
    }
    engine.gantry(&["inspect", "box"]).ok();
    assert_eq!(engine.gantry(&["volume", "ls", "-q"]).ok().lines().count(), 1);
    engine.gantry(&["network", "inspect", "net"]).ok();
}

fn post(engine: &Engine, path: &str) -> String {
    let mut stream = UnixStream::connect(engine.socket()).unwrap();
    let head = format!("POST /v1.45{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
