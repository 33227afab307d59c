//! The way from the namespaces' network to the host's: pasta, which keeps addresses as they are, else slirp4netns. A pasta
//! of 2023 loses the end of a connection that the container has half closed already, and comes last.
//! Both run as the user, outside of the namespaces, and go on when the engine is killed.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::io::{FdFlags, fcntl_setfd};

use super::ids::program;
use super::keeper::{self, RESOLVER};
use crate::error::{Error, Result};

/// Starts it for the keeper's network, unless it runs.
pub(super) fn ensure(exec_root: &Path, keeper: i32) -> Result<()> {
    if keeper::alive(&file(exec_root)).is_some() {
        return Ok(());
    }
    match Program::find() {
        Some(program) => program.start(exec_root, keeper),
        None => Err(Error::system("there is neither pasta nor slirp4netns")),
    }
}

pub(super) enum Program {
    Pasta(PathBuf),
    Slirp4netns(PathBuf),
}

impl Program {
    pub(super) fn find() -> Option<Self> {
        match (program("pasta"), program("slirp4netns")) {
            (Some(pasta), Some(_)) if is_of_2024(&pasta) => Some(Self::Pasta(pasta)),
            (_, Some(slirp4netns)) => Some(Self::Slirp4netns(slirp4netns)),
            (pasta, None) => pasta.map(Self::Pasta),
        }
    }

    /// Returns once packets pass.
    fn start(self, exec_root: &Path, keeper: i32) -> Result<()> {
        match self {
            Self::Pasta(path) => pasta(&path, exec_root, keeper).or_else(|error| {
                let slirp4netns = program("slirp4netns").ok_or(error)?;
                slirp(&slirp4netns, exec_root, keeper)
            }),
            Self::Slirp4netns(path) => slirp(&path, exec_root, keeper),
        }
    }
}

fn is_of_2024(pasta: &Path) -> bool {
    let output = Command::new(pasta).arg("--version").stdin(Stdio::null()).output();
    let date = output.ok().and_then(|output| date(&String::from_utf8_lossy(&output.stdout)));
    date.is_some_and(|date| date >= 20_240_101)
}

/// Its versions are dates: `0.0~git20230309.7c7625d-1`, `2024_06_24.1ee2eca`.
fn date(version: &str) -> Option<u32> {
    let plain = version.replace('_', "");
    let runs = plain.split(|c: char| !c.is_ascii_digit());
    runs.filter(|run| run.len() == 8).find_map(|run| run.parse().ok())
}

pub(super) fn end(exec_root: &Path) {
    let file = file(exec_root);
    if let Some((_, pidfd)) = keeper::alive(&file) {
        keeper::kill(&pidfd);
    }
    let _ = std::fs::remove_file(file);
}

fn file(exec_root: &Path) -> PathBuf {
    exec_root.join("way-out.pid")
}

/// It goes into the background by itself once it is ready, and writes its number to the file it is told.
fn pasta(program: &Path, exec_root: &Path, keeper: i32) -> Result<()> {
    let number = exec_root.join("pasta.pid");
    let output = Command::new(program)
        .args(["--config-net", "--quiet", "--no-map-gw", "--dns-forward", RESOLVER])
        // Ports are published by the engine, none by themselves.
        .args(["-t", "none", "-u", "none", "-T", "none", "-U", "none"])
        .arg("--pid")
        .arg(&number)
        .args(["--userns", &format!("/proc/{keeper}/ns/user")])
        .args(["--netns", &format!("/proc/{keeper}/ns/net")])
        .stdin(Stdio::null())
        .output()
        .map_err(failed(program))?;
    let pid = std::fs::read_to_string(&number).ok().and_then(|text| text.trim().parse().ok());
    match (output.status.success(), pid) {
        (true, Some(pid)) => keeper::note(&file(exec_root), pid).map_err(failed(program)),
        _ => Err(said(program, &output.stderr)),
    }
}

/// It stays in the foreground, and says through a descriptor that it is ready.
fn slirp(program: &Path, exec_root: &Path, keeper: i32) -> Result<()> {
    let (mut ready, say) = io::pipe().map_err(failed(program))?;
    fcntl_setfd(&say, FdFlags::empty()).map_err(|error| failed(program)(error.into()))?;
    let log = exec_root.join("slirp4netns.log");
    let errors = File::create(&log).map_err(failed(program))?;
    let started = Command::new(program)
        .args(["--configure", "--mtu=65520", "--disable-host-loopback"])
        .arg(format!("--ready-fd={}", say.as_fd().as_raw_fd()))
        .args([&keeper.to_string(), "tap0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors)
        .spawn()
        .map_err(failed(program))?;
    drop(say);
    // Before it is ready: an engine that is killed now leaves none that nobody knows of.
    keeper::note(&file(exec_root), i32::try_from(started.id()).unwrap_or_default())
        .map_err(failed(program))?;
    match ready.read(&mut [0]) {
        Ok(1) => Ok(()),
        _ => Err(said(program, &std::fs::read(log).unwrap_or_default())),
    }
}

fn failed(program: &Path) -> impl Fn(io::Error) -> Error {
    let program = program.display().to_string();
    move |error| Error::system(format!("cannot run {program}")).because(error)
}

fn said(program: &Path, words: &[u8]) -> Error {
    let words = String::from_utf8_lossy(words);
    let last = words.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("it did not say why");
    Error::system(format!("{}: {last}", program.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_of_pasta_are_dates() {
        assert_eq!(date("pasta 0.0~git20230309.7c7625d-1\nCopyright 2021"), Some(20_230_309));
        assert_eq!(date("pasta 2024_06_24.1ee2eca\n"), Some(20_240_624));
        assert_eq!(date("pasta unknown version"), None);
    }
}
