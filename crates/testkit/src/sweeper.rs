//! A test that panics, aborts or is killed leaves no processes of its engine: a shell beside it waits for its end, however
//! that comes, and ends by number what the engine's exec root names.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub(crate) struct Sweeper(Child);

impl Sweeper {
    pub(crate) fn start(exec_root: &Path, pidfile: &Path) -> Self {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(include_str!("sweeper.sh")).stdin(Stdio::piped());
        shell.env("exec_root", exec_root).env("pidfile", pidfile);
        // What is sent to the test's whole group must not reach it.
        Self(shell.process_group(0).spawn().expect("a shell"))
    }

    /// There is nothing to sweep.
    pub(crate) fn all_is_well(&mut self) {
        let said = self.0.stdin.take().expect("said once").write_all(b"\n");
        said.expect("it waits for that");
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        // The end of its input, unless it was told before.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
