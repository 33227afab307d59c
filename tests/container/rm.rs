//! `gantry rm`.

use testkit::engine::Engine;

#[test]
fn two_removes_at_once_are_safe() {
    let engine = Engine::with_busybox();
    for _ in 0..10 {
        let id = engine.gantry(&["run", "-d", "busybox", "sleep", "300"]).ok();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| engine.gantry(&["rm", "-f", &id]));
            }
        });
        assert_eq!(engine.gantry(&["ps", "-aq"]).ok(), "");
    }
}
