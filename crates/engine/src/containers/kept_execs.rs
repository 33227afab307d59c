//! Execs outlive the engine as their containers do: what an engine must know of one lies beside the process that the
//! monitor reads, as `exec/<id>.engine.json`, and the next engine takes it from there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use runtime::monitor::protocol::ExitRecord;

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
    pub fn adopt_execs(&mut self) {
        let directory = self.exec_files();
        let ended: Vec<_> = kept(&directory)
            .filter_map(|exec| {
                let id = exec.id.clone();
                let exit = exit_of(&directory, &id);
                self.adopt_exec(&directory, exec);
                Some((id, exit?))
            })
            .collect();
        for (id, exit) in ended {
            self.exec_exited(&id, &exit);
        }
    }

    fn adopt_exec(&mut self, directory: &Path, mut exec: Exec) {
        // The engine before may have been killed before it knew that the monitor had started it.
        if exec.stage == Stage::Created && directory.join(format!("{}.json", exec.id)).exists() {
            exec.stage = Stage::Running { pid: 0 };
        }
        self.shared.index.add_exec(&exec.id, &self.record.id);
        self.execs.insert(exec.id.clone(), exec);
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
