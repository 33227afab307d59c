//! Durations and sizes as Go's libraries read and print them.

/// `1h30m`, `1.5s`, and Compose's own days and weeks: nanoseconds.
pub(crate) fn duration(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().map_err(|_| invalid())?;
        let after = &rest[digits..];
        let unit = after.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(after.len());
        if unit == 0 {
            return Err(format!("time: missing unit in duration {text:?}"));
        }
        let scale = nanoseconds(&after[..unit]).ok_or_else(|| {
            format!("time: unknown unit {:?} in duration {text:?}", &after[..unit])
        })?;
        total += number * scale;
        rest = &after[unit..];
    }
    if total >= i64::MAX as f64 {
        return Err(invalid());
    }
    let total = total.round() as i64;
    Ok(if negative { -total } else { total })
}

fn nanoseconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3600e9,
        "d" => 86_400e9,
        "w" => 604_800e9,
        _ => return None,
    })
}

/// Go's `Duration.String`: `1m30s`, `1.5s`, `100ms`, `0s`.
pub(crate) fn print_duration(ns: i64) -> String {
    if ns == 0 {
        return "0s".to_owned();
    }
    let sign = if ns < 0 { "-" } else { "" };
    let ns = ns.unsigned_abs();
    if ns < 1_000_000_000 {
        let (unit, scale) = match ns {
            0..1_000 => ("ns", 1),
            1_000..1_000_000 => ("µs", 1_000),
            _ => ("ms", 1_000_000),
        };
        return format!("{sign}{}{unit}", with_fraction(ns, scale));
    }
    let (minutes, rest) = (ns / 60_000_000_000, ns % 60_000_000_000);
    let seconds = with_fraction(rest, 1_000_000_000);
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, minutes) => format!("{sign}{minutes}m{seconds}s"),
        (hours, minutes) => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

fn with_fraction(value: u64, scale: u64) -> String {
    let (whole, rest) = (value / scale, value % scale);
    if rest == 0 {
        return whole.to_string();
    }
    let width = scale.ilog10() as usize;
    format!("{whole}.{rest:0width$}").trim_end_matches('0').to_owned()
}

/// `64m`, `1.5GiB`: bytes in binary units.
pub(crate) fn bytes(text: &str) -> Result<i64, String> {
    let invalid = || format!("invalid size: '{text}'");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = text[digits.len()..].trim().to_ascii_lowercase();
    let number: f64 = digits.parse().map_err(|_| invalid())?;
    if !digits.starts_with(|c: char| c.is_ascii_digit()) && digits != "-1" {
        return Err(invalid());
    }
    let exponent = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" if unit != "ib" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(invalid()),
    };
    let bytes = number * 1024_f64.powi(exponent);
    if bytes < i64::MAX as f64 { Ok(bytes as i64) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_and_printed_as_go_does_it() {
        for (text, printed) in [
            ("90s", "1m30s"),
            ("1h", "1h0m0s"),
            ("1.5s", "1.5s"),
            ("1500us", "1.5ms"),
            ("0", "0s"),
            ("1d", "24h0m0s"),
            ("10ns", "10ns"),
        ] {
            assert_eq!(duration(text).map(print_duration).as_deref(), Ok(printed), "{text}");
        }
        assert_eq!(duration("abc"), Err("time: invalid duration \"abc\"".to_owned()));
        assert_eq!(duration("5"), Err("time: missing unit in duration \"5\"".to_owned()));
        assert_eq!(duration("5y"), Err("time: unknown unit \"y\" in duration \"5y\"".to_owned()));
    }

    #[test]
    fn sizes_are_binary() {
        for (text, size) in
            [("64m", 64 << 20), ("1.5g", 3 << 29), ("10", 10), ("2KiB", 2048), ("-1", -1)]
        {
            assert_eq!(bytes(text), Ok(size), "{text}");
        }
        for text in ["", "12q", "m", "-5", "99999999p"] {
            assert_eq!(bytes(text), Err(format!("invalid size: '{text}'")));
        }
    }
}
