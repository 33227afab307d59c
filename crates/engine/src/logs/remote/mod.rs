//! Log drivers of other servers: syslog, fluentd, gelf, journald.
//!
//! The monitor writes the container's output into a local file whatever the driver is; the engine reads it there and
//! sends it on, with a cursor beside the file that tells what has arrived. So nothing is lost or held up while the
//! server or the engine is away, as long as the local files last; after a failure some lines may come twice.
//!
//! ```text
//!   monitor ──> container-cached.log ──Walk──> Encoder ──packets──> Connection ──> server
//!                     ^ log-cursor.json <──arrived──┘
//! ```

mod address;
mod attributes;
mod connection;
mod cursor;
mod feed;
mod fluentd;
mod gelf;
mod journald;
mod options;
mod parts;
mod syslog;
mod tag;

pub use attributes::Attributes;
pub use feed::{Feed, Job};
pub use options::{CACHE, boolean, check, is_remote};
pub use tag::{Info, Tag};

use std::time::SystemTime;

use crate::logs::Timestamp;
use crate::logs::entry::Stream;

/// What is told of the container with its lines.
#[derive(Clone, Debug, Default)]
pub struct Subject {
    /// 64 hexadecimal digits.
    pub id: String,
    /// Without the leading slash.
    pub name: String,
    pub image_id: String,
    pub image_name: String,
    /// Entrypoint and arguments.
    pub command: String,
    /// RFC 3339.
    pub created: String,
    /// The host's name.
    pub host: String,
    pub tag: String,
    pub attributes: std::collections::BTreeMap<String, String>,
}

/// An entry on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Message {
    stream: Stream,
    time: Timestamp,
    /// Without a newline.
    line: Vec<u8>,
    /// Of a line that is too long for one message.
    part: Option<Part>,
}

/// A piece of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Part {
    /// The line's: the same for all of its pieces.
    id: String,
    /// From 1.
    ordinal: u32,
    last: bool,
}

/// How messages are put into packets for the server.
enum Encoder {
    Syslog(syslog::Encoder),
    Fluentd(fluentd::Encoder),
    Gelf(gelf::Encoder),
    Journald(journald::Encoder),
}

/// A datagram, or bytes of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Packet {
    bytes: Vec<u8>,
    /// The server answers with this once it has the packet.
    receipt: Option<String>,
}

impl From<Vec<u8>> for Packet {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, receipt: None }
    }
}

impl Encoder {
    fn encode(&mut self, message: &Message) -> Vec<Packet> {
        match self {
            Self::Syslog(encoder) => vec![encoder.encode(message).into()],
            Self::Fluentd(encoder) => vec![encoder.encode(message)],
            Self::Gelf(encoder) => encoder.encode(message).into_iter().map(Packet::from).collect(),
            Self::Journald(encoder) => vec![encoder.encode(message).into()],
        }
    }
}

impl Message {
    fn time(&self) -> jiff::Timestamp {
        jiff::Timestamp::from_nanosecond(self.time.0.into()).unwrap_or_else(|_| {
            jiff::Timestamp::try_from(SystemTime::UNIX_EPOCH).unwrap_or(jiff::Timestamp::MIN)
        })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.line).into_owned()
    }
}
