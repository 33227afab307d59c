//! Numbers by verb. Each function says whether the verb is one for numbers of its kind.

use super::Flags;
use crate::print;

pub(crate) fn integer(out: &mut String, number: i128, verb: char, flags: Flags) -> bool {
    let size = number.unsigned_abs();
    let (digits, prefix) = match verb {
        'v' | 'd' => (size.to_string(), ""),
        'b' => (format!("{size:b}"), "0b"),
        'o' => (format!("{size:o}"), "0"),
        'O' => (format!("0o{size:o}"), ""),
        'x' => (format!("{size:x}"), "0x"),
        'X' => (format!("{size:X}"), "0X"),
        'c' => {
            flags.pad(out, &print::character(number).to_string());
            return true;
        }
        'q' | 'U' => {
            flags.pad(out, &print::rune(number, verb, flags.sharp));
            return true;
        }
        _ => return false,
    };
    let prefix = if flags.sharp { prefix } else { "" };
    let digits = match flags.precision() {
        Some(0) if size == 0 => String::new(),
        Some(least) => format!("{digits:0>least$}"),
        None => digits,
    };
    let flags = Flags { zero: flags.zero && flags.precision.is_none(), ..flags };
    flags.pad_number(out, &format!("{}{prefix}", sign(number < 0, verb, flags)), &digits);
    true
}

pub(crate) fn float(out: &mut String, number: f64, verb: char, flags: Flags) -> bool {
    let size = number.abs();
    let digits = match verb {
        'v' | 'g' => general(size, flags.precision()),
        'G' => general(size, flags.precision()).to_uppercase(),
        'f' | 'F' => format!("{size:.*}", flags.precision().unwrap_or(6)),
        'e' => scientific(&format!("{size:.*e}", flags.precision().unwrap_or(6))),
        'E' => scientific(&format!("{size:.*e}", flags.precision().unwrap_or(6))).to_uppercase(),
        _ => return false,
    };
    let digits = if number.is_infinite() { "Inf".to_owned() } else { digits };
    flags.pad_number(out, sign(number.is_sign_negative(), verb, flags), &digits);
    true
}

/// `%+v` asks for the names of fields, not for signs.
const fn sign(negative: bool, verb: char, flags: Flags) -> &'static str {
    if negative {
        "-"
    } else if flags.plus && verb != 'v' {
        "+"
    } else if flags.space {
        " "
    } else {
        ""
    }
}

/// Numbers of this many digits are written without an exponent.
const LARGEST: i32 = 21;

/// The shortest way to write it, or so many significant digits; an exponent for the very large and small.
fn general(size: f64, precision: Option<usize>) -> String {
    let scientific_form = match precision {
        Some(digits) => format!("{size:.*e}", digits.max(1) - 1),
        None => format!("{size:e}"),
    };
    let exponent: i32 =
        scientific_form.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or_default();
    let largest = precision.map_or(LARGEST, |digits| digits.max(1) as i32);
    if size != 0.0 && !(-4..largest).contains(&exponent) {
        return scientific(&scientific_form);
    }
    match precision {
        Some(digits) => {
            let decimals = (digits.max(1) as i32 - 1 - exponent).max(0) as usize;
            let text = format!("{size:.decimals$}");
            let trimmed = text.trim_end_matches('0').trim_end_matches('.');
            if text.contains('.') { trimmed.to_owned() } else { text }
        }
        None => size.to_string(),
    }
}

/// Rust's `1.5e6` as C's `1.5e+06`.
fn scientific(text: &str) -> String {
    let Some((mantissa, exponent)) = text.split_once('e') else { return text.to_owned() };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}
