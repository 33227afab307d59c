//! The `until` filter: a moment, told as a time or as how long ago.

use api::Filters;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use crate::error::{Error, Result};

/// Of a prune: at most one.
pub fn single(filters: &Filters) -> Result<Option<Timestamp>> {
    let mut values = filters.get("until");
    let (first, second) = (values.next(), values.next());
    if second.is_some() {
        return Err(Error::invalid("more than one until filter specified"));
    }
    first.map(parse).transpose()
}

/// Of a list: the earliest counts.
pub fn earliest(filters: &Filters) -> Result<Option<Timestamp>> {
    let moments = filters.get("until").map(parse).collect::<Result<Vec<_>>>()?;
    Ok(moments.into_iter().min())
}

/// Unix seconds, an RFC 3339 time or the beginning of one in this machine's zone, or one of Go's durations.
fn parse(text: &str) -> Result<Timestamp> {
    moment(text).ok_or_else(|| {
        Error::invalid(format!("failed to parse value as time or duration: {text:?}"))
    })
}

fn moment(text: &str) -> Option<Timestamp> {
    if let Some(ago) = duration(text).filter(|_| text != "0") {
        return Timestamp::now().checked_sub(SignedDuration::from_nanos(ago)).ok();
    }
    if let Ok(time) = text.parse() {
        return Some(time);
    }
    if let Some(Ok(seconds)) = text.split('.').next().map(str::parse) {
        return Timestamp::from_second(seconds).ok();
    }
    let date = || text.parse::<Date>().ok().map(|date| date.at(0, 0, 0, 0));
    let civil = text.parse::<DateTime>().ok().or_else(date)?;
    Some(civil.to_zoned(TimeZone::system()).ok()?.timestamp())
}

/// Nanoseconds of Go's durations: `1m30s`, `1.5h`, `500ms`, `-1s`, `0`.
pub fn duration(text: &str) -> Option<i64> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if unsigned == "0" {
        return Some(0);
    }
    let mut total = 0.0;
    let mut rest = unsigned;
    while !rest.is_empty() {
        let is_number = |c: char| c.is_ascii_digit() || c == '.';
        let digits = rest.find(|c| !is_number(c))?;
        let number: f64 = rest[..digits].parse().ok()?;
        let unit_end = rest[digits..].find(is_number).map_or(rest.len(), |length| digits + length);
        let unit = match &rest[digits..unit_end] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        total += number * unit;
        rest = &rest[unit_end..];
    }
    let fits = !unsigned.is_empty() && total < i64::MAX as f64;
    fits.then_some(if negative { -(total as i64) } else { total as i64 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_time_or_an_age() {
        for text in ["1700000000", "1700000000.5", "2023-11-14T22:13:20Z"] {
            assert_eq!(parse(text).unwrap().as_second(), 1_700_000_000, "{text}");
        }
        let hour_ago = Timestamp::now().as_second() - 3600;
        assert!((parse("1h").unwrap().as_second() - hour_ago).abs() < 5);
        assert!(parse("2020-01-01T00:00").unwrap() < parse("2020-01-03").unwrap());
        let said = parse("x").unwrap_err().to_string();
        assert_eq!(said, "failed to parse value as time or duration: \"x\"");
    }

    #[test]
    fn a_list_takes_the_earliest_and_a_prune_only_one() {
        let filters = Filters::parse(r#"{"until":["2000000000","1000000000"]}"#).unwrap();
        assert_eq!(earliest(&filters).unwrap().unwrap().as_second(), 1_000_000_000);
        let said = single(&filters).unwrap_err().to_string();
        assert_eq!(said, "more than one until filter specified");
        assert_eq!(single(&Filters::default()).unwrap(), None);
    }

    #[test]
    fn durations_are_gos() {
        assert_eq!(duration("1m30s"), Some(90_000_000_000));
        assert_eq!(duration("1.5h"), Some(5_400_000_000_000));
        assert_eq!(duration("0"), Some(0));
        assert_eq!(duration("-1ms"), Some(-1_000_000));
        for bad in ["", "1", "x", "1x", "h", "2026-11-21"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
