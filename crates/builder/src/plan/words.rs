//! How history shows an instruction: as Go prints BuildKit's values.

use std::time::Duration;

/// `["a" "b"]`
pub(super) fn quoted(words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| quote(word)).collect();
    format!("[{}]", words.join(" "))
}

fn quote(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            c if c.is_control() => quoted.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// `&{["CMD" "x"] "1m30s" "0s" "0s" "0s" '\x03'}`
pub(super) fn healthcheck(check: &oci::image::Healthcheck) -> String {
    let nanos = |nanos: i64| duration(Duration::from_nanos(nanos.unsigned_abs()));
    let retries = match u32::try_from(check.retries).ok().and_then(char::from_u32) {
        Some(c) if !c.is_control() => format!("'{c}'"),
        Some(c) => format!("'\\x{:02x}'", u32::from(c)),
        None => "'\u{fffd}'".into(),
    };
    format!(
        "&{{{} {:?} {:?} {:?} {:?} {retries}}}",
        quoted(check.test.as_deref().unwrap_or_default()),
        nanos(check.interval),
        nanos(check.timeout),
        nanos(check.start_period),
        nanos(check.start_interval),
    )
}

/// As Go prints one: `1m30s`, `1.5s`, `100ms`.
fn duration(duration: Duration) -> String {
    let nanos = duration.as_nanos();
    let fraction = |nanos: u128, unit: u128| {
        let rest = format!("{:0width$}", nanos % unit, width = unit.ilog10() as usize);
        match rest.trim_end_matches('0') {
            "" => format!("{}", nanos / unit),
            rest => format!("{}.{rest}", nanos / unit),
        }
    };
    match nanos {
        0 => "0s".into(),
        1..1_000 => format!("{nanos}ns"),
        1_000..1_000_000 => format!("{}µs", fraction(nanos, 1_000)),
        1_000_000..1_000_000_000 => format!("{}ms", fraction(nanos, 1_000_000)),
        _ => {
            let (seconds, minute) = (fraction(nanos % 60_000_000_000, 1_000_000_000), 60);
            let minutes = duration.as_secs() / minute;
            match (minutes / 60, minutes % 60) {
                (0, 0) => format!("{seconds}s"),
                (0, minutes) => format!("{minutes}m{seconds}s"),
                (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        for (nanos, expected) in [
            (0, "0s"),
            (1, "1ns"),
            (1_500, "1.5µs"),
            (100_000_000, "100ms"),
            (1_500_000_000, "1.5s"),
            (90_000_000_000, "1m30s"),
            (3_600_000_000_000, "1h0m0s"),
        ] {
            assert_eq!(duration(Duration::from_nanos(nanos)), expected);
        }
    }

    #[test]
    fn words_are_quoted_as_go_does() {
        let words = ["a".to_owned(), "b\"\\\n\u{1}".to_owned()];
        assert_eq!(quoted(&words), r#"["a" "b\"\\\n\x01"]"#);
    }
}
