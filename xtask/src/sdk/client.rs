//! The SDK and its tests: installed once, into a folder outside of the tree.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{LEFT_OUT, Outcome, Outcomes, create_dir, reasons};
use crate::{Result, setup, shell};

/// The last release whose source archive has the tests in it.
const SDK: &str = "docker==7.0.0";
/// What it was released with: later ones of `requests` do not know its transport.
const NEEDS: [&str; 7] = [
    "requests<2.32",
    "urllib3<2.3",
    "packaging",
    "paramiko",
    "websocket-client",
    "pytest==7.4.2",
    "pytest-timeout==2.1.0",
];
/// Old enough that the tests know it, new enough for both engines.
const API: &str = "1.44";
const TESTS: &str = "tests/integration/";

pub(super) struct Client {
    python: PathBuf,
    source: PathBuf,
}

impl Client {
    /// `GANTRY_SDK` moves the folder.
    pub(super) fn install() -> Result<Self> {
        let cache = std::env::var_os("GANTRY_SDK").map(PathBuf::from);
        let cache = cache.unwrap_or_else(|| "/var/cache/gantry/sdk".into());
        let source = cache.join(SDK.replace("==", "-"));
        let client = Self { python: cache.join("venv/bin/python"), source };
        let complete = cache.join("complete");
        if !complete.exists() {
            create_dir(&cache)?;
            client.download(&cache)?;
            std::fs::write(&complete, SDK).map_err(|e| format!("{}: {e}", complete.display()))?;
        }
        Ok(client)
    }

    fn download(&self, cache: &Path) -> Result {
        let can_make_one = Command::new("python3").args(["-c", "import ensurepip"]).status();
        if !can_make_one.is_ok_and(|status| status.success()) {
            setup::packages(&[setup::SDK])?;
        }
        shell::run(Command::new("python3").args(["-m", "venv"]).arg(cache.join("venv")))?;
        let pip = || {
            let mut pip = Command::new(&self.python);
            pip.args(["-m", "pip", "-q", "--disable-pip-version-check"]);
            pip
        };
        shell::run(pip().arg("install").args(NEEDS))?;
        let download = ["download", "--no-deps", "--no-binary", ":all:", SDK, "-d"];
        shell::run(pip().args(download).arg(cache))?;
        let archive = format!("{}.tar.gz", self.source.display());
        shell::run(Command::new("tar").arg("-C").arg(cache).arg("-xf").arg(archive))
    }

    /// Runs the tests on the engine at `host`. Folders that they share with containers are made in `scratch`.
    pub(super) fn test(&self, host: &str, scratch: &Path, words: &[String]) -> Result<Outcomes> {
        let home = scratch.join("home");
        let temporary = scratch.join("tmp");
        create_dir(&home)?;
        create_dir(&temporary)?;
        let mut pytest = Command::new(&self.python);
        pytest.current_dir(&self.source).env("DOCKER_HOST", host).env("HOME", home);
        pytest.env("TMPDIR", temporary).env("DOCKER_TEST_API_VERSION", API);
        pytest.args(["-m", "pytest", "-q", "--tb=short", "-rA", "--timeout=60", "-p"]);
        pytest.args(["no:cacheprovider", TESTS]).args(words);
        for name in reasons(LEFT_OUT).keys() {
            let flag = if name.contains("::") { "--deselect" } else { "--ignore" };
            pytest.arg(format!("{flag}={TESTS}{name}"));
        }
        let output = pytest.output().map_err(|error| format!("pytest: {error}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let log = shell::workspace().join(format!("target/sdk-{}.txt", name_of(host)));
        std::fs::write(&log, &text).map_err(|e| format!("{}: {e}", log.display()))?;
        println!("{host}: pytest's own words are in {}", log.display());
        let outcomes = outcomes(&text);
        match outcomes.is_empty() {
            true => {
                Err(format!("no test ran:\n{text}\n{}", String::from_utf8_lossy(&output.stderr)))
            }
            false => Ok(outcomes),
        }
    }
}

fn name_of(host: &str) -> &str {
    if host.ends_with("docker.sock") { "docker" } else { "gantry" }
}

/// The lines of pytest's summary. Tests that skip themselves or are expected to fail say nothing about an engine.
fn outcomes(text: &str) -> Outcomes {
    let line = |line: &str| {
        let (word, rest) = line.split_once(' ')?;
        let outcome = match word {
            "PASSED" => Outcome::Passed,
            "FAILED" | "ERROR" => Outcome::Failed,
            _ => return None,
        };
        let test = rest.strip_prefix(TESTS)?.split(' ').next()?;
        Some((test.to_owned(), outcome))
    };
    text.lines().filter_map(line).collect()
}

#[test]
fn the_summary_is_read() {
    let text =
        "PASSED tests/integration/a.py::T::x\nFAILED tests/integration/a.py::T::y - E: z\n1 failed";
    let seen = outcomes(text);
    assert_eq!(seen["a.py::T::x"], Outcome::Passed);
    assert_eq!(seen["a.py::T::y"], Outcome::Failed);
    assert_eq!(seen.len(), 2);
}
