//! Times as log entries carry them.

/// Nanoseconds since the epoch: every time a log can carry, and nothing to convert when they are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// RFC 3339 with up to nine decimals. The monitor writes UTC; other writers may not.
    pub fn parse(text: &[u8]) -> Option<Self> {
        match Self::parse_utc(text) {
            Some(time) => Some(time),
            None => {
                let time: jiff::Timestamp = std::str::from_utf8(text).ok()?.parse().ok()?;
                Some(Self(i64::try_from(time.as_nanosecond()).ok()?))
            }
        }
    }

    /// With exactly nine decimals, as `docker logs -t` prints.
    pub fn to_fixed(self) -> String {
        let time = jiff::Timestamp::from_nanosecond(self.0.into()).unwrap_or(jiff::Timestamp::MIN);
        format!("{time:.9}")
    }

    /// The form every line of ours has, without the cost of a general parser.
    fn parse_utc(text: &[u8]) -> Option<Self> {
        let (date_time, rest) = text.split_at_checked(19)?;
        let [
            y1,
            y2,
            y3,
            y4,
            b'-',
            mo1,
            mo2,
            b'-',
            d1,
            d2,
            b'T',
            h1,
            h2,
            b':',
            mi1,
            mi2,
            b':',
            s1,
            s2,
        ] = *date_time
        else {
            return None;
        };
        let year = digits(&[y1, y2, y3, y4])?;
        let day = days_from_civil(year, digits(&[mo1, mo2])?, digits(&[d1, d2])?)?;
        let second = digits(&[h1, h2])? * 3600 + digits(&[mi1, mi2])? * 60 + digits(&[s1, s2])?;
        let nanos = match rest {
            b"Z" => 0,
            [b'.', decimals @ .., b'Z'] if (1..=9).contains(&decimals.len()) => {
                digits(decimals)? * 10_i64.pow(9 - decimals.len() as u32)
            }
            _ => return None,
        };
        (day * 86_400 + second).checked_mul(1_000_000_000)?.checked_add(nanos).map(Self)
    }
}

fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, &byte| {
        byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0'))
    })
}

/// Days since 1970-01-01 of a date in the Gregorian calendar, counting years from March so that a leap day comes last.
fn days_from_civil(year: i64, month: i64, day: i64) -> Option<i64> {
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(year * 365 + year / 4 - year / 100 + year / 400 + day_of_year - 719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_the_calendar_has_them() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2024-02-29T23:59:59.5Z",
            "2026-11-21T04:05:06.000000007Z",
            "1969-12-31T23:59:59Z",
        ] {
            let expected: jiff::Timestamp = text.parse().unwrap();
            assert_eq!(
                Timestamp::parse(text.as_bytes()).unwrap().0,
                expected.as_nanosecond() as i64,
                "{text}"
            );
        }
        assert_eq!(
            Timestamp::parse(b"2026-11-21T04:05:06+01:00"),
            Timestamp::parse(b"2026-11-21T03:05:06Z")
        );
        assert_eq!(Timestamp::parse(b"2026-13-01T00:00:00Z"), None);
        assert_eq!(Timestamp::parse(b"yesterday"), None);
    }

    #[test]
    fn printed_times_have_nine_decimals() {
        let time = Timestamp::parse(b"2026-11-21T04:05:06.07Z").unwrap();
        assert_eq!(time.to_fixed(), "2026-11-21T04:05:06.070000000Z");
    }
}
