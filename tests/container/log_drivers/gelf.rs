//! gelf at a receiver that puts messages together as Graylog does: chunks by their id, then by the first bytes gzip,
//! zlib or plain JSON.

use std::collections::BTreeMap;
use std::io::Read;
use std::net::UdpSocket;

use serde_json::Value;
use testkit::engine::{Engine, PATIENCE};

use super::Server;

/// How a message came.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    Gzip,
    Zlib,
    Plain,
}

struct Receiver(UdpSocket);

impl Receiver {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// The next message, its form, and how many datagrams it took.
    fn receive(&self) -> (Value, Form, usize) {
        let mut parts: BTreeMap<[u8; 8], BTreeMap<u8, Vec<u8>>> = BTreeMap::new();
        loop {
            let mut buffer = [0; 65536];
            let length = self.0.recv(&mut buffer).unwrap();
            let datagram = &buffer[..length];
            assert!(length <= 1420, "{length} bytes do not fit every network");
            let Some(chunk) = datagram.strip_prefix(b"\x1e\x0f") else {
                let (message, form) = decode(datagram);
                return (message, form, 1);
            };
            let (id, rest) = chunk.split_first_chunk::<8>().unwrap();
            let (number, count) = (rest[0], rest[1]);
            let message = parts.entry(*id).or_default();
            assert_eq!(message.insert(number, rest[2..].to_vec()), None, "a chunk comes once");
            if message.len() == usize::from(count) {
                assert!(message.keys().copied().eq(0..count), "{:?}", message.keys());
                let bytes: Vec<u8> = message.values().flatten().copied().collect();
                let (message, form) = decode(&bytes);
                return (message, form, usize::from(count));
            }
        }
    }
}

fn decode(bytes: &[u8]) -> (Value, Form) {
    let mut text = Vec::new();
    let form = match bytes[..2] {
        [0x1f, 0x8b] => {
            flate2::read::GzDecoder::new(bytes).read_to_end(&mut text).unwrap();
            Form::Gzip
        }
        [0x78, _] => {
            flate2::read::ZlibDecoder::new(bytes).read_to_end(&mut text).unwrap();
            Form::Zlib
        }
        _ => {
            text.extend_from_slice(bytes);
            Form::Plain
        }
    };
    (serde_json::from_slice(&text).unwrap(), form)
}

#[test]
fn each_compression_arrives_whole_and_in_chunks() {
    let engine = Engine::with_busybox();
    let receiver = Receiver::start();
    let address = format!("--log-opt=gelf-address=udp://127.0.0.1:{}", receiver.port());
    for (kind, level, form) in
        [("gzip", "9", Form::Gzip), ("zlib", "-1", Form::Zlib), ("none", "0", Form::Plain)]
    {
        let (kind, level) = (
            format!("--log-opt=gelf-compression-type={kind}"),
            format!("--log-opt=gelf-compression-level={level}"),
        );
        // Compressed, noise stays too long for one datagram.
        let script = "echo short >&2; head -c 6000 /dev/urandom | base64 | tr -d '\\n'; echo";
        let run = ["run", "--name", "box", "--log-driver=gelf", &address, &kind, &level];
        engine.gantry(&[&run[..], &["busybox", "sh", "-c", script]].concat()).ok();
        let (first, second) = (receiver.receive(), receiver.receive());
        let (short, long) = if first.2 == 1 { (first, second) } else { (second, first) };
        assert_eq!((&short.1, short.2), (&form, 1));
        assert_eq!(short.0["short_message"], "short");
        assert_eq!(short.0["level"], 3);
        assert!(long.1 == form && long.2 > 4, "{:?} in {} chunks", long.1, long.2);
        let line = long.0["short_message"].as_str().unwrap();
        assert_eq!(line.len(), 8000);
        let logs = engine.gantry(&["logs", "box"]);
        assert_eq!((logs.stdout.trim_end(), logs.stderr.trim_end()), (line, "short"));
        engine.gantry(&["rm", "box"]).ok();
    }
}

#[test]
fn a_stream_is_cut_at_zero_bytes_and_tells_of_the_container() {
    let mut engine = Engine::with_busybox();
    let server = Server::start();
    let address = format!("--log-opt=gelf-address=tcp://127.0.0.1:{}", server.port);
    let run =
        ["run", "--name", "box", "--log-driver=gelf", &address, "-l", "team=blue", "-e", "A=b"];
    let options = ["--log-opt=labels=team", "--log-opt=env=A", "--log-opt=tag=t-{{.Name}}"];
    let script = ["busybox", "sh", "-c", "printf 'one\\ntab\\there\\n'"];
    engine.gantry(&[&run[..], &options, &script].concat()).ok();
    engine.wait_until("both lines arrive", |_| server.text().matches('\0').count() == 2);
    let id = engine.gantry(&["inspect", "-f", "{{.Id}} {{.Image}} {{.Created}}", "box"]).ok();
    let [id, image, created] = id.split(' ').collect::<Vec<_>>()[..] else { panic!("{id}") };
    let text = server.text();
    let messages: Vec<Value> =
        text.split_terminator('\0').map(|part| serde_json::from_str(part).unwrap()).collect();
    for (message, line) in messages.iter().zip(["one", "tab\there"]) {
        for (field, value) in [
            ("version", "1.1"),
            ("short_message", line),
            ("_container_id", id),
            ("_container_name", "box"),
            ("_image_id", image),
            ("_image_name", "busybox"),
            ("_command", "sh -c printf 'one\\ntab\\there\\n'"),
            ("_tag", "t-box"),
            ("_created", created),
            ("_team", "blue"),
            ("_A", "b"),
        ] {
            assert_eq!(message[field], value, "{field} of {message}");
        }
        assert_eq!(message["level"], 6);
        assert!(message["timestamp"].is_f64());
    }
}
