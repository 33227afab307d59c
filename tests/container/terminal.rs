//! What needs a terminal: util-linux' `script` gives the command one.

use std::process::{Command, Stdio};

use testkit::engine::{Engine, Output, finish};

/// Runs `gantry ARGS` on a terminal, with `input` typed into it once the program inside is there to read it:
/// what is typed before would be taken by the terminal itself.
fn on_a_terminal(engine: &Engine, args: &str, input: &str) -> Output {
    let gantry = format!("{} -H {}", testkit::engine::binary("gantry").display(), engine.host());
    let line = format!(
        "{{ sleep 1; printf '{input}'; sleep 1; }} | timeout 30 script -qec \"{gantry} {args}\" /dev/null"
    );
    finish(Command::new("sh").args(["-c", &line]).stdin(Stdio::null()))
}

#[test]
fn it_gives_the_program_a_terminal() {
    let engine = Engine::with_busybox();
    let out = on_a_terminal(&engine, "run --rm -it busybox tty", "");
    assert_eq!(out.ok().trim(), "/dev/pts/0");
}

#[test]
fn typed_input_is_echoed_and_read() {
    let engine = Engine::with_busybox();
    let out = on_a_terminal(&engine, "run --rm -it busybox sh", "echo $((40+2))\\nexit 3\\n");
    assert_eq!(out.code, 3, "{out:?}");
    assert!(out.stdout.contains("42\r\n"), "{out:?}");
}

#[test]
fn the_detach_keys_leave_the_container_running() {
    let engine = Engine::with_busybox();
    on_a_terminal(&engine, "run -it --name box busybox sh", "\\020\\021");
    assert_eq!(engine.gantry(&["inspect", "-f", "{{.State.Running}}", "box"]).ok(), "true");
}

#[test]
fn a_terminal_asked_for_without_one_is_refused() {
    let engine = Engine::with_busybox();
    let out = engine.gantry(&["run", "--rm", "-it", "busybox", "true"]).fails(1);
    assert!(out.contains("the input device is not a TTY"), "{out}");
}

#[test]
fn exec_gets_a_terminal_too() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sleep", "300"]).ok();
    let out = on_a_terminal(&engine, "exec -it box tty", "");
    assert!(out.ok().trim().starts_with("/dev/pts/"));
    // Its size was set, which Docker tells nobody.
    let told = engine.gantry(&["events", "--since", "1h", "--until", "0s"]).ok();
    assert!(told.contains("exec_start") && !told.contains("resize"), "{told}");
}
