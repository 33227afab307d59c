//! The API's sockets and what is sent to them, byte by byte.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use testkit::engine::{Engine, binary, finish};

/// Sends one request as it is and reads to the end of the answer.
pub(super) fn ask(engine: &Engine, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(engine.socket()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // The engine may answer and close before it has read everything.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

pub(crate) fn post(engine: &Engine, path: &str, body: &str) -> String {
    let length = body.len();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    ask(engine, format!("{head}{body}").as_bytes())
}

#[track_caller]
fn assert_status(answer: &str, status: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
}

#[test]
fn names_and_ids_that_are_paths_name_nothing() {
    let engine = Engine::with_busybox();
    let long = "a".repeat(300);
    for name in ["..", "%2e%2e%2fx", "a%2fb", "a%00b", ".hidden", "-flag", "a%0ab"] {
        let path = format!("/containers/create?name={name}");
        assert_status(&post(&engine, &path, r#"{"Image":"busybox"}"#), "400");
    }
    let named = post(&engine, &format!("/containers/create?name={long}"), r#"{"Image":"busybox"}"#);
    assert!(named.starts_with("HTTP/1.1 400") || named.starts_with("HTTP/1.1 201"), "{named}");
    for id in ["..", "%2e%2e", "..%2f..%2fetc", "%00", "a%00", &long[..200], "%2e%2e/json/.."] {
        // A path that climbs leads to the one it comes to, and does nothing itself.
        let nothing = |answer: &str| ["301", "400", "404"].contains(&&answer[9..12]);
        let answer = post(&engine, &format!("/containers/{id}/start"), "");
        assert!(nothing(&answer), "{id}: {answer}");
        let answer = post(&engine, &format!("/exec/{id}/start"), "{}");
        assert!(nothing(&answer), "{id}: {answer}");
    }
    let outside = std::fs::read_dir(engine.data_root().join("containers")).unwrap();
    assert!(outside.count() <= 1, "only the long name may have made a container");
}

#[test]
fn cgroup_parents_that_climb_are_refused() {
    let engine = Engine::with_busybox();
    for parent in ["../../x", "/a/../../x", "a/..", "a\\u0000b", &"p".repeat(300)] {
        let body = format!(r#"{{"Image":"busybox","HostConfig":{{"CgroupParent":"{parent}"}}}}"#);
        assert_status(&post(&engine, "/containers/create", &body), "400");
    }
}

#[test]
fn zero_bytes_are_refused_wherever_the_kernel_would_cut_them_off() {
    let engine = Engine::with_busybox();
    for part in [
        r#""Cmd":["a\u0000b"]"#,
        r#""Env":["A=\u0000"]"#,
        r#""User":"0\u0000x""#,
        r#""WorkingDir":"/\u0000""#,
        r#""Hostname":"a\u0000""#,
        r#""HostConfig":{"Binds":["/tmp\u0000:/x"]}"#,
        r#""HostConfig":{"Binds":["/tmp:/x\u0000"]}"#,
        r#""HostConfig":{"Sysctls":{"net.ipv4.x\u0000":"1"}}"#,
    ] {
        let body = format!(r#"{{"Image":"busybox",{part}}}"#);
        let made = post(&engine, "/containers/create?name=zero", &body);
        if made.starts_with("HTTP/1.1 201") {
            assert_status(&post(&engine, "/containers/zero/start", ""), "400");
            engine.gantry(&["rm", "-f", "zero"]).ok();
        } else {
            assert_status(&made, "400");
        }
    }
}

#[test]
fn cve_2018_20699_a_giant_cpuset_is_refused_at_once() {
    let engine = Engine::with_busybox();
    for cpus in ["0-2147483647", "0-18446744073709551615", "0-8192,0-8192"] {
        let body = format!(r#"{{"Image":"busybox","HostConfig":{{"CpusetCpus":"{cpus}"}}}}"#);
        assert_status(&post(&engine, "/containers/create", &body), "400");
    }
}

#[test]
fn cve_2024_41110_cve_2026_34040_a_request_is_what_its_bytes_say() {
    let engine = Engine::with_busybox();
    // Two lengths, or a length and chunks, are two readings of one request.
    let smuggled = b"POST /containers/prune HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 30\r\n\r\n";
    assert_status(&ask(&engine, smuggled), "400");
    // A body larger than others' authorisation looks at is read whole, or refused whole.
    let padding = " ".repeat(2 << 20);
    let body = format!(r#"{{{padding}"Image":"no-such-image"}}"#);
    assert_status(&post(&engine, "/containers/create", &body), "404");
    // Without a body there is no container made of defaults.
    assert_status(&post(&engine, "/containers/create", ""), "400");
    // Keys twice: the last one, and nothing in between.
    let body = r#"{"Image":"no-such-image","Image":"busybox"}"#;
    let answer = post(&engine, "/containers/create", body);
    assert!(answer.starts_with("HTTP/1.1 201") || answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[test]
fn a_million_headers_and_deep_documents_are_refused() {
    let engine = Engine::with_busybox();
    let headers = "a: b\r\n".repeat(1_000_000);
    let answer =
        ask(&engine, format!("GET /_ping HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes());
    assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    let deep = format!(r#"{{"Image":{}1{}}}"#, "[".repeat(500_000), "]".repeat(500_000));
    assert_status(&post(&engine, "/containers/create", &deep), "400");
    let filters = "%7B%22label%22:".to_owned() + &"%5B".repeat(5_000);
    let request = format!(
        "GET /containers/json?filters={filters} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    );
    assert_status(&ask(&engine, request.as_bytes()), "400");
    engine.gantry(&["ps"]).ok();
}

#[test]
fn slow_clients_keep_nobody_else_waiting() {
    let engine = Engine::with_busybox();
    let slow: Vec<UnixStream> = (0..200)
        .map(|_| {
            let mut stream = UnixStream::connect(engine.socket()).unwrap();
            stream.write_all(b"POST /containers/create HTTP/1.1\r\nHost: x\r\nContent-Le").unwrap();
            stream
        })
        .collect();
    assert_eq!(engine.gantry(&["run", "--rm", "busybox", "echo", "in time"]).ok(), "in time");
    drop(slow);
}

#[test]
fn cve_2025_9074_tcp_without_tls_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let mut command = std::process::Command::new(binary("gantryd"));
    for (flag, name) in [("--data-root", "data"), ("--exec-root", "exec"), ("--pidfile", "pid")] {
        command.arg(flag).arg(place.path().join(name));
    }
    command.args(["-H", "tcp://127.0.0.1:0"]);
    let said = finish(&mut command).fails(1);
    assert!(said.to_lowercase().contains("tls"), "{said}");
}

#[test]
fn ids_of_others_execs_and_short_ones_open_nothing() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "60"]).ok();
    let made = post(&engine, "/containers/box/exec", r#"{"Cmd":["true"]}"#);
    let id = made.split("\"Id\":\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(id.len(), 64);
    let unknown = format!("{}{}", &id[..63], if id.ends_with('0') { '1' } else { '0' });
    for wrong in [&id[..63], &id[..12], unknown.as_str()] {
        assert_status(&post(&engine, &format!("/exec/{wrong}/start"), r#"{"Detach":true}"#), "404");
    }
    assert_status(&post(&engine, &format!("/exec/{id}/start"), r#"{"Detach":true}"#), "200");
    assert_status(&post(&engine, &format!("/exec/{id}/start"), r#"{"Detach":true}"#), "409");
}
