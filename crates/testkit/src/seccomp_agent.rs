//! An agent that answers for the system calls of containers (`listenerPath` of a seccomp filter).

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

/// Running, until it is dropped.
pub struct SeccompAgent {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl SeccompAgent {
    /// It listens at `socket` and lets every call fail with `errno`. `None`, and a line that says so, without Python.
    pub fn start(test: &str, socket: &Path, errno: i32) -> Option<Self> {
        let mut command = Command::new("python3");
        command.args(["-c", include_str!("seccomp_agent.py")]).arg(socket).arg(errno.to_string());
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let Ok(mut child) = command.spawn() else {
            crate::skip(test, "needs python3");
            return None;
        };
        let lines = BufReader::new(child.stdout.take().expect("piped above"));
        let mut agent = Self { child, lines };
        assert_eq!(agent.line(), "ready");
        Some(agent)
    }

    /// The next state that it was sent.
    pub fn state(&mut self) -> Value {
        serde_json::from_str(&self.line()).expect("a state is a JSON document")
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).expect("the agent prints text");
        line.trim_end().to_owned()
    }

    /// A profile in the OCI form, which Docker's is a superset of: `mkdir` is asked about, all else allowed.
    pub fn asks_about_mkdir(socket: &Path) -> Value {
        json!({
            "defaultAction": "SCMP_ACT_ALLOW",
            "listenerPath": socket,
            "listenerMetadata": "who=test",
            "syscalls": [{ "names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_NOTIFY" }],
        })
    }
}

impl Drop for SeccompAgent {
    fn drop(&mut self) {
        // It is our own child, and has nothing to put in order.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
