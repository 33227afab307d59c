//! Points in time as `--since` and `--until` take them.

use jiff::Timestamp;
use jiff::civil::DateTime;

use crate::{flags, zone};

/// As [`of`], with the flag named where it is none.
pub(crate) fn parse(flag: &str, text: &str) -> Result<String, String> {
    of(text).map_err(|why| format!("invalid value for {flag:?}: {why}"))
}

/// As the API wants it, Unix seconds with a fraction: from a duration before now, a date and time in
/// this machine's zone or its own, or seconds already. Empty stays empty.
pub(crate) fn of(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Ok(String::new());
    }
    // Zero is the beginning of time, not now, as in Docker.
    if let Some(ago) = flags::duration_ns(text).ok().filter(|_| text != "0") {
        return Ok(unix(Timestamp::now().as_nanosecond() - i128::from(ago)));
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Ok(unix(time.as_nanosecond()));
    }
    if let Some(local) = local(text) {
        let time = local.to_zoned(zone::local()).map_err(|error| error.to_string())?;
        return Ok(unix(time.timestamp().as_nanosecond()));
    }
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits(seconds.strip_prefix('-').unwrap_or(seconds)) && digits(fraction) {
        return Ok(text.to_owned());
    }
    Err(format!("failed to parse value as time or duration: {text:?}"))
}

/// Any leading part of a date and time, down to the day.
fn local(text: &str) -> Option<DateTime> {
    let text = text.trim_end_matches('Z');
    let zeros = match text.len() {
        10 => "T00:00:00",
        13 => ":00:00",
        16 => ":00",
        19.. => "",
        _ => return None,
    };
    format!("{text}{zeros}").parse().ok()
}

fn unix(nanoseconds: i128) -> String {
    const SECOND: i128 = 1_000_000_000;
    format!("{}.{:09}", nanoseconds.div_euclid(SECOND), nanoseconds.rem_euclid(SECOND))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_becomes_unix_time() {
        let parse = |text| parse("since", text);
        assert_eq!(parse("2026-11-21T04:04:47.5Z").unwrap(), "1795233887.500000000");
        assert_eq!(parse("1795233887").unwrap(), "1795233887");
        assert_eq!(parse("1795233887.25").unwrap(), "1795233887.25");
        assert_eq!(parse("").unwrap(), "");
        assert_eq!(parse("0").unwrap(), "0");
        assert!(
            parse("2026-11-21").is_ok() && parse("2026-11-21T04").is_ok() && parse("10m").is_ok()
        );
        assert_eq!(
            parse("abc").unwrap_err(),
            "invalid value for \"since\": failed to parse value as time or duration: \"abc\""
        );
    }
}
