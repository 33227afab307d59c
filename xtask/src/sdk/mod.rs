//! `cargo xtask sdk`: the integration tests of Docker's Python SDK, on this engine and on a real Docker.
//!
//! Both engines are private ones with the same images. What passes on Docker has to pass here, but for what
//! `differs.txt` names with a reason; `left-out.txt` names what is not run at all.

mod client;
mod dockerd;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use testkit::engine::Engine;
use testkit::peers::Peers;

use crate::{Result, build, images, setup, shell};
use client::Client;
use dockerd::Dockerd;

const USAGE: &str = "usage: cargo xtask sdk [--against docker] [-- WORD of pytest...]";
const LEFT_OUT: &str = include_str!("left-out.txt");
const DIFFERS: &str = include_str!("differs.txt");
/// What the tests take for granted that an engine has, all made of one image.
const TAGS: [&str; 3] = ["alpine:3.10", "alpine:latest", "busybox:latest"];
/// What the tests expect of Alpine's image beyond a busybox.
const LIKE_ALPINE: &str =
    "mkdir -p /var/opt /mnt && echo postgres:x:70:70::/var/lib/postgresql:/bin/sh >>/etc/passwd";

/// How a test ended, by its name.
type Outcomes = BTreeMap<String, Outcome>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed,
}

struct Options {
    against_docker: bool,
    words: Vec<String>,
}

pub(crate) fn run(args: &[String]) -> Result {
    let options = parse(args)?;
    // testkit finds binaries and peers by its environment, which only a new process can be given.
    if std::env::var_os("GANTRY_BIN").is_none() {
        setup::packages(&[setup::BUILD, setup::IMAGES])?;
        images::make(&["busybox", "hello-world"])?;
        shell::run(shell::cargo().args(["build", "--workspace", "--bins"]))?;
        // Not by its path, where the build may just have put another.
        let mut again = std::process::Command::new("/proc/self/exe");
        if let Some(program) = crate::test::peers_at_hand() {
            again.env("GANTRY_PEERS", program);
        }
        again.arg("sdk").args(args).env("GANTRY_BIN", build::target_dir("debug")?);
        return shell::run(again.env("GANTRY_IMAGES", images::cache()));
    }
    compare(&options)
}

fn parse(args: &[String]) -> Result<Options> {
    let mut options = Options { against_docker: false, words: Vec::new() };
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "--against" if args.next().is_some_and(|peer| peer == "docker") => {
                options.against_docker = true;
            }
            "--" => options.words.extend(args.by_ref().cloned()),
            _ => return Err(USAGE.into()),
        }
    }
    Ok(options)
}

fn compare(options: &Options) -> Result {
    let client = Client::install()?;
    let engine = Engine::start();
    let archive = make_images(&engine)?;
    let ours = client.test(&engine.host(), engine.scratch(), &options.words)?;
    let peers =
        if options.against_docker { Peers::at_hand("the SDK's tests on Docker") } else { None };
    let theirs = match &peers {
        None => None,
        Some(peers) => {
            let docker = Dockerd::start(peers)?;
            docker.load(&archive)?;
            Some(client.test(&docker.host(), &docker.scratch(), &options.words)?)
        }
    };
    report(&ours, theirs.as_ref())
}

/// Makes the images with this engine and returns them as one archive for the other.
fn make_images(engine: &Engine) -> Result<PathBuf> {
    engine.load("busybox");
    engine.load("hello-world");
    engine.gantry(&["run", "--name", "base", "busybox", "sh", "-c", LIKE_ALPINE]).ok();
    engine.gantry(&["commit", "-c", "CMD sh", "base", TAGS[0]]).ok();
    engine.gantry(&["rm", "base"]).ok();
    engine.gantry(&["rmi", "busybox"]).ok();
    for tag in &TAGS[1..] {
        engine.gantry(&["tag", TAGS[0], tag]).ok();
    }
    let archive = engine.scratch().join("images.tar");
    let mut save = vec!["save", "-o"];
    let path = archive.to_string_lossy();
    save.push(&path);
    save.extend(TAGS);
    save.push("hello-world");
    engine.gantry(&save).ok();
    Ok(archive)
}

fn report(ours: &Outcomes, theirs: Option<&Outcomes>) -> Result {
    let reasons = reasons(DIFFERS);
    let mut failures = Vec::new();
    println!("\n{:<100} {:<8} {:<8}", "test", "gantry", "docker");
    for (test, outcome) in ours {
        let on_docker = theirs.and_then(|theirs| theirs.get(test));
        let reason = reasons.get(test.as_str());
        let docker = on_docker.map_or("-", |outcome| outcome.word());
        println!("{test:<100} {:<8} {docker:<8}{}", outcome.word(), reason.unwrap_or(&""));
        let expected = on_docker != Some(&Outcome::Failed) && reason.is_none();
        if *outcome == Outcome::Failed && expected {
            failures.push(test.clone());
        }
        if *outcome == Outcome::Passed && reason.is_some() {
            failures.push(format!("{test} passes: take it off the list"));
        }
    }
    println!("\n{}", summary("gantry", ours));
    if let Some(theirs) = theirs {
        println!("{}", summary("docker", theirs));
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(format!("not as on Docker:\n{}", failures.join("\n")))
}

fn summary(engine: &str, outcomes: &Outcomes) -> String {
    let passed = outcomes.values().filter(|outcome| **outcome == Outcome::Passed).count();
    format!("{engine}: {passed} of {} pass", outcomes.len())
}

impl Outcome {
    fn word(self) -> &'static str {
        match self {
            Self::Passed => "passes",
            Self::Failed => "FAILS",
        }
    }
}

/// The lists' lines: a test, a class or a file, and the reason after it.
fn reasons(list: &'static str) -> BTreeMap<&'static str, &'static str> {
    let lines = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).map(|(test, why)| (test, why.trim())).collect()
}

fn create_dir(path: &Path) -> Result {
    std::fs::create_dir_all(path).map_err(|error| format!("{}: {error}", path.display()))
}
