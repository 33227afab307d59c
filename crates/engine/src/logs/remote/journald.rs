//! journald's native protocol: a datagram of `FIELD=value` lines.

use super::{Message, Part, Subject};
use crate::logs::entry::Stream;

pub(super) const SOCKET: &str = "/run/systemd/journal/socket";

pub(super) struct Encoder {
    /// The fields that every entry has.
    fields: Vec<u8>,
    /// How many were encoded: what tells the order of entries of one time.
    ordinal: u64,
}

impl Encoder {
    pub(super) fn new(subject: &Subject) -> Self {
        let mut fields = Vec::new();
        for (name, value) in [
            ("CONTAINER_ID", &subject.id[..subject.id.len().min(12)]),
            ("CONTAINER_ID_FULL", &subject.id),
            ("CONTAINER_NAME", &subject.name),
            ("CONTAINER_TAG", &subject.tag),
            ("IMAGE_NAME", &subject.image_name),
            ("SYSLOG_IDENTIFIER", &subject.tag),
            ("CONTAINER_LOG_EPOCH", &epoch()),
        ] {
            put(&mut fields, name, value.as_bytes());
        }
        for (key, value) in &subject.attributes {
            put(&mut fields, &field_name(key), value.as_bytes());
        }
        Self { fields, ordinal: 0 }
    }

    pub(super) fn encode(&mut self, message: &Message) -> Vec<u8> {
        self.ordinal += 1;
        let mut out = self.fields.clone();
        put(&mut out, "CONTAINER_LOG_ORDINAL", self.ordinal.to_string().as_bytes());
        let priority: &[u8] = if message.stream == Stream::Stderr { b"3" } else { b"6" };
        put(&mut out, "PRIORITY", priority);
        let time = format!("{:.9}", message.time());
        put(&mut out, "SYSLOG_TIMESTAMP", time.as_bytes());
        if let Some(part) = &message.part {
            put_part(&mut out, part);
        }
        put(&mut out, "MESSAGE", &message.line);
        out
    }
}

/// A name for the time of this encoder, in which ordinals count.
fn epoch() -> String {
    format!("{:064x}", jiff::Timestamp::now().as_nanosecond())
}

fn put_part(out: &mut Vec<u8>, part: &Part) {
    put(out, "CONTAINER_PARTIAL_ID", part.id.as_bytes());
    put(out, "CONTAINER_PARTIAL_ORDINAL", part.ordinal.to_string().as_bytes());
    put(out, "CONTAINER_PARTIAL_LAST", part.last.to_string().as_bytes());
    if !part.last {
        put(out, "CONTAINER_PARTIAL_MESSAGE", b"true");
    }
}

/// As Docker's: capitals, digits and underscores, none of them in front.
fn field_name(key: &str) -> String {
    let name: String = key
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
        .collect();
    name.trim_start_matches('_').to_owned()
}

/// A value with a newline in it carries its length.
fn put(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    out.extend(name.as_bytes());
    if value.contains(&b'\n') {
        out.push(b'\n');
        out.extend((value.len() as u64).to_le_bytes());
    } else {
        out.push(b'=');
    }
    out.extend(value);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Timestamp;

    #[test]
    fn fields_are_named_and_values_with_newlines_counted() {
        let attributes = [("_com.example".to_owned(), "1\n2".to_owned())].into();
        let subject = Subject {
            id: "0123456789abcdef".into(),
            name: "web".into(),
            attributes,
            ..Subject::default()
        };
        let message = Message {
            stream: Stream::Stderr,
            time: Timestamp(0),
            line: b"hi".to_vec(),
            part: Some(Part { id: "a1".into(), ordinal: 2, last: false }),
        };
        let text = String::from_utf8(Encoder::new(&subject).encode(&message)).unwrap();
        for field in [
            "CONTAINER_ID=0123456789ab\n",
            "CONTAINER_NAME=web\n",
            "COM_EXAMPLE\n\u{3}\0\0\0\0\0\0\u{0}1\n2\n",
            "PRIORITY=3\n",
            "CONTAINER_LOG_ORDINAL=1\n",
            "CONTAINER_PARTIAL_ID=a1\nCONTAINER_PARTIAL_ORDINAL=2\nCONTAINER_PARTIAL_LAST=false\n",
            "CONTAINER_PARTIAL_MESSAGE=true\n",
            "MESSAGE=hi\n",
        ] {
            assert!(text.contains(field), "{field:?} in {text:?}");
        }
    }
}
