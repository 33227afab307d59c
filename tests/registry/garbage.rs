//! Garbage is collected while pushes go on.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;
use testkit::bucket::Bucket;
use testkit::engine::wait_for;

use super::{Registry, digest};

fn file(registry: &Registry, name: &str) -> PathBuf {
    let hex = name.strip_prefix("sha256:").unwrap();
    registry.root.join("blobs/sha256").join(&hex[..2]).join(hex)
}

#[test]
fn only_garbage_goes_while_images_are_pushed() {
    let registry = Registry::start_with(&["--gc-interval=20ms", "--gc-grace=5s"]);
    let other = registry.beside(&["--gc-interval=20ms", "--gc-grace=5s"]);
    goes_alone(&registry, &other, |name| file(&registry, name).exists());
}

/// Pushes to both until what nobody refers to is gone: all else is there.
#[track_caller]
pub(super) fn goes_alone(one: &Registry, other: &Registry, is_there: impl Fn(&str) -> bool) {
    let garbage = one.push_blob("a", b"garbage");
    let old = one.push_image("a", "old", "old layer");
    assert_eq!(one.ask("DELETE", &format!("/v2/a/manifests/{old}")).status, 202);
    let names = [garbage.clone(), digest(b"old layer")];
    let mut pushed = 0;
    // A layer that all have, and one that each has for itself.
    while names.iter().any(|name| is_there(name)) {
        let server = if pushed % 2 == 0 { one } else { other };
        server.push_image("a", &format!("v{pushed}"), &format!("layer {pushed}"));
        server.push_image("b", &format!("v{pushed}"), "shared layer");
        pushed += 1;
    }
    assert!(pushed > 0);
    for at in 0..pushed {
        assert_eq!(other.get(&format!("/v2/a/manifests/v{at}")).status, 200);
        let layer = format!("layer {at}");
        let blob = other.get(&format!("/v2/a/blobs/{}", digest(layer.as_bytes())));
        assert_eq!(blob.body, layer.as_bytes(), "of v{at}");
    }
    let shared = digest(b"shared layer");
    assert_eq!(one.get(&format!("/v2/b/blobs/{shared}")).body, b"shared layer");
    assert_eq!(one.get(&format!("/v2/a/blobs/{garbage}")).status, 404);
}

#[test]
fn a_blob_that_a_client_asked_for_is_there_when_it_refers_to_it() {
    let registry = Registry::start_with(&["--gc-interval=20ms", "--gc-grace=6s"]);
    let text = registry.image("a", "layer");
    let layer = digest(b"layer");
    let mut asked = 0;
    let started = std::time::Instant::now();
    // As clients do that find a blob and do not send it again, for longer than the grace.
    while started.elapsed() < std::time::Duration::from_secs(8) {
        for name in [&layer, &digest(b"{}")] {
            assert_eq!(registry.ask("HEAD", &format!("/v2/a/blobs/{name}")).status, 200);
        }
        asked += 1;
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(asked > 1);
    assert_eq!(registry.put_manifest("a", "v1", super::OCI_MANIFEST, &text).status, 201);
    registry.push_blob("a", b"left alone");
    wait_for("what nobody asks for goes", || !file(&registry, &digest(b"left alone")).exists());
    assert_eq!(registry.get(&format!("/v2/a/blobs/{layer}")).body, b"layer");
}

/// The flags of a registry that keeps two tags of what is below `ci/`.
fn retaining(folder: &TempDir) -> [String; 3] {
    let file = folder.path().join("config.json");
    let rule = json!({"repositories": ["ci/*"], "tags": ["v*"], "keep": 2, "untagged": "0s"});
    fs::write(&file, json!({ "retention": [rule] }).to_string()).unwrap();
    let config = format!("--config={}", file.display());
    [config, "--gc-interval=100ms".to_owned(), "--gc-grace=2s".to_owned()]
}

fn keeps_two(registry: &Registry) {
    for tag in ["v1", "v2", "v3", "v4", "stable"] {
        registry.push_image("ci/app", tag, tag);
        registry.push_image("other", tag, tag);
    }
    let tags = |name: &str| registry.get(&format!("/v2/{name}/tags/list")).json()["tags"].clone();
    wait_for("two are left", || tags("ci/app") == json!(["stable", "v3", "v4"]));
    let first = digest(b"v1");
    let blob = |name: &str| registry.ask("HEAD", &format!("/v2/{name}/blobs/{first}")).status;
    let listed = registry.get("/v2/other/manifests/v1");
    let manifest = format!("/v2/ci/app/manifests/{}", digest(&listed.body));
    wait_for("the manifest has gone", || registry.get(&manifest).status == 404);
    assert_eq!((tags("other").as_array().unwrap().len(), blob("other")), (5, 200));
    for tag in ["v3", "v4", "stable"] {
        assert_eq!(registry.get(&format!("/v2/ci/app/manifests/{tag}")).status, 200);
    }
}

#[test]
fn by_rules_of_retention_old_tags_and_what_only_they_named_go() {
    let folder = TempDir::new().unwrap();
    let flags = retaining(&folder);
    let registry = Registry::start_with(&flags.each_ref().map(String::as_str));
    keeps_two(&registry);
    let layer = format!("repositories/ci/app/_blobs/sha256/{}", &digest(b"v1")[7..]);
    wait_for("the layer has gone", || !registry.root.join(&layer).exists());
}

#[test]
fn a_bucket_is_kept_by_the_same_rules() {
    let Some(bucket) = Bucket::start("retention in a bucket") else { return };
    let folder = TempDir::new().unwrap();
    let flags = retaining(&folder);
    keeps_two(&Registry::over(&bucket, &flags.each_ref().map(String::as_str)));
}
