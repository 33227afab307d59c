//! Wall-clock time as text.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timestamp {
    /// Since 1970.
    pub seconds: u64,
    pub nanos: u32,
}

impl Timestamp {
    pub fn now() -> Timestamp {
        // A clock before 1970 is as good as one that is at 1970.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Timestamp { seconds: since.as_secs(), nanos: since.subsec_nanos() }
    }

    pub fn unix_nanos(self) -> i64 {
        self.seconds as i64 * 1_000_000_000 + i64::from(self.nanos)
    }

    /// RFC 3339 with nine digits.
    pub fn rfc3339(self) -> String {
        let (year, month, day) = civil(self.seconds / 86_400);
        let second = self.seconds % 86_400;
        format!(
            "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:09}Z",
            second / 3600,
            second / 60 % 60,
            second % 60,
            self.nanos
        )
    }

    /// Go's `RFC3339Nano`: as above, without zeros at the end of the fraction.
    pub fn rfc3339_nano(self) -> String {
        let mut text = self.rfc3339();
        text.pop();
        let length = text.trim_end_matches('0').trim_end_matches('.').len();
        // The trimmed zeros may only be those of the fraction.
        text.truncate(length.max("1970-01-01T00:00:00".len()));
        text.push('Z');
        text
    }
}

/// Year, month and day of a number of days since 1970, in the proleptic Gregorian calendar:
/// years are counted from March, so that the leap day is the last of its year.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_TO_1970: u64 = 719_468;
    const ERA: u64 = 146_097;
    let days = days + DAYS_TO_1970;
    let day_of_era = days % ERA;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    let year = days / ERA * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_written_as_go_does() {
        let cases = [
            (0, 0, "1970-01-01T00:00:00Z"),
            (951_782_400, 0, "2000-02-29T00:00:00Z"),
            (951_868_799, 120_000_000, "2000-02-29T23:59:59.12Z"),
            (1_709_164_800, 1, "2024-02-29T00:00:00.000000001Z"),
            (4_107_542_400, 500, "2100-03-01T00:00:00.0000005Z"),
            (1_795_233_600, 123_456_789, "2026-11-21T04:00:00.123456789Z"),
        ];
        for (seconds, nanos, text) in cases {
            assert_eq!(Timestamp { seconds, nanos }.rfc3339_nano(), text);
        }
        assert_eq!(Timestamp { seconds: 10, nanos: 0 }.rfc3339(), "1970-01-01T00:00:10.000000000Z");
    }
}
