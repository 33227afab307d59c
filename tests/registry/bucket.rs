//! Several instances over one bucket of an object storage.

use testkit::bucket::Bucket;
use testkit::engine::wait_for;

use super::garbage::goes_alone;
use super::{Registry, digest};

/// More than one piece of an upload, of bytes that repeat late.
fn large() -> Vec<u8> {
    (0..20_u32 << 20).map(|at| at.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect()
}

#[test]
fn two_instances_over_one_bucket_serve_one_content_and_take_turns_with_an_upload() {
    let Some(bucket) = Bucket::start("two instances over one bucket") else { return };
    let (one, other) = (Registry::over(&bucket, &[]), Registry::over(&bucket, &[]));
    let name = one.push_image("team/a", "v1", "layer");
    assert_eq!(other.ask("HEAD", "/v2/team/a/manifests/v1").header("docker-content-digest"), name);
    assert_eq!(other.get(&format!("/v2/team/a/blobs/{}", digest(b"layer"))).body, b"layer");
    let (place, second) = (one.begin("a"), other.begin("a"));
    for (at, registry) in [&other, &one, &other, &one].into_iter().enumerate() {
        let range = format!("{}-{}", at * 2, at * 2 + 1);
        for (place, content) in [(&place, b"xy"), (&second, b"zz")] {
            let reply =
                registry.connect().ask("PATCH", place, &[("Content-Range", &range)], content);
            let end = format!("0-{}", at * 2 + 1);
            assert_eq!((reply.status, reply.header("range")), (202, end.as_str()), "{reply:?}");
        }
    }
    let behind = one.connect().ask("PATCH", &place, &[("Content-Range", "3-4")], b"xy");
    assert_eq!((behind.status, behind.header("range")), (416, "0-7"));
    for (place, content) in [(&place, b"xyxyxyxy"), (&second, b"zzzzzzzz")] {
        let name = digest(content);
        assert_eq!(other.ask("PUT", &format!("{place}?digest={name}")).status, 201);
        assert_eq!(one.get(&format!("/v2/a/blobs/{name}")).body, content);
    }
    assert!(bucket.keys("uploads/").is_empty() && bucket.keys("locks/").is_empty());
}

#[test]
fn content_of_several_pieces_is_whole_and_comes_in_ranges() {
    let Some(bucket) = Bucket::start("content of several pieces") else { return };
    let (one, other) = (Registry::over(&bucket, &[]), Registry::over(&bucket, &[]));
    let content = large();
    let name = one.push_blob("a", &content);
    let path = format!("/v2/a/blobs/{name}");
    assert!(other.get(&path).body == content, "the whole blob");
    let part = other.connect().ask("GET", &path, &[("Range", "bytes=8388600-8388615")], b"");
    assert_eq!((part.status, &part.body[..]), (206, &content[8_388_600..8_388_616]));
    // Chunks that are no pieces, through both.
    let place = one.begin("b");
    let mut sent = 0;
    for (at, chunk) in content.chunks(6 << 20).enumerate() {
        let server = if at % 2 == 0 { &other } else { &one };
        let range = format!("{sent}-{}", sent + chunk.len() - 1);
        let reply = server.connect().ask("PATCH", &place, &[("Content-Range", &range)], chunk);
        assert_eq!(reply.status, 202, "{reply:?}");
        sent += chunk.len();
    }
    let wrong = digest(b"another");
    let reply = one.ask("PUT", &format!("{place}?digest={wrong}"));
    assert_eq!(reply.status, 400, "{reply:?}");
    assert_eq!(one.get(&format!("/v2/b/blobs/{wrong}")).status, 404);
    assert!(bucket.keys("uploads/").is_empty());
}

#[test]
fn one_instance_killed_in_the_middle_of_an_upload_loses_nothing_acknowledged() {
    let Some(bucket) = Bucket::start("one instance of a bucket killed") else { return };
    let (mut one, other) = (Registry::over(&bucket, &[]), Registry::over(&bucket, &[]));
    let image = one.push_image("a", "v1", "layer");
    let content = large();
    let place = one.begin("a");
    let first = one.connect().ask("PATCH", &place, &[], &content[..9 << 20]);
    assert_eq!(first.header("range"), format!("0-{}", (9 << 20) - 1));
    let mut connection = one.connect();
    let before = bucket.keys("uploads/").len();
    connection.head("PATCH", &place, &[], content.len());
    connection.send(&content[..10 << 20]).unwrap();
    wait_for("a piece that nobody acknowledged", || bucket.keys("uploads/").len() > before);
    one.kill();
    assert_eq!(other.get(&place).header("range"), first.header("range"));
    let name = digest(&content);
    let rest = &content[9 << 20..];
    let reply = other.connect().ask("PUT", &format!("{place}?digest={name}"), &[], rest);
    assert_eq!(reply.status, 201, "{reply:?}");
    assert!(other.get(&format!("/v2/a/blobs/{name}")).body == content, "the whole blob");
    assert_eq!(other.ask("HEAD", "/v2/a/manifests/v1").header("docker-content-digest"), image);
}

#[test]
fn only_garbage_of_a_bucket_goes_while_images_are_pushed() {
    let Some(bucket) = Bucket::start("garbage of a bucket") else { return };
    let flags = ["--gc-interval=200ms", "--gc-grace=5s"];
    let (one, other) = (Registry::over(&bucket, &flags), Registry::over(&bucket, &flags));
    goes_alone(&one, &other, |name| {
        bucket.keys("blobs/").iter().any(|key| key.ends_with(name.trim_start_matches("sha256:")))
    });
}

#[test]
fn a_bucket_is_listed_deleted_from_and_told_of_in_words() {
    let Some(bucket) = Bucket::start("a bucket is listed") else { return };
    let registry = Registry::over(&bucket, &[]);
    for tag in ["v1", "v2"] {
        registry.push_image("team/app", tag, tag);
    }
    let tags = registry.get("/v2/team/app/tags/list");
    assert_eq!(tags.body, br#"{"name":"team/app","tags":["v1","v2"]}"#);
    assert_eq!(registry.get("/v2/_catalog").body, br#"{"repositories":["team/app"]}"#);
    assert_eq!(registry.get("/v2/none/tags/list").status, 404);
    assert_eq!(registry.get("/healthz").status, 200);
    let layer = digest(b"v1");
    let mount = format!("/v2/other/blobs/uploads/?mount={layer}&from=team/app");
    assert_eq!(registry.ask("POST", &mount).status, 201);
    assert_eq!(registry.get(&format!("/v2/other/blobs/{layer}")).body, b"v1");
    assert_eq!(registry.ask("DELETE", &format!("/v2/other/blobs/{layer}")).status, 202);
    assert_eq!(registry.get(&format!("/v2/other/blobs/{layer}")).status, 404);
    assert_eq!(registry.ask("DELETE", "/v2/team/app/manifests/v1").status, 202);
    assert_eq!(registry.get("/v2/team/app/manifests/v1").status, 404);
}
