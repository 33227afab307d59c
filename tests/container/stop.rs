//! `gantry stop`.

use testkit::engine::Engine;

#[test]
fn stop_asks_politely_first() {
    let mut engine = Engine::with_busybox();
    let script = "trap 'exit 3' TERM; echo ready; while :; do sleep 0.05; done";
    engine.gantry(&["run", "-d", "--name", "polite", "busybox", "sh", "-c", script]).ok();
    engine.wait_until("the trap is set", |engine| {
        engine.gantry(&["logs", "polite"]).stdout == "ready\n"
    });
    engine.gantry(&["stop", "polite"]).ok();
    assert_eq!(engine.gantry(&["inspect", "-f", "{{.State.ExitCode}}", "polite"]).ok(), "3");
}
