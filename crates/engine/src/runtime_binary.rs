//! `gantry-runtime`, found once beside this program.
//!
//! It is run through a detached read-only mount that exists only as this descriptor, so that a container which
//! gets hold of its monitor's program cannot write to it (CVE-2019-5736), and an upgrade of the file on disk
//! never gives this engine a runtime of another version.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use sys::mount::{self, Attributes, Depth};

use crate::error::{Error, Result};

pub struct RuntimeBinary {
    mount: OwnedFd,
    path: PathBuf,
}

impl RuntimeBinary {
    pub fn find() -> Result<Self> {
        Self::open(&path()?)
    }

    pub fn open(path: &Path) -> Result<Self> {
        let mount = read_only(path).map_err(|error| {
            Error::system(format!("cannot open the runtime {}", path.display())).because(error)
        })?;
        Ok(Self { mount, path: path.to_owned() })
    }

    /// The file on disk, for what mounts it read-only into containers.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command that runs it; its descriptor is closed in the program it becomes.
    pub fn command(&self) -> Command {
        let mut command = Command::new(format!("/proc/self/fd/{}", self.mount.as_raw_fd()));
        command.arg0("gantry-runtime");
        command
    }
}

impl AsFd for RuntimeBinary {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.mount.as_fd()
    }
}

/// Where it lies.
pub fn path() -> Result<PathBuf> {
    let this = std::env::current_exe()
        .map_err(|error| Error::system("cannot find this program's path").because(error))?;
    Ok(this.with_file_name("gantry-runtime"))
}

fn read_only(path: &Path) -> io::Result<OwnedFd> {
    let mount = mount::clone_tree(path, Depth::Single)?;
    let change = Attributes { set: mount::RDONLY, ..Attributes::default() };
    mount::set_attributes(mount.as_fd(), change, Depth::Single)?;
    Ok(mount)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn cve_2019_5736_the_runtime_cannot_be_written_through_what_runs_it() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("program");
        std::fs::copy("/bin/true", &program).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let binary = RuntimeBinary::open(&program).unwrap();
        assert!(binary.command().status().unwrap().success());
        let path = format!("/proc/self/fd/{}", binary.as_fd().as_raw_fd());
        let error = std::fs::File::options().write(true).open(path).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ReadOnlyFilesystem);
    }

    #[test]
    fn a_missing_runtime_is_named() {
        let error = RuntimeBinary::open(Path::new("/nope/gantry-runtime")).err().unwrap();
        assert!(error.to_string().starts_with("cannot open the runtime /nope/gantry-runtime: "));
    }
}
