//! Puts the release binaries and the systemd units in place.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Result, build, shell};

pub(crate) fn run() -> Result {
    let bin = build::release()?;
    let prefix = PathBuf::from(std::env::var_os("PREFIX").unwrap_or_else(|| "/usr/local".into()));
    for name in build::BINARIES {
        place(&bin.join(name), &prefix.join("bin").join(name))?;
    }
    let units = shell::workspace().join("packaging/systemd");
    for unit in ["gantry.service", "gantry.socket"] {
        place(&units.join(unit), &prefix.join("lib/systemd/system").join(unit))?;
    }
    println!(
        "installed under {}; start with: systemctl enable --now gantry.socket",
        prefix.display()
    );
    Ok(())
}

fn place(from: &Path, to: &Path) -> Result {
    let failed = |e: std::io::Error| format!("{}: {e}", to.display());
    let dir = to.parent().expect("an installed file is in a directory");
    fs::create_dir_all(dir).map_err(failed)?;
    let new = to.with_extension("new");
    fs::copy(from, &new).map_err(failed)?;
    fs::rename(&new, to).map_err(failed)
}
