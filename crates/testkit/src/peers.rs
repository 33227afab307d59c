//! A real Docker, Podman, containerd and registry in a Debian root with namespaces of its own, where the machine
//! has the program that runs them: `GANTRY_PEERS` names it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::engine::{Output, binary, finish, image_archive};

/// The peers, running.
pub struct Peers {
    program: PathBuf,
    root: PathBuf,
    /// Files put into their root, to be taken out again.
    brought: Vec<PathBuf>,
}

impl Peers {
    /// Starts them if need be. `None`, and a line that says so, where they are not at hand.
    pub fn at_hand(test: &str) -> Option<Self> {
        let Some(program) = std::env::var_os("GANTRY_PEERS").map(PathBuf::from) else {
            crate::skip(
                test,
                "no real Docker at hand; GANTRY_PEERS names the program that runs one",
            );
            return None;
        };
        finish(Command::new(&program).arg("up")).ok();
        let host = finish(Command::new(&program).arg("host")).ok();
        let root = host.strip_prefix("unix://")?.strip_suffix("/sock/docker.sock")?;
        Some(Self { root: root.into(), program, brought: Vec::new() })
    }

    /// A command that runs what is added to it inside.
    pub fn inside(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("exec");
        command
    }

    /// Runs a shell line inside.
    pub fn sh(&self, line: &str) -> Output {
        finish(self.inside().args(["timeout", "120", "sh", "-c", line]))
    }

    /// A path of theirs, seen from here.
    pub fn outside(&self, path: &str) -> PathBuf {
        self.root.join(Path::new(path).strip_prefix("/").expect("an absolute path"))
    }

    /// Copies one of our binaries in, under a name of this process, and returns its path there.
    pub fn bring(&mut self, name: &str) -> String {
        let place = format!("/usr/local/bin/{name}-{}", std::process::id());
        self.copy(&binary(name), &place);
        place
    }

    /// Copies an image archive in and returns its path there.
    pub fn bring_image(&mut self, name: &str) -> String {
        let place = format!("/tmp/{name}-{}.tar", std::process::id());
        self.copy(&image_archive(name), &place);
        place
    }

    /// Loads a base image into their Docker.
    pub fn load(&self, image: &str) {
        let archive = File::open(image_archive(image)).expect("the archive was made");
        finish(self.inside().args(["docker", "load", "-q"]).stdin(archive)).ok();
    }

    /// Loads base images that their Docker does not have yet.
    pub fn load_all(&self, images: &[&str]) {
        for image in images {
            if finish(self.inside().args(["docker", "image", "inspect", image])).code != 0 {
                self.load(image);
            }
        }
    }

    /// Copies a file in, to be taken out again in the end.
    pub fn copy(&mut self, from: &Path, place: &str) {
        let to = self.outside(place);
        fs::copy(from, &to).unwrap_or_else(|e| panic!("{}: {e}", to.display()));
        self.brought.push(to);
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        for path in &self.brought {
            // Gone already is as good.
            let _ = fs::remove_file(path);
        }
    }
}
