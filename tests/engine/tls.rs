//! tcp:// with verified clients: the handshake, the flags and the variables.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Stdio;

use testkit::engine::{Engine, Output, binary, finish};

use crate::authority::Authority;

/// An engine that verifies clients, and where it listens.
fn engine(authority: &Authority) -> (Engine, String) {
    engine_with(authority, &[])
}

fn engine_with(authority: &Authority, more: &[&str]) -> (Engine, String) {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let host = format!("tcp://{free}");
    let file = |name: &str| authority.file(name).to_string_lossy().into_owned();
    let (ca, cert, key) = (file("ca.pem"), file("server-cert.pem"), file("server-key.pem"));
    let flags = ["--tlsverify", "--tlscacert", &ca, "--tlscert", &cert, "--tlskey", &key];
    let engine = Engine::start_with(&[&flags[..], &["-H", &host], more].concat());
    (engine, host)
}

/// `gantry` with nothing but these flags and variables.
fn gantry(args: &[&str], environment: &[(&str, &str)]) -> Output {
    let mut command = std::process::Command::new(binary("gantry"));
    finish(command.args(args).env_clear().envs(environment.iter().copied()))
}

const ASK: [&str; 3] = ["version", "--format", "{{.Server.Version}}"];

#[test]
fn both_sides_are_verified() {
    let authority = Authority::new();
    let (_engine, host) = engine(&authority);
    let version = env!("CARGO_PKG_VERSION");

    let file = |name: &str| authority.file(name).to_string_lossy().into_owned();
    let (ca, cert, key) = (file("ca.pem"), file("cert.pem"), file("key.pem"));
    let flags =
        ["-H", &host, "--tlsverify", "--tlscacert", &ca, "--tlscert", &cert, "--tlskey", &key];
    assert_eq!(gantry(&[&flags[..], &ASK].concat(), &[]).ok(), version);

    let folder = authority.folder().to_string_lossy();
    let variables =
        [("DOCKER_HOST", host.as_str()), ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", &folder)];
    assert_eq!(gantry(&ASK, &variables).ok(), version);

    // --tls alone believes any engine, which still wants to know its client.
    assert_eq!(
        gantry(&[&["--tls"], &ASK[..]].concat(), &[variables[0], variables[2]]).ok(),
        version
    );
}

#[test]
fn cve_2025_9074_strangers_are_turned_away() {
    let authority = Authority::new();
    let (engine, host) = engine(&authority);
    let stranger = Authority::new();
    let stranger = stranger.folder().to_string_lossy();
    let at = ("DOCKER_HOST", host.as_str());
    let verify = ("DOCKER_TLS_VERIFY", "1");

    // The client does not know the engine.
    let refused = gantry(&["version"], &[at, verify, ("DOCKER_CERT_PATH", &stranger)]).fails(1);
    assert!(refused.contains("invalid peer certificate"), "{refused}");
    // The engine does not know the client, whatever that one believes.
    gantry(&["--tls", "version"], &[at, ("DOCKER_CERT_PATH", &stranger)]).fails(1);
    gantry(&["--tls", "version"], &[at]).fails(1);
    // No TLS at all.
    gantry(&["version"], &[at]).fails(1);
    engine.gantry(&["version"]).ok();
}

#[test]
fn a_session_that_loses_its_engine_says_so_and_the_container_goes_on() {
    let authority = Authority::new();
    let (mut engine, host) = engine(&authority);
    engine.load("busybox");
    let folder = authority.folder().to_string_lossy().into_owned();
    let verified = [("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", folder.as_str())];
    let environment = [&[("DOCKER_HOST", host.as_str())], &verified[..]].concat();
    let whole =
        gantry(&["run", "--rm", "--network", "none", "busybox", "echo", "whole"], &environment);
    assert_eq!(whole.ok(), "whole");

    let run = ["run", "-i", "--name", "box", "--network", "none", "busybox", "cat"];
    let mut session = std::process::Command::new(binary("gantry"));
    session.args(run).env_clear().envs(environment.iter().copied());
    session.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut session = session.spawn().unwrap();
    session.stdin.as_mut().unwrap().write_all(b"here\n").unwrap();
    let mut echoed = [0; 5];
    session.stdout.as_mut().unwrap().read_exact(&mut echoed).unwrap();
    engine.kill();
    let mut said = String::new();
    session.stderr.as_mut().unwrap().read_to_string(&mut said).unwrap();
    assert!(said.contains("the connection to the engine was lost"), "{said}");
    assert_eq!(session.wait().unwrap().code(), Some(1));
    engine.launch();
    assert_eq!(engine.gantry(&["inspect", "-f", "{{.State.Running}}", "box"]).ok(), "true");

    // The end of a client is the end of what it types, as over a unix socket.
    let mut second = std::process::Command::new(binary("gantry"));
    second.args(["attach", "box"]).env_clear().envs(environment.iter().copied());
    let mut second = second.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    second.stdin.as_mut().unwrap().write_all(b"more\n").unwrap();
    second.stdout.as_mut().unwrap().read_exact(&mut echoed).unwrap();
    assert_eq!(&echoed, b"more\n");
    second.kill().unwrap();
    second.wait().unwrap();
    assert_eq!(engine.gantry(&["wait", "box"]).ok(), "0");
}

/// A ClientHello of TLS 1.0 or 1.1 with one cipher of that time.
fn old_hello(minor: u8) -> Vec<u8> {
    let mut hello = vec![3, minor];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0x00, 0x2f, 1, 0]);
    let mut message = vec![1, 0, 0, hello.len() as u8];
    message.extend(hello);
    let mut record = vec![22, 3, 1, 0, message.len() as u8];
    record.extend(message);
    record
}

#[test]
fn only_tls_1_2_and_1_3_are_spoken() {
    use std::io::{Read, Write};
    let authority = Authority::new();
    let (_engine, host) = engine(&authority);
    let address = host.strip_prefix("tcp://").unwrap();
    for minor in [1, 2] {
        let mut stream = std::net::TcpStream::connect(address).unwrap();
        stream.write_all(&old_hello(minor)).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        // An alert, and nothing else.
        assert_eq!(answer.first().copied().unwrap_or(21), 21, "{answer:?}");
        assert!(answer.len() <= 7, "{answer:?}");
    }
}

#[test]
fn the_audit_log_names_a_verified_client() {
    let authority = Authority::new();
    let log = tempfile::tempdir().unwrap();
    let log = log.path().join("audit.log");
    let (engine, host) = engine_with(&authority, &["--audit-log", log.to_str().unwrap()]);
    let folder = authority.folder().to_string_lossy();
    let variables =
        [("DOCKER_HOST", host.as_str()), ("DOCKER_TLS_VERIFY", "1"), ("DOCKER_CERT_PATH", &folder)];
    gantry(&["rm", "no-such-box"], &variables).fails(1);
    engine.gantry(&["kill", "no-such-box"]).fails(1);
    let text = std::fs::read_to_string(&log).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].contains("\"address\":\"127.0.0.1:") && lines[0].contains("\"subject\":\""),
        "{text}"
    );
    assert!(lines[0].ends_with(r#""method":"DELETE","path":"/containers/no-such-box","object":"no-such-box","status":404}"#), "{text}");
    assert!(lines[1].contains("\"uid\":0,\"gid\":0,\"pid\":"), "{text}");
    assert_eq!(lines.len(), 2, "{text}");
}
