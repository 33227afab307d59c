//! Execs outlive the engine as their containers do: what an engine must know of one lies beside the process that the
//! monitor reads, as `exec/<id>.engine.json`, and the next engine takes it from there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use runtime::monitor::protocol::{Command, ErrorKind, ExitRecord};

use super::actor::Actor;
use super::exec::{Exec, Stage};
use crate::error::{Error, Result};

/// The engine's file, after the exec's id.
pub const SUFFIX: &str = ".engine.json";

impl Actor {
    /// Writes to a tmpfs, in microseconds.
    pub fn keep_exec(&self, exec: &Exec) -> Result<()> {
        let failed = |cause: io::Error| {
            Error::system(format!("cannot keep exec {} for the next engine", exec.id))
                .because(cause)
        };
        let directory = self.exec_files();
        let new = directory.join(format!("{}.engine.new", exec.id));
        let text = serde_json::to_vec(exec).map_err(|cause| failed(cause.into()))?;
        fs::write(&new, text)
            .and_then(|()| fs::rename(&new, directory.join(format!("{}{SUFFIX}", exec.id))))
            .map_err(failed)
    }

    /// Takes over what the engine before this one knew. Those that ended meanwhile are told of.
    pub async fn adopt_execs(&mut self) {
        let directory = self.exec_files();
        for mut exec in kept(&directory).collect::<Vec<_>>() {
            // The engine before may have been killed before it knew that the monitor had started it.
            if exec.stage == Stage::Created && self.monitor_runs(&directory, &exec.id).await {
                exec.stage = Stage::Running { pid: 0 };
            }
            let id = exec.id.clone();
            self.shared.index.add_exec(&id, &self.record.id);
            self.execs.insert(id.clone(), exec);
            if let Some(exit) = exit_of(&directory, &id) {
                self.exec_exited(&id, &exit);
            }
        }
    }

    /// Whether it was told to start this one. What the monitor reads is written before it is told.
    async fn monitor_runs(&self, directory: &Path, id: &str) -> bool {
        if !directory.join(format!("{id}.json")).exists() {
            return false;
        }
        let Ok(link) = self.link() else { return false };
        let looks = Command::Signal { exec_id: Some(id.to_owned()), signal: 0, group: false };
        match link.call(looks, &[]).await {
            Err(failure) => failure.kind != ErrorKind::NotFound,
            Ok(_) => true,
        }
    }

    pub fn exec_files(&self) -> PathBuf {
        self.shared.exec_directory(&self.record.id).join("exec")
    }
}

fn kept(directory: &Path) -> impl Iterator<Item = Exec> {
    let files = fs::read_dir(directory).into_iter().flatten().flatten();
    let files = files.filter(|file| file.file_name().to_string_lossy().ends_with(SUFFIX));
    files.filter_map(|file| serde_json::from_slice(&fs::read(file.path()).ok()?).ok())
}

/// The monitor's record of its end, once it has ended.
pub fn exit_of(directory: &Path, id: &str) -> Option<ExitRecord> {
    let text = fs::read(directory.join(format!("{id}.exit.json"))).ok()?;
    serde_json::from_slice(&text).ok()
}
