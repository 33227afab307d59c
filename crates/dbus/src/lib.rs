//! As much of D-Bus as systemd and firewalld take (D-Bus specification, "Message Protocol"): little endian,
//! method calls out, replies and signals in. Everything received is bounded and checked.

use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

const METHOD_CALL: u8 = 1;
const METHOD_RETURN: u8 = 2;
const ERROR: u8 = 3;
const SIGNAL: u8 = 4;

/// Nobody is started because we ask them something.
const NO_AUTO_START: u8 = 2;

/// Header fields.
const PATH: u8 = 1;
const INTERFACE: u8 = 2;
const MEMBER: u8 = 3;
const REPLY_SERIAL: u8 = 5;
const DESTINATION: u8 = 6;
const SIGNATURE: u8 = 8;

/// Those of systemd and firewalld are far below; the protocol would allow 128 MiB.
const MAX_MESSAGE: usize = 1 << 20;
const TIMEOUT: Duration = Duration::from_secs(25);

/// Where the system bus listens: `DBUS_SYSTEM_BUS_ADDRESS`, if it is a path, else where everybody has it.
pub fn system_socket() -> PathBuf {
    let address = std::env::var("DBUS_SYSTEM_BUS_ADDRESS").unwrap_or_default();
    let path = address.strip_prefix("unix:path=").and_then(|rest| rest.split([',', ';']).next());
    path.filter(|path| !path.is_empty()).unwrap_or("/run/dbus/system_bus_socket").into()
}

/// What a property is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Flag(bool),
    Number(u64),
    Pids(Vec<u32>),
    Pairs(Vec<(String, String)>),
    Texts(Vec<String>),
}

/// Puts values into a message, each on its own alignment.
#[derive(Default)]
pub struct Body {
    bytes: Vec<u8>,
}

impl Body {
    pub fn text(&mut self, text: &str) {
        self.u32(text.len() as u32);
        self.bytes.extend(text.bytes().chain([0]));
    }

    /// `a(sv)`, and `a{sv}`, which is the same in bytes.
    pub fn properties(&mut self, properties: &[(&str, Value)]) {
        self.array(8, |body| {
            for (name, value) in properties {
                body.align(8);
                body.text(name);
                body.variant(value);
            }
        });
    }

    /// An array of nothing whose elements are aligned to 8.
    pub fn empty_structures(&mut self) {
        self.array(8, |_| {});
    }

    pub fn flag(&mut self, flag: bool) {
        self.u32(flag.into());
    }

    fn variant(&mut self, value: &Value) {
        match value {
            Value::Text(text) => {
                self.signature("s");
                self.text(text);
            }
            Value::Flag(flag) => {
                self.signature("b");
                self.flag(*flag);
            }
            Value::Number(number) => {
                self.signature("t");
                self.align(8);
                self.bytes.extend(number.to_le_bytes());
            }
            Value::Pids(pids) => {
                self.signature("au");
                self.array(4, |body| pids.iter().for_each(|pid| body.u32(*pid)));
            }
            Value::Texts(texts) => {
                self.signature("as");
                self.array(4, |body| texts.iter().for_each(|text| body.text(text)));
            }
            Value::Pairs(pairs) => {
                self.signature("a(ss)");
                self.array(8, |body| {
                    for (first, second) in pairs {
                        body.align(8);
                        body.text(first);
                        body.text(second);
                    }
                });
            }
        }
    }

    /// The length does not count the padding before the first element.
    fn array(&mut self, alignment: usize, elements: impl FnOnce(&mut Self)) {
        self.u32(0);
        let length_at = self.bytes.len() - 4;
        self.align(alignment);
        let start = self.bytes.len();
        elements(self);
        let length = (self.bytes.len() - start) as u32;
        self.bytes[length_at..length_at + 4].copy_from_slice(&length.to_le_bytes());
    }

    fn signature(&mut self, signature: &str) {
        self.bytes.push(signature.len() as u8);
        self.bytes.extend(signature.bytes().chain([0]));
    }

    fn u32(&mut self, number: u32) {
        self.align(4);
        self.bytes.extend(number.to_le_bytes());
    }

    fn align(&mut self, to: usize) {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
    }
}

/// A method of one object.
pub struct Method<'a> {
    pub destination: &'a str,
    pub path: &'a str,
    pub interface: &'a str,
    pub name: &'a str,
    /// Of the body; empty for none.
    pub signature: &'a str,
}

#[derive(Debug, Default)]
pub struct Message {
    kind: u8,
    pub member: String,
    reply_serial: u32,
    body: Vec<u8>,
}

impl Message {
    pub fn is_signal(&self, name: &str) -> bool {
        self.kind == SIGNAL && self.member == name
    }

    pub fn body(&self) -> Reader<'_> {
        Reader { bytes: &self.body, at: 0 }
    }
}

pub struct Connection {
    stream: UnixStream,
    serial: u32,
    /// Signals that came while a reply was waited for.
    signals: Vec<Message>,
}

impl Connection {
    pub fn open(socket: &Path) -> io::Result<Self> {
        Self::authenticate(UnixStream::connect(socket)?)
    }

    /// A connection to the bus itself, which wants to be greeted; others are called through it.
    pub fn open_bus(socket: &Path) -> io::Result<Self> {
        let mut connection = Self::open(socket)?;
        connection.call(&bus("Hello", ""), Body::default())?;
        Ok(connection)
    }

    /// Asks the bus for signals, by one of its match rules.
    pub fn listen(&mut self, rule: &str) -> io::Result<()> {
        let mut body = Body::default();
        body.text(rule);
        self.call(&bus("AddMatch", "s"), body).map(drop)
    }

    /// Whether somebody has that name on the bus.
    pub fn is_there(&mut self, name: &str) -> io::Result<bool> {
        let mut body = Body::default();
        body.text(name);
        let reply = self.call(&bus("NameHasOwner", "s"), body)?;
        reply.body().u32().map(|there| there != 0).ok_or_else(malformed)
    }

    /// By the credentials of the socket, which is what EXTERNAL means.
    fn authenticate(mut stream: UnixStream) -> io::Result<Self> {
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let uid = rustix::process::geteuid().as_raw().to_string();
        let uid: String = uid.bytes().map(|digit| format!("{digit:02x}")).collect();
        // All at once: systemd does not look again at a message that it has read together with BEGIN, but waits for more.
        stream.write_all(format!("\0AUTH EXTERNAL {uid}\r\nBEGIN\r\n").as_bytes())?;
        let answer = read_line(&mut stream)?;
        if !answer.starts_with("OK") {
            return Err(io::Error::new(ErrorKind::PermissionDenied, answer));
        }
        Ok(Self { stream, serial: 0, signals: Vec::new() })
    }

    /// Waits for the reply; an error reply becomes an error with its text.
    pub fn call(&mut self, method: &Method<'_>, body: Body) -> io::Result<Message> {
        self.serial += 1;
        self.stream.write_all(&encode(method, self.serial, &body.bytes))?;
        loop {
            let message = self.receive()?;
            match message.kind {
                METHOD_RETURN if message.reply_serial == self.serial => return Ok(message),
                ERROR if message.reply_serial == self.serial => {
                    let text = message.body().text().unwrap_or("refused without a reason");
                    return Err(io::Error::other(format!("{}: {text}", method.name)));
                }
                SIGNAL => self.signals.push(message),
                _ => {}
            }
        }
    }

    /// Those that have come, without waiting for one that has not begun to.
    pub fn signals(&mut self) -> io::Result<Vec<Message>> {
        let mut signals = std::mem::take(&mut self.signals);
        while self.is_readable()? {
            let message = self.receive()?;
            if message.kind == SIGNAL {
                signals.push(message);
            }
        }
        Ok(signals)
    }

    fn is_readable(&self) -> io::Result<bool> {
        let mut fds = [PollFd::new(&self.stream, PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        Ok(retry_on_intr(|| poll(&mut fds, Some(&now)))? > 0)
    }

    /// The first signal for which `wanted` returns something.
    pub fn wait<T>(&mut self, wanted: impl Fn(&Message) -> Option<T>) -> io::Result<T> {
        if let Some(found) = std::mem::take(&mut self.signals).iter().find_map(&wanted) {
            return Ok(found);
        }
        loop {
            if let Some(found) = wanted(&self.receive()?) {
                return Ok(found);
            }
        }
    }

    fn receive(&mut self) -> io::Result<Message> {
        let mut fixed = [0; 16];
        self.stream.read_exact(&mut fixed)?;
        let number = |at: usize| {
            u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]])
        };
        let (body, fields) = (number(4) as usize, number(12) as usize);
        // Fields end on 8, where the body begins; the fixed part is 16 long.
        if fixed[0] != b'l' || body > MAX_MESSAGE || fields > MAX_MESSAGE {
            return Err(malformed());
        }
        let mut bytes = vec![0; fields.next_multiple_of(8) + body];
        self.stream.read_exact(&mut bytes)?;
        let body = bytes.split_off(fields.next_multiple_of(8));
        bytes.truncate(fields);
        let mut message = Message { kind: fixed[1], body, ..Message::default() };
        let mut reader = Reader { bytes: &bytes, at: 0 };
        while reader.at < bytes.len() {
            reader.field(&mut message).ok_or_else(malformed)?;
        }
        Ok(message)
    }
}

/// To be waited for, until a signal has come.
impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}

fn bus<'a>(name: &'a str, signature: &'a str) -> Method<'a> {
    Method {
        destination: "org.freedesktop.DBus",
        path: "/org/freedesktop/DBus",
        interface: "org.freedesktop.DBus",
        name,
        signature,
    }
}

fn malformed() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "a D-Bus message is malformed")
}

fn read_line(stream: &mut UnixStream) -> io::Result<String> {
    let mut line = Vec::new();
    // By byte: what follows the line belongs to somebody else.
    while !line.ends_with(b"\r\n") && line.len() < 512 {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        line.extend(byte);
    }
    Ok(String::from_utf8_lossy(&line).trim_end().to_owned())
}

fn encode(method: &Method<'_>, serial: u32, body: &[u8]) -> Vec<u8> {
    let mut message = Body { bytes: vec![b'l', METHOD_CALL, NO_AUTO_START, 1] };
    message.u32(body.len() as u32);
    message.u32(serial);
    message.array(8, |fields| {
        for (code, kind, text) in [
            (PATH, "o", method.path),
            (INTERFACE, "s", method.interface),
            (MEMBER, "s", method.name),
            (DESTINATION, "s", method.destination),
            (SIGNATURE, "g", method.signature),
        ] {
            if text.is_empty() {
                continue;
            }
            fields.align(8);
            fields.bytes.push(code);
            fields.signature(kind);
            if kind == "g" { fields.signature(text) } else { fields.text(text) }
        }
    });
    message.align(8);
    message.bytes.extend(body);
    message.bytes
}

/// Takes values out of a message; None where it ends too soon or holds no text.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// A string or an object path.
    pub fn text(&mut self) -> Option<&'a str> {
        let length = self.u32()? as usize;
        let text = self.take(length)?;
        self.take(1)?;
        std::str::from_utf8(text).ok()
    }

    /// An array of strings.
    pub fn texts(&mut self) -> Option<Vec<&'a str>> {
        let length = self.u32()? as usize;
        let end = self.at.checked_add(length)?;
        let mut texts = Vec::new();
        while self.at < end {
            texts.push(self.text()?);
        }
        Some(texts)
    }

    pub fn u32(&mut self) -> Option<u32> {
        self.at = self.at.next_multiple_of(4);
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn field(&mut self, message: &mut Message) -> Option<()> {
        self.at = self.at.next_multiple_of(8);
        let code = self.take(1)?[0];
        match self.signature()? {
            b"u" if code == REPLY_SERIAL => message.reply_serial = self.u32()?,
            b"u" => drop(self.u32()?),
            b"s" | b"o" if code == MEMBER => self.text()?.clone_into(&mut message.member),
            b"s" | b"o" => drop(self.text()?),
            b"g" => drop(self.signature()?),
            _ => return None,
        }
        Some(())
    }

    fn signature(&mut self) -> Option<&'a [u8]> {
        let length = self.take(1)?[0];
        let signature = self.take(length.into())?;
        self.take(1)?;
        Some(signature)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(length)?)?;
        self.at += length;
        Some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METHOD: Method<'_> =
        Method { destination: "a.b", path: "/c", interface: "d.e", name: "F", signature: "s" };

    #[test]
    fn a_call_in_bytes() {
        let mut body = Body::default();
        body.text("hi");
        let bytes = encode(&METHOD, 7, &body.bytes);
        let fields = b"\x01\x01o\0\x02\0\0\0/c\0\0\0\0\0\0\
                       \x02\x01s\0\x03\0\0\0d.e\0\0\0\0\0\
                       \x03\x01s\0\x01\0\0\0F\0\0\0\0\0\0\0\
                       \x06\x01s\0\x03\0\0\0a.b\0\0\0\0\0\
                       \x08\x01g\0\x01s\0";
        let mut wanted = b"l\x01\x02\x01\x07\0\0\0\x07\0\0\0".to_vec();
        wanted.extend((fields.len() as u32).to_le_bytes());
        wanted.extend(fields);
        wanted.resize(wanted.len().next_multiple_of(8), 0);
        wanted.extend(b"\x02\0\0\0hi\0");
        assert_eq!(bytes, wanted);
    }

    #[test]
    fn properties_are_aligned_as_the_specification_says() {
        let mut body = Body::default();
        body.properties(&[("N", Value::Number(5)), ("P", Value::Pids(vec![9]))]);
        let number = b"\x01\0\0\0N\0\x01t\0\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0";
        let pids = b"\x01\0\0\0P\0\x02au\0\0\0\x04\0\0\0\x09\0\0\0";
        let mut wanted = ((number.len() + pids.len()) as u32).to_le_bytes().to_vec();
        wanted.extend([0; 4]);
        wanted.extend(number);
        wanted.extend(pids);
        assert_eq!(body.bytes, wanted);

        let mut body = Body::default();
        body.variant(&Value::Pairs(vec![("a".into(), "r".into()), ("b".into(), "w".into())]));
        let pairs: &[u8] = b"\x05a(ss)\0\0\x1e\0\0\0\0\0\0\0\
            \x01\0\0\0a\0\0\0\x01\0\0\0r\0\0\0\x01\0\0\0b\0\0\0\x01\0\0\0w\0";
        assert_eq!(body.bytes[..8], pairs[..8]);
        assert_eq!(body.bytes, pairs);
    }

    /// A peer that authenticates anybody and then says `bytes`.
    fn peer(bytes: Vec<u8>) -> Connection {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        std::thread::spawn(move || {
            theirs.write_all(b"OK 1234\r\n").unwrap();
            theirs.write_all(&bytes).unwrap();
            // Kept open until the client has gone.
            let _ = theirs.read_to_end(&mut Vec::new());
        });
        Connection::authenticate(ours).unwrap()
    }

    fn incoming(kind: u8, field: (u8, &[u8]), body: &[u8]) -> Vec<u8> {
        let mut message = Body { bytes: vec![b'l', kind, 0, 1] };
        message.u32(body.len() as u32);
        message.u32(1);
        message.array(8, |fields| {
            fields.bytes.push(field.0);
            fields.bytes.extend(field.1);
        });
        message.align(8);
        message.bytes.extend(body);
        message.bytes
    }

    #[test]
    fn a_signal_before_the_reply_is_kept() {
        let signal = incoming(SIGNAL, (MEMBER, b"\x01s\0\x02\0\0\0Go\0"), b"\x05\0\0\0");
        let reply =
            incoming(METHOD_RETURN, (REPLY_SERIAL, b"\x01u\0\x01\0\0\0"), b"\x02\0\0\0ok\0");
        let mut connection = peer([signal, reply].concat());
        let reply = connection.call(&METHOD, Body::default()).unwrap();
        assert_eq!(reply.body().text(), Some("ok"));
        let number = connection.wait(|m| m.is_signal("Go").then(|| m.body().u32()).flatten());
        assert_eq!(number.unwrap(), 5);
    }

    #[test]
    fn signals_that_have_come_are_there_without_waiting() {
        let signal = incoming(SIGNAL, (MEMBER, b"\x01s\0\x02\0\0\0Go\0"), b"\x05\0\0\0");
        let reply = incoming(METHOD_RETURN, (REPLY_SERIAL, b"\x01u\0\x01\0\0\0"), b"");
        let mut connection = peer([signal.clone(), reply, signal].concat());
        connection.call(&METHOD, Body::default()).unwrap();
        let signals = connection.signals().unwrap();
        assert!(signals.iter().all(|signal| signal.is_signal("Go")), "{signals:?}");
        assert!((1..=2).contains(&signals.len()), "{signals:?}");
    }

    #[test]
    fn an_array_of_strings_ends_where_it_says() {
        let bytes = b"\x0f\0\0\0\x01\0\0\0a\0\0\0\x02\0\0\0bc\0";
        assert_eq!(Reader { bytes, at: 0 }.texts(), Some(vec!["a", "bc"]));
        assert_eq!(Reader { bytes: &bytes[..12], at: 0 }.texts(), None);
        let mut body = Body::default();
        body.variant(&Value::Texts(vec!["a".into(), "bc".into()]));
        assert_eq!(body.bytes[4..], bytes[..]);
    }

    #[test]
    fn an_error_reply_is_an_error_with_its_text() {
        let reply = incoming(ERROR, (REPLY_SERIAL, b"\x01u\0\x01\0\0\0"), b"\x02\0\0\0no\0");
        let error = peer(reply).call(&METHOD, Body::default()).unwrap_err();
        assert_eq!(error.to_string(), "F: no");
    }

    #[test]
    fn malformed_messages_are_refused() {
        let giant = [b"l\x02\0\x01".as_slice(), &[0xff; 12]].concat();
        let cut = incoming(METHOD_RETURN, (REPLY_SERIAL, b"\x01u\0"), b"");
        let strange = incoming(METHOD_RETURN, (REPLY_SERIAL, b"\x01v\0\x01\0\0\0"), b"");
        for bytes in [giant, cut, strange] {
            let error = peer(bytes).call(&METHOD, Body::default()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidData);
        }
    }
}
