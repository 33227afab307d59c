//! Uploads: whole, in two requests, in chunks, by mount; asked about, gone on with, cancelled.

use testkit::engine::wait_for;

use super::http::refused;
use super::{Registry, digest};

#[test]
fn a_blob_is_taken_in_two_requests() {
    let registry = Registry::start();
    let place = registry.begin("a/b");
    let name = digest(b"content");
    let reply = registry.connect().ask("PUT", &format!("{place}?digest={name}"), &[], b"content");
    assert_eq!(reply.status, 201, "{reply:?}");
    assert_eq!(reply.header("location"), format!("/v2/a/b/blobs/{name}"));
    assert_eq!(reply.header("docker-content-digest"), name);
    assert_eq!(registry.get(reply.header("location")).body, b"content");
    assert_eq!(registry.open_uploads(), 0);
}

#[test]
fn chunks_come_in_their_order_or_not_at_all() {
    let registry = Registry::start();
    let place = registry.begin("a");
    let mut connection = registry.connect();
    let mut patch = |range: &str, body: &[u8]| {
        connection.ask("PATCH", &place, &[("Content-Range", range)], body)
    };
    let early = patch("4-5", b"56");
    assert_eq!(early.refusal(), refused(416, "BLOB_UPLOAD_INVALID"));
    assert_eq!(early.header("range"), "0-0");
    let first = patch("0-3", b"1234");
    assert_eq!(
        (first.status, first.header("range"), first.header("location")),
        (202, "0-3", place.as_str())
    );
    let again = patch("0-3", b"1234");
    assert_eq!(
        (again.refusal(), again.header("range")),
        (refused(416, "BLOB_UPLOAD_INVALID"), "0-3")
    );
    let status = registry.get(&place);
    assert_eq!(
        (status.status, status.header("range"), status.header("location")),
        (204, "0-3", place.as_str())
    );
    assert_eq!(patch("bytes 4-5/*", b"56").header("range"), "0-5");
    assert_eq!(patch("6-9", b"short").refusal(), refused(400, "SIZE_INVALID"));
    assert_eq!(patch("nonsense", b"x").refusal(), refused(400, "BLOB_UPLOAD_INVALID"));
    let name = digest(b"12345678");
    let last = [("Content-Range", "6-7")];
    let path = format!("{place}?digest={name}");
    assert_eq!(
        registry.connect().ask("PUT", &path, &[("Content-Range", "7-8")], b"78").status,
        416
    );
    assert_eq!(registry.connect().ask("PUT", &path, &last, b"78").status, 201);
    assert_eq!(registry.get(&format!("/v2/a/blobs/{name}")).body, b"12345678");
    assert_eq!(registry.get(&place).refusal(), refused(404, "BLOB_UPLOAD_UNKNOWN"));
}

#[test]
fn a_body_without_a_length_is_taken_piece_by_piece() {
    let registry = Registry::start();
    let place = registry.begin("a");
    let mut connection = registry.connect();
    let head = format!("PATCH {place} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    connection.send(head.as_bytes()).unwrap();
    for piece in ["3\r\nabc\r\n", "2\r\nde\r\n", "0\r\n\r\n"] {
        connection.send(piece.as_bytes()).unwrap();
    }
    assert_eq!(connection.reply("PATCH").header("range"), "0-4");
}

#[test]
fn what_arrived_of_a_body_that_was_cut_off_is_kept() {
    let registry = Registry::start();
    let place = registry.begin("a");
    let mut connection = registry.connect();
    connection.head("PATCH", &place, &[], 1000);
    connection.send(b"12345").unwrap();
    drop(connection);
    wait_for("what arrived is acknowledged", || registry.get(&place).header("range") == "0-4");
    let name = digest(b"1234567");
    let rest = registry.connect().ask("PUT", &format!("{place}?digest={name}"), &[], b"67");
    assert_eq!(rest.status, 201, "{rest:?}");
}

#[test]
fn a_digest_that_does_not_match_is_refused_and_nothing_is_visible() {
    let registry = Registry::start();
    let claimed = digest(b"claimed");
    let place = registry.begin("a");
    let refusal = refused(400, "DIGEST_INVALID");
    let put = |path: &str| registry.connect().ask("PUT", path, &[], b"other").refusal();
    assert_eq!(put(&place), refusal, "there must be one");
    assert_eq!(put(&format!("{place}?digest=sha256:x")), refusal);
    assert_eq!(put(&format!("{place}?digest={claimed}")), refusal);
    let whole = format!("/v2/a/blobs/uploads/?digest={claimed}");
    assert_eq!(registry.connect().ask("POST", &whole, &[], b"other").refusal(), refusal);
    assert_eq!(registry.get(&format!("/v2/a/blobs/{claimed}")).status, 404);
    assert_eq!(registry.open_uploads(), 0);
}

#[test]
fn an_upload_is_cancelled() {
    let registry = Registry::start();
    let place = registry.begin("a");
    assert_eq!(registry.ask("DELETE", &place).status, 204);
    for method in ["DELETE", "GET", "PATCH"] {
        assert_eq!(registry.ask(method, &place).refusal(), refused(404, "BLOB_UPLOAD_UNKNOWN"));
    }
    assert_eq!(registry.open_uploads(), 0);
}

#[test]
fn a_blob_of_another_repository_is_mounted() {
    let registry = Registry::start();
    let name = registry.push_blob("from", b"content");
    let mount = |query: &str| registry.ask("POST", &format!("/v2/to/blobs/uploads/?mount={query}"));
    for not_there in [
        format!("{}&from=from", digest(b"other")),
        format!("{name}&from=elsewhere"),
        format!("{name}&from=../from"),
        name.clone(),
    ] {
        let reply = mount(&not_there);
        assert_eq!(reply.status, 202, "{not_there}: an upload instead");
        assert!(reply.header("location").starts_with("/v2/to/blobs/uploads/"));
    }
    assert_eq!(registry.get(&format!("/v2/to/blobs/{name}")).status, 404);
    let mounted = mount(&format!("{name}&from=from"));
    assert_eq!(
        (mounted.status, mounted.header("location")),
        (201, format!("/v2/to/blobs/{name}").as_str())
    );
    assert_eq!(registry.get(&format!("/v2/to/blobs/{name}")).body, b"content");
}

#[test]
fn uploads_that_nobody_goes_on_with_are_removed() {
    let registry = Registry::start_with(&["--upload-age=1s"]);
    let place = registry.begin("a");
    wait_for("the upload is removed", || registry.open_uploads() == 0);
    assert_eq!(registry.get(&place).refusal(), refused(404, "BLOB_UPLOAD_UNKNOWN"));
}
