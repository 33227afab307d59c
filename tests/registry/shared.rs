//! Several processes over one folder.

use super::{Registry, digest};

#[test]
fn two_processes_serve_one_content_and_take_turns_with_an_upload() {
    let one = Registry::start();
    let other = one.beside(&[]);
    let name = one.push_image("a", "v1", "layer");
    assert_eq!(other.ask("HEAD", "/v2/a/manifests/v1").header("docker-content-digest"), name);
    let place = one.begin("a");
    for (at, registry) in [&other, &one, &other, &one].into_iter().enumerate() {
        let range = format!("{}-{}", at * 2, at * 2 + 1);
        let reply = registry.connect().ask("PATCH", &place, &[("Content-Range", &range)], b"xy");
        assert_eq!(
            (reply.status, reply.header("range")),
            (202, format!("0-{}", at * 2 + 1).as_str())
        );
    }
    let content = digest(b"xyxyxyxy");
    assert_eq!(other.ask("PUT", &format!("{place}?digest={content}")).status, 201);
    assert_eq!(one.get(&format!("/v2/a/blobs/{content}")).body, b"xyxyxyxy");
}

#[test]
fn one_killed_in_the_middle_of_an_upload_loses_nothing_acknowledged() {
    let mut one = Registry::start();
    let other = one.beside(&[]);
    let name = one.push_image("a", "v1", "layer");
    let place = one.begin("a");
    let acknowledged = one.connect().ask("PATCH", &place, &[], b"acknowledged ");
    assert_eq!(acknowledged.header("range"), "0-12");
    let mut connection = one.connect();
    one.begin_body(&mut connection, &place, 1 << 24);
    one.kill();
    assert_eq!(other.get(&place).header("range"), "0-12");
    let content = digest(b"acknowledged and whole");
    let rest = other.connect().ask("PUT", &format!("{place}?digest={content}"), &[], b"and whole");
    assert_eq!(rest.status, 201, "{rest:?}");
    assert_eq!(other.get(&format!("/v2/a/blobs/{content}")).body, b"acknowledged and whole");
    assert_eq!(other.ask("HEAD", "/v2/a/manifests/v1").header("docker-content-digest"), name);
}
