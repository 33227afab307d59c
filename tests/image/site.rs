//! An engine, and a folder to build from.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::engine::{Engine, Output, finish};

pub(super) struct Site {
    pub(super) engine: Engine,
    place: tempfile::TempDir,
}

impl Site {
    pub(super) fn new() -> Self {
        Self { engine: Engine::with_busybox(), place: tempfile::tempdir().unwrap() }
    }

    /// Where commands run; the context is `context` in it.
    pub(super) fn path(&self) -> &Path {
        self.place.path()
    }

    pub(super) fn context(&self) -> PathBuf {
        self.path().join("context")
    }

    pub(super) fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.context().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// `gantry build` with these words, what it remembers of files being kept here.
    pub(super) fn command(&self, words: &[&str]) -> Command {
        let words = [&["build", "--network", "none"], words].concat();
        let mut command = self.engine.command(&words);
        command.current_dir(self.path()).env("XDG_CACHE_HOME", self.path().join("cache"));
        command.env("SECRET_OF_TESTS", "from a variable").stdin(Stdio::null());
        command
    }

    pub(super) fn build(&self, words: &[&str]) -> Output {
        finish(&mut self.command(words))
    }

    /// Of this Dockerfile, in the context.
    pub(super) fn build_of(&self, dockerfile: &str, words: &[&str]) -> Output {
        self.write("Dockerfile", dockerfile);
        self.build(&[words, &["context"]].concat())
    }
}
