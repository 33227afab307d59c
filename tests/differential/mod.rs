//! The same command lines against a real Docker and against this engine: what people see must be the same, ids, times
//! and addresses apart. Three ways are compared: Docker's CLI on dockerd, Docker's CLI on gantryd, gantry on gantryd.
//!
//! Runs where `GANTRY_AGAINST=docker` and `GANTRY_PEERS` (the program that holds Docker) are set, as
//! `cargo xtask e2e --against docker` does.

mod normalise;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::engine::{Engine, Output, binary, finish, image_archive};

use normalise::normalise;

/// A script of shell lines that call `docker`; its containers carry names that begin with `d-`.
struct Script {
    name: &'static str,
    text: &'static str,
}

macro_rules! scripts {
    ($($name:ident)*) => {
        const SCRIPTS: &[Script] = &[$(Script {
            name: stringify!($name),
            text: include_str!(concat!(stringify!($name), ".sh")),
        }),*];
    };
}

scripts!(run lifecycle exec logs images system errors);

#[test]
fn command_lines_behave_as_with_docker() {
    let Some(peers) = Peers::at_hand() else {
        println!("skipped: no Docker to compare with (cargo xtask e2e --against docker)");
        return;
    };
    let engine = Engine::start_with(&["-H", &peers.outside_host()]);
    let ways = [
        Way::docker_on_docker(&peers),
        Way::docker_on_gantryd(&peers),
        Way::gantry_on_gantryd(&peers),
    ];
    for image in ["busybox", "debian", "hello-world"] {
        engine.load(image);
        peers.load(image);
    }
    let mut lines = 0;
    let mut differences = Vec::new();
    for script in SCRIPTS {
        let [docker, ours @ ..] = &ways;
        let expected = docker.play(script);
        lines += expected.len();
        for way in ours {
            differences.extend(compare(script, way, &expected, &way.play(script)));
        }
    }
    println!("{lines} command lines compared");
    assert!(
        differences.is_empty(),
        "{} of {lines} lines differ\n{}",
        differences.len(),
        differences.join("\n")
    );
    assert!(lines >= 60, "only {lines} lines were compared");
}

fn compare(script: &Script, way: &Way<'_>, expected: &[Played], seen: &[Played]) -> Vec<String> {
    let differs = |(expected, seen): (&Played, &Played)| {
        (expected.result != seen.result).then(|| {
            format!(
                "--- {} ({}): {}\n{}+++\n{}",
                script.name, way.name, expected.line, expected.result, seen.result
            )
        })
    };
    expected.iter().zip(seen).filter_map(differs).collect()
}

/// One line of a script and what came of it, normalised.
struct Played {
    line: &'static str,
    result: String,
}

/// A client and the engine it talks to.
struct Way<'a> {
    name: &'static str,
    peers: &'a Peers,
    client: String,
    host: String,
}

impl<'a> Way<'a> {
    fn docker_on_docker(peers: &'a Peers) -> Self {
        Self {
            name: "docker on dockerd",
            peers,
            client: "/usr/bin/docker".into(),
            host: "unix:///run/docker.sock".into(),
        }
    }

    fn docker_on_gantryd(peers: &'a Peers) -> Self {
        Self {
            name: "docker on gantryd",
            peers,
            client: "/usr/bin/docker".into(),
            host: peers.inside_host(),
        }
    }

    fn gantry_on_gantryd(peers: &'a Peers) -> Self {
        let client = peers.bring("gantry");
        Self { name: "gantry on gantryd", peers, client, host: peers.inside_host() }
    }

    fn play(&self, script: &Script) -> Vec<Played> {
        let lines = script.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let played =
            lines.map(|line| Played { line, result: normalise(&self.run(line)) }).collect();
        self.run(
            "docker rm -f $(docker ps -aq --filter name=^/d-) 2>/dev/null; rm -rf /tmp/d; true",
        );
        played
    }

    fn run(&self, line: &str) -> Output {
        let script =
            format!("docker() {{ {} \"$@\"; }}; mkdir -p /tmp/d; cd /tmp/d; {line}", self.client);
        let mut command = self.peers.inside();
        command.args([
            "env",
            &format!("DOCKER_HOST={}", self.host),
            "timeout",
            "60",
            "sh",
            "-c",
            &script,
        ]);
        finish(command.stdin(Stdio::null()))
    }
}

/// The root in which a real Docker runs.
struct Peers {
    program: PathBuf,
    root: PathBuf,
}

impl Peers {
    fn at_hand() -> Option<Self> {
        if std::env::var("GANTRY_AGAINST").ok()? != "docker" {
            return None;
        }
        let program = PathBuf::from(std::env::var_os("GANTRY_PEERS")?);
        finish(Command::new(&program).arg("up")).ok();
        let host = finish(Command::new(&program).arg("host")).ok();
        let root = host.strip_prefix("unix://")?.strip_suffix("/sock/docker.sock")?;
        Some(Self { root: root.into(), program })
    }

    fn inside(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("exec");
        command
    }

    /// The socket that the engine under test serves in there, by its path inside.
    fn inside_host(&self) -> String {
        format!("unix:///sock/gantry-{}.sock", std::process::id())
    }

    fn outside_host(&self) -> String {
        format!("unix://{}/sock/gantry-{}.sock", self.root.display(), std::process::id())
    }

    /// Copies one of our binaries in and returns its path there.
    fn bring(&self, name: &str) -> String {
        let place = format!("/usr/local/bin/{name}-{}", std::process::id());
        std::fs::copy(binary(name), self.outside(&place))
            .expect("the root of the peers is writable");
        place
    }

    fn load(&self, image: &str) {
        let archive = std::fs::File::open(image_archive(image)).expect("the archive was made");
        let mut command = self.inside();
        finish(command.args(["docker", "load", "-q"]).stdin(archive)).ok();
    }

    fn outside(&self, path: &str) -> PathBuf {
        self.root.join(Path::new(path).strip_prefix("/").expect("an absolute path"))
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        // Only what this process brought; gone already is as good.
        let _ = std::fs::remove_file(
            self.outside(&format!("/usr/local/bin/gantry-{}", std::process::id())),
        );
        let _ = std::fs::remove_file(
            self.outside(&format!("/sock/gantry-{}.sock", std::process::id())),
        );
    }
}
