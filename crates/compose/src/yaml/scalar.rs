//! What a plain scalar means: YAML 1.2's core schema with the numbers that Go's library reads (0x, 0o, 0b, a leading
//! zero, underscores). `yes` and `on` are text.

use super::Value;

pub(super) fn resolve(text: &str) -> Value {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Value::Null,
        "true" | "True" | "TRUE" => return Value::Bool(true),
        "false" | "False" | "FALSE" => return Value::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Value::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Value::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Value::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let may_be_number = text.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    if !may_be_number {
        return Value::Text(text.to_owned());
    }
    integer(text)
        .map(Value::Int)
        .or_else(|| float(text).map(Value::Float))
        .unwrap_or_else(|| Value::Text(text.to_owned()))
}

fn integer(text: &str) -> Option<i128> {
    let plain = text.replace('_', "");
    let (negative, digits) = match plain.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, plain.strip_prefix('+').unwrap_or(&plain)),
    };
    let (radix, digits) = radix(digits);
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let magnitude = i128::from_str_radix(digits, radix).ok()?;
    let value = if negative { -magnitude } else { magnitude };
    (i128::from(i64::MIN)..=i128::from(u64::MAX)).contains(&value).then_some(value)
}

fn radix(digits: &str) -> (u32, &str) {
    let prefix = |marks: [&str; 2]| marks.iter().find_map(|mark| digits.strip_prefix(mark));
    if let Some(rest) = prefix(["0x", "0X"]) {
        return (16, rest);
    }
    if let Some(rest) = prefix(["0o", "0O"]) {
        return (8, rest);
    }
    if let Some(rest) = prefix(["0b", "0B"]) {
        return (2, rest);
    }
    match digits.strip_prefix('0') {
        Some(rest) if !rest.is_empty() => (8, rest),
        _ => (10, digits),
    }
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`
fn float(text: &str) -> Option<f64> {
    let plain = text.replace('_', "");
    let digits = plain.trim_start_matches(['+', '-']);
    let looks_like_one = digits.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && digits.contains(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || ".eE+-".contains(c));
    if !looks_like_one || plain.len() > digits.len() + 1 {
        return None;
    }
    plain.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_gos_library() {
        for (text, value) in [
            ("0x10", 16),
            ("010", 8),
            ("0o17", 15),
            ("0b11", 3),
            ("1_000", 1000),
            ("-7", -7),
            ("+7", 7),
            ("18446744073709551615", i128::from(u64::MAX)),
        ] {
            assert_eq!(resolve(text), Value::Int(value), "{text}");
        }
        assert_eq!(resolve("1e3"), Value::Float(1000.0));
        assert_eq!(resolve(".5"), Value::Float(0.5));
        assert_eq!(resolve("5."), Value::Float(5.0));
    }

    #[test]
    fn what_looks_like_a_number_and_is_none_is_text() {
        for text in
            ["1.2.3", "0-1", "8000-8001", "1.2.3.4", "08", "-", "+-1", "e3", "0x", "1s", ":80"]
        {
            assert!(
                matches!(resolve(text), Value::Text(_) | Value::Float(8.0)),
                "{text}: {:?}",
                resolve(text)
            );
        }
        assert_eq!(resolve("yes"), Value::Text("yes".to_owned()));
        assert_eq!(resolve("~"), Value::Null);
    }
}
