//! Debian's docker-registry for a test: on the loopback, with a folder of the test's own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::engine::PATIENCE;
use crate::servers;

/// Of ann, whose password is `secret`.
const PASSWORDS: &str = "ann:$2b$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

pub struct Registry {
    dir: TempDir,
    port: u16,
    server: Child,
}

impl Registry {
    /// `None`, and a line that says so, where it cannot be had.
    pub fn start(test: &str) -> Option<Self> {
        Self::start_with(test, "")
    }

    /// With more of its configuration; `DIR` in it is the test's folder, with a file `htpasswd` in it.
    pub fn start_with(test: &str, more: &str) -> Option<Self> {
        let packages = match servers::fetch_registry() {
            Ok(packages) => packages,
            Err(why) => {
                crate::skip(test, &why);
                return None;
            }
        };
        let program = packages.program("usr/bin/docker-registry").expect("the package's program");
        let dir = TempDir::with_prefix("gantry-registry-").expect("a temporary folder");
        // Somebody else may take a port that was free: then another one.
        for _ in 0..10 {
            let port = free_port();
            let config = configuration(dir.path(), port, more);
            let mut server = serve(&program, dir.path(), &config);
            if answers(&mut server, port) {
                return Some(Self { dir, port, server });
            }
        }
        panic!("docker-registry does not start:\n{}", log(dir.path()));
    }

    /// As images' names have it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// What it was asked, a line each.
    pub fn log(&self) -> String {
        log(self.dir.path())
    }

    /// Blobs and manifests as it keeps them.
    pub fn folder(&self) -> PathBuf {
        self.dir.path().join("data")
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

fn configuration(dir: &Path, port: u16, more: &str) -> PathBuf {
    let data = dir.join("data");
    let more = more.replace("DIR", &dir.display().to_string());
    let text = format!(
        "version: 0.1\nlog:\n  level: info\nstorage:\n  filesystem:\n    rootdirectory: {}\n  delete:\n    enabled: true\nhttp:\n  addr: 127.0.0.1:{port}\n{more}",
        data.display()
    );
    fs::write(dir.join("htpasswd"), PASSWORDS).expect("the passwords");
    let path = dir.join("config.yml");
    fs::write(&path, text).expect("the configuration");
    path
}

fn serve(program: &Path, dir: &Path, config: &Path) -> Child {
    let log = fs::File::create(dir.join("log")).expect("the log");
    Command::new(program)
        .arg("serve")
        .arg(config)
        .env("OTEL_TRACES_EXPORTER", "none")
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .spawn()
        .expect("docker-registry")
}

/// `false` if it has ended.
fn answers(server: &mut Child, port: u16) -> bool {
    let since = Instant::now();
    while since.elapsed() < PATIENCE {
        if server.try_wait().expect("own child").is_some() {
            return false;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

fn log(dir: &Path) -> String {
    fs::read_to_string(dir.join("log")).unwrap_or_default()
}
