//! fluentd's forward protocol at a server that decodes it: Debian has no fluentd.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use testkit::engine::{Engine, wait_for};

/// A value of MessagePack, so far as the protocol has them.
#[derive(Clone, Debug, PartialEq)]
enum Item {
    Nil,
    Number(u64),
    /// Seconds and nanoseconds, an extension of fluentd's.
    Time(u32, u32),
    Text(String),
    List(Vec<Item>),
    Map(BTreeMap<String, Item>),
}

struct Decoder<R>(R);

impl<R: Read> Decoder<R> {
    fn bytes<const N: usize>(&mut self) -> Option<[u8; N]> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }

    /// `None` at the end of the stream.
    fn item(&mut self) -> Option<Item> {
        let [head] = self.bytes()?;
        Some(match head {
            0xc0 => Item::Nil,
            0xce => Item::Number(u32::from_be_bytes(self.bytes()?).into()),
            0xd7 => {
                assert_eq!(self.bytes()?, [0], "fluentd's type of extension");
                let (seconds, nanoseconds) = (self.bytes()?, self.bytes()?);
                Item::Time(u32::from_be_bytes(seconds), u32::from_be_bytes(nanoseconds))
            }
            0x90..0xa0 => Item::List((0..head & 15).map(|_| self.item()).collect::<Option<_>>()?),
            0x80..0x90 => self.map((head & 15).into())?,
            0xde => {
                let count = u16::from_be_bytes(self.bytes()?);
                self.map(count)?
            }
            0xa0..0xc0 => self.text((head & 31).into())?,
            0xd9 => {
                let [length] = self.bytes()?;
                self.text(length.into())?
            }
            0xda => {
                let length = u16::from_be_bytes(self.bytes()?);
                self.text(length.into())?
            }
            other => panic!("{other:#x} is not expected"),
        })
    }

    fn text(&mut self, length: usize) -> Option<Item> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).ok()?;
        Some(Item::Text(String::from_utf8(bytes).unwrap()))
    }

    fn map(&mut self, count: u16) -> Option<Item> {
        let pair = |_| {
            let Item::Text(key) = self.item()? else { panic!("a key is a text") };
            Some((key, self.item()?))
        };
        Some(Item::Map((0..count).map(pair).collect::<Option<_>>()?))
    }
}

/// `[tag, time, record, option]`.
#[derive(Clone, Debug)]
struct Received {
    tag: String,
    time: Item,
    record: BTreeMap<String, Item>,
}

impl Received {
    fn of(item: Item) -> (Self, Item) {
        let Item::List(parts) = item else { panic!("{item:?}") };
        let [Item::Text(tag), time, Item::Map(record), option] = &parts[..] else {
            panic!("{parts:?}")
        };
        let received = Self { tag: tag.clone(), time: time.clone(), record: record.clone() };
        (received, option.clone())
    }

    fn text(&self, field: &str) -> &str {
        match self.record.get(field) {
            Some(Item::Text(text)) => text,
            other => panic!("{field} is {other:?}"),
        }
    }
}

/// Takes one connection, keeps what comes and acknowledges what asks for it.
fn serve<S: Read + Write + Send + 'static>(
    accept: impl FnOnce() -> S + Send + 'static,
    clone: fn(&S) -> S,
) -> (Arc<Mutex<Vec<Received>>>, JoinHandle<()>) {
    let seen = Arc::<Mutex<Vec<Received>>>::default();
    let keep = Arc::clone(&seen);
    let thread = std::thread::spawn(move || {
        let stream = accept();
        let mut answers = clone(&stream);
        let mut decoder = Decoder(stream);
        while let Some(item) = decoder.item() {
            let (received, option) = Received::of(item);
            keep.lock().unwrap().push(received);
            if let Item::Map(option) = option {
                let Some(Item::Text(id)) = option.get("chunk") else { panic!("{option:?}") };
                let head = [0x81, 0xa3, b'a', b'c', b'k', 0xd9, id.len() as u8];
                answers.write_all(&[&head[..], id.as_bytes()].concat()).unwrap();
            }
        }
    });
    (seen, thread)
}

#[test]
fn messages_are_whole_and_acknowledged() {
    let mut engine = Engine::with_busybox();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("--log-opt=fluentd-address=tcp://{}", listener.local_addr().unwrap());
    let (seen, thread) =
        serve(move || listener.accept().unwrap().0, |stream| stream.try_clone().unwrap());
    let run = ["run", "--name", "box", "--log-driver=fluentd", &address, "-l", "team=blue"];
    let options = [
        "--log-opt=fluentd-request-ack=true",
        "--log-opt=fluentd-sub-second-precision=true",
        "--log-opt=tag=my.{{.Name}}",
        "--log-opt=labels=team",
    ];
    let script = "echo one; head -c 40000 /dev/zero | tr '\\0' x; echo; echo two >&2";
    engine.gantry(&[&run[..], &options, &["busybox", "sh", "-c", script]].concat()).ok();
    wait_for("every part arrives", || seen.lock().unwrap().len() == 5);
    let id = engine.gantry(&["inspect", "-f", "{{.Id}}", "box"]).ok();
    let cursor = engine.data_root().join("containers").join(&id).join("log-cursor.json");
    engine.wait_until("the engine knows", |_| cursor.exists());
    let seen = seen.lock().unwrap().clone();
    for message in &seen {
        assert_eq!((&*message.tag, message.text("team")), ("my.box", "blue"));
        assert_eq!((message.text("container_id"), message.text("container_name")), (&*id, "/box"));
        assert!(matches!(message.time, Item::Time(seconds, _) if seconds > 1_700_000_000));
    }
    let of = |stream: &str| -> Vec<&Received> {
        seen.iter().filter(|message| message.text("source") == stream).collect()
    };
    assert_eq!(of("stderr").iter().map(|m| m.text("log")).collect::<Vec<_>>(), ["two"]);
    let stdout = of("stdout");
    assert_eq!((stdout[0].text("log"), stdout[0].record.get("partial_id")), ("one", None));
    let parts = &stdout[1..];
    assert_eq!(parts.iter().map(|part| part.text("log")).collect::<String>(), "x".repeat(40_000));
    for (part, (ordinal, last)) in parts.iter().zip([("1", "false"), ("2", "false"), ("3", "true")])
    {
        assert_eq!(part.text("partial_message"), "true");
        assert_eq!((part.text("partial_ordinal"), part.text("partial_last")), (ordinal, last));
        assert_eq!(part.text("partial_id"), parts[0].text("partial_id"));
    }
    engine.gantry(&["rm", "box"]).ok();
    thread.join().unwrap();
}

#[test]
fn a_local_socket_and_whole_seconds() {
    let engine = Engine::with_busybox();
    let path = engine.scratch().join("fluentd.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let address = format!("--log-opt=fluentd-address=unix://{}", path.display());
    let (seen, thread) =
        serve(move || listener.accept().unwrap().0, |stream| stream.try_clone().unwrap());
    let run = ["run", "--rm", "--log-driver=fluentd", &address, "busybox", "echo", "hello"];
    engine.gantry(&run).ok();
    // The connection ends with the container's last line.
    thread.join().unwrap();
    let seen = seen.lock().unwrap();
    assert_eq!(seen.iter().map(|message| message.text("log")).collect::<Vec<_>>(), ["hello"]);
    assert!(matches!(seen[0].time, Item::Number(seconds) if seconds > 1_700_000_000));
    assert_eq!(seen[0].tag.len(), 12, "the short id: {}", seen[0].tag);
}
