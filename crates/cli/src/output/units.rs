//! Sizes and times for people, as go-units writes them.

use crate::zone;

const DECIMAL: [&str; 9] = ["B", "kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
const BINARY: [&str; 9] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"];

/// `2.026MB`, with so many significant digits.
pub(crate) fn human_size(bytes: f64, digits: usize) -> String {
    scaled(bytes, 1000.0, digits, &DECIMAL)
}

/// `1.5GiB`.
pub(crate) fn bytes_size(bytes: f64) -> String {
    scaled(bytes, 1024.0, 4, &BINARY)
}

fn scaled(mut value: f64, base: f64, digits: usize, units: &[&str]) -> String {
    let mut unit = 0;
    while value >= base && unit < units.len() - 1 {
        value /= base;
        unit += 1;
    }
    format!("{}{}", significant(value, digits), units[unit])
}

/// C's `%.Ng`: N significant digits, without trailing zeros.
fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let exponent = format!("{value:.*e}", digits - 1);
    let exponent: i32 =
        exponent.rsplit('e').next().and_then(|e| e.parse().ok()).unwrap_or_default();
    if exponent >= digits as i32 {
        let text = format!("{value:.*e}", digits - 1);
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let mantissa = trim_zeros(mantissa);
        let exponent: i32 = exponent.parse().unwrap_or_default();
        return format!("{mantissa}e+{exponent:02}");
    }
    let decimals = (digits as i32 - 1 - exponent).max(0) as usize;
    trim_zeros(&format!("{value:.decimals$}")).to_owned()
}

fn trim_zeros(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// `About an hour`, `5 minutes`: an age.
pub(crate) fn human_duration(seconds: i64) -> String {
    let (minutes, hours) = (seconds / 60, (seconds as f64 / 3600.0).round() as i64);
    match seconds {
        ..1 => "Less than a second".to_owned(),
        1 => "1 second".to_owned(),
        2..60 => format!("{seconds} seconds"),
        _ if minutes == 1 => "About a minute".to_owned(),
        _ if minutes < 60 => format!("{minutes} minutes"),
        _ if hours == 1 => "About an hour".to_owned(),
        _ if hours < 48 => format!("{hours} hours"),
        _ if hours < 24 * 7 * 2 => format!("{} days", hours / 24),
        _ if hours < 24 * 30 * 2 => format!("{} weeks", hours / 24 / 7),
        _ if hours < 24 * 365 * 2 => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

/// The age of something made at that Unix time.
pub(crate) fn ago(created: i64) -> String {
    format!("{} ago", human_duration(jiff::Timestamp::now().as_second() - created))
}

/// `2026-11-21 04:04:47 +0000 UTC`: Go's way to print a time, in the zone of this machine.
pub(crate) fn go_time(unix: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_second(unix) else { return unix.to_string() };
    time.to_zoned(zone::local()).strftime("%Y-%m-%d %H:%M:%S %z %Z").to_string()
}

/// `2026-11-21T04:04:47Z`, in the zone of this machine.
pub(crate) fn rfc3339(unix: i64) -> String {
    let Ok(time) = jiff::Timestamp::from_second(unix) else { return unix.to_string() };
    let zoned = time.to_zoned(zone::local());
    let zone =
        if zoned.offset().is_zero() { "Z".to_owned() } else { zoned.strftime("%:z").to_string() };
    format!("{}{zone}", zoned.strftime("%Y-%m-%dT%H:%M:%S"))
}

/// As [`rfc3339`], with all nine digits of the fraction.
pub(crate) fn rfc3339_nano(nanoseconds: i64) -> String {
    let (seconds, fraction) =
        (nanoseconds.div_euclid(1_000_000_000), nanoseconds.rem_euclid(1_000_000_000));
    let time = rfc3339(seconds);
    format!("{}.{fraction:09}{}", &time[..19], &time[19..])
}

/// An id as tables show it.
pub(crate) fn short_id(id: &str) -> String {
    let id = id.split_once(':').map_or(id, |(_, hex)| hex);
    id.chars().take(12).collect()
}

/// At most `width` characters, the last one an ellipsis where something was cut off.
pub(crate) fn ellipsis(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    match width {
        0 => String::new(),
        _ => text.chars().take(width - 1).chain(['…']).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_few_digits() {
        assert_eq!(human_size(2_026_481.0, 3), "2.03MB");
        assert_eq!(human_size(2_026_481.0, 4), "2.026MB");
        assert_eq!(human_size(0.0, 3), "0B");
        assert_eq!(human_size(999.0, 3), "999B");
        assert_eq!(human_size(100_000_000.0, 3), "100MB");
        assert_eq!(bytes_size(25_276_502_016.0), "23.54GiB");
        assert_eq!(bytes_size(1536.0), "1.5KiB");
    }

    #[test]
    fn ages_get_coarser() {
        for (seconds, text) in [
            (0, "Less than a second"),
            (59, "59 seconds"),
            (119, "About a minute"),
            (3599, "59 minutes"),
            (3600, "About an hour"),
            (7200, "2 hours"),
            (172_800, "2 days"),
            (14 * 86_400, "2 weeks"),
            (90 * 86_400, "3 months"),
            (800 * 86_400, "2 years"),
        ] {
            assert_eq!(human_duration(seconds), text, "{seconds}");
        }
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(ellipsis("sleep 100000", 20), "sleep 100000");
        assert_eq!(ellipsis("abcdef", 4), "abc…");
        assert_eq!(short_id("sha256:0123456789abcdef"), "0123456789ab");
    }
}
