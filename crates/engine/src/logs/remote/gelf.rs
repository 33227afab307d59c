//! gelf 1.1: JSON, in compressed and cut datagrams or ended by a zero byte on a stream.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use serde_json::{Map, Value, json};

use super::{Message, Subject};
use crate::logs::entry::Stream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Stream,
    Datagrams(Kind, u32),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gzip,
    Zlib,
    Plain,
}

/// A datagram's, its header included; what fits every network.
const CHUNK: usize = 1420;
const CHUNK_HEADER: usize = 12;
/// More chunks than this no server puts together.
const MOST_CHUNKS: usize = 128;

pub(super) struct Encoder {
    transport: Transport,
    host: String,
    extra: Map<String, Value>,
    /// Tells the chunks of one message from those of the next.
    message: u64,
}

impl Encoder {
    pub(super) fn new(transport: Transport, subject: &Subject) -> Self {
        let mut extra = Map::new();
        for (key, value) in [
            ("_container_id", &subject.id),
            ("_container_name", &subject.name),
            ("_image_id", &subject.image_id),
            ("_image_name", &subject.image_name),
            ("_command", &subject.command),
            ("_tag", &subject.tag),
            ("_created", &subject.created),
        ] {
            extra.insert(key.into(), json!(value));
        }
        for (key, value) in &subject.attributes {
            extra.insert(format!("_{key}"), json!(value));
        }
        let seed = jiff::Timestamp::now().as_nanosecond() as u64;
        Self { transport, host: subject.host.clone(), extra, message: seed }
    }

    pub(super) fn encode(&mut self, message: &Message) -> Vec<Vec<u8>> {
        let text = self.json(message);
        match self.transport {
            Transport::Stream => vec![[text.as_bytes(), b"\0"].concat()],
            Transport::Datagrams(kind, level) => {
                self.datagrams(compress(text.as_bytes(), kind, level))
            }
        }
    }

    fn json(&self, message: &Message) -> String {
        let mut object = self.extra.clone();
        object.insert("version".into(), json!("1.1"));
        object.insert("host".into(), json!(self.host));
        object.insert("short_message".into(), json!(message.text()));
        object.insert("timestamp".into(), json!((message.time.0 / 1_000_000) as f64 / 1000.0));
        object.insert("level".into(), json!(if message.stream == Stream::Stderr { 3 } else { 6 }));
        Value::Object(object).to_string()
    }

    fn datagrams(&mut self, bytes: Vec<u8>) -> Vec<Vec<u8>> {
        if bytes.len() <= CHUNK {
            return vec![bytes];
        }
        self.message = self.message.wrapping_add(1);
        let parts: Vec<&[u8]> = bytes.chunks(CHUNK - CHUNK_HEADER).take(MOST_CHUNKS).collect();
        let count = parts.len() as u8;
        let id = self.message.to_be_bytes();
        (0_u8..)
            .zip(parts)
            .map(|(number, part)| [&[0x1e, 0x0f][..], &id, &[number, count], part].concat())
            .collect()
    }
}

fn compress(text: &[u8], kind: Kind, level: u32) -> Vec<u8> {
    let level = Compression::new(level);
    // Writing to memory does not fail.
    let compressed = match kind {
        Kind::Plain => Ok(text.to_vec()),
        Kind::Gzip => {
            let mut gzip = GzEncoder::new(Vec::new(), level);
            gzip.write_all(text).and_then(|()| gzip.finish())
        }
        Kind::Zlib => {
            let mut zlib = ZlibEncoder::new(Vec::new(), level);
            zlib.write_all(text).and_then(|()| zlib.finish())
        }
    };
    compressed.unwrap_or_else(|_| text.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Timestamp;

    fn encoder(transport: Transport) -> Encoder {
        let attributes = [("k".to_owned(), "v".to_owned())].into();
        Encoder::new(transport, &Subject { id: "ab".into(), attributes, ..Subject::default() })
    }

    fn message(line: Vec<u8>) -> Message {
        Message { stream: Stream::Stdout, time: Timestamp(1_500_000_000), line, part: None }
    }

    #[test]
    fn a_stream_has_json_ended_by_zero() {
        let packets = encoder(Transport::Stream).encode(&message(b"hi \xff".to_vec()));
        let (zero, text) = packets[0].split_last().unwrap();
        let value: Value = serde_json::from_slice(text).unwrap();
        assert_eq!((packets.len(), *zero), (1, 0));
        assert_eq!(value["short_message"], "hi \u{fffd}");
        assert_eq!((&value["timestamp"], &value["level"]), (&json!(1.5), &json!(6)));
        assert_eq!((&value["_container_id"], &value["_k"]), (&json!("ab"), &json!("v")));
    }

    #[test]
    fn long_datagrams_are_cut_and_put_together_again() {
        let line = vec![b'x'; 10_000];
        let packets = encoder(Transport::Datagrams(Kind::Plain, 0)).encode(&message(line.clone()));
        assert!(packets.len() > 1 && packets.iter().all(|packet| packet.len() <= CHUNK));
        let mut whole = Vec::new();
        for (number, packet) in packets.iter().enumerate() {
            assert_eq!(packet[..2], [0x1e, 0x0f]);
            assert_eq!(packet[2..10], packets[0][2..10]);
            assert_eq!(packet[10..12], [number as u8, packets.len() as u8]);
            whole.extend(&packet[12..]);
        }
        let value: Value = serde_json::from_slice(&whole).unwrap();
        assert_eq!(value["short_message"], String::from_utf8(line).unwrap());
    }
}
