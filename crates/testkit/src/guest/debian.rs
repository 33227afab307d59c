//! Debian's qemu and kernel.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::packages::{Packages, run};

const NAMES: &[&str] = &["linux-image-cloud-amd64", "qemu-system-x86", "busybox-static", "kmod"];

pub(super) fn fetch() -> Result<Packages, String> {
    Packages::fetch(&cache(), NAMES, list_dependencies)
}

/// Another package, for a guest that needs it.
pub(super) fn fetch_also(name: &str) -> Result<Packages, String> {
    Packages::fetch(&cache().join(name), &[name], |_| Ok(()))
}

/// `GANTRY_GUEST`, else one in /var/cache.
fn cache() -> PathBuf {
    std::env::var_os("GANTRY_GUEST").map_or("/var/cache/gantry/guest".into(), PathBuf::from)
}

impl Packages {
    pub(super) fn kernel(&self) -> io::Result<PathBuf> {
        entry(&self.root.join("boot"), "vmlinuz-")
    }

    pub(super) fn modules(&self) -> io::Result<PathBuf> {
        entry(&self.root.join("lib/modules"), "")
    }

    pub(super) fn busybox(&self) -> io::Result<PathBuf> {
        self.program("bin/busybox")
    }

    /// The host's where it is installed: its parts, which the cache has not got then, are the host's as well.
    pub(super) fn qemu(&self) -> io::Result<Command> {
        let installed = Path::new("/usr/bin/qemu-system-x86_64");
        if installed.is_file() {
            return Ok(Command::new(installed));
        }
        let mut command = self.command("usr/bin/qemu-system-x86_64")?;
        for firmware in ["usr/share/qemu", "usr/share/seabios"] {
            command.arg("-L").arg(self.root.join(firmware));
        }
        Ok(command)
    }
}

/// modules.dep, which installing the kernel would have made.
fn list_dependencies(root: &Path) -> Result<(), String> {
    let modules = entry(&root.join("lib/modules"), "").map_err(|e| e.to_string())?;
    let version = modules.file_name().unwrap_or_default();
    let own = root.join("bin/kmod");
    let kmod = if own.exists() { own } else { PathBuf::from("/bin/kmod") };
    // One program under several names.
    run(Command::new(kmod).arg0("depmod").arg("-b").arg(root).arg(version))
}

/// The only entry of `directory` whose name starts so.
fn entry(directory: &Path, prefix: &str) -> io::Result<PathBuf> {
    let matches = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(prefix))
    };
    let found = fs::read_dir(directory)?.flatten().map(|entry| entry.path()).find(matches);
    found.ok_or_else(|| {
        let what = format!("{}/{prefix}*: none", directory.display());
        io::Error::new(io::ErrorKind::NotFound, what)
    })
}
