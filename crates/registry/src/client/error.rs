//! What can go wrong with a registry, in the words that Docker's users know.

use std::time::Duration;

use hyper::StatusCode;
use serde::Deserialize;

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// It is copied to everybody who waits for the same content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No answer, or one that broke off: worth another try.
    #[error("{method} \"{url}\": {why}")]
    Unreachable { method: String, url: String, why: String },
    /// The registry's own answer.
    #[error("{0}")]
    Refused(Refusal),
    /// An answer that breaks the protocol, or does not keep what it promised.
    #[error("{0}")]
    Invalid(String),
    #[error("{method} \"{url}\": no basic auth credentials")]
    NoCredentials { method: String, url: String },
    #[error("no matching manifest for {platform} in the manifest list entries")]
    NoPlatform { platform: String },
}

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub status: u16,
    /// The specification's, such as `MANIFEST_UNKNOWN`; empty where it did not give one.
    pub code: String,
    pub text: String,
    /// What the registry asks to wait before the next try.
    pub retry_after: Option<Duration>,
}

#[derive(Deserialize)]
struct Errors {
    #[serde(default)]
    errors: Vec<One>,
}

#[derive(Deserialize)]
struct One {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

/// Of a body that is shown as it is.
const SHOWN: usize = 200;

impl Refusal {
    pub(super) fn new(status: StatusCode, body: &[u8], retry_after: Option<Duration>) -> Self {
        let (code, text) = match serde_json::from_slice::<Errors>(body) {
            Ok(Errors { errors }) if !errors.is_empty() => {
                let texts: Vec<_> = errors.iter().map(One::text).collect();
                (errors[0].code.clone(), texts.join("\n"))
            }
            _ => (String::new(), unexplained(status, body)),
        };
        Self { status: status.as_u16(), code, text, retry_after }
    }
}

impl One {
    fn text(&self) -> String {
        let code = self.code.to_lowercase().replace('_', " ");
        match printable(&self.message) {
            message if code.is_empty() => message,
            message => format!("{code}: {message}"),
        }
    }
}

fn unexplained(status: StatusCode, body: &[u8]) -> String {
    if status == StatusCode::UNAUTHORIZED {
        return "unauthorized: authentication required".to_owned();
    }
    if status == StatusCode::TOO_MANY_REQUESTS {
        return "toomanyrequests: too many requests to registry".to_owned();
    }
    if !status.is_client_error() || body.is_empty() {
        return format!("received unexpected HTTP status: {status}");
    }
    let start = &body[..body.len().min(SHOWN)];
    let start = printable(&String::from_utf8_lossy(start));
    format!("error parsing HTTP {} response body: {start:?}", status.as_u16())
}

/// What a terminal would take for orders is left out.
pub(super) fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(2048).collect()
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.text)
    }
}

impl Error {
    pub(super) fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid(what.into())
    }

    /// Whether the same may go well the next time.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused(refusal) => matches!(refusal.status, 408 | 429 | 500 | 502..=504),
            _ => false,
        }
    }

    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused(refusal) => Some(refusal.status),
            _ => None,
        }
    }

    pub fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => &refusal.code,
            _ => "",
        }
    }

    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Refused(refusal) => refusal.retry_after,
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(status: u16, body: &str) -> String {
        Refusal::new(StatusCode::from_u16(status).unwrap(), body.as_bytes(), None).to_string()
    }

    #[test]
    fn a_refusal_has_dockers_words() {
        let body =
            r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown","detail":{}}]}"#;
        assert_eq!(refusal(404, body), "manifest unknown: manifest unknown");
        assert_eq!(refusal(401, ""), "unauthorized: authentication required");
        assert_eq!(
            refusal(500, "<html>"),
            "received unexpected HTTP status: 500 Internal Server Error"
        );
        assert_eq!(refusal(404, "<html>"), "error parsing HTTP 404 response body: \"<html>\"");
    }

    #[test]
    fn a_refusal_gives_a_terminal_no_orders() {
        let body = r#"{"errors":[{"code":"DENIED","message":"\u001b[2Jno"}]}"#;
        assert_eq!(refusal(403, body), "denied: [2Jno");
        assert!(!refusal(404, "\x1b]0;x").contains('\x1b'));
    }
}
