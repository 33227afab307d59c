//! The command and its process.

use std::process::Command;

use testkit::engine::{binary, finish};

use super::Registry;
use super::http::refused;

#[test]
fn it_says_that_it_is_a_registry_and_ends_when_told_to() {
    let mut registry = Registry::start();
    for path in ["/v2/", "/v2"] {
        let reply = registry.get(path);
        assert_eq!((reply.status, reply.body.as_slice()), (200, &b"{}"[..]));
        assert_eq!(reply.header("docker-distribution-api-version"), "registry/2.0");
    }
    let health = registry.get("/healthz");
    assert_eq!((health.status, health.json()["status"].as_str()), (200, Some("ok")));
    let metrics = String::from_utf8(registry.get("/metrics").body).unwrap();
    assert!(metrics.contains("gantry_registry_requests_total{code=\"2xx\"} 3\n"), "{metrics}");
    assert_eq!(registry.stop(), 0);
    let log = registry.log();
    assert!(log.contains("method=GET path=\"/healthz\" status=200"), "{log}");
}

#[test]
fn a_request_in_flight_is_finished_before_it_ends() {
    let mut registry = Registry::start();
    let place = registry.begin("a");
    let mut connection = registry.connect();
    registry.begin_body(&mut connection, &place, 2);
    let sent = std::thread::spawn(move || {
        connection.send(b"cd").unwrap();
        connection.reply("PATCH")
    });
    let status = registry.stop();
    assert_eq!((status, sent.join().unwrap().status), (0, 202));
}

#[test]
fn other_pages_and_methods_are_refused() {
    let registry = Registry::start();
    for path in ["/", "/v1/_ping", "/v2/a", "/v2/a/tags/other", "/v2/%", "/v2/a/b/c"] {
        assert_eq!(registry.get(path).status, 404, "{path}");
    }
    let digest = super::digest(b"");
    for (method, path, allowed) in [
        ("POST", "/v2/".to_owned(), "GET, HEAD"),
        ("PUT", "/v2/_catalog".to_owned(), "GET, HEAD"),
        ("DELETE", "/v2/a/tags/list".to_owned(), "GET, HEAD"),
        ("POST", format!("/v2/a/referrers/{digest}"), "GET, HEAD"),
        ("PUT", format!("/v2/a/blobs/{digest}"), "GET, HEAD, DELETE"),
        ("POST", "/v2/a/manifests/x".to_owned(), "GET, HEAD, PUT, DELETE"),
        ("GET", "/v2/a/blobs/uploads/".to_owned(), "POST"),
        ("POST", "/v2/a/blobs/uploads/x".to_owned(), "GET, HEAD, PATCH, PUT, DELETE"),
    ] {
        let reply = registry.ask(method, &path);
        assert_eq!(reply.refusal(), refused(405, "UNSUPPORTED"), "{method} {path}");
        assert_eq!(reply.header("allow"), allowed);
    }
}

#[test]
fn a_read_only_registry_serves_and_changes_nothing() {
    let writing = Registry::start();
    let digest = writing.push_image("a", "v1", "content");
    let registry = writing.beside(&["--read-only"]);
    assert_eq!(registry.get("/v2/a/manifests/v1").status, 200);
    for (method, path) in [
        ("POST", "/v2/a/blobs/uploads/".to_owned()),
        ("PUT", "/v2/a/manifests/v2".to_owned()),
        ("DELETE", format!("/v2/a/manifests/{digest}")),
        ("DELETE", "/v2/a/manifests/v1".to_owned()),
    ] {
        assert_eq!(registry.ask(method, &path).refusal(), refused(405, "UNSUPPORTED"), "{method}");
    }
    assert_eq!(registry.get("/v2/a/manifests/v1").status, 200);
}

#[test]
fn what_it_cannot_use_it_says() {
    let serve = |flags: &[&str]| {
        finish(Command::new(binary("gantry")).args(["registry", "serve"]).args(flags))
    };
    let error = serve(&["--address=example.org:80"]).fails(1);
    assert!(error.contains("it needs an IP address and a port"), "{error}");
    let error = serve(&["--root=/proc/none", "--address=127.0.0.1:0"]).fails(1);
    assert!(error.contains("cannot use /proc/none"), "{error}");
    let taken = Registry::start();
    let error =
        serve(&["--root", &taken.root.to_string_lossy(), "--address", &taken.address]).fails(1);
    assert!(error.contains("cannot listen on 127.0.0.1:"), "{error}");
    let error = serve(&["--nonsense"]).fails(125);
    assert!(error.contains("unknown flag: --nonsense"), "{error}");
}
