//! What tests take from Python's package index, in the cache, which is `GANTRY_SERVERS`, else one in /var/cache. Err is
//! always the reason to skip.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::archive::sha256;
use crate::packages::run;

/// What the web application of the stories imports; the last is needed with the image's Python alone.
const APPLICATION: &[&str] =
    &["flask==3.0.3", "redis==5.0.8", "psycopg2-binary==2.9.9", "async-timeout==4.0.3"];

/// The folder with the application's packages, and what those need, as files that the `python` image can install.
pub fn wheels() -> Result<PathBuf, String> {
    let machine = std::env::consts::ARCH;
    let needs = [APPLICATION, &[machine]].concat();
    let place = once("wheels", &needs, |place| {
        run(Command::new("python3").args(["-m", "venv"]).arg(place.join("venv")))?;
        let platforms =
            ["manylinux2014", "manylinux_2_17"].map(|platform| format!("{platform}_{machine}"));
        let mut download = pip(place);
        download.args(["download", "--only-binary=:all:", "--python-version", "3.11"]);
        download.args(platforms.iter().flat_map(|platform| ["--platform", platform.as_str()]));
        run(download.arg("-d").arg(place.join("wheels")).args(APPLICATION))
    })?;
    Ok(place.join("wheels"))
}

/// An environment with the packages: its `venv/bin/python` can import them.
pub(crate) fn environment(name: &str, needs: &[&str]) -> Result<PathBuf, String> {
    once(name, needs, |place| {
        run(Command::new("python3").args(["-m", "venv"]).arg(place.join("venv")))?;
        run(pip(place).arg("install").args(needs))
    })
}

fn pip(place: &Path) -> Command {
    let mut pip = Command::new(place.join("venv/bin/python"));
    pip.args(["-m", "pip", "-q", "--disable-pip-version-check"]);
    pip
}

/// An environment cannot be moved: its folder is whole once its mark is there, and one run at a time makes it.
fn once(
    name: &str,
    needs: &[&str],
    make: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<PathBuf, String> {
    let cache = std::env::var_os("GANTRY_SERVERS")
        .map_or("/var/cache/gantry/servers".into(), PathBuf::from);
    let place = cache.join(format!("{name}-{}", &sha256(needs.join(" ").as_bytes())[..8]));
    let whole = place.join("whole");
    if whole.exists() {
        return Ok(place);
    }
    fs::create_dir_all(&place).map_err(|e| format!("{}: {e}", place.display()))?;
    let lock = fs::File::create(place.join("lock")).map_err(|e| e.to_string())?;
    lock.lock().map_err(|e| e.to_string())?;
    if !whole.exists() {
        make(&place)?;
        fs::write(&whole, "").map_err(|e| format!("{}: {e}", whole.display()))?;
    }
    Ok(place)
}
