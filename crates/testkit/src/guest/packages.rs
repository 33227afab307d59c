//! Debian's qemu and kernel, unpacked into a cache.

use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// qemu's dependencies come along where the host lacks them.
const NAMES: &[&str] = &["linux-image-cloud-amd64", "qemu-system-x86", "busybox-static", "kmod"];

pub(super) struct Packages {
    root: PathBuf,
}

impl Packages {
    /// The cache is `GANTRY_GUEST`, else one in /var/cache. It is filled beside its place and moved
    /// there, so that a run which is cut short leaves nothing that looks whole.
    pub(super) fn fetch() -> Result<Self, String> {
        let cache = std::env::var_os("GANTRY_GUEST")
            .map_or("/var/cache/gantry/guest".into(), PathBuf::from);
        let packages = Self { root: cache.join("root") };
        if packages.root.is_dir() {
            return Ok(packages);
        }
        fs::create_dir_all(&cache).map_err(|e| format!("{}: {e}", cache.display()))?;
        let work = tempfile::tempdir_in(&cache).map_err(|e| format!("{}: {e}", cache.display()))?;
        download(work.path())?;
        let root = work.path().join("root");
        unpack(&work.path().join("archives"), &root)?;
        list_dependencies(&root)?;
        match fs::rename(&root, &packages.root) {
            // Another run was faster.
            Err(_) if packages.root.is_dir() => Ok(packages),
            Err(e) => Err(format!("{}: {e}", packages.root.display())),
            Ok(()) => Ok(packages),
        }
    }

    pub(super) fn kernel(&self) -> io::Result<PathBuf> {
        entry(&self.root.join("boot"), "vmlinuz-")
    }

    pub(super) fn modules(&self) -> io::Result<PathBuf> {
        entry(&self.root.join("lib/modules"), "")
    }

    pub(super) fn busybox(&self) -> io::Result<PathBuf> {
        self.program("bin/busybox")
    }

    pub(super) fn qemu(&self) -> io::Result<Command> {
        let program = self.program("usr/bin/qemu-system-x86_64")?;
        let mut command = Command::new(&program);
        if program.starts_with(&self.root) {
            let lib = |dir: &str| self.root.join(dir).display().to_string();
            let libraries =
                [lib("usr/lib/x86_64-linux-gnu"), lib("lib/x86_64-linux-gnu")].join(":");
            command.env("LD_LIBRARY_PATH", libraries);
            for firmware in ["usr/share/qemu", "usr/share/seabios"] {
                command.arg("-L").arg(self.root.join(firmware));
            }
        }
        Ok(command)
    }

    /// In the cache, or on the host where the package was installed already.
    fn program(&self, path: &str) -> io::Result<PathBuf> {
        [self.root.join(path), Path::new("/").join(path)]
            .into_iter()
            .find(|program| program.is_file())
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no /{path}")))
    }
}

fn download(work: &Path) -> Result<(), String> {
    let archives = work.join("archives");
    fs::create_dir_all(archives.join("partial"))
        .map_err(|e| format!("{}: {e}", archives.display()))?;
    let mut apt = Command::new("apt-get");
    apt.args(["install", "-qq", "-y", "--download-only", "--reinstall", "--no-install-recommends"]);
    apt.arg("-o").arg(format!("Dir::Cache::archives={}", archives.display()));
    // The directory is this user's alone.
    apt.args(["-o", "APT::Sandbox::User=root"]).args(NAMES);
    run(&mut apt)
}

fn unpack(archives: &Path, root: &Path) -> Result<(), String> {
    let entries = fs::read_dir(archives).map_err(|e| format!("{}: {e}", archives.display()))?;
    for package in entries.flatten().map(|entry| entry.path()) {
        if package.extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg-deb").arg("-x").arg(&package).arg(root))?;
        }
    }
    Ok(())
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

fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{name}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name}: {} {}", output.status, stderr.lines().next_back().unwrap_or_default()))
}
