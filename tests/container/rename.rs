//! `gantry rename`.

use testkit::engine::Engine;

#[test]
fn rename_keeps_the_container() {
    let engine = Engine::with_busybox();
    let id = engine.gantry(&["create", "--name", "old", "busybox"]).ok();
    engine.gantry(&["create", "--name", "taken", "busybox"]).ok();
    engine.gantry(&["rename", "old", "new"]).ok();
    assert_eq!(
        engine.gantry(&["inspect", "-f", "{{.Id}} {{.Name}}", "new"]).ok(),
        format!("{id} /new")
    );
    let conflict = engine.gantry(&["rename", "new", "taken"]).fails(1);
    assert!(conflict.contains("is already in use"), "{conflict}");
}
