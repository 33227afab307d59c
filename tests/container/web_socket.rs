//! `GET /containers/{id}/attach/ws`: a client of its own, since it is the frames that are to be right.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;

use testkit::engine::{Engine, PATIENCE};

struct Client {
    socket: UnixStream,
    /// What came and is not taken yet.
    input: Vec<u8>,
}

const TEXT: u8 = 1;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

impl Client {
    fn open(engine: &Engine, path: &str, headers: &str) -> (String, Self) {
        let mut socket = UnixStream::connect(engine.socket()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let head = format!(
            "GET {path} HTTP/1.1\r\nHost: docker\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{headers}\r\n"
        );
        socket.write_all(head.as_bytes()).unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            assert_eq!(socket.read(&mut byte).unwrap(), 1, "the answer ended early");
            answer.push(byte[0]);
        }
        (String::from_utf8(answer).unwrap(), Self { socket, input: Vec::new() })
    }

    fn attached(engine: &Engine, path: &str) -> Self {
        let (answer, client) = Self::open(engine, path, "");
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        let proof = "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=";
        assert!(answer.to_lowercase().contains(proof), "{answer}");
        client
    }

    fn send(&mut self, opcode: u8, content: &[u8]) {
        let mask = [1, 2, 3, 4];
        assert!(content.len() < 126);
        let mut frame = vec![0x80 | opcode, 0x80 | content.len() as u8];
        frame.extend(mask);
        frame.extend(content.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        self.socket.write_all(&frame).unwrap();
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        while self.input.len() < count {
            let mut buffer = [0; 4096];
            let read = self.socket.read(&mut buffer).unwrap();
            assert_ne!(read, 0, "the connection ended within a frame");
            self.input.extend_from_slice(&buffer[..read]);
        }
        self.input.drain(..count).collect()
    }

    fn frame(&mut self) -> (u8, Vec<u8>) {
        let head = self.take(2);
        assert_eq!((head[0] & 0xf0, head[1] & 0x80), (0x80, 0), "whole and not masked");
        let long = match head[1] {
            126 => self.take(2),
            127 => self.take(8),
            short => vec![short],
        };
        let length = long.iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        (head[0] & 0x0f, self.take(length))
    }

    /// All that is said until the close, and in frames of what kind.
    fn until_the_end(&mut self) -> (Vec<u8>, String, Vec<u8>) {
        let (mut kinds, mut text) = (Vec::new(), Vec::new());
        loop {
            match self.frame() {
                (CLOSE, code) => return (kinds, String::from_utf8(text).unwrap(), code),
                (kind, content) => {
                    kinds.push(kind);
                    text.extend(content);
                }
            }
        }
    }
}

const ALL: &str = "stream=1&stdin=1&stdout=1&stderr=1";

#[test]
fn messages_are_input_and_output_and_the_end_is_a_close() {
    let engine = Engine::with_busybox();
    let script = "read a; echo got $a; echo wrong >&2; read b; echo and $b; seq 20000";
    let words = ["create", "-i", "--name", "box", "busybox", "sh", "-c", script];
    engine.gantry(&words).ok();
    let mut client = Client::attached(&engine, &format!("/v1.45/containers/box/attach/ws?{ALL}"));
    engine.gantry(&["start", "box"]).ok();
    client.send(TEXT, b"on");
    client.send(BINARY, b"e\n");
    client.send(PING, b"there?");
    client.send(TEXT, b"two\n");
    let (kinds, text, code) = client.until_the_end();
    assert_eq!(code, 1000_u16.to_be_bytes());
    assert!(kinds.contains(&PONG) && kinds.contains(&BINARY) && !kinds.contains(&TEXT));
    let text = text.replace("there?", "");
    assert!(text.contains("got one\n") && text.contains("wrong\n"), "{}", &text[..200]);
    // Two streams have no order between them.
    let text = text.replace("wrong\n", "");
    let end = &text[text.len().saturating_sub(200)..];
    assert!(text.contains("and two\n") && text.ends_with("19999\n20000\n"), "{end:?}");
}

#[test]
fn streams_logs_and_payloads_are_as_asked_for_and_as_the_version_has_them() {
    let engine = Engine::with_busybox();
    let script = "echo out; echo err >&2";
    engine.gantry(&["run", "--name", "box", "busybox", "sh", "-c", script]).ok();
    let said = |path: &str| Client::attached(&engine, path).until_the_end();
    let (kinds, text, _) = said("/v1.45/containers/box/attach/ws?logs=1&stdout=1");
    assert_eq!((kinds, text.as_str()), (vec![BINARY], "out\n"));
    let (_, text, _) = said("/v1.45/containers/box/attach/ws?logs=1&stdout=1&stderr=1");
    assert_eq!(text.len(), "out\nerr\n".len());
    // Before 1.42 all streams are meant, and before 1.28 messages are text.
    let (kinds, text, _) = said("/v1.27/containers/box/attach/ws?logs=1");
    assert!(kinds.iter().all(|kind| *kind == TEXT), "{kinds:?}");
    assert_eq!(text.len(), "out\nerr\n".len());
}

#[test]
fn a_client_that_closes_ends_the_input_and_one_that_lies_is_closed() {
    let engine = Engine::with_busybox();
    for (name, frame, code) in
        [("polite", vec![0x88, 0x80, 0, 0, 0, 0], 1000_u16), ("liar", b"\x81\x02hi".to_vec(), 1002)]
    {
        let words = ["create", "-i", "--name", name, "busybox", "sh", "-c", "cat; echo done"];
        engine.gantry(&words).ok();
        let path = format!("/v1.45/containers/{name}/attach/ws?{ALL}");
        let mut client = Client::attached(&engine, &path);
        engine.gantry(&["start", name]).ok();
        client.send(TEXT, b"text\n");
        assert_eq!(client.frame(), (BINARY, b"text\n".to_vec()));
        client.socket.write_all(&frame).unwrap();
        assert_eq!(client.until_the_end().2, code.to_be_bytes());
        assert_eq!(engine.gantry(&["wait", name]).ok(), "0");
        assert_eq!(engine.gantry(&["logs", name]).ok(), "text\ndone");
    }
}

#[test]
fn what_is_no_handshake_or_comes_from_a_page_elsewhere_attaches_to_nothing() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "300"]).ok();
    let path = format!("/v1.45/containers/box/attach/ws?{ALL}");
    let answer = |path: &str, headers: &str| Client::open(&engine, path, headers).0;
    assert!(answer(&path, "Origin: http://evil.example\r\n").starts_with("HTTP/1.1 403 "));
    assert!(answer(&path, "Origin: http://docker\r\n").starts_with("HTTP/1.1 101 "));
    assert!(answer("/v1.45/containers/absent/attach/ws", "").starts_with("HTTP/1.1 404 "));
    let mut socket = UnixStream::connect(engine.socket()).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: docker\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes()).unwrap();
    let mut plain = String::new();
    socket.read_to_string(&mut plain).unwrap();
    assert!(plain.starts_with("HTTP/1.1 400 ") && plain.contains("not websocket protocol"));
}
