//! A bundle in a temporary directory, and commands on its container.

use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use oci::runtime::{Capabilities, Linux, Mount, Namespace, NamespaceKind, Process, Root, Spec};

const RUNTIME: &str = env!("CARGO_BIN_EXE_gantry-runtime");
const BUSYBOX: &str = "/usr/bin/busybox";
const APPLETS: [&str; 22] = [
    "cat", "chmod", "echo", "env", "grep", "head", "hostname", "id", "ip", "kill", "ls", "mkdir",
    "mount", "ps", "pwd", "readlink", "sh", "sleep", "stat", "touch", "true", "umask",
];

pub(crate) struct Bundle {
    directory: tempfile::TempDir,
    pub(crate) id: String,
    pub(crate) spec: Spec,
}

/// What a command printed, and how it ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Bundle {
    /// A container that will run `script`. `None`, with a line that says so, where this host cannot run one.
    pub(crate) fn new(test: &str, script: &str) -> Option<Bundle> {
        if !rustix::process::geteuid().is_root() || !Path::new(BUSYBOX).exists() {
            testkit::skip(test, "needs root and the package busybox-static");
            return None;
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = format!("oci-{}-{number}", std::process::id());
        let directory = tempfile::tempdir().expect("temporary directory");
        let bundle = Bundle { spec: spec(&id, script), id, directory };
        make_root(&bundle.root());
        Some(bundle)
    }

    pub(crate) fn path(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.path().join("rootfs")
    }

    pub(crate) fn process(&mut self) -> &mut Process {
        self.spec.process.as_mut().expect("made with a process")
    }

    pub(crate) fn linux(&mut self) -> &mut Linux {
        self.spec.linux.as_mut().expect("made with a linux object")
    }

    pub(crate) fn mount(&mut self, kind: &str, source: &Path, destination: &str, options: &[&str]) {
        self.spec.mounts.push(Mount {
            destination: destination.into(),
            kind: kind.into(),
            source: source.to_str().expect("UTF-8").into(),
            options: options.iter().map(|option| (*option).to_owned()).collect(),
            ..Mount::default()
        });
    }

    /// Runs the container in the foreground.
    pub(crate) fn run(&self) -> Ran {
        self.write();
        self.command(&["run", "--bundle", self.path().to_str().expect("UTF-8"), &self.id])
    }

    /// Creates and starts the container, which goes on by itself.
    pub(crate) fn start(&self) {
        self.create();
        let started = self.command(&["start", &self.id]);
        assert_eq!(started.status, 0, "{started:?}");
    }

    pub(crate) fn create(&self) {
        self.write();
        let bundle = self.path().to_str().expect("UTF-8");
        let created = self.detached(&["create", "--bundle", bundle, &self.id]);
        assert_eq!(created, Some(0));
    }

    pub(crate) fn exec(&self, words: &[&str]) -> Ran {
        let mut all = vec!["exec", &self.id];
        all.extend(words);
        self.command(&all)
    }

    pub(crate) fn command(&self, words: &[&str]) -> Ran {
        let output = self.base().args(words).stdin(Stdio::null()).output().expect("gantry-runtime");
        Ran::new(output)
    }

    /// For commands that leave a process behind, which must not hold the test's pipes.
    fn detached(&self, words: &[&str]) -> Option<i32> {
        let log = fs::File::create(self.path().join("output")).expect("output file");
        let copy = log.try_clone().expect("dup");
        let mut command = self.base();
        command.args(words).stdin(Stdio::null()).stdout(log).stderr(copy);
        command.status().expect("gantry-runtime").code()
    }

    /// The runtime with this bundle's own state directory.
    pub(crate) fn base(&self) -> Command {
        let mut command = Command::new(RUNTIME);
        command.arg("--root").arg(self.path().join("state"));
        command
    }

    pub(crate) fn status(&self) -> String {
        let ran = self.command(&["state", &self.id]);
        let state: serde_json::Value = serde_json::from_str(&ran.out).expect("a state document");
        state["status"].as_str().expect("a status").to_owned()
    }

    pub(crate) fn await_status(&self, wanted: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.status() != wanted {
            assert!(Instant::now() < deadline, "{} instead of {wanted}", self.status());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub(crate) fn write(&self) {
        let json = serde_json::to_vec(&self.spec).expect("JSON");
        let mut file = fs::File::create(self.path().join("config.json")).expect("config.json");
        file.write_all(&json).expect("config.json");
    }
}

impl Drop for Bundle {
    fn drop(&mut self) {
        self.command(&["delete", "--force", &self.id]);
    }
}

impl Ran {
    fn new(output: Output) -> Ran {
        Ran {
            status: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

fn make_root(root: &Path) {
    for directory in ["bin", "etc", "proc", "sys", "dev", "tmp", "root"] {
        fs::create_dir_all(root.join(directory)).expect("root");
    }
    fs::copy(BUSYBOX, root.join("bin/busybox")).expect("busybox");
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet)).expect("applet");
    }
    let passwd = "root:x:0:0:root:/root:/bin/sh\n1000:x:7:7::/seven:/bin/sh\n";
    fs::write(root.join("etc/passwd"), passwd).expect("passwd");
}

fn spec(id: &str, script: &str) -> Spec {
    let capabilities: Vec<String> =
        ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_KILL", "CAP_SETUID", "CAP_SETGID"]
            .map(str::to_owned)
            .into();
    let mounts = [
        ("/proc", "proc", ""),
        ("/dev", "tmpfs", "nosuid,mode=755,size=65536k"),
        ("/dev/pts", "devpts", "nosuid,noexec,newinstance,ptmxmode=0666,mode=0620,gid=5"),
        ("/sys", "sysfs", "nosuid,noexec,nodev,ro"),
    ];
    let kinds = [
        NamespaceKind::Pid,
        NamespaceKind::Network,
        NamespaceKind::Ipc,
        NamespaceKind::Uts,
        NamespaceKind::Mount,
    ];
    Spec {
        version: oci::runtime::VERSION.into(),
        process: Some(Process {
            args: ["sh", "-c", script].map(str::to_owned).into(),
            env: vec!["PATH=/bin".into()],
            cwd: "/".into(),
            capabilities: Some(Capabilities {
                bounding: capabilities.clone(),
                effective: capabilities.clone(),
                permitted: capabilities,
                ..Capabilities::default()
            }),
            ..Process::default()
        }),
        root: Some(Root { path: "rootfs".into(), readonly: false }),
        hostname: "box".into(),
        mounts: mounts
            .map(|(destination, kind, options)| Mount {
                destination: destination.into(),
                kind: kind.into(),
                source: kind.into(),
                options: options.split(',').filter(|o| !o.is_empty()).map(str::to_owned).collect(),
                ..Mount::default()
            })
            .into(),
        linux: Some(Linux {
            namespaces: kinds.map(|kind| Namespace { kind, path: None }).into(),
            cgroups_path: format!("/gantry-test-{id}"),
            ..Linux::default()
        }),
        ..Spec::default()
    }
}
