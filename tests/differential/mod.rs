//! The same command lines against a real Docker and against this engine: what people see must be the same, ids, times
//! and addresses apart. Three ways are compared: Docker's CLI on dockerd, Docker's CLI on gantryd, gantry on gantryd.
//!
//! Runs where a real Docker is at hand: `cargo xtask e2e --against docker`.

mod normalise;

use std::process::Stdio;

use testkit::engine::{Engine, Output, finish};
use testkit::peers::Peers;

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
    let Some(mut peers) = Peers::at_hand("the same command lines on Docker") else { return };
    let socket = format!("/sock/gantry-{}.sock", std::process::id());
    let engine =
        Engine::start_with(&["-H", &format!("unix://{}", peers.outside(&socket).display())]);
    let (gantry, host) = (peers.bring("gantry"), format!("unix://{socket}"));
    let way = |name, client: &str, host: &str| Way {
        name,
        peers: &peers,
        client: client.to_owned(),
        host: host.to_owned(),
    };
    let ways = [
        way("docker on dockerd", "/usr/bin/docker", "unix:///run/docker.sock"),
        way("docker on gantryd", "/usr/bin/docker", &host),
        way("gantry on gantryd", &gantry, &host),
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

impl Way<'_> {
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
