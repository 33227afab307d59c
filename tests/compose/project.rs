//! A project in a folder of its own, on an engine of its own.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use testkit::engine::{Engine, Output, finish};

pub(super) struct Project {
    pub(super) engine: Engine,
    folder: PathBuf,
}

impl Project {
    pub(super) fn of(text: &str) -> Self {
        let engine = Engine::with_busybox();
        let folder = engine.scratch().join("app");
        fs::create_dir(&folder).unwrap();
        let project = Self { engine, folder };
        project.write("compose.yaml", text);
        project
    }

    pub(super) fn write(&self, file: &str, text: &str) {
        fs::write(self.folder.join(file), text).unwrap();
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut words = vec!["compose"];
        words.extend(args);
        let mut command = self.engine.command(&words);
        command.current_dir(&self.folder).stdin(std::process::Stdio::null());
        command
    }

    pub(super) fn compose(&self, args: &[&str]) -> Output {
        finish(&mut self.command(args))
    }

    pub(super) fn down(&self) {
        self.compose(&["down", "-v", "-t", "0"]).ok();
    }

    /// What a template makes of a container.
    pub(super) fn inspect(&self, container: &str, template: &str) -> String {
        self.engine.gantry(&["inspect", "-f", template, container]).ok()
    }

    /// What is said of each object, sorted: side by side means in no order.
    pub(super) fn said(output: &Output) -> Vec<String> {
        let lines = output.stderr.lines().map(|line| line.trim().to_owned());
        let mut lines: Vec<String> = lines.filter(|line| !line.is_empty()).collect();
        lines.sort();
        lines
    }
}
