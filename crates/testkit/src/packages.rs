//! Debian packages, unpacked into a cache outside the tree and never installed: no service of theirs starts.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

pub struct Packages {
    pub(crate) root: PathBuf,
}

impl Packages {
    /// Their dependencies come along where the host lacks them. The cache is filled beside its place, made whole by
    /// `finish` and moved there, so that a run which is cut short leaves nothing that looks whole.
    pub(crate) fn fetch(
        cache: &Path,
        names: &[&str],
        finish: fn(&Path) -> Result<(), String>,
    ) -> Result<Self, String> {
        let packages = Self { root: cache.join("root") };
        if packages.root.is_dir() {
            return Ok(packages);
        }
        fs::create_dir_all(cache).map_err(|e| format!("{}: {e}", cache.display()))?;
        let work = tempfile::tempdir_in(cache).map_err(|e| format!("{}: {e}", cache.display()))?;
        download(work.path(), names)?;
        let root = work.path().join("root");
        unpack(&work.path().join("archives"), &root)?;
        finish(&root)?;
        match fs::rename(&root, &packages.root) {
            // Another run was faster.
            Err(_) if packages.root.is_dir() => Ok(packages),
            Err(e) => Err(format!("{}: {e}", packages.root.display())),
            Ok(()) => Ok(packages),
        }
    }

    /// Where they are unpacked.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// In the cache, or on the host where the package was installed already.
    pub fn program(&self, path: &str) -> io::Result<PathBuf> {
        [self.root.join(path), Path::new("/").join(path)]
            .into_iter()
            .find(|program| program.is_file())
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, format!("no /{path}")))
    }

    /// A program with the libraries that came with it.
    pub fn command(&self, path: &str) -> io::Result<Command> {
        let program = self.program(path)?;
        let mut command = Command::new(&program);
        if program.starts_with(&self.root) {
            command.env("LD_LIBRARY_PATH", self.libraries());
        }
        Ok(command)
    }

    fn libraries(&self) -> String {
        let machine = format!("{}-linux-gnu", std::env::consts::ARCH);
        let folders = ["usr/lib", "lib"].map(|lib| self.root.join(lib).join(&machine));
        let folders = folders.iter().flat_map(|lib| [lib.clone(), lib.join("systemd")]);
        folders.map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(":")
    }
}

fn download(work: &Path, names: &[&str]) -> Result<(), String> {
    let archives = work.join("archives");
    fs::create_dir_all(archives.join("partial"))
        .map_err(|e| format!("{}: {e}", archives.display()))?;
    let mut apt = Command::new("apt-get");
    apt.args(["install", "-qq", "-y", "--download-only", "--reinstall", "--no-install-recommends"]);
    apt.arg("-o").arg(format!("Dir::Cache::archives={}", archives.display()));
    // The directory is this user's alone.
    apt.args(["-o", "APT::Sandbox::User=root"]).args(names);
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

pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|e| format!("{name}: {e}"))?;
    if output.status.success() {
        return Ok(());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    Err(format!("{name}: {} {}", output.status, stderr.lines().next_back().unwrap_or_default()))
}
