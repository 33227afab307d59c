//! The drivers' options, validated in Docker's words.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;

use dial::Trust;

use super::address::{Address, Url};
use super::connection::Target;
use super::{Encoder, Subject, fluentd, gelf, journald, syslog};
use crate::config::parse_size;

type Options = BTreeMap<String, String>;

/// Options of the local copy that remote drivers keep.
pub const CACHE: [&str; 4] =
    ["cache-disabled", "cache-max-size", "cache-max-file", "cache-compress"];
const ATTRIBUTES: [&str; 5] = ["labels", "labels-regex", "env", "env-regex", "tag"];

const LOCAL_SYSLOG: &str = "/dev/log";

/// Whether the driver sends the log somewhere.
pub fn is_remote(driver: &str) -> bool {
    matches!(driver, "syslog" | "fluentd" | "gelf" | "journald")
}

/// Refuses what the driver does not understand.
pub fn check(driver: &str, options: &Options) -> Result<(), String> {
    match driver {
        "syslog" => Syslog::parse(options).map(drop),
        "fluentd" => Fluentd::parse(options).map(drop),
        "gelf" => Gelf::parse(options).map(drop),
        _ => {
            known(options, &[], |name| format!("unknown log opt '{name}' for journald log driver"))
        }
    }
}

/// Where the log goes and how it is put there. The options were checked.
pub(super) fn open(
    driver: &str,
    options: &Options,
    subject: &Subject,
) -> Result<(Target, Encoder), String> {
    match driver {
        "syslog" => {
            let Syslog { target, format, framing, facility } = Syslog::parse(options)?;
            let encoder = syslog::Encoder::new(format, framing, facility, subject);
            Ok((target, Encoder::Syslog(encoder)))
        }
        "fluentd" => {
            let Fluentd { target, style } = Fluentd::parse(options)?;
            Ok((target, Encoder::Fluentd(fluentd::Encoder::new(style, subject))))
        }
        "gelf" => {
            let Gelf { target, transport } = Gelf::parse(options)?;
            Ok((target, Encoder::Gelf(gelf::Encoder::new(transport, subject))))
        }
        _ => {
            let target = Target::plain(Address::Unixgram(journald::SOCKET.into()));
            Ok((target, Encoder::Journald(journald::Encoder::new(subject))))
        }
    }
}

fn known(
    options: &Options,
    names: &[&str],
    refusal: impl Fn(&str) -> String,
) -> Result<(), String> {
    let is_known = |name: &str| {
        names.contains(&name)
            || ATTRIBUTES.contains(&name)
            || CACHE.contains(&name)
            || matches!(name, "mode" | "max-buffer-size")
    };
    options.keys().find(|name| !is_known(name)).map_or(Ok(()), |name| Err(refusal(name)))
}

fn text<'a>(options: &'a Options, name: &str) -> &'a str {
    options.get(name).map_or("", String::as_str)
}

struct Syslog {
    target: Target,
    format: syslog::Format,
    framing: syslog::Framing,
    facility: u8,
}

impl Syslog {
    fn parse(options: &Options) -> Result<Self, String> {
        const NAMES: [&str; 7] = [
            "syslog-address",
            "syslog-facility",
            "syslog-format",
            "syslog-tls-ca-cert",
            "syslog-tls-cert",
            "syslog-tls-key",
            "syslog-tls-skip-verify",
        ];
        known(options, &NAMES, |name| format!("unknown log opt '{name}' for syslog log driver"))?;
        let address = Self::address(text(options, "syslog-address"))?;
        let facility = syslog::facility(text(options, "syslog-facility"))?;
        let format = syslog::format(text(options, "syslog-format"))?;
        let is_rfc5424 = matches!(format, syslog::Format::Rfc5424 | syslog::Format::Rfc5424Micro);
        let framing = match address {
            Address::Tls(..) if is_rfc5424 => syslog::Framing::Counted,
            _ => syslog::Framing::Newline,
        };
        let path = |name: &str| options.get(name).filter(|path| !path.is_empty()).map(Into::into);
        let trust = Trust {
            ca: path("syslog-tls-ca-cert"),
            cert: path("syslog-tls-cert"),
            key: path("syslog-tls-key"),
            // Docker looks whether the option is there.
            anybody: options.contains_key("syslog-tls-skip-verify"),
        };
        Ok(Self { target: Target { address, trust }, format, framing, facility })
    }

    fn address(text: &str) -> Result<Address, String> {
        if text.is_empty() {
            return Ok(Address::Unixgram(LOCAL_SYSLOG.into()));
        }
        let url = Url::parse(text)?;
        let port = url.port_or(514)?;
        match url.scheme {
            "unix" | "unixgram" => {
                if !Path::new(url.path).exists() {
                    return Err(format!("stat {}: no such file or directory", url.path));
                }
                let path = url.path.into();
                Ok(if url.scheme == "unix" { Address::Unix(path) } else { Address::Unixgram(path) })
            }
            "tcp" => Ok(Address::Tcp(url.host, port)),
            "tcp+tls" => Ok(Address::Tls(url.host, port)),
            "udp" => Ok(Address::Udp(url.host, port)),
            other => Err(format!("unsupported scheme: '{other}'")),
        }
    }
}

struct Fluentd {
    target: Target,
    style: fluentd::Style,
}

impl Fluentd {
    fn parse(options: &Options) -> Result<Self, String> {
        const NAMES: [&str; 10] = [
            "fluentd-address",
            "fluentd-async",
            "fluentd-async-connect",
            "fluentd-async-reconnect-interval",
            "fluentd-buffer-limit",
            "fluentd-max-retries",
            "fluentd-request-ack",
            "fluentd-retry-wait",
            "fluentd-sub-second-precision",
            "fluentd-write-timeout",
        ];
        known(options, &NAMES, |name| format!("unknown log opt '{name}' for fluentd log driver"))?;
        let address = text(options, "fluentd-address");
        let address = Self::address(address)
            .map_err(|what| format!("invalid fluentd-address ({address}): {what}"))?;
        let limit = text(options, "fluentd-buffer-limit");
        if !limit.is_empty() && parse_size(limit).is_none() {
            return Err(format!("invalid size: '{limit}'"));
        }
        for name in ["fluentd-retry-wait", "fluentd-write-timeout"] {
            duration(text(options, name))?;
        }
        let retries = text(options, "fluentd-max-retries");
        if !retries.is_empty() && u64::from_str(retries).is_err() {
            return Err(format!("strconv.ParseUint: parsing {retries:?}: invalid syntax"));
        }
        Self::reconnect_interval(text(options, "fluentd-async-reconnect-interval"))?;
        for name in ["fluentd-async", "fluentd-async-connect"] {
            boolean(text(options, name))?;
        }
        let style = fluentd::Style {
            sub_second: boolean(text(options, "fluentd-sub-second-precision"))?,
            acknowledged: boolean(text(options, "fluentd-request-ack"))?,
        };
        Ok(Self { target: Target::plain(address), style })
    }

    fn reconnect_interval(text: &str) -> Result<(), String> {
        const NAME: &str = "invalid value for fluentd-async-reconnect-interval";
        match duration(text).map_err(|what| format!("{NAME}: {what}"))? {
            Some(seconds) if seconds != 0.0 && !(0.1..=10.0).contains(&seconds) => {
                Err(format!("{NAME}: value ({text:?}) must be between 100ms and 10s"))
            }
            _ => Ok(()),
        }
    }

    fn address(text: &str) -> Result<Address, String> {
        const PORT: u16 = 24224;
        if text.is_empty() {
            return Ok(Address::Tcp("127.0.0.1".into(), PORT));
        }
        let with_scheme =
            if text.contains("://") { text.to_owned() } else { format!("tcp://{text}") };
        let url = Url::parse(&with_scheme)?;
        match url.scheme {
            "unix" if matches!(url.path, "" | "/") => Err("path is empty".into()),
            "unix" => Ok(Address::Unix(url.path.into())),
            "tcp" | "tls" if !url.path.is_empty() => {
                Err("should not contain a path element".into())
            }
            "tcp" => Ok(Address::Tcp(host_or_here(&url.host), url.port_or(PORT)?)),
            "tls" => Ok(Address::Tls(host_or_here(&url.host), url.port_or(PORT)?)),
            other => Err(format!("unsupported scheme: '{other}'")),
        }
    }
}

fn host_or_here(host: &str) -> String {
    if host.is_empty() { "127.0.0.1".into() } else { host.into() }
}

struct Gelf {
    target: Target,
    transport: gelf::Transport,
}

impl Gelf {
    fn parse(options: &Options) -> Result<Self, String> {
        const NAMES: [&str; 5] = [
            "gelf-address",
            "gelf-compression-level",
            "gelf-compression-type",
            "gelf-tcp-max-reconnect",
            "gelf-tcp-reconnect-delay",
        ];
        let address = Self::address(text(options, "gelf-address"))?;
        known(options, &NAMES, |name| format!("unknown log opt {name:?} for gelf log driver"))?;
        let is_udp = matches!(address, Address::Udp(..));
        let (mut kind, mut level) = (gelf::Kind::Gzip, 1);
        for (name, value) in options {
            let unknown =
                || format!("unknown value {value:?} for log opt {name:?} for gelf log driver");
            match name.as_str() {
                "gelf-compression-level" | "gelf-compression-type" if !is_udp => {
                    return Err("compression is only supported on UDP".into());
                }
                "gelf-compression-level" => {
                    let wish = i32::from_str(value).ok().filter(|level| (-1..=9).contains(level));
                    // -1 is the library's default.
                    level = u32::try_from(wish.ok_or_else(unknown)?).unwrap_or(6);
                }
                "gelf-compression-type" => {
                    kind = match value.as_str() {
                        "gzip" => gelf::Kind::Gzip,
                        "zlib" => gelf::Kind::Zlib,
                        "none" => gelf::Kind::Plain,
                        _ => return Err(unknown()),
                    }
                }
                "gelf-tcp-max-reconnect" | "gelf-tcp-reconnect-delay" => {
                    if is_udp {
                        return Err(format!("{name:?} is only valid for TCP"));
                    }
                    if u32::from_str(value).is_err() {
                        return Err(format!("{name:?} must be a positive integer"));
                    }
                }
                _ => {}
            }
        }
        let transport =
            if is_udp { gelf::Transport::Datagrams(kind, level) } else { gelf::Transport::Stream };
        Ok(Self { target: Target::plain(address), transport })
    }

    fn address(text: &str) -> Result<Address, String> {
        if text.is_empty() {
            return Err("gelf-address is a required parameter".into());
        }
        let url = Url::parse(text)?;
        if !matches!(url.scheme, "tcp" | "udp") {
            return Err("gelf: endpoint needs to be TCP or UDP".into());
        }
        if url.port.is_none() || url.host.is_empty() {
            return Err("gelf: please provide gelf-address as proto://host:port".into());
        }
        let port = url.port_or(0)?;
        let is_tcp = url.scheme == "tcp";
        Ok(if is_tcp { Address::Tcp(url.host, port) } else { Address::Udp(url.host, port) })
    }
}

/// As Go's `strconv.ParseBool`; nothing is false.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(true),
        "" | "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(false),
        other => Err(format!("strconv.ParseBool: parsing {other:?}: invalid syntax")),
    }
}

/// Seconds of a duration as Go writes them, `1m30.5s`; `None` for nothing.
fn duration(text: &str) -> Result<Option<f64>, String> {
    const UNITS: [(&str, f64); 7] = [
        ("ns", 1e-9),
        ("us", 1e-6),
        ("µs", 1e-6),
        ("ms", 1e-3),
        ("s", 1.0),
        ("m", 60.0),
        ("h", 3600.0),
    ];
    let invalid = || format!("time: invalid duration {text:?}");
    let (mut rest, mut seconds) = (text, 0.0);
    if matches!(text, "" | "0") {
        return Ok((text == "0").then_some(0.0));
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| invalid())?;
        rest = &rest[digits..];
        let length = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        if length == 0 {
            return Err(format!("time: missing unit in duration {text:?}"));
        }
        let unit = UNITS.iter().find(|(name, _)| *name == &rest[..length]);
        let (_, factor) = unit.ok_or_else(|| {
            format!("time: unknown unit {:?} in duration {text:?}", &rest[..length])
        })?;
        seconds += number * factor;
        rest = &rest[length..];
    }
    Ok(Some(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(driver: &str, options: &[(&str, &str)]) -> String {
        let options = options.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        check(driver, &options).err().unwrap_or_default()
    }

    /// What dockerd 26 answers.
    #[test]
    fn refusals_are_dockers() {
        for (driver, options, answer) in [
            ("syslog", &[("foo", "1")][..], "unknown log opt 'foo' for syslog log driver"),
            ("syslog", &[("syslog-address", "foo")], "unsupported scheme: ''"),
            (
                "syslog",
                &[("syslog-address", "unix:///nosuch")],
                "stat /nosuch: no such file or directory",
            ),
            (
                "syslog",
                &[("syslog-address", "tcp://[::1")],
                "parse \"tcp://[::1\": missing ']' in host",
            ),
            ("syslog", &[("syslog-facility", "x")], "invalid syslog facility"),
            ("syslog", &[("syslog-format", "x")], "Invalid syslog format"),
            ("syslog", &[("syslog-address", "udp://x"), ("tag", "a"), ("labels", "b")], ""),
            ("fluentd", &[("foo", "1")], "unknown log opt 'foo' for fluentd log driver"),
            (
                "fluentd",
                &[("fluentd-address", "foo://x")],
                "invalid fluentd-address (foo://x): unsupported scheme: 'foo'",
            ),
            (
                "fluentd",
                &[("fluentd-address", "tcp://x/path")],
                "invalid fluentd-address (tcp://x/path): should not contain a path element",
            ),
            (
                "fluentd",
                &[("fluentd-async", "x")],
                "strconv.ParseBool: parsing \"x\": invalid syntax",
            ),
            ("fluentd", &[("fluentd-buffer-limit", "x")], "invalid size: 'x'"),
            ("fluentd", &[("fluentd-retry-wait", "x")], "time: invalid duration \"x\""),
            (
                "fluentd",
                &[("fluentd-max-retries", "x")],
                "strconv.ParseUint: parsing \"x\": invalid syntax",
            ),
            (
                "fluentd",
                &[("fluentd-async-reconnect-interval", "x")],
                "invalid value for fluentd-async-reconnect-interval: time: invalid duration \"x\"",
            ),
            (
                "fluentd",
                &[("fluentd-async-reconnect-interval", "1ms")],
                "invalid value for fluentd-async-reconnect-interval: value (\"1ms\") must be between 100ms and 10s",
            ),
            (
                "fluentd",
                &[("fluentd-async-reconnect-interval", "1s"), ("fluentd-retry-wait", "1m0.5s")],
                "",
            ),
            ("gelf", &[("foo", "1")], "gelf-address is a required parameter"),
            ("gelf", &[("gelf-address", "x")], "gelf: endpoint needs to be TCP or UDP"),
            (
                "gelf",
                &[("gelf-address", "udp://x")],
                "gelf: please provide gelf-address as proto://host:port",
            ),
            (
                "gelf",
                &[("gelf-address", "udp://x:1"), ("foo", "1")],
                "unknown log opt \"foo\" for gelf log driver",
            ),
            (
                "gelf",
                &[("gelf-address", "udp://x:1"), ("gelf-compression-type", "x")],
                "unknown value \"x\" for log opt \"gelf-compression-type\" for gelf log driver",
            ),
            (
                "gelf",
                &[("gelf-address", "udp://x:1"), ("gelf-compression-level", "10")],
                "unknown value \"10\" for log opt \"gelf-compression-level\" for gelf log driver",
            ),
            (
                "gelf",
                &[("gelf-address", "tcp://x:1"), ("gelf-compression-level", "1")],
                "compression is only supported on UDP",
            ),
            (
                "gelf",
                &[("gelf-address", "udp://x:1"), ("gelf-tcp-max-reconnect", "1")],
                "\"gelf-tcp-max-reconnect\" is only valid for TCP",
            ),
            (
                "gelf",
                &[("gelf-address", "tcp://x:1"), ("gelf-tcp-reconnect-delay", "-1")],
                "\"gelf-tcp-reconnect-delay\" must be a positive integer",
            ),
            ("journald", &[("foo", "1")], "unknown log opt 'foo' for journald log driver"),
            ("journald", &[("tag", "x"), ("env-regex", "^A")], ""),
        ] {
            assert_eq!(said(driver, options), answer, "{driver} {options:?}");
        }
    }
}
