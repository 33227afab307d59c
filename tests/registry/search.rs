//! `gantry search`, in a registry that has one and in one that does not.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use testkit::engine::Engine;

use super::Registry;

const RESULTS: &str = r#"{"num_results":3,"query":"box","results":[
    {"name":"ann/box","description":"a box\u001b[31m\nof Ann's, with a description that is longer than one line","star_count":7,"is_official":false,"is_automated":true},
    {"name":"box","description":"the box","star_count":90,"is_official":true},
    {"name":"bob/box","description":"","star_count":8,"is_official":false}]}"#;

/// A server of the protocol's first version. Its threads end with the test's process.
struct Index {
    address: String,
    /// Paths that were asked for.
    asked: Arc<Mutex<Vec<String>>>,
}

impl Index {
    fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let paths = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let paths = Arc::clone(&paths);
                std::thread::spawn(move || answer(stream, &paths));
            }
        });
        Self { address, asked }
    }
}

fn answer(mut stream: TcpStream, asked: &Mutex<Vec<String>>) {
    let lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
    // Who tries TLS is hung up on.
    let Some(path) = head.first().and_then(|line| line.split(' ').nth(1)) else { return };
    asked.lock().unwrap().push(path.to_owned());
    let body = if path.starts_with("/v1/search") { RESULTS } else { "true" };
    let length = body.len();
    let text =
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
    stream.write_all(text.as_bytes()).unwrap();
}

#[test]
fn repositories_are_found_filtered_and_shown_by_their_stars() {
    let index = Index::start();
    let engine = Engine::start();
    let term = format!("{}/some box", index.address);
    let all = engine.gantry(&["search", &term]).ok();
    let lines: Vec<&str> = all.lines().collect();
    assert_eq!(
        lines[0].split_whitespace().collect::<Vec<_>>(),
        ["NAME", "DESCRIPTION", "STARS", "OFFICIAL"]
    );
    assert!(lines[1].starts_with("box ") && lines[1].trim_end().ends_with("[OK]"), "{all}");
    assert!(lines[2].starts_with("bob/box") && lines[3].starts_with("ann/box"), "{all}");
    assert!(lines[3].contains("a box[31m of Ann's") && lines[3].contains('…'), "{all}");
    assert_eq!(*index.asked.lock().unwrap(), ["/v1/_ping", "/v1/search?q=some%20box&n=25"]);
    let names = |flags: &[&str]| {
        let args = [&["search", "--format", "{{.Name}}"], flags, &[&term]].concat();
        engine.gantry(&args).ok()
    };
    assert_eq!(names(&["-f", "stars=8"]), "box\nbob/box");
    assert_eq!(names(&["-f", "is-official=false", "-f", "stars=8"]), "bob/box");
    assert_eq!(names(&["-f", "is-automated=true"]), "");
    assert_eq!(names(&["--limit", "1"]), "ann/box");
    let whole = engine.gantry(&["search", "--no-trunc", &term]).ok();
    assert!(whole.contains("longer than one line"), "{whole}");
}

#[test]
fn what_cannot_be_searched_is_said_in_dockers_words() {
    let registry = Registry::start();
    let engine = Engine::start();
    let fails = |args: &[&str]| {
        let error = engine.gantry(&[&["search"], args].concat()).fails(1);
        error.strip_prefix("Error response from daemon: ").unwrap().to_owned()
    };
    // A registry of the second version has none.
    assert_eq!(fails(&[&format!("{}/a", registry.address)]), "Unexpected status code 404");
    let ping =
        "\"https://127.0.0.1:1/v1/_ping\": dial tcp 127.0.0.1:1: connect: connection refused";
    let plain = ping.replace("https", "http");
    assert_eq!(
        fails(&["127.0.0.1:1/a"]),
        format!(
            "invalid registry endpoint \"http://127.0.0.1:1/v1/\". HTTPS attempt: Get {ping}. HTTP attempt: Get {plain}"
        )
    );
    assert_eq!(fails(&["--limit=101", "x"]), "limit 101 is outside the range of [1, 100]");
    assert_eq!(fails(&["-f", "foo=x", "x"]), "invalid filter 'foo'");
    assert_eq!(
        fails(&["http://x/a"]),
        "invalid repository name: repository name (http://x/a) should not have a scheme"
    );
}
