//! When to ask again. Policy alone: time is an input.

use std::time::Duration;

use super::error::Error;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(10);
/// A registry that asks for a longer rest is not waited for.
const LONGEST_REST: Duration = Duration::from_secs(30);

/// Failures in a row without anything achieved in between.
#[derive(Debug, Clone, Copy)]
pub(super) struct Attempts {
    failed: u32,
    most: u32,
}

impl Attempts {
    pub(super) fn new(most: u32) -> Self {
        Self { failed: 0, most: most.max(1) }
    }

    /// Something arrived: the next failure is the first again.
    pub(super) fn progressed(&mut self) {
        self.failed = 0;
    }

    /// How long to wait before the next try; `None` to give up.
    pub(super) fn after(&mut self, error: &Error) -> Option<Duration> {
        self.failed += 1;
        if self.failed >= self.most || !error.is_transient() {
            return None;
        }
        match error.retry_after() {
            Some(rest) => (rest <= LONGEST_REST).then_some(rest),
            None => Some(LONGEST.min(FIRST * 2_u32.saturating_pow(self.failed - 1))),
        }
    }
}

/// `Retry-After`, in seconds or as a date: by the server's own clock, which ours may differ from.
pub(super) fn retry_after(header: Option<&str>, now: Option<&str>) -> Option<Duration> {
    let header = header?.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = |text: &str| Some(jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp());
    let rest = date(header)?.duration_since(date(now?)?);
    Some(Duration::try_from(rest).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;
    use crate::client::error::Refusal;

    fn refused(status: u16, rest: Option<u64>) -> Error {
        let status = StatusCode::from_u16(status).unwrap();
        Error::Refused(Refusal::new(status, b"", rest.map(Duration::from_secs)))
    }

    #[test]
    fn waits_grow_and_end() {
        let mut attempts = Attempts::new(4);
        let waits: Vec<_> = (0..4).map(|_| attempts.after(&refused(503, None))).collect();
        let millis = |n| Some(Duration::from_millis(n));
        assert_eq!(waits, [millis(200), millis(400), millis(800), None]);
        attempts.progressed();
        assert_eq!(attempts.after(&refused(503, None)), millis(200));
    }

    #[test]
    fn a_registry_says_how_long_to_wait_within_reason() {
        let after = |status, rest| Attempts::new(5).after(&refused(status, rest));
        assert_eq!(after(429, Some(3)), Some(Duration::from_secs(3)));
        assert_eq!(after(429, Some(3600)), None);
        assert_eq!(after(404, None), None);
        assert_eq!(after(501, None), None);
        let (noon, later) = ("Sun, 06 Nov 1994 12:00:00 GMT", "Sun, 06 Nov 1994 12:00:09 GMT");
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(retry_after(Some("7"), None), seconds(7));
        assert_eq!(retry_after(Some(later), Some(noon)), seconds(9));
        assert_eq!(retry_after(Some(noon), Some(later)), seconds(0));
        assert_eq!(retry_after(Some(later), None), None);
        assert_eq!(retry_after(Some("soon"), Some(noon)), None);
    }
}
