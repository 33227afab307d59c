//! The host's AppArmor: whether it is there, and the default profile loaded into the kernel.
//!
//! Profiles are compiled by the distribution's `apparmor_parser`, as dockerd has it done: at the engine's start, and again
//! when it is told to reload, never on the way of a container.

mod profile;

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

pub use profile::{Confinement, profile};
use profile::{DEFAULT, Includes};

use crate::error::{Error, Result};

const PARSER: &str = "/sbin/apparmor_parser";
const INTERFACE: &str = "/sys/kernel/security/apparmor";

/// As Docker decides it: inside a container (`container` in the environment) the host's profiles are not ours.
pub fn confinement() -> Confinement {
    let enabled = fs::read_to_string("/sys/module/apparmor/parameters/enabled");
    let there = enabled.is_ok_and(|text| text.starts_with('Y'))
        && Path::new(INTERFACE).exists()
        && Path::new(PARSER).exists()
        && std::env::var_os("container").is_none_or(|name| name.is_empty());
    if there { Confinement::Enforced } else { Confinement::Absent }
}

/// Loads the default profile, unless it is loaded already. Where that fails, containers that need it do not start.
pub fn load_default() -> Result<()> {
    if confinement() == Confinement::Absent || is_loaded()? {
        return Ok(());
    }
    let exists = |path: &str| Path::new("/etc/apparmor.d").join(path).exists();
    let includes =
        Includes { tunables: exists("tunables/global"), base: exists("abstractions/base") };
    let own = fs::read_to_string("/proc/self/attr/current").unwrap_or_default();
    parse(&profile::text(includes, name_of(&own))).map_err(|why| {
        Error::system(format!(
            "AppArmor enabled on system but the {DEFAULT} profile could not be loaded: {why}"
        ))
    })
}

fn is_loaded() -> Result<bool> {
    let path = Path::new(INTERFACE).join("profiles");
    let profiles = fs::read_to_string(&path)
        .map_err(|cause| Error::system(format!("cannot read {}", path.display())).because(cause))?;
    Ok(profiles.lines().any(|line| name_of(line) == DEFAULT))
}

/// Profiles are shown as `NAME (MODE)`.
fn name_of(shown: &str) -> &str {
    let shown = shown.trim_end_matches(['\n', '\0']);
    let name = shown.rsplit_once(" (").map_or(shown, |(name, _)| name);
    if name.is_empty() { "unconfined" } else { name }
}

/// Has the kernel told of a profile, replacing one of that name, without the parser's own cache.
fn parse(text: &str) -> std::result::Result<(), String> {
    let mut command = Command::new(PARSER);
    command.arg("-Kr").env_clear();
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("{PARSER}: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read it says why.
        let _ = stdin.write_all(text.as_bytes());
    }
    let output = child.wait_with_output().map_err(|error| format!("{PARSER}: {error}"))?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim_end().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_told_by_their_names() {
        assert_eq!(name_of("docker-default (enforce)"), "docker-default");
        assert_eq!(name_of("a (b) (complain)\n"), "a (b)");
        assert_eq!(name_of("unconfined\n"), "unconfined");
        assert_eq!(name_of("\0"), "unconfined");
    }
}
