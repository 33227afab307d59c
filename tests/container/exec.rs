//! `gantry exec`.

use testkit::engine::Engine;

fn engine_with_box() -> Engine {
    let engine = Engine::with_busybox();
    engine
        .gantry(&["run", "-d", "--name", "box", "-e", "FROM=run", "busybox", "sleep", "300"])
        .ok();
    engine
}

#[test]
fn output_streams_and_exit_code() {
    let engine = engine_with_box();
    let out = engine.gantry(&["exec", "box", "sh", "-c", "echo out; echo err >&2; exit 4"]);
    assert_eq!((out.code, out.stdout.as_str(), out.stderr.as_str()), (4, "out\n", "err\n"));
}

#[test]
fn input_user_workdir_and_environment() {
    let engine = engine_with_box();
    assert_eq!(engine.gantry_with_input(&["exec", "-i", "box", "cat"], b"hello").ok(), "hello");
    let args = [
        "exec",
        "-u",
        "nobody",
        "-w",
        "/tmp",
        "-e",
        "MORE=exec",
        "box",
        "sh",
        "-c",
        "id -un; pwd; echo $FROM $MORE",
    ];
    assert_eq!(engine.gantry(&args).ok(), "nobody\n/tmp\nrun exec");
}

#[test]
fn shares_the_namespaces_of_the_container() {
    let engine = engine_with_box();
    assert_eq!(engine.gantry(&["exec", "box", "cat", "/proc/1/comm"]).ok(), "sleep");
}

#[test]
fn detached_exec_goes_on_by_itself() {
    let mut engine = engine_with_box();
    engine.gantry(&["exec", "-d", "box", "sh", "-c", "echo done > /tmp/mark"]).ok();
    engine.wait_until("the detached exec wrote its mark", |engine| {
        engine.gantry(&["exec", "box", "cat", "/tmp/mark"]).stdout == "done\n"
    });
}

#[test]
fn what_cannot_be_executed_is_126() {
    let engine = engine_with_box();
    let missing = engine.gantry(&["exec", "box", "no-such-program"]);
    assert_eq!(missing.code, 126, "missing or not, as with Docker 26: {missing:?}");
    assert_eq!(engine.gantry(&["exec", "box", "/etc/passwd"]).code, 126);
}

#[test]
fn a_stopped_or_paused_container_refuses() {
    let engine = engine_with_box();
    engine.gantry(&["pause", "box"]).ok();
    let paused = engine.gantry(&["exec", "box", "true"]).fails(1);
    assert!(paused.contains("is paused, unpause the container before exec"), "{paused}");
    engine.gantry(&["unpause", "box"]).ok();
    engine.gantry(&["kill", "box"]).ok();
    let stopped = engine.gantry(&["exec", "box", "true"]).fails(1);
    assert!(stopped.contains("is not running"), "{stopped}");
}
