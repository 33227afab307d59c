//! `gantry kill`.

use testkit::engine::Engine;

#[test]
fn kill_with_any_signal() {
    let mut engine = Engine::with_busybox();
    let script = "trap 'echo usr1' USR1; echo ready; while :; do sleep 0.05; done";
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sh", "-c", script]).ok();
    engine.wait_until("the trap is set", |engine| {
        engine.gantry(&["logs", "box"]).stdout == "ready\n"
    });
    engine.gantry(&["kill", "-s", "USR1", "box"]).ok();
    engine.wait_until("the signal arrived", |engine| {
        engine.gantry(&["logs", "box"]).stdout == "ready\nusr1\n"
    });
    engine.gantry(&["kill", "box"]).ok();
    assert_eq!(engine.gantry(&["wait", "box"]).ok(), "137");
    let again = engine.gantry(&["kill", "box"]).fails(1);
    assert!(again.contains("is not running"), "{again}");
}
