//! Completion in a real bash, with the names that an engine has.

use std::process::Command;

use testkit::engine::{Engine, binary, finish};

/// What bash would offer at the end of a line.
fn offered(engine: &Engine, line: &str) -> String {
    const SCRIPT: &str = r#"
        PATH=$2:$PATH
        source <(gantry completion bash)
        COMP_LINE=$1 COMP_POINT=${#1}
        COMP_WORDS=($(sed 's/[:=]/ & /g' <<<"$1"))
        [[ $1 == *' ' ]] && COMP_WORDS+=('')
        COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
        _gantry
        echo "${COMPREPLY[*]}"
    "#;
    let beside = binary("gantry").parent().unwrap().to_owned();
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", SCRIPT, "bash", line]).arg(beside);
    finish(bash.env("DOCKER_HOST", engine.host())).ok()
}

#[test]
fn bash_offers_commands_flags_and_names() {
    let engine = Engine::with_busybox();
    for name in ["web-one", "web-two", "db"] {
        engine.gantry(&["create", "--name", name, "busybox"]).ok();
    }
    engine.gantry(&["run", "-d", "--name", "up", "busybox", "sleep", "1000"]).ok();
    assert_eq!(offered(&engine, "gantry container re"), "rename restart");
    assert_eq!(offered(&engine, "gantry ps --no-t"), "--no-trunc");
    assert_eq!(offered(&engine, "gantry rm web-"), "web-one web-two");
    assert_eq!(offered(&engine, "gantry rm web-one web-"), "web-two");
    assert_eq!(offered(&engine, "gantry start "), "db web-one web-two");
    assert_eq!(offered(&engine, "gantry exec "), "up");
    assert_eq!(offered(&engine, "gantry run --rm --name x busyb"), "busybox:latest");
    // The shell takes a name apart at its colon and holds the first part already.
    assert_eq!(offered(&engine, "gantry rmi busybox:la"), "latest");
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
