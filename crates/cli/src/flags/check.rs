//! Values of flags: what is valid, in Go's words where it is not.

use std::num::IntErrorKind;

pub(super) fn boolean(text: &str) -> Result<(), String> {
    parse_bool(text).map(drop).ok_or_else(|| strconv("ParseBool", text))
}

/// Go's strconv.ParseBool.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

pub(super) fn int(text: &str) -> Result<(), String> {
    match text.parse::<i64>() {
        Ok(_) => Ok(()),
        Err(e) if matches!(e.kind(), IntErrorKind::PosOverflow | IntErrorKind::NegOverflow) => {
            Err(format!("strconv.ParseInt: parsing {text:?}: value out of range"))
        }
        Err(_) => Err(strconv("ParseInt", text)),
    }
}

fn strconv(function: &str, text: &str) -> String {
    format!("strconv.{function}: parsing {text:?}: invalid syntax")
}

pub(super) fn size(text: &str) -> Result<(), String> {
    bytes(text).map(drop)
}

pub(super) fn size_or_unlimited(text: &str) -> Result<(), String> {
    bytes_or_unlimited(text).map(drop)
}

/// As [`bytes`], or -1.
pub(crate) fn bytes_or_unlimited(text: &str) -> Result<i64, String> {
    if text == "-1" { Ok(-1) } else { bytes(text) }
}

/// `64m`, `1.5GiB`: bytes in binary units, as go-units' RAMInBytes reads them.
pub(crate) fn bytes(text: &str) -> Result<i64, String> {
    let invalid = || format!("invalid size: '{text}'");
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == ' ');
    let unit = text[digits.len()..].trim().to_ascii_lowercase();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return Err(invalid());
    }
    let number: f64 = digits.parse().map_err(|_| strconv("ParseFloat", digits))?;
    let exponent = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" if unit != "ib" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return Err(invalid()),
    };
    let bytes = number * 1024f64.powi(exponent);
    // Truncation is what go-units does with fractions of a byte, and the least of all numbers is what Go makes of one
    // that is too large: the engine refuses it.
    Ok(if bytes < i64::MAX as f64 { bytes as i64 } else { i64::MIN })
}

pub(super) fn duration(text: &str) -> Result<(), String> {
    duration_ns(text).map(drop)
}

/// Go's time.ParseDuration: `1h30m`, `1.5s`, `100ms`. Nanoseconds.
pub(crate) fn duration_ns(text: &str) -> Result<i64, String> {
    let invalid = || format!("time: invalid duration {text:?}");
    let (sign, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Ok(0);
    }
    if rest.is_empty() {
        return Err(invalid());
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let unit_at = rest.find(|c: char| !c.is_ascii_digit() && c != '.');
        let unit_at = unit_at.ok_or_else(|| format!("time: missing unit in duration {text:?}"))?;
        let number: f64 = rest[..unit_at].parse().map_err(|_| invalid())?;
        let unit_end = rest[unit_at..]
            .find(|c: char| c.is_ascii_digit() || c == '.')
            .map_or(rest.len(), |i| unit_at + i);
        let unit = &rest[unit_at..unit_end];
        let scale = unit_ns(unit)
            .ok_or_else(|| format!("time: unknown unit {unit:?} in duration {text:?}"))?;
        total += number * scale;
        rest = &rest[unit_end..];
    }
    Ok((sign * total).round() as i64)
}

fn unit_ns(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "ms" => 1e6,
        "s" => 1e9,
        "m" => 60e9,
        "h" => 3600e9,
        _ => return None,
    })
}

/// `--cpus 1.5`, or `3/2`, in billionths of a CPU.
pub(crate) fn nano_cpus(text: &str) -> Result<i64, String> {
    let decimal = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
    let number = match text.split_once('/') {
        None => decimal(text),
        Some((above, below)) => above.parse().ok().zip(below.parse().ok()).and_then(ratio),
    };
    let number = number.ok_or_else(|| format!("failed to parse {text} as a rational number"))?;
    let nano = number * 1e9;
    if (nano - nano.round()).abs() > 1e-3 {
        return Err("value is too precise".to_owned());
    }
    Ok(nano.round() as i64)
}

fn ratio((above, below): (i32, u32)) -> Option<f64> {
    (below != 0).then(|| f64::from(above) / f64::from(below))
}

pub(super) fn filter(text: &str) -> Result<(), String> {
    if text.is_empty() || text.contains('=') {
        return Ok(());
    }
    Err("bad format of filter (expected name=value)".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_binary_whatever_their_unit_is_called() {
        for (text, expected) in [
            ("64m", 64 << 20),
            ("1.5g", 3 << 29),
            ("10", 10),
            ("2KiB", 2048),
            ("1 MB", 1 << 20),
            ("5b", 5),
            ("9999999999999g", i64::MIN),
        ] {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "abc", "m", "1x", "-5", "-1", "1ib"] {
            assert_eq!(bytes(text), Err(format!("invalid size: '{text}'")), "{text}");
        }
        let odd = "strconv.ParseFloat: parsing \"1.2.3\": invalid syntax";
        assert_eq!(bytes("1.2.3m"), Err(odd.to_owned()));
        assert_eq!(bytes_or_unlimited("-1"), Ok(-1));
    }

    #[test]
    fn durations_are_gos() {
        assert_eq!(duration_ns("1h30m"), Ok(5_400_000_000_000));
        assert_eq!(duration_ns("1.5s"), Ok(1_500_000_000));
        assert_eq!(duration_ns("0"), Ok(0));
        assert!(duration_ns("5").unwrap_err().contains("missing unit"));
        assert!(duration_ns("5y").unwrap_err().contains("unknown unit"));
        assert!(duration_ns("").is_err());
    }

    #[test]
    fn cpus_are_fractions() {
        assert_eq!(nano_cpus("1.5"), Ok(1_500_000_000));
        assert_eq!(nano_cpus("0.000000001"), Ok(1));
        assert!(nano_cpus("0.0000000001").is_err());
        assert_eq!(nano_cpus("1/2"), Ok(500_000_000));
        for bad in ["x", "nan", "inf", "1/0", "1/x", ""] {
            let said = format!("failed to parse {bad} as a rational number");
            assert_eq!(nano_cpus(bad), Err(said));
        }
    }
}
