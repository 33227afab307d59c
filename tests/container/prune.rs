//! `gantry container prune`.

use testkit::engine::Engine;

#[test]
fn prune_removes_the_stopped_and_keeps_the_running() {
    let engine = Engine::with_busybox();
    let running = engine.gantry(&["run", "-d", "busybox", "sleep", "300"]).ok();
    let stopped = engine.gantry(&["create", "busybox"]).ok();
    assert!(engine.gantry(&["container", "prune", "-f"]).ok().contains(&stopped));
    assert_eq!(engine.gantry(&["ps", "-aq", "--no-trunc"]).ok(), running);
}
