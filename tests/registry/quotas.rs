//! How much repositories may hold.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::bucket::Bucket;
use testkit::engine::wait_for;

use super::http::{Reply, refused};
use super::{OCI_MANIFEST, Registry, digest};

fn config(folder: &TempDir, rules: &Value) -> String {
    let file = folder.path().join("config.json");
    fs::write(&file, json!({ "quotas": rules }).to_string()).unwrap();
    format!("--config={}", file.display())
}

fn push(registry: &Registry, repository: &str, content: &[u8]) -> Reply {
    let path = format!("/v2/{repository}/blobs/uploads/?digest={}", digest(content));
    registry.connect().ask("POST", &path, &[], content)
}

fn bounds_a_namespace(registry: &Registry) {
    assert_eq!(push(registry, "team/a", &[1; 2000]).status, 201);
    let over = push(registry, "team/b", &[2; 1001]);
    assert_eq!(over.refusal(), refused(403, "DENIED"));
    let text = String::from_utf8_lossy(&over.body).into_owned();
    assert!(text.contains("the quota of team/* would be exceeded"), "{text}");
    assert_eq!(push(registry, "other/b", &[2; 1001]).status, 201);
    assert_eq!(push(registry, "team/b", &[1; 1000]).status, 201);
    // What it has already costs nothing, wherever it is mounted.
    let mount = |to: &str, content: &[u8], from: &str| {
        let name = digest(content);
        registry.ask("POST", &format!("/v2/{to}/blobs/uploads/?mount={name}&from={from}"))
    };
    assert_eq!(mount("team/c", &[1; 2000], "team/a").status, 201);
    assert_eq!(mount("team/c", &[2; 1001], "other/b").refusal(), refused(403, "DENIED"));
    let manifest = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_MANIFEST}","layers":[],
        "config":{{"mediaType":"x","digest":"{}","size":2000}}}}"#,
        digest(&[1; 2000])
    );
    let put = registry.put_manifest("team/a", "v1", OCI_MANIFEST, &manifest);
    assert_eq!(put.refusal(), refused(403, "DENIED"));
    assert_eq!(registry.get("/v2/team/a/manifests/v1").status, 404);
    let path = format!("/v2/team/b/blobs/{}", digest(&[1; 1000]));
    assert_eq!(registry.ask("DELETE", &path).status, 202);
    let again = || registry.put_manifest("team/a", "v1", OCI_MANIFEST, &manifest).status == 201;
    wait_for("there is room again", again);
}

fn namespace(folder: &TempDir) -> String {
    config(folder, &json!([{"repositories": ["team/*"], "bytes": 3000}]))
}

#[test]
fn repositories_of_a_namespace_share_its_bytes() {
    let folder = TempDir::new().unwrap();
    let registry = Registry::start_with(&[&namespace(&folder)]);
    bounds_a_namespace(&registry);
    // What is there counts, whoever took it.
    let other = registry.beside(&[&namespace(&folder)]);
    assert_eq!(push(&other, "team/a", &[3; 1000]).status, 403);
}

#[test]
fn a_bucket_has_quotas_too() {
    let Some(bucket) = Bucket::start("quotas of a bucket") else { return };
    let folder = TempDir::new().unwrap();
    bounds_a_namespace(&Registry::over(&bucket, &[&namespace(&folder)]));
}

#[test]
fn an_upload_ends_where_there_is_no_room_for_more_of_it() {
    let folder = TempDir::new().unwrap();
    let rules = json!([{"repositories": ["**"], "bytes": 3000, "per": "repository"}]);
    let registry = Registry::start_with(&[&config(&folder, &rules)]);
    for name in ["a", "b"] {
        let place = registry.begin(name);
        let patch = |content: &[u8]| registry.connect().ask("PATCH", &place, &[], content);
        assert_eq!(patch(&[1; 2000]).status, 202);
        // Refused by the length that it states, and nothing of it is taken.
        assert_eq!(patch(&[1; 1001]).refusal(), refused(403, "DENIED"));
        assert_eq!(registry.get(&place).header("range"), "0-1999");
        assert_eq!(patch(&[1; 1000]).status, 202);
        let end = format!("{place}?digest={}", digest(&[1; 3000]));
        assert_eq!(registry.ask("PUT", &end).status, 201, "its own 3000 bytes");
    }
    // One that states no length.
    let place = registry.begin("c");
    let mut connection = registry.connect();
    let head = format!("PATCH {place} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send(head.as_bytes()).unwrap();
    connection.send(format!("bb9\r\n{}\r\n0\r\n\r\n", "x".repeat(3001)).as_bytes()).unwrap();
    assert_eq!(connection.reply("PATCH").refusal(), refused(403, "DENIED"));
    let range = ("Content-Range", format!("0-{}", u64::MAX - 1));
    let reply = registry.connect().ask("PATCH", &registry.begin("d"), &[(range.0, &range.1)], b"");
    assert!((400..500).contains(&reply.status), "{reply:?}");
}
