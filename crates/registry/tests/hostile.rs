//! Registries that stall, cut, lie and never end: the client gives up in bounded time and memory, and believes nothing.

#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use oci::{Descriptor, Digest, Platform, Reference};
use registry::client::{
    Access, Credentials, Error, Fetched, Patience, Repository, Result, Settings, Which, log_in,
};
use sha2::{Digest as _, Sha256};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// A request's first line, and its headers in lower case.
struct Request {
    line: String,
    headers: String,
}

impl Request {
    fn is(&self, path: &str) -> bool {
        self.line.split(' ').nth(1) == Some(path)
    }
}

/// A server that does with each request what the test says. Its threads end with the test's process.
fn server(answer: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            std::thread::spawn(move || serve(stream, &*answer));
        }
    });
    port
}

/// One request for each connection. Who tries TLS is hung up on.
fn serve(mut stream: TcpStream, answer: &(impl Fn(&Request, &mut TcpStream) + ?Sized)) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    if !reader.fill_buf().is_ok_and(|start| start.first().is_some_and(u8::is_ascii_uppercase)) {
        return;
    }
    let mut lines = reader.lines().map_while(std::io::Result::ok);
    let Some(line) = lines.next() else { return };
    let headers: Vec<String> =
        lines.take_while(|line| !line.is_empty()).map(|line| line.to_lowercase()).collect();
    answer(&Request { line, headers: headers.join("\n") }, &mut stream);
    let _ = stream.shutdown(std::net::Shutdown::Write);
}

fn send(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\n{headers}Content-Length: {}\r\n\r\n",
        body.len()
    );
    // The client may have heard enough.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

fn typed(kind: &str) -> String {
    format!("Content-Type: {kind}\r\n")
}

fn settings() -> Settings {
    let patience =
        Patience { connect: Duration::from_secs(10), silence: Duration::from_millis(400) };
    Settings { patience, attempts: 2, ..Settings::default() }
}

fn name(port: u16) -> Reference {
    Reference::parse(&format!("127.0.0.1:{port}/a:1")).unwrap()
}

async fn find(port: u16) -> Result<(Repository, Fetched)> {
    find_as(port, &Credentials::default()).await
}

async fn find_as(port: u16, credentials: &Credentials) -> Result<(Repository, Fetched)> {
    Repository::find(&settings(), &name(port), &Which::Tag("1".into()), credentials).await
}

async fn failure(port: u16) -> String {
    find(port).await.err().expect("a failure").to_string()
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::from_sha256(Sha256::digest(bytes).into())
}

/// Greets well, and does something else with everything that follows.
fn polite(then: impl Fn(&Request, &mut TcpStream) + Send + Sync + 'static) -> u16 {
    server(move |request, stream| match request.is("/v2/") {
        true => send(stream, "200 OK", "", b"{}"),
        false => then(request, stream),
    })
}

/// Until the client hangs up.
fn endless(stream: &mut TcpStream, piece: &[u8], pause: Duration) -> u64 {
    let mut sent = 0;
    while stream.write_all(piece).is_ok() {
        sent += piece.len() as u64;
        std::thread::sleep(pause);
    }
    sent
}

#[tokio::test]
async fn a_registry_that_stalls_is_given_up() {
    let port = server(|_, _| std::thread::sleep(Duration::from_secs(60)));
    assert!(failure(port).await.contains("timeout awaiting response headers"));
    let port = polite(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{");
        std::thread::sleep(Duration::from_secs(60));
    });
    assert!(failure(port).await.contains("timeout awaiting response body"));
}

#[tokio::test]
async fn a_registry_that_trickles_is_given_up() {
    let port = polite(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        endless(stream, b"x", Duration::from_millis(50));
    });
    assert!(failure(port).await.contains("comes too slowly"));
}

#[tokio::test]
async fn a_body_that_is_cut_is_no_body() {
    let port = polite(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}");
    });
    let error = find(port).await.err().unwrap();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn endless_headers_end() {
    let port = server(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        endless(stream, &[b"X-Y: z\r\n".as_slice(); 512].concat(), Duration::ZERO);
    });
    let error = find(port).await.err().unwrap();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_manifest_of_a_gigabyte_is_not_read() {
    let sent = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&sent);
    let port = polite(move |_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n");
        counted.fetch_add(endless(stream, &[b' '; 65536], Duration::ZERO), Ordering::Relaxed);
    });
    assert!(failure(port).await.contains("more than 4194304 bytes"));
    assert!(sent.load(Ordering::Relaxed) < 256 << 20);
}

#[tokio::test]
async fn a_manifest_has_the_digest_that_was_asked_for_or_promised() {
    let other = digest(b"other");
    let promise = format!("Docker-Content-Digest: {other}\r\n");
    let port = polite(move |_, stream| send(stream, "200 OK", &promise, b"{}"));
    let expected = format!("manifest verification failed for digest {other}");
    assert_eq!(failure(port).await, expected);
    let port = polite(|_, stream| send(stream, "200 OK", "", b"{}"));
    let which = Which::Digest(other);
    let found = Repository::find(&settings(), &name(port), &which, &Credentials::default()).await;
    assert_eq!(found.err().unwrap().to_string(), expected);
}

#[tokio::test]
async fn html_is_no_manifest() {
    let port = polite(|_, stream| send(stream, "200 OK", &typed("text/html"), b"<html>"));
    let (repository, root) = find(port).await.unwrap();
    let error = repository.select(&root, &Platform::host()).await.err().unwrap();
    assert!(error.to_string().contains("text/html"), "{error}");
    let port = polite(|_, stream| send(stream, "403 Forbidden", &typed("text/html"), b"<html>"));
    assert_eq!(failure(port).await, "error parsing HTTP 403 response body: \"<html>\"");
}

#[tokio::test]
async fn cve_2026_53493_indexes_in_indexes_end() {
    let mut documents = vec![br#"{"schemaVersion":2,"manifests":[]}"#.to_vec()];
    for _ in 0..8 {
        let inner = documents.last().unwrap();
        let entry = format!(
            r#"{{"schemaVersion":2,"manifests":[{{"mediaType":"{INDEX}","digest":"{}","size":{}}}]}}"#,
            digest(inner),
            inner.len()
        );
        documents.push(entry.into_bytes());
    }
    let asked = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&asked);
    let port = polite(move |request, stream| {
        counted.fetch_add(1, Ordering::Relaxed);
        let mut named = documents.iter();
        let wanted = named.find(|document| request.line.contains(digest(document).as_str()));
        let document = wanted.or(documents.last()).unwrap();
        send(stream, "200 OK", &typed(INDEX), document);
    });
    let (repository, root) = find(port).await.unwrap();
    let error = repository.select(&root, &Platform::host()).await.err().unwrap();
    assert_eq!(error.to_string(), "image index is nested too deeply");
    assert!(asked.load(Ordering::Relaxed) <= 6);
}

#[tokio::test]
async fn cve_2021_41190_what_a_header_calls_it_is_what_it_is() {
    let body = br#"{"schemaVersion":2,"manifests":[]}"#;
    let port = polite(move |_, stream| send(stream, "200 OK", &typed(MANIFEST), body));
    let (repository, root) = find(port).await.unwrap();
    let error = repository.select(&root, &Platform::host()).await.err().unwrap();
    assert!(error.to_string().contains("invalid manifest"), "{error}");
}

#[tokio::test]
async fn cve_2020_15157_credentials_do_not_follow_a_redirect_to_another_server() {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&heard);
    let elsewhere = server(move |request, stream| {
        log.lock().unwrap().push(request.headers.clone());
        send(stream, "200 OK", &typed(MANIFEST), b"{}");
    });
    let own = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&own);
    let port = polite(move |request, stream| {
        log.lock().unwrap().push(request.headers.clone());
        let to = format!("Location: http://127.0.0.1:{elsewhere}/x\r\n");
        send(stream, "307 Temporary Redirect", &to, b"");
    });
    let credentials = Credentials { registry_token: "sesame".into(), ..Credentials::default() };
    find_as(port, &credentials).await.unwrap();
    assert!(own.lock().unwrap()[0].contains("authorization: bearer sesame"));
    let heard = heard.lock().unwrap();
    assert!(heard.len() == 1 && !heard[0].contains("authorization"), "{heard:?}");
}

#[tokio::test]
async fn a_redirect_leads_to_no_file_and_not_in_circles() {
    for target in ["file:///etc/passwd", "file:/etc/passwd", "gopher://127.0.0.1/"] {
        let to = format!("Location: {target}\r\n");
        let port = polite(move |_, stream| send(stream, "302 Found", &to, b""));
        let error = find(port).await.err().unwrap();
        assert!(matches!(error, Error::Invalid(_)), "{target}: {error}");
    }
    let asked = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&asked);
    let port = polite(move |_, stream| {
        counted.fetch_add(1, Ordering::Relaxed);
        send(stream, "302 Found", "Location: /v2/a/again\r\n", b"");
    });
    assert!(failure(port).await.contains("stopped after 10 redirects"));
    assert_eq!(asked.load(Ordering::Relaxed), 11);
}

#[tokio::test]
async fn a_registry_that_never_lets_in_is_not_asked_for_ever() {
    let asked = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&asked);
    let port = server(move |_, stream| {
        counted.fetch_add(1, Ordering::Relaxed);
        send(stream, "401 Unauthorized", "WWW-Authenticate: Basic realm=\"x\"\r\n", b"");
    });
    let nobody = failure(port).await;
    assert!(nobody.ends_with("/v2/a/manifests/1\": no basic auth credentials"), "{nobody}");
    let ann =
        Credentials { username: "ann".into(), password: "p".into(), ..Credentials::default() };
    let error = find_as(port, &ann).await.err().unwrap();
    assert_eq!(error.to_string(), "unauthorized: authentication required");
    assert!(asked.load(Ordering::Relaxed) <= 6, "{asked:?}");
    let error = log_in(&settings(), &format!("127.0.0.1:{port}"), &ann).await.err().unwrap();
    let refused = format!(
        "login attempt to http://127.0.0.1:{port}/v2/ failed with status: 401 Unauthorized"
    );
    assert_eq!(error.to_string(), refused);
}

/// A registry that wants a token of the realm, and what it gets shown.
fn with_token(realm: String) -> (u16, Arc<Mutex<Vec<String>>>) {
    let shown = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&shown);
    let port = server(move |request, stream| {
        log.lock().unwrap().push(request.headers.clone());
        if request.headers.contains("authorization: bearer good") {
            return send(stream, "200 OK", &typed(MANIFEST), b"{}");
        }
        let wanted = format!("WWW-Authenticate: Bearer realm=\"{realm}\",service=\"reg\"\r\n");
        send(stream, "401 Unauthorized", &wanted, b"");
    });
    (port, shown)
}

#[tokio::test]
async fn a_token_is_asked_for_with_scope_and_password() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&asked);
    let tokens = server(move |request, stream| {
        log.lock().unwrap().push(format!("{}\n{}", request.line, request.headers));
        send(stream, "200 OK", "", br#"{"token":"good","expires_in":300}"#);
    });
    let (port, _) = with_token(format!("http://127.0.0.1:{tokens}/token"));
    let ann =
        Credentials { username: "ann".into(), password: "p".into(), ..Credentials::default() };
    find_as(port, &ann).await.unwrap();
    let asked = asked.lock().unwrap();
    assert_eq!(asked.len(), 1);
    let line = "GET /token?service=reg&scope=repository%3Aa%3Apull&account=ann HTTP/1.1\n";
    assert!(asked[0].starts_with(line), "{}", asked[0]);
    assert!(
        asked[0].contains("authorization: basic yw5uonA=".to_lowercase().as_str()),
        "{}",
        asked[0]
    );
}

#[tokio::test]
async fn a_token_server_that_lies_is_not_believed() {
    for (status, body, expected) in [
        ("200 OK", "<html>", "unable to decode token response"),
        ("200 OK", "{}", "did not include a token"),
        ("401 Unauthorized", "", "unauthorized: authentication required"),
        ("200 OK", r#"{"token":"bad"}"#, "unauthorized: authentication required"),
        ("200 OK", r#"{"token":"a\r\nX: y"}"#, "credentials that no header can hold"),
    ] {
        let tokens = server(move |_, stream| send(stream, status, "", body.as_bytes()));
        let (port, shown) = with_token(format!("http://127.0.0.1:{tokens}/token"));
        let error = failure(port).await;
        assert!(error.contains(expected), "{body}: {error}");
        assert!(shown.lock().unwrap().len() <= 4);
    }
    let (port, _) = with_token("file:///etc/passwd".into());
    assert!(find(port).await.is_err());
}

#[tokio::test]
async fn a_registry_that_fails_now_and_then_is_asked_again() {
    for first in ["500 Internal Server Error", "503 Service Unavailable", "429 Too Many Requests"] {
        let asked = AtomicU64::new(0);
        let port = polite(move |_, stream| match asked.fetch_add(1, Ordering::Relaxed) {
            0 => send(stream, first, "Retry-After: 0\r\n", b""),
            _ => send(stream, "200 OK", &typed(MANIFEST), b"{}"),
        });
        assert!(find(port).await.is_ok(), "{first}");
    }
    let port = polite(|_, stream| {
        send(stream, "429 Too Many Requests", "Retry-After: 3600\r\n", b"");
    });
    assert_eq!(failure(port).await, "toomanyrequests: too many requests to registry");
}

/// Everything that arrives of a blob of this size.
async fn blob(port: u16, size: u64, from: u64) -> Result<Vec<u8>> {
    let none = Credentials::default();
    let repository = Repository::open(&settings(), &name(port), &none, Access::Pull).await?;
    let (sender, mut pieces) = tokio::sync::mpsc::channel::<bytes::Bytes>(4);
    let wanted = Descriptor::new("", digest(b""), size);
    let collect = async {
        let mut all = Vec::new();
        while let Some(piece) = pieces.recv().await {
            all.extend_from_slice(&piece);
        }
        all
    };
    let fetch = async move { repository.blob(&wanted, from, &sender).await };
    let (fetched, all) = tokio::join!(fetch, collect);
    fetched.map(|()| all)
}

#[tokio::test]
async fn a_blob_has_the_size_that_its_manifest_says() {
    let port = polite(|_, stream| send(stream, "200 OK", "", &[b'x'; 100]));
    assert_eq!(blob(port, 100, 0).await.unwrap().len(), 100);
    for size in [99, 101] {
        let error = blob(port, size, 0).await.err().unwrap();
        assert!(error.to_string().contains("does not have the promised"), "{error}");
    }
    let port = polite(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n");
        endless(stream, &[b'x'; 65536], Duration::ZERO);
    });
    let error = blob(port, 1 << 20, 0).await.err().unwrap();
    assert!(error.to_string().contains("does not have the promised"), "{error}");
}

#[tokio::test]
async fn a_blob_that_breaks_off_goes_on_whatever_the_server_makes_of_ranges() {
    let content: Vec<u8> = (0..200_000_u32).map(|n| (n % 251) as u8).collect();
    for ranges in [true, false] {
        let whole = content.clone();
        let asked = AtomicU64::new(0);
        let port = polite(move |request, stream| {
            let range = request.headers.split("range: bytes=").nth(1);
            let from = range.and_then(|range| range.split('-').next()?.parse::<usize>().ok());
            let from = from.filter(|_| ranges).unwrap_or(0);
            let status = if from > 0 { "206 Partial Content" } else { "200 OK" };
            let body = &whole[from..];
            let head = format!(
                "HTTP/1.1 {status}\r\nContent-Range: bytes {from}-{}/{}\r\nContent-Length: {}\r\n\r\n",
                whole.len() - 1,
                whole.len(),
                body.len()
            );
            // One more piece each time, so that it ends without ranges too.
            let pieces = asked.fetch_add(1, Ordering::Relaxed) as usize + 1;
            let most = if ranges { 50_000 } else { 50_000 * pieces };
            let _ = stream.write_all(head.as_bytes());
            let _ = stream.write_all(&body[..body.len().min(most)]);
        });
        assert!(blob(port, 200_000, 0).await.unwrap() == content, "{ranges}");
        assert!(blob(port, 200_000, 150_000).await.unwrap() == content[150_000..], "{ranges}");
    }
    let lie = "Content-Range: bytes 7-99/100\r\n";
    let port = polite(move |_, stream| send(stream, "206 Partial Content", lie, &[0; 93]));
    let error = blob(port, 100, 50).await.err().unwrap();
    assert!(error.to_string().contains("another range"), "{error}");
}
