//! Puts the release binaries, the systemd units, the manual pages and the shells' completions in place.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Result, build, shell};

/// Where each shell looks for the completion of a command, below `share`.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "bash-completion/completions/gantry"),
    ("zsh", "zsh/site-functions/_gantry"),
    ("fish", "fish/vendor_completions.d/gantry.fish"),
];

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
    let share = prefix.join("share");
    shell::run(Command::new(bin.join("gantry")).arg("__man").arg(share.join("man/man1")))?;
    let programs = ["gantryd", "gantry-runtime"].map(|name| bin.join(name));
    let pages = share.join("man/man8");
    shell::run(Command::new(bin.join("gantry")).arg("__man").arg(pages).args(programs))?;
    for (shell, file) in COMPLETIONS {
        let script = shell::output(Command::new(bin.join("gantry")).args(["completion", shell]))?;
        write(script.as_bytes(), &share.join(file))?;
    }
    println!(
        "installed under {}; start with: systemctl enable --now gantry.socket",
        prefix.display()
    );
    Ok(())
}

fn place(from: &Path, to: &Path) -> Result {
    replace(to, |new| fs::copy(from, new).map(drop))
}

fn write(content: &[u8], to: &Path) -> Result {
    replace(to, |new| fs::write(new, content))
}

/// A new file, not new content: the old one may be running, or be read.
fn replace(to: &Path, make: impl Fn(&Path) -> std::io::Result<()>) -> Result {
    let failed = |e: std::io::Error| format!("{}: {e}", to.display());
    let dir = to.parent().expect("an installed file is in a directory");
    fs::create_dir_all(dir).map_err(failed)?;
    let mut new = to.as_os_str().to_owned();
    new.push(".new");
    make(Path::new(&new)).and_then(|()| fs::rename(&new, to)).map_err(failed)
}
