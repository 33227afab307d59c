//! Flags of Docker that this version cannot honour: refused by name, never ignored.

use crate::flags::Parsed;

const LATER: &str = "come in a later version";
const WINDOWS: &str = "are not for Linux";

/// The flag, what it is for, and why not.
const REFUSED: &[(&str, &str, &str)] = &[
    ("use-api-socket", "the engine's socket in a container", LATER),
    ("cpu-count", "limits of Windows containers", WINDOWS),
    ("cpu-percent", "limits of Windows containers", WINDOWS),
    ("io-maxbandwidth", "limits of Windows containers", WINDOWS),
    ("io-maxiops", "limits of Windows containers", WINDOWS),
];

pub(super) fn refuse(parsed: &Parsed) -> Result<(), String> {
    match REFUSED.iter().find(|(flag, ..)| parsed.is_set(flag)) {
        Some((flag, what, when)) => Err(format!("--{flag}: {what} {when}")),
        None => Ok(()),
    }
}
