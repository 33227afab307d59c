//! The same command lines against a real Docker and against this engine: what people see must be the same, ids, times
//! and addresses apart. Three ways are compared: Docker's CLI on dockerd, Docker's CLI on gantryd, gantry on gantryd; the
//! first is gone twice, so that a script says the same each time.
//!
//! Runs where a real Docker is at hand: `cargo xtask e2e --against docker`.

mod builds;
mod compose_config;
mod compose_projects;
mod help;
mod normalise;

use std::process::Stdio;

use testkit::engine::{Engine, Output, finish};
use testkit::peers::Peers;

use normalise::normalise;

/// A script of shell lines that call `docker` or, for a bare request, `api`. What it makes carries names that begin
/// with its own, so that scripts can run side by side on one dockerd.
struct Script {
    name: &'static str,
    text: &'static str,
}

/// One test for each script.
macro_rules! scripts {
    ($($name:ident)*) => {
        const SCRIPTS: &[Script] = &[$(Script {
            name: stringify!($name),
            text: include_str!(concat!(stringify!($name), ".sh")),
        }),*];
        $(
            #[test]
            fn $name() {
                compare_with_docker(stringify!($name));
            }
        )*
    };
}

scripts! {
    api
    attachments
    changes
    compose
    contexts
    cp
    errors
    events
    eventsall
    eventsrun
    exec
    formats
    health
    imagelists
    images
    lifecycle
    links
    logs
    networks
    options
    ports
    prune
    run
    system
    terminal
    volumes
}

#[test]
fn enough_lines_are_compared() {
    let lines: usize = SCRIPTS.iter().map(|script| script.lines().count()).sum();
    println!("{lines} command lines in {} scripts", SCRIPTS.len());
    assert!(lines >= 250, "only {lines} lines are compared");
}

const IMAGES: &[&str] = &["busybox", "debian", "hello-world"];

fn script(name: &str) -> &'static Script {
    SCRIPTS.iter().find(|script| script.name == name).expect("each test has its script")
}

fn compare_with_docker(name: &str) {
    let Some(mut peers) = Peers::at_hand("the same command lines on Docker") else { return };
    let socket = format!("/sock/gantry-{}.sock", std::process::id());
    let engine =
        Engine::start_with(&["-H", &format!("unix://{}", peers.outside(&socket).display())]);
    for image in IMAGES {
        engine.load(image);
    }
    peers.load_all(IMAGES);
    let gantry = peers.bring("gantry");
    let dockerd = Way::new("docker on dockerd", &peers, DOCKER, DOCKERD);
    let ways = [
        // What differs between two runs there proves nothing about this engine.
        Way::new("docker on dockerd again", &peers, DOCKER, DOCKERD),
        Way::new("docker on gantryd", &peers, DOCKER, &socket),
        Way::new("gantry on gantryd", &peers, &gantry, &socket),
    ];
    let script = script(name);
    let expected = dockerd.play(script);
    let differences: Vec<String> =
        ways.iter().flat_map(|way| compare(script, way, &expected, &way.play(script))).collect();
    let lines = expected.len();
    println!("{lines} command lines compared");
    assert!(
        differences.is_empty(),
        "{} of {lines} lines differ\n{}",
        differences.len(),
        differences.join("\n")
    );
}

fn compare(script: &Script, way: &Way<'_>, expected: &[Played], seen: &[Played]) -> Vec<String> {
    let differs = |(expected, seen): (&Played, &Played)| {
        (expected.result != seen.result).then(|| {
            let (was, is) = without_common(&expected.result, &seen.result);
            format!("--- {} ({}): {}\n{was}\n+++\n{is}", script.name, way.name, expected.line)
        })
    };
    expected.iter().zip(seen).filter_map(differs).collect()
}

/// What two texts do not share: a difference in a long listing is to be seen at once.
fn without_common(a: &str, b: &str) -> (String, String) {
    let (mut a, mut b): (Vec<&str>, Vec<&str>) = (a.lines().collect(), b.lines().collect());
    for _ in 0..2 {
        while a.last().is_some() && a.last() == b.last() {
            a.pop();
            b.pop();
        }
        a.reverse();
        b.reverse();
    }
    (a.join("\n"), b.join("\n"))
}

/// One line of a script and what came of it, normalised.
struct Played {
    line: &'static str,
    result: String,
}

impl Script {
    fn lines(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'))
    }
}

const DOCKER: &str = "/usr/bin/docker";
const DOCKERD: &str = "/run/docker.sock";

/// What the scripts use beside `docker`.
const TOOLS: &[(&str, &str)] = &[
    ("api", include_str!("bin/api")),
    ("ctx", include_str!("bin/ctx")),
    ("shape", include_str!("bin/shape")),
    ("terminal", include_str!("bin/terminal")),
    ("told", include_str!("bin/told")),
];

/// A client and the engine it talks to.
struct Way<'a> {
    name: &'static str,
    peers: &'a Peers,
    socket: String,
    /// The working directory; `docker` in its `bin` is the client.
    dir: String,
}

impl<'a> Way<'a> {
    fn new(name: &'static str, peers: &'a Peers, client: &str, socket: &str) -> Self {
        let dir = format!("/tmp/differential-{}/{}", std::process::id(), name.replace(' ', "-"));
        let tools: String = TOOLS
            .iter()
            .map(|(name, text)| format!("cat >{name} <<'END'\n{text}END\nchmod +x {name}\n"))
            .collect();
        let line = format!("mkdir -p {dir}/bin && cd {dir}/bin && ln -s {client} docker\n");
        peers.sh(&format!("{line}{tools}")).ok();
        Self { name, peers, socket: socket.to_owned(), dir }
    }

    fn play(&self, script: &Script) -> Vec<Played> {
        let played = script
            .lines()
            .map(|line| Played { line, result: normalise(&self.run(line)) })
            .collect();
        let name = script.name;
        self.run(&format!(
            "docker rm -f $(docker ps -aq --filter name=^/{name}-); \
             docker rmi -f $(docker images --format '{{{{.Repository}}}}:{{{{.Tag}}}}' '{name}-*'); \
             docker volume rm $(docker volume ls -q --filter name={name}-); \
             docker network rm $(docker network ls -q --filter name={name}-)"
        ));
        played
    }

    fn run(&self, line: &str) -> Output {
        let Self { socket, dir, .. } = self;
        let mut command = self.peers.inside();
        command.args(["env", "-C", dir, &format!("DOCKER_HOST=unix://{socket}")]);
        command.args([&format!("PATH={dir}/bin:/usr/sbin:/usr/bin:/sbin:/bin")]);
        command.args(["timeout", "60", "sh", "-c", line]);
        finish(command.stdin(Stdio::null()))
    }
}

impl Drop for Way<'_> {
    fn drop(&mut self) {
        self.peers
            .sh(&format!("rm -rf {0}; rmdir --ignore-fail-on-non-empty $(dirname {0})", self.dir));
    }
}
