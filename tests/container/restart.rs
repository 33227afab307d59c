//! Restart policies.

use testkit::engine::Engine;

fn restarts(engine: &Engine, name: &str) -> u32 {
    engine.gantry(&["inspect", "-f", "{{.RestartCount}}", name]).ok().parse().unwrap()
}

#[test]
fn on_failure_gives_up_after_its_number() {
    let mut engine = Engine::with_busybox();
    engine
        .gantry(&[
            "run",
            "-d",
            "--name",
            "box",
            "--restart",
            "on-failure:2",
            "busybox",
            "sh",
            "-c",
            "echo try; exit 1",
        ])
        .ok();
    engine.wait_until("it gave up", |engine| {
        engine.gantry(&["inspect", "-f", "{{.State.Status}} {{.RestartCount}}", "box"]).ok()
            == "exited 2"
    });
    assert_eq!(engine.gantry(&["logs", "box"]).ok(), "try\ntry\ntry");
}

#[test]
fn on_failure_leaves_a_success_alone() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "--name", "box", "--restart", "on-failure", "busybox", "true"]).ok();
    assert_eq!(restarts(&engine, "box"), 0);
}

#[test]
fn always_starts_again_but_not_after_a_stop() {
    let mut engine = Engine::with_busybox();
    engine
        .gantry(&["run", "-d", "--name", "box", "--restart", "always", "busybox", "sleep", "0.1"])
        .ok();
    engine.wait_until("it was restarted", |engine| restarts(engine, "box") >= 2);
    engine.gantry(&["stop", "-t", "0", "box"]).ok();
    // One that was to be started again would be `restarting` from the moment of its end.
    assert_eq!(engine.gantry(&["inspect", "-f", "{{.State.Status}}", "box"]).ok(), "exited");
}
