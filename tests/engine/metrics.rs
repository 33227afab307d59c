//! --metrics-addr and /debug/vars.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use testkit::engine::{Engine, finish};

/// An address that nobody listens on.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

fn get(mut stream: impl Read + Write, path: &str) -> String {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn metrics_are_off_unless_asked_for_and_nothing_else_is_there() {
    let address = free_address();
    let engine = Engine::start_with(&["--metrics-addr", &address]);
    engine.load("busybox");
    engine.gantry(&["run", "-d", "--network", "none", "busybox", "sleep", "60"]).ok();
    engine.gantry(&["create", "busybox"]).ok();
    let scrape = |path: &str| get(TcpStream::connect(&address).unwrap(), path);
    let page = scrape("/metrics");
    assert!(
        page.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n")
            || page.contains("content-type: text/plain; version=0.0.4"),
        "{page}"
    );
    for line in [
        "engine_daemon_container_states_containers{state=\"running\"} 1",
        "engine_daemon_container_states_containers{state=\"stopped\"} 1",
        "engine_daemon_container_actions_seconds_count{action=\"create\"} 2",
        "engine_daemon_container_actions_seconds_count{action=\"start\"} 1",
        "gantry_images 1",
    ] {
        assert!(page.lines().any(|l| l == line), "{line}\n{page}");
    }
    for path in ["/", "/info", "/containers/json", "/metrics/", "/debug/vars"] {
        assert!(scrape(path).starts_with("HTTP/1.1 404 "), "{path}");
    }
    assert!(
        get(std::os::unix::net::UnixStream::connect(engine.socket()).unwrap(), "/metrics")
            .starts_with("HTTP/1.1 404 ")
    );
}

/// What a start waits for is in design/0007.
#[test]
fn a_container_that_removes_itself_takes_three_transactions() {
    let address = free_address();
    let engine = Engine::start_with(&["--metrics-addr", &address]);
    engine.load("busybox");
    let transactions = || -> u64 {
        let page = get(TcpStream::connect(&address).unwrap(), "/metrics");
        let line =
            |line: &str| line.strip_prefix("gantry_database_transactions_total ")?.parse().ok();
        page.lines().find_map(line).unwrap()
    };
    let run = |more: &[&str]| {
        let before = transactions();
        let words = [&["run", "--rm"], more, &["busybox", "true"]].concat();
        engine.gantry(&words).ok();
        transactions() - before
    };
    assert_eq!(run(&[]), 3);
    assert_eq!(run(&["-v", "/anonymous"]), 3);
}

#[test]
fn an_address_that_cannot_be_had_is_named() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let mut engine = Engine::start();
    engine.stop();
    for address in [address.as_str(), "nonsense", "example.org:1"] {
        let said = finish(engine.daemon_command().args(["--metrics-addr", address])).fails(1);
        assert!(said.contains(&format!("cannot serve metrics on {address}")), "{said}");
    }
}

#[test]
fn debug_vars_are_there_with_debug_only() {
    let vars = |engine: &Engine| {
        get(std::os::unix::net::UnixStream::connect(engine.socket()).unwrap(), "/debug/vars")
    };
    let engine = Engine::start_with(&["--debug"]);
    let answer = vars(&engine);
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    let vars_of: serde_json::Value = serde_json::from_str(body).unwrap();
    assert!(vars_of["memory"]["proportional"].as_u64().unwrap() > 1 << 20, "{body}");
    assert!(
        vars_of["tasks"].as_u64().unwrap() > 0 && vars_of["containers"]["running"] == 0,
        "{body}"
    );
    assert!(vars(&Engine::start()).starts_with("HTTP/1.1 404 "));
}
