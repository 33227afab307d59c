//! Clients that stall, lie and flood, on real sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use testkit::engine::Engine;

use super::limits::memory_of;

fn connect(engine: &Engine) -> UnixStream {
    let stream = UnixStream::connect(engine.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// What comes back for these bytes until the engine closes, or until it has nothing to say after our half is closed.
fn say(engine: &Engine, bytes: impl AsRef<[u8]>) -> String {
    let mut stream = connect(engine);
    // The engine may answer and close before it has read everything.
    let _ = stream.write_all(bytes.as_ref());
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn containers(engine: &Engine) -> String {
    engine.gantry(&["ps", "-aq"]).ok()
}

#[test]
fn a_hundred_clients_that_stall_at_every_point_hold_nobody_up() {
    let engine = Engine::with_busybox();
    let create =
        "POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n";
    let points = [
        String::new(),
        "G".to_owned(),
        "GET /info HTTP/1.1\r\nHost: x\r\nA: ".to_owned(),
        create.to_owned(),
        format!("{create}Content-Length: 100\r\n\r\n{{"),
        format!("{create}Transfer-Encoding: chunked\r\n\r\n5\r\n{{"),
        "POST /images/load HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc".to_owned(),
        "GET /events HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(),
    ];
    let stalled: Vec<UnixStream> = (0..104)
        .map(|n| {
            let mut stream = connect(&engine);
            stream.write_all(points[n % points.len()].as_bytes()).unwrap();
            stream
        })
        .collect();
    assert_eq!(engine.gantry(&["run", "--rm", "busybox", "echo", "in time"]).ok(), "in time");
    drop(stalled);
    assert_eq!(containers(&engine), "");
}

#[test]
fn a_client_that_closed_its_half_is_answered_and_one_that_is_gone_is_not_waited_for() {
    let mut engine = Engine::start();
    for _ in 0..50 {
        let answer = say(&engine, "GET /version HTTP/1.1\r\nHost: x\r\n\r\n");
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("ApiVersion"), "{answer}");
    }
    let listeners = |engine: &Engine| engine.gantry(&["info", "-f", "{{.NEventsListener}}"]).ok();
    let mut listening = connect(&engine);
    listening.write_all(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    engine.wait_until("it listens", |engine| listeners(engine) == "1");
    listening.shutdown(Shutdown::Write).unwrap();
    assert_eq!(listeners(&engine), "1");
    drop(listening);
    engine.wait_until("nobody listens", |engine| listeners(engine) == "0");
}

#[test]
fn http_2_is_not_spoken() {
    let engine = Engine::start();
    let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00";
    let answer = say(&engine, preface);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    let upgrade = "GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close, Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
                   HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    let answer = super::api::ask(&engine, upgrade.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[test]
fn chunks_that_lie_are_refused() {
    let engine = Engine::with_busybox();
    let before = memory_of(engine.daemon_pid());
    let head = "POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    for chunks in [
        "ffffffffffffffff\r\n{",
        "fffffffffffffffff\r\n{",
        "7fffffff\r\n{\"Image\":\"busybox\"}",
        "-1\r\n{}\r\n0\r\n\r\n",
        "0x2\r\n{}\r\n0\r\n\r\n",
        "zz\r\n{}\r\n0\r\n\r\n",
        "2\r\n{\"Image\":\"busybox\"}\r\n0\r\n\r\n",
        "13\r\n{\"Image\":\"busybox\"}",
        "2;a=\"b\r\n{}\r\n",
    ] {
        let answer = say(&engine, format!("{head}{chunks}"));
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{chunks}: {answer}");
    }
    let endless = format!("{head}1;{}", "x".repeat(10 << 20));
    let answer = say(&engine, endless);
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    assert_eq!(containers(&engine), "");
    let grown = memory_of(engine.daemon_pid()).saturating_sub(before);
    assert!(grown < 16 << 20, "it grew by {grown} bytes");
}

#[test]
fn a_document_that_is_cut_off_makes_nothing() {
    let engine = Engine::with_busybox();
    let body = r#"{"Image":"busybox","Cmd":["true"]}"#;
    for length in 0..body.len() {
        let answer = say(
            &engine,
            format!(
                "POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{}",
                body.len(),
                &body[..length]
            ),
        );
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{length}: {answer}");
        // The length is right, the document is not.
        let answer = super::api::post(&engine, "/containers/create", &body[..length]);
        assert!(
            answer.starts_with("HTTP/1.1 400 ") && answer.contains("invalid JSON: "),
            "{answer}"
        );
    }
    assert_eq!(containers(&engine), "");
}

#[test]
fn requests_in_a_row_are_answered_in_that_order() {
    let engine = Engine::start();
    let ask = |path: &str, rest: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{rest}\r\n");
    let mut row: String = (0..200).map(|n| ask(&format!("/containers/c{n}/json"), "")).collect();
    row += &ask("/_ping", "Connection: close\r\n");
    let mut stream = connect(&engine);
    let mut writer = stream.try_clone().unwrap();
    let sender = std::thread::spawn(move || writer.write_all(row.as_bytes()));
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    sender.join().unwrap().unwrap();
    let named: Vec<&str> = answers.split("No such container: ").skip(1).collect();
    assert_eq!(named.len(), 200);
    for (n, text) in named.iter().enumerate() {
        assert!(text.starts_with(&format!("c{n}\"")), "{n}: {text}");
    }
    assert!(answers.trim_end().ends_with("OK"));
}

#[test]
fn what_stands_in_the_first_line_is_read_one_way_or_refused() {
    let engine = Engine::start();
    let ask = |line: &str| {
        let request = format!("{line}\r\nHost: x\r\nConnection: close\r\n\r\n");
        super::api::ask(&engine, request.as_bytes())
    };
    // RFC 9112, 3.2.2: the absolute form must be accepted.
    assert!(ask("GET http://elsewhere/_ping HTTP/1.1").starts_with("HTTP/1.1 200 "));
    for line in [
        "GET /_ping",
        "GET  /_ping HTTP/1.1",
        "GET /_ping HTTP/3.0",
        "G\u{e4}T /_ping HTTP/1.1",
        "GET /_pi\0ng HTTP/1.1",
        "* * *",
        "",
    ] {
        let answer = ask(line);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{line:?}: {answer}");
    }
    let answer = ask(&format!("GET /{} HTTP/1.1", "x".repeat(1 << 20)));
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    for (header, refused) in [
        ("Content-Length: 1\r\nContent-Length: 2", true),
        ("Content-Length: +1", true),
        ("Content-Length: 1, 2", true),
        ("Content-Length: 18446744073709551616", true),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", true),
        ("Content-Length : 0", true),
        (" Folded: x", true),
        ("Content-Length: 0", false),
    ] {
        let request = format!(
            "POST /containers/prune HTTP/1.1\r\nHost: x\r\n{header}\r\nConnection: close\r\n\r\n"
        );
        let answer = super::api::ask(&engine, request.as_bytes());
        let was_refused = answer.is_empty() || answer.starts_with("HTTP/1.1 400 ");
        assert_eq!(was_refused, refused, "{header}: {answer}");
    }
}

#[test]
fn one_address_does_not_take_all_connections() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let engine = Engine::start_with(&["-H", &format!("tcp://{address}"), "--tlsverify=false"]);
    let greedy: Vec<TcpStream> = (0..600).map(|_| TcpStream::connect(address).unwrap()).collect();
    // The last of them is told so; who comes another way is served.
    let mut last = greedy.last().unwrap();
    last.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = String::new();
    last.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    engine.gantry(&["version"]).ok();
    let mut first = &greedy[0];
    first.write_all(b"GET /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    first.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}
