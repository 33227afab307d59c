//! fluentd's forward protocol, message mode: MessagePack of `[tag, time, record, option]`.

use super::{Message, Packet, Subject};
use crate::logs::entry::Stream;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Style {
    pub(super) sub_second: bool,
    /// The server is asked to say what it has.
    pub(super) acknowledged: bool,
}

pub(super) struct Encoder {
    style: Style,
    tag: String,
    /// The fields of every record.
    fields: Vec<(String, String)>,
    sent: u64,
}

impl Encoder {
    pub(super) fn new(style: Style, subject: &Subject) -> Self {
        let mut fields = vec![
            ("container_id".to_owned(), subject.id.clone()),
            ("container_name".to_owned(), format!("/{}", subject.name)),
        ];
        fields.extend(subject.attributes.clone());
        let sent = jiff::Timestamp::now().as_nanosecond() as u64;
        Self { style, tag: subject.tag.clone(), fields, sent }
    }

    pub(super) fn encode(&mut self, message: &Message) -> Packet {
        self.sent = self.sent.wrapping_add(1);
        let receipt = self.style.acknowledged.then(|| format!("{:016x}", self.sent));
        let mut bytes = vec![0x94];
        put_text(&mut bytes, self.tag.as_bytes());
        self.put_time(&mut bytes, message);
        self.put_record(&mut bytes, message);
        match &receipt {
            Some(id) => {
                bytes.push(0x81);
                put_text(&mut bytes, b"chunk");
                put_text(&mut bytes, id.as_bytes());
            }
            None => bytes.push(0xc0),
        }
        Packet { bytes, receipt }
    }

    fn put_time(&self, bytes: &mut Vec<u8>, message: &Message) {
        let seconds = message.time.0.div_euclid(1_000_000_000) as u32;
        if self.style.sub_second {
            bytes.extend([0xd7, 0]);
            bytes.extend(seconds.to_be_bytes());
            bytes.extend((message.time.0.rem_euclid(1_000_000_000) as u32).to_be_bytes());
        } else {
            bytes.push(0xce);
            bytes.extend(seconds.to_be_bytes());
        }
    }

    fn put_record(&self, bytes: &mut Vec<u8>, message: &Message) {
        let source = if message.stream == Stream::Stderr { "stderr" } else { "stdout" };
        let count = self.fields.len() + if message.part.is_some() { 6 } else { 2 };
        bytes.push(0xde);
        bytes.extend((count as u16).to_be_bytes());
        for (key, value) in &self.fields {
            put_text(bytes, key.as_bytes());
            put_text(bytes, value.as_bytes());
        }
        put_text(bytes, b"source");
        put_text(bytes, source.as_bytes());
        put_text(bytes, b"log");
        put_text(bytes, &message.line);
        let Some(part) = &message.part else { return };
        for (key, value) in [
            ("partial_message", "true"),
            ("partial_id", &part.id),
            ("partial_ordinal", &part.ordinal.to_string()),
            ("partial_last", &part.last.to_string()),
        ] {
            put_text(bytes, key.as_bytes());
            put_text(bytes, value.as_bytes());
        }
    }
}

/// Not checked for UTF-8, as Docker's is not.
fn put_text(bytes: &mut Vec<u8>, text: &[u8]) {
    match text.len() {
        length @ 0..32 => bytes.push(0xa0 | length as u8),
        length @ 32..256 => bytes.extend([0xd9, length as u8]),
        length @ 256..65536 => {
            bytes.push(0xda);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0xdb);
            bytes.extend((length as u32).to_be_bytes());
        }
    }
    bytes.extend(text);
}

/// The id in a server's answer, `{"ack": id}`; `None` while that is not whole.
pub(super) fn receipt(answer: &[u8]) -> Option<(String, usize)> {
    let rest = answer.strip_prefix(b"\x81\xa3ack")?;
    let (length, head) = match *rest.first()? {
        short @ 0xa0..0xc0 => (usize::from(short & 31), 1),
        0xd9 => (usize::from(*rest.get(1)?), 2),
        _ => return None,
    };
    let id = rest.get(head..head + length)?;
    Some((String::from_utf8_lossy(id).into_owned(), 5 + head + length))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Timestamp;

    #[test]
    fn a_message_is_an_array_of_four() {
        let subject =
            Subject { id: "ab".into(), name: "n".into(), tag: "t".into(), ..Subject::default() };
        let message = Message {
            stream: Stream::Stdout,
            time: Timestamp(5_000_000_007),
            line: vec![b'x'; 300],
            part: None,
        };
        let plain = Encoder::new(Style::default(), &subject).encode(&message);
        let mut expected = b"\x94\xa1t\xce\0\0\0\x05\xde\0\x04".to_vec();
        expected.extend(b"\xaccontainer_id\xa2ab\xaecontainer_name\xa2/n\xa6source\xa6stdout\xa3log\xda\x01\x2c");
        expected.extend(&message.line);
        expected.push(0xc0);
        assert_eq!(plain, Packet { bytes: expected, receipt: None });

        let style = Style { sub_second: true, acknowledged: true };
        let exact = Encoder::new(style, &subject).encode(&message);
        assert_eq!(exact.bytes[3..13], *b"\xd7\0\0\0\0\x05\0\0\0\x07");
        let id = exact.receipt.unwrap();
        assert!(exact.bytes.ends_with(&[&b"\x81\xa5chunk\xb0"[..], id.as_bytes()].concat()));
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(receipt(b"\x81\xa3ack\xa2abX"), Some(("ab".into(), 8)));
        assert_eq!(receipt(b"\x81\xa3ack\xa2a"), None);
        assert_eq!(receipt(b"what"), None);
    }
}
