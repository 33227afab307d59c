//! Garbage is collected while pushes go on.

use std::path::PathBuf;

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
    let garbage = registry.push_blob("a", b"garbage");
    let old = registry.push_image("a", "old", "old layer");
    assert_eq!(registry.ask("DELETE", &format!("/v2/a/manifests/{old}")).status, 202);
    let mut pushed = 0;
    let old_layer = digest(b"old layer");
    // A layer that all have, one that each has for itself, and both servers.
    while [&garbage, &old_layer].into_iter().any(|name| file(&registry, name).exists()) {
        let server = if pushed % 2 == 0 { &registry } else { &other };
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
    assert_eq!(registry.get(&format!("/v2/b/blobs/{shared}")).body, b"shared layer");
    assert_eq!(registry.get(&format!("/v2/a/blobs/{garbage}")).status, 404);
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
