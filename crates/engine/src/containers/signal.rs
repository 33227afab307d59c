//! Signals as users write them: `KILL`, `sigkill`, `9`, `RTMIN+3`.

use sys::signal::by_name;

use crate::error::Error;

pub const SIGKILL: i32 = 9;
pub const SIGTERM: i32 = 15;

/// The number of a signal by number or name, any case, with or without `SIG`. As in Docker, whether the kernel has
/// such a number is asked only where it is sent.
pub fn parse(text: &str) -> Result<i32, Error> {
    let number = text.parse().ok().or_else(|| by_name(text)).filter(|number| *number != 0);
    number.ok_or_else(|| Error::invalid(format!("invalid signal: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, number) in
            [("KILL", 9), ("sigterm", 15), ("9", 9), ("999", 999), ("RTMIN+3", 37)]
        {
            assert_eq!(parse(text).unwrap(), number, "{text}");
        }
    }

    #[test]
    fn what_is_no_signal_is_refused() {
        for text in ["FOO", "", "0", "SIG", "RTMIN+31", "9.5"] {
            assert_eq!(parse(text).unwrap_err().to_string(), format!("invalid signal: {text}"));
        }
    }
}
