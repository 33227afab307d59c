//! What people type on their first days, word for word, on the images they type it with.

mod compose;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use testkit::engine::Engine;

const PATIENCE: Duration = Duration::from_secs(5);

fn address(engine: &Engine, name: &str) -> String {
    engine.gantry(&["inspect", "-f", "{{.NetworkSettings.IPAddress}}", name]).ok()
}

/// The page at `/`; empty while nobody serves it.
fn page(address: &str) -> String {
    let fetch = || -> std::io::Result<String> {
        let place = SocketAddr::new(address.parse().map_err(std::io::Error::other)?, 80);
        let mut stream = TcpStream::connect_timeout(&place, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(b"GET / HTTP/1.0\r\nHost: web\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    fetch().unwrap_or_default()
}

#[test]
fn a_web_server_from_its_first_run_to_its_removal() {
    let mut engine = Engine::start();
    engine.load("nginx");
    engine.gantry(&["run", "-d", "--name", "my-nginx", "nginx"]).ok();
    let serves =
        |engine: &mut Engine| page(&address(engine, "my-nginx")).contains("Welcome to nginx!");
    engine.wait_until("it serves its page", serves);
    engine.wait_until("it has logged the request", |engine| {
        engine.gantry(&["logs", "my-nginx"]).ok().contains("\"GET / HTTP/1.0\" 200")
    });
    let version = engine.gantry(&["exec", "my-nginx", "nginx", "-v"]);
    assert!(version.stderr.contains("nginx version"), "{version:?}");
    engine.gantry(&["stop", "my-nginx"]).ok();
    engine.gantry(&["start", "my-nginx"]).ok();
    engine.wait_until("it serves again", serves);
    engine.gantry(&["restart", "my-nginx"]).ok();
    engine.wait_until("it serves after a restart", serves);
    engine.gantry(&["stop", "my-nginx"]).ok();
    engine.gantry(&["rm", "my-nginx"]).ok();
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
}

#[test]
fn a_data_base_keeps_its_data_in_an_anonymous_volume() {
    let mut engine = Engine::start();
    engine.load("redis");
    engine.gantry(&["run", "-d", "--name", "cache", "redis"]).ok();
    let pings = |engine: &mut Engine| {
        engine.gantry(&["exec", "cache", "redis-cli", "ping"]).stdout == "PONG\n"
    };
    engine.wait_until("it answers", pings);
    engine.gantry(&["exec", "cache", "redis-cli", "set", "key", "kept"]).ok();
    let host = address(&engine, "cache");
    let over_the_bridge = ["run", "--rm", "redis", "redis-cli", "-h", &host, "get", "key"];
    assert_eq!(engine.gantry(&over_the_bridge).ok(), "kept");
    engine.gantry(&["restart", "cache"]).ok();
    engine.wait_until("it answers again", pings);
    assert_eq!(engine.gantry(&["exec", "cache", "redis-cli", "get", "key"]).ok(), "kept");
    assert_eq!(engine.gantry(&["inspect", "-f", "{{len .Mounts}}", "cache"]).ok(), "1");
}
