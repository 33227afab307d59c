//! `GET`, `HEAD` and `DELETE` of blobs: whole, in parts, on conditions.

use super::http::refused;
use super::{Registry, digest};

#[test]
fn a_blob_is_served_whole_and_in_parts() {
    let registry = Registry::start();
    let content: Vec<u8> = (0..700_000_u32).flat_map(u32::to_le_bytes).collect();
    let size = content.len();
    let name = registry.push_blob("team/app", &content);
    let path = format!("/v2/team/app/blobs/{name}");
    let whole = registry.get(&path);
    assert_eq!((whole.status, whole.body == content), (200, true));
    assert_eq!(whole.header("docker-content-digest"), name);
    assert_eq!(whole.header("content-type"), "application/octet-stream");
    assert_eq!(whole.header("accept-ranges"), "bytes");
    let head = registry.ask("HEAD", &path);
    assert_eq!((head.status, head.header("content-length")), (200, size.to_string().as_str()));
    assert_eq!(head.header("docker-content-digest"), name);
    let mut connection = registry.connect();
    let last = size - 1;
    for (range, part) in [
        ("bytes=0-0".to_owned(), 0..1),
        (format!("bytes=1000-{last}"), 1000..size),
        ("bytes=300000-".to_owned(), 300_000..size),
        ("bytes=-10".to_owned(), size - 10..size),
        ("bytes=5-99999999999".to_owned(), 5..size),
    ] {
        let reply = connection.ask("GET", &path, &[("Range", &range)], b"");
        assert_eq!((reply.status, reply.body == content[part.clone()]), (206, true), "{range}");
        let expected = format!("bytes {}-{}/{size}", part.start, part.end - 1);
        assert_eq!(reply.header("content-range"), expected);
    }
    let outside = connection.ask("GET", &path, &[("Range", "bytes=99999999-")], b"");
    assert_eq!(outside.refusal(), refused(416, "RANGE_INVALID"));
    assert_eq!(outside.header("content-range"), format!("bytes */{size}"));
}

#[test]
fn conditions_spare_what_the_client_has() {
    let registry = Registry::start();
    let name = registry.push_blob("a", b"content");
    let path = format!("/v2/a/blobs/{name}");
    let etag = registry.get(&path).header("etag").to_owned();
    assert_eq!(etag, format!("\"{name}\""));
    let mut connection = registry.connect();
    let same = connection.ask("GET", &path, &[("If-None-Match", &etag)], b"");
    assert_eq!((same.status, same.header("etag")), (304, etag.as_str()));
    assert_eq!(connection.ask("HEAD", &path, &[("If-None-Match", "\"x\"")], b"").status, 200);
    let changed = [("Range", "bytes=0-1"), ("If-Range", "\"x\"")];
    assert_eq!(connection.ask("GET", &path, &changed, b"").body, b"content");
}

#[test]
fn a_blob_is_known_in_its_own_repositories_alone() {
    let registry = Registry::start();
    let name = registry.push_blob("a", b"content");
    assert_eq!(
        registry.get(&format!("/v2/b/blobs/{name}")).refusal(),
        refused(404, "BLOB_UNKNOWN")
    );
    assert_eq!(registry.ask("HEAD", &format!("/v2/b/blobs/{name}")).status, 404);
    let other = digest(b"other");
    assert_eq!(
        registry.get(&format!("/v2/a/blobs/{other}")).refusal(),
        refused(404, "BLOB_UNKNOWN")
    );
    let path = format!("/v2/a/blobs/{name}");
    assert_eq!(registry.ask("DELETE", &path).status, 202);
    assert_eq!(registry.get(&path).refusal(), refused(404, "BLOB_UNKNOWN"));
    assert_eq!(registry.ask("DELETE", &path).refusal(), refused(404, "BLOB_UNKNOWN"));
}

#[test]
fn an_empty_blob_is_one_too() {
    let registry = Registry::start();
    let place = registry.begin("a");
    let name = digest(b"");
    assert_eq!(registry.ask("PUT", &format!("{place}?digest={name}")).status, 201);
    let reply = registry.get(&format!("/v2/a/blobs/{name}"));
    assert_eq!((reply.status, reply.header("content-length")), (200, "0"));
}

#[test]
fn malformed_names_are_refused_by_the_specifications_codes() {
    let registry = Registry::start();
    for (path, code) in [
        ("/v2/a/blobs/sha256:0", "DIGEST_INVALID"),
        ("/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", "DIGEST_INVALID"),
        ("/v2/a/blobs/nonsense", "DIGEST_INVALID"),
        ("/v2/A/tags/list", "NAME_INVALID"),
        ("/v2/a//b/tags/list", "NAME_INVALID"),
        ("/v2/a/manifests/.hidden", "TAG_INVALID"),
        ("/v2/a/tags/list?n=x", "PAGINATION_NUMBER_INVALID"),
    ] {
        assert_eq!(registry.get(path).refusal(), refused(400, code), "{path}");
    }
}
