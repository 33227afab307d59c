//! A monitor in a directory of its own, and an engine's side of the talk.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use runtime::monitor::adopt;
use runtime::monitor::config::{
    CgroupDriver, Config, ExternalRuntime, LogConfig, LogDriver, Overlay, Rootfs,
};
use runtime::monitor::log::json_file;
use runtime::monitor::protocol::{
    Command, Connection, Done, ErrorKind, ExitRecord, Failure, Message, Outcome, Request, State,
    Streams,
};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Static, from Debian's package.
const BUSYBOX: &str = "/usr/bin/busybox";
/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) struct Harness {
    directory: TempDir,
    pub(crate) config: Config,
}

pub(crate) struct Monitor {
    directory: TempDir,
    config: Config,
    process: Child,
    pub(crate) connection: Connection,
    events: Vec<Message>,
    seq: u64,
    /// The descriptors of the last message.
    pub(crate) lent: Vec<OwnedFd>,
}

impl Harness {
    /// A container whose init is this shell script.
    pub(crate) fn new(script: &str) -> Harness {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir(at("exec")).unwrap();
        std::fs::create_dir(at("rootfs")).unwrap();
        std::fs::create_dir(at("root")).unwrap();
        std::fs::write(at("init.sh"), script).unwrap();
        std::fs::write(at("config.json"), r#"{"ociVersion":"1.2.0"}"#).unwrap();
        std::fs::write(at("runtime.sh"), include_str!("fake-runtime.sh")).unwrap();
        std::fs::set_permissions(at("runtime.sh"), PermissionsExt::from_mode(0o755)).unwrap();
        let log = LogConfig {
            driver: LogDriver::JsonFile,
            path: at("c-json.log"),
            max_size: None,
            max_file: 1,
            attrs: BTreeMap::new(),
        };
        let config = Config {
            id: "c".into(),
            rootfs: Rootfs::Path(at("root")),
            open_stdin: false,
            stdin_once: false,
            cgroup_driver: CgroupDriver::Cgroupfs,
            log,
            runtime: Some(ExternalRuntime { path: at("runtime.sh"), args: vec![] }),
        };
        Harness { directory, config }
    }

    /// A real container on an overlay with busybox in it, that runs this shell script; None where
    /// that cannot be.
    pub(crate) fn container(script: &str, terminal: bool) -> Option<Harness> {
        if !rustix::process::geteuid().is_root() || !Path::new(BUSYBOX).exists() {
            testkit::skip("monitor with a real container", "needs root and a static busybox");
            return None;
        }
        let mut harness = Harness::new("");
        let at = |name: &str| harness.directory.path().join(name);
        for directory in ["root/bin", "root/proc", "root/dev", "upper", "work"] {
            std::fs::create_dir_all(at(directory)).unwrap();
        }
        std::fs::copy(BUSYBOX, at("root/bin/busybox")).unwrap();
        for applet in ["sh", "cat", "sleep", "stty", "yes", "tail", "wc", "echo"] {
            std::os::unix::fs::symlink("busybox", at("root/bin").join(applet)).unwrap();
        }
        std::fs::write(at("config.json"), spec(script, terminal).to_string()).unwrap();
        harness.config.id = format!("monitor-test-{}", std::process::id());
        harness.config.rootfs = Rootfs::Overlay(Overlay {
            lower: vec![at("root")],
            upper: at("upper"),
            work: at("work"),
            volatile: true,
        });
        harness.config.runtime = None;
        Some(harness)
    }

    /// Changes the container's description.
    pub(crate) fn edit_spec(&self, edit: impl FnOnce(&mut Value)) {
        let path = self.directory.path().join("config.json");
        let mut spec = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        edit(&mut spec);
        std::fs::write(path, spec.to_string()).unwrap();
    }

    /// Gives it an open stdin.
    pub(crate) fn stdin(mut self, once: bool) -> Harness {
        (self.config.open_stdin, self.config.stdin_once) = (true, once);
        self
    }

    pub(crate) fn spawn(self) -> Monitor {
        let monitor = self.spawn_early();
        monitor.connection.begin().unwrap();
        monitor
    }

    /// One that was not yet told that its files are there.
    pub(crate) fn spawn_early(self) -> Monitor {
        let path = self.directory.path();
        std::fs::write(path.join("monitor.json"), serde_json::to_vec(&self.config).unwrap())
            .unwrap();
        let (connection, theirs) = Connection::pair().unwrap();
        be_patient(&connection);
        let process = std::process::Command::new(env!("CARGO_BIN_EXE_gantry-runtime"))
            .arg("monitor")
            .arg(path)
            .stdin(Stdio::from(theirs))
            .spawn()
            .unwrap();
        let (directory, config) = (self.directory, self.config);
        let (events, lent) = (Vec::new(), Vec::new());
        Monitor { directory, config, process, connection, events, lent, seq: 0 }
    }
}

/// A process description.
pub(crate) fn process(script: &str, terminal: bool) -> Value {
    json!({
        "terminal": terminal,
        "user": {"uid": 0, "gid": 0},
        "args": ["/bin/sh", "-c", script],
        "env": ["PATH=/bin", "TERM=xterm"],
        "cwd": "/",
    })
}

fn spec(script: &str, terminal: bool) -> Value {
    let unique = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos();
    json!({
        "ociVersion": "1.2.0",
        "process": process(script, terminal),
        "root": {"path": "rootfs"},
        "hostname": "c",
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "mode=755"]},
            {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
             "options": ["newinstance", "ptmxmode=0666", "mode=0620"]},
        ],
        "linux": {
            "cgroupsPath": format!("/gantry-monitor-test-{}-{unique}", std::process::id()),
            "namespaces": [
                {"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}, {"type": "network"},
            ],
        },
    })
}

fn be_patient(connection: &Connection) {
    set_socket_timeout(connection, Timeout::Recv, Some(PATIENCE)).unwrap();
}

impl Monitor {
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// What lies in its directory.
    pub(crate) fn files(&self) -> BTreeSet<OsString> {
        let entries = std::fs::read_dir(self.directory()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect()
    }

    /// Until it waits for its engine.
    pub(crate) fn wait_until_idle(&self) {
        let stack = format!("/proc/{}/syscall", self.process.id());
        let until = Instant::now() + PATIENCE;
        let receives = format!("{} ", libc::SYS_recvmsg);
        while !std::fs::read_to_string(&stack).unwrap().starts_with(&receives) {
            assert!(Instant::now() < until, "the monitor does not wait");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn log_path(&self) -> PathBuf {
        self.config.log.path.clone()
    }

    fn receive(&mut self) -> Message {
        let errors = || std::fs::read_to_string(self.directory().join("monitor.log"));
        match self.connection.recv() {
            Ok(Some((message, fds))) => {
                self.lent = fds;
                message
            }
            other => panic!("no message but {other:?}; monitor.log: {:?}", errors()),
        }
    }

    pub(crate) fn hello(&mut self) -> State {
        match self.receive() {
            Message::Hello(hello) => hello.state,
            other => panic!("the monitor began with {other:?}"),
        }
    }

    pub(crate) fn request(&mut self, command: Command, fds: &[OwnedFd]) -> Result<Done, Failure> {
        self.seq += 1;
        let fds: Vec<_> = fds.iter().map(AsFd::as_fd).collect();
        let sent = self.connection.send(&Request { seq: self.seq, command }, &fds);
        let gone = |message: String| Failure { kind: ErrorKind::Gone, message };
        sent.map_err(|error| gone(error.to_string()))?;
        loop {
            let message = self.connection.recv().map_err(|error| gone(error.to_string()))?;
            let (message, fds) = message.ok_or_else(|| gone("the monitor has ended".into()))?;
            self.lent = fds;
            match message {
                Message::Reply { seq, outcome } => {
                    assert_eq!(seq, self.seq);
                    return match outcome {
                        Outcome::Ok(done) => Ok(done),
                        Outcome::Error(failure) => Err(failure),
                    };
                }
                event => self.events.push(event),
            }
        }
    }

    pub(crate) fn start(&mut self) -> Result<i32, Failure> {
        Ok(self.request(Command::Start { console_size: None }, &[])?.pid.unwrap())
    }

    pub(crate) fn attach(&mut self, streams: Streams) -> UnixStream {
        let (ours, theirs) = UnixStream::pair().unwrap();
        self.request(Command::Attach(streams), &[theirs.into()]).unwrap();
        ours.set_read_timeout(Some(PATIENCE)).unwrap();
        ours
    }

    pub(crate) fn next_event(&mut self) -> Message {
        if self.events.is_empty() { self.receive() } else { self.events.remove(0) }
    }

    pub(crate) fn wait_for_exit(&mut self) -> ExitRecord {
        loop {
            if let Message::Exited { record } = self.next_event() {
                return record;
            }
        }
    }

    pub(crate) fn kill(&mut self) {
        self.request(Command::Signal { exec_id: None, signal: 9, group: false }, &[]).unwrap();
        self.wait_for_exit();
    }

    /// What the death of the engine looks like from the monitor.
    pub(crate) fn lose_engine(&mut self) {
        let (nobody, _) = Connection::pair().unwrap();
        self.connection = nobody;
    }

    /// Asks for the start and dies, before the monitor has read what was asked.
    pub(crate) fn die_starting(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
        let command = Command::Start { console_size: None };
        self.connection.send(&Request { seq: 1, command }, &[]).unwrap();
        self.lose_engine();
        rustix::process::kill_process(pid, rustix::process::Signal::CONT).unwrap();
    }

    pub(crate) fn adopt(&mut self) {
        let (identity, connection) = adopt::verify(self.directory()).unwrap();
        assert_eq!(identity.pid, self.process.id() as i32);
        be_patient(&connection);
        self.connection = connection;
    }

    pub(crate) fn wait_for_end(&mut self) {
        let until = Instant::now() + PATIENCE;
        while self.process.try_wait().unwrap().is_none() {
            assert!(Instant::now() < until, "the monitor does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub(crate) fn exit_record(&self) -> ExitRecord {
        serde_json::from_slice(&std::fs::read(self.directory().join("exit.json")).unwrap()).unwrap()
    }

    pub(crate) fn log_entries(&self) -> Vec<(String, String)> {
        let file = std::fs::read(self.log_path()).unwrap();
        let lines = file.split_inclusive(|&byte| byte == b'\n');
        lines
            .map(|line| json_file::decode(line).unwrap())
            .map(|entry| (entry.stream.into_owned(), entry.log.into_owned()))
            .collect()
    }

    pub(crate) fn wait_until_log_stops_growing(&self) {
        let size = || std::fs::metadata(self.log_path()).unwrap().len();
        let until = Instant::now() + PATIENCE;
        let mut last = size();
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let now = size();
            if now == last && now > 0 {
                return;
            }
            assert!(Instant::now() < until, "the log grows without end");
            last = now;
        }
    }
}

impl Drop for Monitor {
    /// A test that failed leaves no process behind.
    fn drop(&mut self) {
        let identity = adopt::Identity::read(self.directory.path());
        if let Some(init) = identity.ok().and_then(|identity| identity.init) {
            let pid = rustix::process::Pid::from_raw(init.pid).unwrap();
            if adopt::Init::of(init.pid).is_ok_and(|now| now == init) {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Output, and input where asked for.
pub(crate) fn streams(stdin: bool) -> Streams {
    Streams { stdin, stdout: true, stderr: true, ..Streams::default() }
}

pub(crate) fn error_kind(outcome: &Result<Done, Failure>) -> Option<ErrorKind> {
    outcome.as_ref().err().map(|failure| failure.kind)
}

pub(crate) fn owned((stream, text): (&str, &str)) -> (String, String) {
    (stream.into(), text.into())
}
