//! Manifests: pushed, pulled and deleted by tag and by digest.

use super::http::refused;
use super::{OCI_INDEX, OCI_MANIFEST, Registry, digest};

#[test]
fn a_manifest_is_the_same_bytes_by_tag_and_by_digest() {
    let registry = Registry::start();
    let text = registry.image("a/b", "layer");
    let name = digest(text.as_bytes());
    for reference in ["v1", &name] {
        let reply = registry.put_manifest("a/b", reference, OCI_MANIFEST, &text);
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(reply.header("docker-content-digest"), name);
        assert_eq!(reply.header("location"), format!("/v2/a/b/manifests/{name}"));
        assert_eq!(reply.find("oci-subject"), None);
    }
    for reference in ["v1", &name] {
        let path = format!("/v2/a/b/manifests/{reference}");
        let reply = registry.get(&path);
        assert_eq!((reply.status, reply.body == text.as_bytes()), (200, true));
        assert_eq!(reply.header("content-type"), OCI_MANIFEST);
        assert_eq!(reply.header("docker-content-digest"), name);
        let head = registry.ask("HEAD", &path);
        assert_eq!(
            (head.status, head.header("content-length")),
            (200, text.len().to_string().as_str())
        );
        let etag = format!("\"{name}\"");
        let same = registry.connect().ask("GET", &path, &[("If-None-Match", &etag)], b"");
        assert_eq!((same.status, same.header("docker-content-digest")), (304, name.as_str()));
    }
}

#[test]
fn a_tag_moves_and_what_it_named_stays() {
    let registry = Registry::start();
    let (old, new) = (registry.push_image("a", "v1", "old"), registry.push_image("a", "v1", "new"));
    assert_ne!(old, new);
    assert_eq!(registry.ask("HEAD", "/v2/a/manifests/v1").header("docker-content-digest"), new);
    assert_eq!(registry.get(&format!("/v2/a/manifests/{old}")).status, 200);
}

#[test]
fn a_tag_goes_alone_and_a_manifest_with_its_tags() {
    let registry = Registry::start();
    let name = registry.push_image("a", "v1", "layer");
    for tag in ["v2", "v3"] {
        registry.push_image("a", tag, "layer");
    }
    registry.push_image("a", "other", "other");
    let unknown = refused(404, "MANIFEST_UNKNOWN");
    assert_eq!(registry.ask("DELETE", "/v2/a/manifests/v1").status, 202);
    assert_eq!(registry.get("/v2/a/manifests/v1").refusal(), unknown);
    assert_eq!(registry.ask("DELETE", "/v2/a/manifests/v1").refusal(), unknown);
    assert_eq!(registry.get("/v2/a/manifests/v2").status, 200);
    assert_eq!(registry.ask("DELETE", &format!("/v2/a/manifests/{name}")).status, 202);
    for reference in ["v2", "v3", &name] {
        assert_eq!(registry.get(&format!("/v2/a/manifests/{reference}")).refusal(), unknown);
    }
    assert_eq!(registry.get("/v2/a/tags/list").json()["tags"], serde_json::json!(["other"]));
    assert_eq!(registry.ask("DELETE", &format!("/v2/a/manifests/{name}")).refusal(), unknown);
}

#[test]
fn what_a_manifest_refers_to_must_be_there() {
    let registry = Registry::start();
    let text = registry.image("a", "layer");
    let elsewhere = registry.put_manifest("b", "v1", OCI_MANIFEST, &text);
    assert_eq!(elsewhere.refusal(), refused(404, "MANIFEST_BLOB_UNKNOWN"));
    let name = digest(text.as_bytes());
    let index = format!(
        r#"{{"schemaVersion":2,"mediaType":"{OCI_INDEX}","manifests":[
        {{"mediaType":"{OCI_MANIFEST}","digest":"{name}","size":{}}}]}}"#,
        text.len()
    );
    let early = registry.put_manifest("a", "all", OCI_INDEX, &index);
    assert_eq!(early.refusal(), refused(404, "MANIFEST_BLOB_UNKNOWN"));
    assert_eq!(registry.put_manifest("a", &name, OCI_MANIFEST, &text).status, 201);
    assert_eq!(registry.put_manifest("a", "all", OCI_INDEX, &index).status, 201);
    assert_eq!(registry.get("/v2/a/manifests/all").header("content-type"), OCI_INDEX);
}

#[test]
fn docker_manifests_and_lists_are_taken() {
    let registry = Registry::start();
    let docker = "application/vnd.docker.distribution.manifest.v2+json";
    let list = "application/vnd.docker.distribution.manifest.list.v2+json";
    let text = registry.image("a", "layer").replace(OCI_MANIFEST, docker);
    assert_eq!(registry.put_manifest("a", "v1", docker, &text).status, 201);
    let name = digest(text.as_bytes());
    let list_text = format!(
        r#"{{"schemaVersion":2,"mediaType":"{list}","manifests":[
        {{"mediaType":"{docker}","digest":"{name}","size":{},"platform":{{"os":"linux","architecture":"amd64"}}}}]}}"#,
        text.len()
    );
    assert_eq!(registry.put_manifest("a", "all", list, &list_text).status, 201);
    assert_eq!(registry.get("/v2/a/manifests/all").header("content-type"), list);
}

#[test]
fn what_is_no_manifest_is_refused() {
    let registry = Registry::start();
    let good = registry.image("a", "layer");
    let invalid = refused(400, "MANIFEST_INVALID");
    let both = good.replacen('{', r#"{"manifests":[],"#, 1);
    let one = good.replace("\"schemaVersion\":2", "\"schemaVersion\":1");
    for (kind, text) in [
        (OCI_MANIFEST, "<html>"),
        (OCI_MANIFEST, ""),
        (OCI_MANIFEST, "{}"),
        (OCI_MANIFEST, &both),
        (OCI_MANIFEST, &one),
        (OCI_INDEX, &good),
        ("application/json", &good),
        ("application/vnd.docker.distribution.manifest.v1+prettyjws", &one),
    ] {
        assert_eq!(
            registry.put_manifest("a", "v1", kind, text).refusal(),
            invalid,
            "{kind}: {text}"
        );
    }
    let other = digest(b"other");
    let refusal = registry.put_manifest("a", &other, OCI_MANIFEST, &good).refusal();
    assert_eq!(refusal, refused(400, "DIGEST_INVALID"));
    let long = good.replacen('{', &format!("{{\"x\":\"{}\",", "x".repeat(4 << 20)), 1);
    let refusal = registry.put_manifest("a", "v1", OCI_MANIFEST, &long).refusal();
    assert_eq!(refusal, refused(413, "SIZE_INVALID"));
    assert_eq!(registry.get("/v2/a/manifests/v1").refusal(), refused(404, "MANIFEST_UNKNOWN"));
}
