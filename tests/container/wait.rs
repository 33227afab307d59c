//! `gantry wait`.

use testkit::engine::Engine;

#[test]
fn wait_gives_the_exit_code() {
    let engine = Engine::with_busybox();
    engine.gantry(&["run", "-d", "--name", "box", "busybox", "sh", "-c", "sleep 0.2; exit 5"]).ok();
    assert_eq!(engine.gantry(&["wait", "box"]).ok(), "5");
    assert_eq!(engine.gantry(&["wait", "box"]).ok(), "5", "once it has ended, at once");
}
