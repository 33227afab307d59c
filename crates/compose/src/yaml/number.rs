//! Numbers as Go prints them, and keys in the order in which Go's YAML library writes them.

use std::cmp::Ordering;

/// `fmt.Sprint` of a float64: the shortest digits, an exponent only from 1e21 and below 1e-4.
pub(crate) fn go_float(value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "+Inf" } else { "-Inf" }.to_owned();
    }
    let magnitude = value.abs();
    if magnitude != 0.0 && !(1e-4..1e21).contains(&magnitude) {
        let text = format!("{value:e}");
        let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        let (sign, exponent) =
            exponent.strip_prefix('-').map_or(('+', exponent), |number| ('-', number));
        return format!("{digits}e{sign}{exponent:0>2}");
    }
    format!("{value}")
}

/// Letters before digits of the same place, numbers within names by their value: a2 before a10.
pub(crate) fn natural(a: &str, b: &str) -> Ordering {
    let (left, right): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut digits = false;
    for at in 0..left.len().min(right.len()) {
        let (x, y) = (left[at], right[at]);
        if x == y {
            digits = x.is_numeric();
            continue;
        }
        return match (x.is_alphabetic(), y.is_alphabetic()) {
            (true, true) => x.cmp(&y),
            (true, false) if digits => Ordering::Less,
            (false, true) if digits => Ordering::Greater,
            (true, false) => Ordering::Greater,
            (false, true) => Ordering::Less,
            (false, false) => numbers(&left, &right, at).unwrap_or_else(|| x.cmp(&y)),
        };
    }
    left.len().cmp(&right.len())
}

/// Compares the numbers that two names have around a place where they differ.
fn numbers(left: &[char], right: &[char], at: usize) -> Option<Ordering> {
    if !left[at].is_ascii_digit() || !right[at].is_ascii_digit() {
        return None;
    }
    let begin = (0..at).rev().take_while(|&i| left[i].is_ascii_digit()).last().unwrap_or(at);
    let number = |name: &[char]| -> String {
        name[begin..].iter().take_while(|c| c.is_ascii_digit()).collect()
    };
    let (a, b) = (number(left), number(right));
    let (a, b) = (a.trim_start_matches('0'), b.trim_start_matches('0'));
    Some(a.len().cmp(&b.len()).then_with(|| a.cmp(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_printed_as_go_prints_them() {
        for (value, text) in
            [(1.5, "1.5"), (1000.0, "1000"), (1e21, "1e+21"), (1e-5, "1e-05"), (0.0, "0")]
        {
            assert_eq!(go_float(value), text);
        }
        assert_eq!(go_float(1.5e-7), "1.5e-07");
        assert_eq!(go_float(f64::INFINITY), "+Inf");
    }

    #[test]
    fn numbers_in_names_count_by_their_value() {
        let mut names = ["a10", "a2", "b", "a", "a1b", "a1"];
        names.sort_by(|a, b| natural(a, b));
        assert_eq!(names, ["a", "a1", "a1b", "a2", "a10", "b"]);
    }
}
