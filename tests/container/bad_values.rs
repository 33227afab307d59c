//! Flags with values that mean nothing: Docker's message and exit code, and nothing is created. The table is Docker's own
//! answers; where a real one is at hand it is asked again.

use std::process::{Command, Stdio};

use testkit::engine::{Engine, Output, binary, finish};
use testkit::peers::Peers;

const TABLE: &str = include_str!("bad_values.txt");

struct Case {
    flags: &'static str,
    code: i32,
    message: &'static str,
}

fn cases() -> Vec<Case> {
    let lines: Vec<&str> = TABLE.lines().filter(|line| !line.starts_with('#')).collect();
    let case = |pair: &[&'static str]| {
        let (code, message) = pair[1].split_once(' ').unwrap();
        Case { flags: pair[0], code: code.parse().unwrap(), message }
    };
    lines.chunks(2).map(case).collect()
}

/// How many processors there are is the host's affair.
fn normal(text: &str) -> String {
    let cpus = std::thread::available_parallelism().map_or(1, usize::from);
    text.replace(&format!("to {cpus}.00"), "to N.00")
        .replace(&format!("only {cpus} CPUs"), "only N CPUs")
        .replace(&format!("available: 0-{}", cpus - 1), "available: 0-N")
}

fn differences(program: &str, run: impl Fn(&str) -> Output) -> Vec<String> {
    let differs = |case: &Case| {
        let output = run(&format!("{program} create {} busybox true", case.flags));
        let help = format!("\nSee '{program} create --help'.");
        let message = case.message.replacen("gantry: ", &format!("{program}: "), 1);
        let expected = if case.code == 125 { message + &help } else { message };
        let seen = (output.code, normal(output.stderr.trim_end()));
        let as_expected = seen == (case.code, normal(&expected));
        (!as_expected).then(|| format!("{}\n  {} {expected}\n  {seen:?}", case.flags, case.code))
    };
    cases().iter().filter_map(differs).collect()
}

#[test]
fn every_bad_value_is_refused_in_dockers_words_and_nothing_is_created() {
    assert!(cases().len() >= 120, "{} cases", cases().len());
    let engine = Engine::with_busybox();
    let (dir, host) = (binary("gantry"), engine.host());
    let path = format!("{}:{}", dir.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let run = |line: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).env("PATH", &path).env("DOCKER_HOST", &host);
        finish(shell.stdin(Stdio::null()))
    };
    let differences = differences("gantry", run);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
}

#[test]
fn the_table_is_what_docker_says() {
    let Some(peers) = Peers::at_hand("the table of bad values") else { return };
    peers.load_all(&["busybox"]);
    let differences = differences("docker", |line| peers.sh(line));
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
