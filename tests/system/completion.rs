//! Completion in real shells, with the names that an engine has.

use std::process::Command;

use testkit::engine::{Engine, binary, finish};

const BASH: &[&str] = &["bash", "--norc", "-c", include_str!("completion/offered.bash"), "bash"];
const ZSH: &[&str] = &["zsh", "-f", "-c", include_str!("completion/offered.zsh"), "zsh"];
const FISH: &[&str] = &["fish", "--no-config", "-c", include_str!("completion/offered.fish")];

/// What a shell would offer at the end of a line, sorted.
fn offered(shell: &[&str], engine: &Engine, line: &str) -> Vec<String> {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("archive.tar"), "").unwrap();
    let beside = binary("gantry").parent().unwrap().to_owned();
    let path = format!("{}:{}", beside.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new(shell[0]);
    command.args(&shell[1..]).arg(line).env("PATH", path).env("DOCKER_HOST", engine.host());
    let output = finish(command.env("HOME", home.path()).current_dir(home.path())).ok();
    let mut words: Vec<String> = output.lines().map(str::to_owned).collect();
    words.sort();
    words
}

/// An engine with names to offer.
fn engine() -> Engine {
    let engine = Engine::with_busybox();
    for name in ["web-one", "web-two", "db"] {
        engine.gantry(&["create", "--name", name, "busybox"]).ok();
    }
    engine.gantry(&["run", "-d", "--name", "up", "busybox", "sleep", "1000"]).ok();
    engine.gantry(&["volume", "create", "kept"]).ok();
    engine
}

const LINES: &[(&str, &[&str])] = &[
    ("gantry vers", &["version"]),
    ("gantry container re", &["rename", "restart"]),
    ("gantry ps --no-t", &["--no-trunc"]),
    ("gantry rm web-", &["web-one", "web-two"]),
    ("gantry rm web-one web-", &["web-two"]),
    ("gantry start ", &["db", "web-one", "web-two"]),
    ("gantry exec ", &["up"]),
    ("gantry run --rm --name x busyb", &["busybox:latest"]),
    ("gantry volume rm ke", &["kept"]),
    ("gantry run --volumes-from d", &["db"]),
    ("gantry -l debug container rename d", &["db"]),
];

fn assert_offered(shell: &[&str], engine: &Engine, lines: &[(&str, &[&str])]) {
    for (line, expected) in lines {
        assert_eq!(offered(shell, engine, line), *expected, "{line:?} in {}", shell[0]);
    }
}

#[test]
fn bash_offers_commands_flags_and_names() {
    let engine = engine();
    assert_offered(BASH, &engine, LINES);
    // The shell takes words apart at colons and equals signs and holds the first part already.
    let lines: [(&str, &[&str]); 2] =
        [("gantry rmi busybox:la", &["latest"]), ("gantry run --volumes-from=d", &["db"])];
    assert_offered(BASH, &engine, &lines);
}

/// Whole words, and files where there is no name to offer.
const WHOLE_WORDS: &[(&str, &[&str])] = &[
    ("gantry rmi busybox:la", &["busybox:latest"]),
    ("gantry run --volumes-from=d", &["--volumes-from=db"]),
    ("gantry load -i arch", &["archive.tar"]),
];

#[test]
fn zsh_offers_commands_flags_and_names() {
    let engine = engine();
    assert_offered(ZSH, &engine, LINES);
    assert_offered(ZSH, &engine, WHOLE_WORDS);
}

#[test]
fn fish_offers_commands_flags_and_names() {
    let engine = engine();
    assert_offered(FISH, &engine, LINES);
    assert_offered(FISH, &engine, WHOLE_WORDS);
}

#[test]
fn an_engine_that_is_away_is_neither_started_nor_missed() {
    let mut engine = Engine::start();
    engine.stop();
    let words = ["__complete", "rm", ""];
    let mut command = Command::new(binary("gantry"));
    let output = finish(command.args(words).env("DOCKER_HOST", engine.host()));
    assert_eq!((output.code, &*output.stdout, &*output.stderr), (0, "", ""));
}
