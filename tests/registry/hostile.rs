//! Clients that lie.

use std::fs;
use std::path::Path;

use super::http::refused;
use super::{Registry, digest};

#[test]
fn an_upload_that_was_never_begun_cannot_be_gone_on_with() {
    let registry = Registry::start();
    let place = registry.begin("a");
    let id = place.rsplit('/').next().unwrap();
    let name = digest(b"x");
    let forged = [
        "/v2/a/blobs/uploads/00000000000000000000000000000000".to_owned(),
        "/v2/a/blobs/uploads/x".to_owned(),
        format!("/v2/a/blobs/uploads/{}", id.to_uppercase()),
        format!("/v2/a/blobs/uploads/{id}0"),
        "/v2/a/blobs/uploads/..%2f..%2fblobs".to_owned(),
        format!("/v2/other/blobs/uploads/{id}"),
    ];
    for path in &forged {
        for method in ["GET", "PATCH", "DELETE", "PUT"] {
            // State that other registries hand out and take back means nothing here.
            let full = format!("{path}?_state=e30%3d&digest={name}");
            let status = registry.connect().ask(method, &full, &[], b"x").status;
            // An escaped slash is a slash: what is behind it is no upload and has no such name.
            assert!(
                status == 404 || path.contains('%') && status >= 400,
                "{method} {path}: {status}"
            );
        }
    }
    assert_eq!(registry.get(&place).header("range"), "0-0", "nothing came of it");
    assert_eq!(registry.get(&format!("/v2/a/blobs/{name}")).status, 404);
}

#[test]
fn no_path_leaves_the_storage() {
    let registry = Registry::start();
    registry.push_image("a", "v1", "layer");
    fs::write(registry.root.parent().unwrap().join("secret"), "secret").unwrap();
    for path in [
        "/v2/../secret/tags/list",
        "/v2/a/../../../secret/manifests/x",
        "/v2/a/manifests/..%2f..%2f..%2f..%2fsecret",
        "/v2/a/manifests/%2e%2e",
        "/v2/a/blobs/sha256:../../../secret",
        "/v2/_tags/tags/list",
        "/v2/a/_tags/tags/list",
        "/v2/a%00b/tags/list",
        "/v2/..%2f..%2fsecret/blobs/uploads/",
    ] {
        let reply = registry.get(path);
        assert!(
            reply.status >= 400 && !String::from_utf8_lossy(&reply.body).contains("secret\""),
            "{path}: {reply:?}"
        );
        assert!(
            (400..500).contains(&registry.connect().ask("POST", path, &[], b"").status),
            "{path}"
        );
    }
    let outside = names(registry.root.parent().unwrap());
    assert_eq!(outside, ["log", "registry", "secret"]);
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = entries.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn ten_thousand_open_uploads_are_bounded_and_others_are_served() {
    let registry = Registry::start_with(&["--max-uploads=100", "--access-log=false"]);
    let mut connection = registry.connect();
    let place = "/v2/a/blobs/uploads/";
    let statuses: Vec<u16> =
        (0..10_000).map(|_| connection.ask("POST", place, &[], b"").status).collect();
    assert!(statuses[..100].iter().all(|status| *status == 202));
    assert!(statuses[100..].iter().all(|status| *status == 429));
    let refusal = connection.ask("POST", place, &[], b"");
    assert_eq!(refusal.refusal(), refused(429, "TOOMANYREQUESTS"));
    assert_eq!((refusal.header("retry-after"), registry.open_uploads()), ("30", 100));
    assert_eq!(registry.get("/v2/").status, 200);
}

#[test]
fn one_upload_is_not_written_by_two_at_once() {
    let registry = Registry::start();
    let place = registry.begin("a");
    let mut slow = registry.connect();
    let begun = registry.begin_body(&mut slow, &place, 3);
    let other = registry.connect().ask("PATCH", &place, &[], b"x");
    assert_eq!(other.refusal(), refused(409, "BLOB_UPLOAD_INVALID"));
    slow.send(b"def").unwrap();
    assert_eq!(slow.reply("PATCH").header("range"), format!("0-{}", begun.len() + 2));
    let name = digest(&[begun.as_slice(), b"def"].concat());
    assert_eq!(registry.ask("PUT", &format!("{place}?digest={name}")).status, 201);
}

#[test]
fn endless_heads_are_cut_off() {
    let registry = Registry::start();
    let mut connection = registry.connect();
    connection.send(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n").unwrap();
    let line = format!("X: {}\r\n", "x".repeat(1000));
    // It may close the connection at any of them.
    while connection.send(line.as_bytes()).is_ok() {
        if registry.log().len() > 1 << 20 {
            break;
        }
    }
    assert_eq!(registry.get("/v2/").status, 200);
}
