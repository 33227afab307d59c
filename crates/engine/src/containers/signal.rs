//! Signals as users write them: `KILL`, `sigkill`, `9`, `RTMIN+3`.

use crate::error::Error;

/// Linux' signals by number, as on x86-64 and arm64.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2",
    "PIPE", "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG",
    "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
const ALIASES: [(&str, i32); 3] = [("CLD", 17), ("POLL", 29), ("IOT", 6)];
/// The first real-time signal that the C libraries leave to programs.
const RTMIN: i32 = 34;
const RTMAX: i32 = 64;

pub const SIGKILL: i32 = 9;
pub const SIGTERM: i32 = 15;

/// The number of a signal by number or name, any case, with or without `SIG`.
pub fn parse(text: &str) -> Result<i32, Error> {
    let invalid = || Error::invalid(format!("invalid signal: {text}"));
    if let Ok(number) = text.parse::<i32>() {
        return if number == 0 { Err(invalid()) } else { Ok(number) };
    }
    let upper = text.to_ascii_uppercase();
    let name = upper.strip_prefix("SIG").unwrap_or(&upper);
    standard(name).or_else(|| real_time(name)).ok_or_else(invalid)
}

/// True for a number that the kernel knows.
pub fn exists(signal: i32) -> bool {
    (1..=RTMAX).contains(&signal)
}

fn standard(name: &str) -> Option<i32> {
    let by_position = NAMES.iter().zip(1..).find(|(known, _)| **known == name);
    by_position
        .map(|(_, number)| number)
        .or_else(|| ALIASES.iter().find(|(known, _)| *known == name).map(|(_, number)| *number))
}

fn real_time(name: &str) -> Option<i32> {
    let number = if name == "RTMIN" {
        RTMIN
    } else if name == "RTMAX" {
        RTMAX
    } else if let Some(above) = name.strip_prefix("RTMIN+") {
        RTMIN.checked_add(above.parse().ok()?)?
    } else {
        RTMAX.checked_sub(name.strip_prefix("RTMAX-")?.parse().ok()?)?
    };
    (RTMIN..=RTMAX).contains(&number).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers() {
        for (text, number) in [
            ("KILL", 9),
            ("sigterm", 15),
            ("SIGUSR1", 10),
            ("9", 9),
            ("SYS", 31),
            ("POLL", 29),
            ("CLD", 17),
        ] {
            assert_eq!(parse(text).unwrap(), number, "{text}");
        }
        for (text, number) in [("RTMIN", 34), ("SIGRTMIN+3", 37), ("RTMAX-1", 63), ("RTMAX", 64)] {
            assert_eq!(parse(text).unwrap(), number, "{text}");
        }
    }

    #[test]
    fn what_is_no_signal_is_refused() {
        for text in ["FOO", "", "0", "SIG", "RTMIN+31", "RTMAX-31", "RTMIN+-1", "9.5"] {
            assert_eq!(parse(text).unwrap_err().to_string(), format!("invalid signal: {text}"));
        }
        assert!(!exists(65) && !exists(-1) && exists(64));
    }
}
