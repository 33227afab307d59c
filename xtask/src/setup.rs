//! Debian packages that the commands here need, installed when they are missing.

use std::process::Command;

use crate::{Result, shell};

/// For building: a C compiler for the bundled SQLite and zstd.
pub(crate) const BUILD: &[&str] = &["gcc", "libc6-dev"];
/// For making base images and running containers made of them.
pub(crate) const IMAGES: &[&str] = &["mmdebstrap", "busybox-static"];
/// For the tests: tools they look through, the second kernel, a second client, shells to complete in, a reader of manuals.
pub(crate) const TESTS: &[&str] = &[
    "nftables",
    "iproute2",
    "uidmap",
    "passt",
    "slirp4netns",
    "qemu-system-x86",
    "kmod",
    "cpio",
    "xfsprogs",
    "python3",
    "python3-venv",
    "zsh",
    "fish",
    "groff-base",
];
/// For the Python SDK's tests.
pub(crate) const SDK: &[&str] = &["python3", "python3-venv"];

/// Makes sure that every package named is installed. Only root can install; anybody else is told
/// the command.
pub(crate) fn packages(groups: &[&[&str]]) -> Result {
    let missing: Vec<&str> =
        groups.iter().flat_map(|group| group.iter().copied()).filter(|p| !installed(p)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        return Err(format!("run as root, or first: apt-get install {}", missing.join(" ")));
    }
    println!("installing {}", missing.join(" "));
    shell::run(apt().args(["update", "-qq"]))?;
    shell::run(apt().args(["install", "-qq", "-y", "--no-install-recommends"]).args(&missing))
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

fn installed(package: &str) -> bool {
    shell::output(Command::new("dpkg-query").args(["-W", "-f=${db:Status-Status}", package]))
        .is_ok_and(|status| status == "installed")
}
