//! Where a server is: `tcp://host:port`, `tcp+tls://`, `udp://`, `unix:///path`, `unixgram:///path`.

use std::path::PathBuf;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    Tcp(String, u16),
    Tls(String, u16),
    Udp(String, u16),
    Unix(PathBuf),
    Unixgram(PathBuf),
}

/// The parts of a URL, as far as addresses have them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Url<'a> {
    pub(super) scheme: &'a str,
    pub(super) host: String,
    pub(super) port: Option<&'a str>,
    pub(super) path: &'a str,
}

impl<'a> Url<'a> {
    /// The text is quoted in errors as Go's parser does.
    pub(super) fn parse(text: &'a str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            return Ok(Self { scheme: "", host: String::new(), port: None, path: text });
        };
        let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
        let invalid = |what: &str| format!("parse {text:?}: {what}");
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                let (host, after) =
                    inner.split_once(']').ok_or_else(|| invalid("missing ']' in host"))?;
                (host, after.strip_prefix(':'))
            }
            None => match authority.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        if let Some(port) = port.filter(|port| !port.bytes().all(|byte| byte.is_ascii_digit())) {
            return Err(invalid(&format!("invalid port {:?} after host", format!(":{port}"))));
        }
        Ok(Self { scheme, host: host.to_owned(), port: port.filter(|p| !p.is_empty()), path })
    }

    pub(super) fn port_or(&self, default: u16) -> Result<u16, String> {
        self.port.map_or(Ok(default), |port| {
            port.parse().map_err(|_| format!("address {}:{port}: invalid port", self.host))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_apart() {
        let url = Url::parse("tcp://[::1]:514").unwrap();
        assert_eq!((url.scheme, &*url.host, url.port, url.path), ("tcp", "::1", Some("514"), ""));
        let url = Url::parse("unix:///dev/log").unwrap();
        assert_eq!((url.scheme, &*url.host, url.port, url.path), ("unix", "", None, "/dev/log"));
        assert_eq!(Url::parse("foo").unwrap().scheme, "");
        assert_eq!(
            Url::parse("tcp://[::1").unwrap_err(),
            "parse \"tcp://[::1\": missing ']' in host"
        );
        assert_eq!(
            Url::parse("udp://x:1a").unwrap_err(),
            "parse \"udp://x:1a\": invalid port \":1a\" after host"
        );
        assert_eq!(Url::parse("udp://x").unwrap().port_or(514), Ok(514));
        assert!(Url::parse("udp://x:70000").unwrap().port_or(514).is_err());
    }
}
