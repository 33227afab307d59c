//! Points in time as the API writes them: RFC 3339 with nanoseconds, trailing zeros cut, as Go does.

use jiff::Timestamp;

/// What the API shows where nothing has happened yet: Go's zero time.
pub const NEVER: &str = "0001-01-01T00:00:00Z";

pub fn now() -> String {
    Timestamp::now().to_string()
}

/// `None` for what is no time, and for [`NEVER`].
pub fn parse(text: &str) -> Option<Timestamp> {
    if text == NEVER { None } else { text.parse().ok() }
}

pub fn unix_seconds(text: &str) -> i64 {
    parse(text).map_or(0, Timestamp::as_second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nanoseconds_read_back_as_written() {
        let text = "2026-11-21T04:10:21.20147Z";
        assert_eq!(parse(text).unwrap().to_string(), text);
        assert_eq!(unix_seconds(text), 1_795_234_221);
        assert_eq!(parse(NEVER), None);
    }
}
