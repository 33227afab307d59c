//! A registry that keeps what it fetches from another one.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};

use tempfile::TempDir;
use testkit::bucket::Bucket;
use testkit::engine::wait_for;

use super::access::users;
use super::http::refused;
use super::{Registry, digest};

impl Registry {
    /// Of an upstream.
    fn cache_of(address: &str, flags: &[&str]) -> Self {
        let proxy = format!("--proxy=http://{address}");
        Self::start_with(&[&[proxy.as_str()], flags].concat())
    }

    /// How often it was asked so.
    fn asked(&self, method: &str, path: &str) -> usize {
        let (method, path) = (format!("method={method} "), format!("path=\"{path}\""));
        let log = self.log();
        log.lines().filter(|line| line.contains(&method) && line.contains(&path)).count()
    }
}

#[test]
fn what_was_asked_for_is_kept_and_served_while_the_upstream_is_away() {
    let mut upstream = Registry::start();
    let cache = Registry::cache_of(&upstream.address, &[]);
    let image = upstream.push_image("team/app", "v1", "layer");
    let layer = format!("/v2/team/app/blobs/{}", digest(b"layer"));
    let never = upstream.push_blob("team/app", b"never asked for");
    let manifest = cache.get("/v2/team/app/manifests/v1");
    assert_eq!((manifest.status, digest(&manifest.body)), (200, image.clone()), "{manifest:?}");
    let size = cache.ask("HEAD", &layer);
    assert_eq!((size.status, size.header("content-length")), (200, "5"));
    assert_eq!(cache.get(&layer).body, b"layer");
    assert_eq!(cache.get("/v2/team/app/tags/list").json()["tags"], serde_json::json!(["v1"]));
    assert_eq!(cache.get("/v2/team/app/manifests/v2").refusal(), refused(404, "MANIFEST_UNKNOWN"));
    let none = format!("/v2/team/app/blobs/{}", digest(b"none"));
    assert_eq!(cache.get(&none).refusal(), refused(404, "BLOB_UNKNOWN"));
    wait_for("the blob is kept", || cache.open_uploads() == 0);
    upstream.kill();
    assert_eq!(cache.get("/v2/team/app/manifests/v1").body, manifest.body);
    assert_eq!(cache.get(&format!("/v2/team/app/manifests/{image}")).body, manifest.body);
    assert_eq!(cache.get(&layer).body, b"layer");
    assert_eq!(cache.get("/v2/team/app/tags/list").json()["tags"], serde_json::json!(["v1"]));
    let away = cache.get(&format!("/v2/team/app/blobs/{never}"));
    assert_eq!(away.refusal(), refused(502, "UNKNOWN"));
    assert_eq!(cache.get("/v2/team/app/manifests/v2").refusal(), refused(502, "UNKNOWN"));
}

#[test]
fn a_tag_is_what_it_is_at_the_upstream_and_nothing_is_pushed_to_a_copy() {
    let upstream = Registry::start();
    let cache = Registry::cache_of(&upstream.address, &[]);
    let tag = "/v2/a/manifests/v1";
    for content in ["one", "two"] {
        let name = upstream.push_image("a", "v1", content);
        assert_eq!(cache.ask("HEAD", tag).header("docker-content-digest"), name);
        assert_eq!(cache.ask("HEAD", tag).header("docker-content-digest"), name);
        assert_eq!(upstream.asked("GET", tag), if content == "one" { 1 } else { 2 });
    }
    assert_eq!(upstream.ask("DELETE", tag).status, 202);
    assert_eq!(cache.get(tag).refusal(), refused(404, "MANIFEST_UNKNOWN"));
    let push = cache.ask("POST", "/v2/a/blobs/uploads/");
    assert_eq!(push.refusal(), refused(405, "UNSUPPORTED"));
}

#[test]
fn a_repository_has_of_what_is_kept_only_what_it_has_at_the_upstream() {
    let upstream = Registry::start();
    let cache = Registry::cache_of(&upstream.address, &[]);
    let blob = upstream.push_blob("secret", b"kept");
    upstream.push_blob("also", b"kept");
    upstream.push_blob("other", b"other");
    let path = |repository: &str| format!("/v2/{repository}/blobs/{blob}");
    assert_eq!(cache.get(&path("secret")).body, b"kept");
    wait_for("the blob is kept", || cache.open_uploads() == 0);
    assert_eq!(cache.get(&path("other")).status, 404);
    assert_eq!(cache.get(&path("also")).body, b"kept");
    let gets = [path("secret"), path("also")].map(|path| upstream.asked("GET", &path));
    assert_eq!(gets, [1, 0], "it is here already");
}

#[test]
fn many_at_once_fetch_a_blob_once() {
    let upstream = Registry::start();
    let cache = Registry::cache_of(&upstream.address, &[]);
    let content: Vec<u8> = (0..3_u32 << 20).map(|at| at.to_le_bytes()[1]).collect();
    let image = upstream.push_image("a", "v1", "layer");
    let blob = format!("/v2/a/blobs/{}", upstream.push_blob("a", &content));
    std::thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| {
                let manifest = cache.get(&format!("/v2/a/manifests/{image}"));
                assert_eq!(digest(&manifest.body), image);
                assert!(cache.get(&blob).body == content, "the whole blob");
            });
        }
    });
    assert_eq!(upstream.asked("GET", &blob), 1);
    assert_eq!(upstream.asked("GET", &format!("/v2/a/manifests/{image}")), 1);
}

#[test]
fn who_we_are_to_the_upstream_is_in_a_file_and_in_no_log() {
    let folder = TempDir::new().unwrap();
    let upstream = Registry::start();
    upstream.push_image("a", "v1", "layer");
    let guarded = upstream.beside(&["--htpasswd", &users(folder.path())]);
    let file = folder.path().join("credentials");
    let flags = [format!("--proxy-credentials={}", file.display()), "--debug".to_owned()];
    fs::write(&file, "ann:secret\n").unwrap();
    let cache = Registry::cache_of(&guarded.address, &[&flags[0], &flags[1]]);
    assert_eq!(cache.get("/v2/a/manifests/v1").status, 200);
    let nobody = Registry::cache_of(&guarded.address, &[]);
    assert_eq!(nobody.get("/v2/a/manifests/v1").refusal(), refused(403, "DENIED"));
    fs::write(&file, "ann:looking-glass\n").unwrap();
    let wrong = Registry::cache_of(&guarded.address, &[&flags[0], &flags[1]]);
    assert_eq!(wrong.get("/v2/a/manifests/v1").refusal(), refused(403, "DENIED"));
    for registry in [&cache, &wrong] {
        assert!(!registry.log().contains("secret") && !registry.log().contains("looking"));
    }
}

#[test]
fn what_is_kept_may_be_in_a_bucket() {
    let Some(bucket) = Bucket::start("a cache over a bucket") else { return };
    let mut upstream = Registry::start();
    let proxy = format!("--proxy=http://{}", upstream.address);
    let (one, other) = (Registry::over(&bucket, &[&proxy]), Registry::over(&bucket, &[&proxy]));
    let content: Vec<u8> = (0..9_u32 << 20).map(|at| at.to_le_bytes()[2]).collect();
    let image = upstream.push_image("a", "v1", "layer");
    let blob = format!("/v2/a/blobs/{}", upstream.push_blob("a", &content));
    assert_eq!(one.ask("HEAD", "/v2/a/manifests/v1").header("docker-content-digest"), image);
    assert!(one.get(&blob).body == content, "the whole blob");
    upstream.kill();
    wait_for("the blob is kept", || bucket.keys("uploads/").is_empty());
    assert!(other.get(&blob).body == content, "the whole blob");
    assert_eq!(other.get(&format!("/v2/a/manifests/{image}")).status, 200);
}

const SIZE: usize = 1 << 20;

/// An upstream with one blob, of which the second half comes only when it is told to, and as it is told.
struct Hesitant {
    address: String,
    halves: Sender<Vec<u8>>,
}

impl Hesitant {
    fn with(content: Vec<u8>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (halves, told) = channel();
        std::thread::spawn(move || {
            let (content, told) = (&content[..], &Mutex::new(told));
            std::thread::scope(|scope| {
                for stream in listener.incoming().flatten() {
                    scope.spawn(move || answer(&stream, content, told));
                }
            });
        });
        Self { address, halves }
    }
}

/// Until the client is gone. A handshake of TLS is not answered.
fn answer(mut stream: &TcpStream, content: &[u8], told: &Mutex<Receiver<Vec<u8>>>) -> Option<()> {
    let mut first = [0];
    if stream.peek(&mut first).ok()? == 0 || first == [0x16] {
        return None;
    }
    let mut lines = BufReader::new(stream).lines();
    loop {
        let first = lines.next()?.ok()?;
        while !lines.next()?.ok()?.is_empty() {}
        let length = if first.contains("/blobs/") { content.len() } else { 0 };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).ok()?;
        if first.starts_with("GET") && length > 0 {
            stream.write_all(&content[..length / 2]).ok()?;
            let rest = told.lock().unwrap().recv().ok()?;
            stream.write_all(&rest).ok()?;
        }
    }
}

/// Reads the head of an answer and what follows as far as it comes.
fn begin_to_read(registry: &Registry, path: &str) -> BufReader<TcpStream> {
    let mut stream = TcpStream::connect(&registry.address).unwrap();
    stream.set_read_timeout(Some(testkit::engine::PATIENCE)).unwrap();
    let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains(" 200 "), "{line}");
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).unwrap();
    }
    reader
}

#[test]
fn a_blob_is_served_while_it_comes() {
    let content: Vec<u8> = (0..SIZE).map(|at| at.to_le_bytes()[1]).collect();
    let upstream = Hesitant::with(content.clone());
    let cache = Registry::cache_of(&upstream.address, &[]);
    let path = format!("/v2/a/blobs/{}", digest(&content));
    let (mut one, mut other) = (begin_to_read(&cache, &path), begin_to_read(&cache, &path));
    let mut half = vec![0; SIZE / 2];
    for reader in [&mut one, &mut other] {
        reader.read_exact(&mut half).unwrap();
        assert!(half == content[..SIZE / 2], "the first half");
    }
    drop(other);
    upstream.halves.send(content[SIZE / 2..].to_vec()).unwrap();
    let mut rest = Vec::new();
    one.read_to_end(&mut rest).unwrap();
    assert!(rest == content[SIZE / 2..], "the second half");
    assert!(cache.get(&path).body == content, "what is kept");
}

#[test]
fn what_is_not_what_its_digest_names_is_neither_given_nor_kept() {
    let content: Vec<u8> = (0..SIZE).map(|at| at.to_le_bytes()[1]).collect();
    let upstream = Hesitant::with(content.clone());
    let cache = Registry::cache_of(&upstream.address, &[]);
    let path = format!("/v2/a/blobs/{}", digest(&content));
    let mut reader = begin_to_read(&cache, &path);
    upstream.halves.send(vec![0; SIZE / 2]).unwrap();
    let mut came = Vec::new();
    // Whether the connection is closed or reset.
    let _ = reader.read_to_end(&mut came);
    assert!(came.len() < SIZE, "the last byte is held back");
    wait_for("it is thrown away", || cache.open_uploads() == 0);
    assert!(!cache.root.join("repositories").join("a").exists());
    upstream.halves.send(content[SIZE / 2..].to_vec()).unwrap();
    assert!(cache.get(&path).body == content, "it is asked for anew");
}
