//! The release binaries, as they ship.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Result, setup, shell};

pub(crate) const BINARIES: [&str; 3] = ["gantry", "gantryd", "gantry-runtime"];

/// Builds the three static binaries and collects them in `target/bin`.
pub(crate) fn release() -> Result<PathBuf> {
    setup::packages(&[setup::BUILD])?;
    shell::run(shell::cargo().args(["build", "--release", "-p", "cli", "-p", "engine"]))?;
    // Not position independent: no relocations to apply at start, so that the pages of a monitor
    // stay shared with the file.
    shell::run(shell::cargo().args(["rustc", "--profile", "runtime", "-p", "runtime"]).args([
        "--bin",
        "gantry-runtime",
        "--",
        "-C",
        "relocation-model=static",
    ]))?;
    let bin = shell::workspace().join("target/bin");
    collect(&bin)?;
    Ok(bin)
}

/// Where cargo leaves the binaries of a profile.
pub(crate) fn target_dir(profile: &str) -> Result<PathBuf> {
    let version = shell::output(std::process::Command::new("rustc").arg("-vV"))?;
    let host = version
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .ok_or("rustc -vV names no host")?;
    Ok(shell::workspace().join("target").join(host).join(profile))
}

fn collect(to: &Path) -> Result {
    fs::create_dir_all(to).map_err(|e| format!("{}: {e}", to.display()))?;
    for name in BINARIES {
        let from = target_dir(if name == "gantry-runtime" { "runtime" } else { "release" })?;
        // A new file, not new content: the old binary may be running.
        let (new, place) = (to.join(format!(".{name}")), to.join(name));
        fs::copy(from.join(name), &new).map_err(|e| format!("{name}: {e}"))?;
        fs::rename(&new, &place).map_err(|e| format!("{}: {e}", place.display()))?;
    }
    Ok(())
}
