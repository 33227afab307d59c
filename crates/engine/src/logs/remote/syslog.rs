//! syslog: RFC 3164, RFC 5424 and the form of local sockets, as Docker writes them.

use jiff::tz::TimeZone;

use super::{Message, Subject};
use crate::logs::entry::Stream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// Without the host's name: for a server on this host.
    Unix,
    Rfc3164,
    Rfc5424,
    Rfc5424Micro,
}

/// How messages on a stream are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Newline,
    /// RFC 5425: the length comes first.
    Counted,
}

pub(super) struct Encoder {
    pub(super) format: Format,
    pub(super) framing: Framing,
    /// The code of the facility, not shifted.
    pub(super) facility: u8,
    pub(super) host: String,
    pub(super) tag: String,
    pub(super) zone: TimeZone,
}

const FACILITIES: [(&str, u8); 20] = [
    ("kern", 0),
    ("user", 1),
    ("mail", 2),
    ("daemon", 3),
    ("auth", 4),
    ("syslog", 5),
    ("lpr", 6),
    ("news", 7),
    ("uucp", 8),
    ("cron", 9),
    ("authpriv", 10),
    ("ftp", 11),
    ("local0", 16),
    ("local1", 17),
    ("local2", 18),
    ("local3", 19),
    ("local4", 20),
    ("local5", 21),
    ("local6", 22),
    ("local7", 23),
];
const DAEMON: u8 = 3;

/// By name or by number; nothing is `daemon`.
pub(super) fn facility(text: &str) -> Result<u8, String> {
    if text.is_empty() {
        return Ok(DAEMON);
    }
    let named = FACILITIES.iter().find(|(name, _)| *name == text).map(|(_, code)| *code);
    named
        .or_else(|| text.parse().ok().filter(|code| *code <= 23))
        .ok_or_else(|| "invalid syslog facility".into())
}

pub(super) fn format(text: &str) -> Result<Format, String> {
    match text {
        "" => Ok(Format::Unix),
        "rfc3164" => Ok(Format::Rfc3164),
        "rfc5424" => Ok(Format::Rfc5424),
        "rfc5424micro" => Ok(Format::Rfc5424Micro),
        _ => Err("Invalid syslog format".into()),
    }
}

impl Encoder {
    pub(super) fn new(format: Format, framing: Framing, facility: u8, subject: &Subject) -> Self {
        let (host, tag, zone) = (subject.host.clone(), subject.tag.clone(), TimeZone::system());
        Self { format, framing, facility, host, tag, zone }
    }

    pub(super) fn encode(&self, message: &Message) -> Vec<u8> {
        let severity = if message.stream == Stream::Stderr { 3 } else { 6 };
        let priority = u32::from(self.facility) * 8 + severity;
        let (Self { host, tag, .. }, process) = (self, std::process::id());
        let time = message.time().to_zoned(self.zone.clone());
        let head = match self.format {
            Format::Unix => format!("<{priority}>{} {tag}[{process}]: ", time.strftime("%b %e %T")),
            Format::Rfc3164 => {
                format!("<{priority}>{} {host} {tag}[{process}]: ", time.strftime("%b %e %T"))
            }
            Format::Rfc5424 => format!(
                "<{priority}>1 {} {host} {tag} {process} {tag} - ",
                time.strftime("%Y-%m-%dT%H:%M:%S%:z")
            ),
            Format::Rfc5424Micro => format!(
                "<{priority}>1 {} {host} {tag} {process} {tag} - ",
                time.strftime("%Y-%m-%dT%H:%M:%S.%6f%:z")
            ),
        };
        let text = [head.as_bytes(), &message.line, b"\n"].concat();
        match self.framing {
            Framing::Newline => text,
            Framing::Counted => [format!("{} ", text.len()).as_bytes(), &text].concat(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Timestamp;

    fn encoded(format: Format, framing: Framing) -> String {
        let subject = Subject { host: "h".into(), tag: "t".into(), ..Subject::default() };
        let mut encoder = Encoder::new(format, framing, DAEMON, &subject);
        encoder.zone = TimeZone::UTC;
        let time = Timestamp::parse(b"2026-11-01T04:05:06.000007Z").unwrap();
        let message = Message { stream: Stream::Stderr, time, line: b"hi".to_vec(), part: None };
        String::from_utf8(encoder.encode(&message))
            .unwrap()
            .replace(&std::process::id().to_string(), "PID")
    }

    #[test]
    fn each_format_is_dockers() {
        let all = |format| encoded(format, Framing::Newline);
        assert_eq!(all(Format::Unix), "<27>Nov  1 04:05:06 t[PID]: hi\n");
        assert_eq!(all(Format::Rfc3164), "<27>Nov  1 04:05:06 h t[PID]: hi\n");
        assert_eq!(all(Format::Rfc5424), "<27>1 2026-11-01T04:05:06+00:00 h t PID t - hi\n");
        assert_eq!(
            all(Format::Rfc5424Micro),
            "<27>1 2026-11-01T04:05:06.000007+00:00 h t PID t - hi\n"
        );
        let counted = encoded(Format::Rfc5424, Framing::Counted);
        assert!(counted.split_once(' ').unwrap().0.parse::<usize>().is_ok(), "{counted}");
    }

    #[test]
    fn facilities_have_names_and_numbers() {
        assert_eq!(facility(""), Ok(3));
        assert_eq!(facility("local7"), Ok(23));
        assert_eq!(facility("16"), Ok(16));
        for wrong in ["x", "24", "-1"] {
            assert_eq!(facility(wrong), Err("invalid syslog facility".into()));
        }
    }
}
